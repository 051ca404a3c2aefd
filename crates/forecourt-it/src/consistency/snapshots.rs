//! All rows of a database at one moment, in memory, as both engines tell them.

use std::collections::BTreeMap;

use forecourt_store::{Cell, Filling, Location, Original};
use serde_json::Value;

/// How many rows are put into a copy at once.
const PAGE: usize = 500;

/// The rows of every table, by its name.
#[derive(Clone, Debug)]
pub struct Snapshot {
    tables: BTreeMap<String, Vec<Row>>,
}

/// A row: its cells by the names of their columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    table: String,
    key: Vec<String>,
    cells: BTreeMap<String, Cell>,
}

impl Snapshot {
    /// Reads everything, in one transaction that keeps nobody from writing.
    pub async fn of(location: &Location) -> Self {
        let original = Original::open(location).await.unwrap();
        let mut tables = BTreeMap::new();
        for table in &original.schema().tables {
            let names: Vec<_> = table.columns.iter().map(|column| column.name.clone()).collect();
            let mut found = Vec::new();
            let mut rows = original.rows(table);
            loop {
                let page = rows.next().await.unwrap();
                if page.is_empty() {
                    break;
                }
                found.extend(page.into_iter().map(|cells| Row {
                    table: table.name.clone(),
                    key: table.key.clone(),
                    cells: names.iter().cloned().zip(cells).collect(),
                }));
            }
            tables.insert(table.name.clone(), found);
        }
        Self { tables }
    }

    /// One of these tables.
    #[cfg(test)]
    pub(crate) fn of_tables(tables: &[(&str, Vec<Row>)]) -> Self {
        Self { tables: tables.iter().map(|(name, rows)| ((*name).to_owned(), rows.clone())).collect() }
    }

    /// The rows of a table, in the order of their key.
    ///
    /// # Panics
    /// When there is no such table: a check that looks at nothing finds nothing.
    #[track_caller]
    pub fn rows(&self, table: &str) -> &[Row] {
        self.tables.get(table).unwrap_or_else(|| panic!("there is no table {table}"))
    }

    /// The rows of a table, to be changed.
    ///
    /// # Panics
    /// When there is no such table.
    #[track_caller]
    pub fn rows_mut(&mut self, table: &str) -> &mut Vec<Row> {
        self.tables.get_mut(table).unwrap_or_else(|| panic!("there is no table {table}"))
    }

    /// The names of all tables.
    pub fn tables(&self) -> impl Iterator<Item = &str> {
        self.tables.keys().map(String::as_str)
    }

    /// The rows of a table by the text of one column, which tells them apart; rows without one are left out.
    pub(crate) fn by<'a>(&'a self, table: &str, column: &str) -> BTreeMap<&'a str, &'a Row> {
        self.rows(table).iter().filter_map(|row| Some((row.optional(column)?, row))).collect()
    }
}

impl Row {
    /// A row of texts, the first of which is its key.
    #[cfg(test)]
    pub(crate) fn of_texts(table: &str, texts: &[(&str, &str)]) -> Self {
        Self {
            table: table.to_owned(),
            key: texts.iter().take(1).map(|(column, _)| (*column).to_owned()).collect(),
            cells: texts
                .iter()
                .map(|(column, text)| ((*column).to_owned(), Cell::Text((*text).to_owned())))
                .collect(),
        }
    }

    /// The table and the key of this row, as it is named to people.
    pub fn name(&self) -> String {
        let key: Vec<_> = self.key.iter().map(|column| shown(self.cell(column))).collect();
        format!("{} {}", self.table, key.join("/"))
    }

    /// Whether it has this column.
    pub fn has(&self, column: &str) -> bool {
        self.cells.contains_key(column)
    }

    /// The value of a column.
    ///
    /// # Panics
    /// When there is no such column.
    #[track_caller]
    pub fn cell(&self, column: &str) -> &Cell {
        self.cells.get(column).unwrap_or_else(|| panic!("{} has no column {column}", self.table))
    }

    /// Gives a column another value.
    ///
    /// # Panics
    /// When there is no such column.
    #[track_caller]
    pub fn set(&mut self, column: &str, cell: Cell) {
        let place = self.cells.get_mut(column);
        *place.unwrap_or_else(|| panic!("{} has no column {column}", self.table)) = cell;
    }

    /// A text; `None`: null.
    #[track_caller]
    pub fn optional(&self, column: &str) -> Option<&str> {
        match self.cell(column) {
            Cell::Text(text) => Some(text),
            Cell::Null => None,
            other => panic!("{}: {column} is no text: {other:?}", self.name()),
        }
    }

    /// A text; empty where it is null.
    #[track_caller]
    pub fn text(&self, column: &str) -> &str {
        self.optional(column).unwrap_or_default()
    }

    /// A number; `None`: null.
    #[track_caller]
    pub fn number(&self, column: &str) -> Option<i64> {
        match self.cell(column) {
            Cell::Integer(number) => Some(*number),
            Cell::Null => None,
            other => panic!("{}: {column} is no number: {other:?}", self.name()),
        }
    }

    /// A number that is always there.
    #[track_caller]
    pub fn count(&self, column: &str) -> i64 {
        self.number(column).unwrap_or_else(|| panic!("{}: {column} is null", self.name()))
    }

    /// Bytes.
    #[track_caller]
    pub fn bytes(&self, column: &str) -> &[u8] {
        match self.cell(column) {
            Cell::Bytes(bytes) => bytes,
            other => panic!("{}: {column} is no bytes: {other:?}", self.name()),
        }
    }

    /// What a column holds, as text: also a number and whether something is true.
    #[track_caller]
    pub fn told(&self, column: &str) -> String {
        match self.cell(column) {
            Cell::Text(text) => text.clone(),
            Cell::Null => String::new(),
            other => shown(other),
        }
    }

    /// Whether it is true.
    #[track_caller]
    pub fn is(&self, column: &str) -> bool {
        matches!(self.cell(column), Cell::Boolean(true))
    }

    /// A column's JSON; null where it is none.
    #[track_caller]
    pub fn json(&self, column: &str) -> Value {
        serde_json::from_str(self.text(column)).unwrap_or(Value::Null)
    }
}

/// Makes `target` a copy of the database at `source` after `change` was done to its rows.
///
/// # Panics
/// When the engine refuses it: it enforces some of what is checked itself.
pub async fn copied_with(source: &Location, target: &Location, change: impl FnOnce(&mut Snapshot)) {
    let mut snapshot = Snapshot::of(source).await;
    change(&mut snapshot);
    let version = Original::open(source).await.unwrap().schema().version.clone();
    let filling = Filling::begin(target, &version).await.unwrap();
    let tables = filling.schema().tables.clone();
    for table in &tables {
        let cells =
            |row: &Row| table.columns.iter().map(|column| row.cell(&column.name).clone()).collect::<Vec<_>>();
        let rows: Vec<Vec<Cell>> = snapshot.rows(&table.name).iter().map(cells).collect();
        for page in rows.chunks(PAGE) {
            filling.insert(table, page).await.unwrap();
        }
    }
    filling.commit().await.unwrap();
}

fn shown(cell: &Cell) -> String {
    match cell {
        Cell::Null => "null".into(),
        Cell::Integer(number) => number.to_string(),
        Cell::Boolean(is) => is.to_string(),
        Cell::Text(text) => text.clone(),
        Cell::Bytes(bytes) => format!("{} bytes", bytes.len()),
    }
}
