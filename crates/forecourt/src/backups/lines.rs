//! A row as a line of text, and what a table's lines add up to.
//!
//! Invariant: the same row gives the same line from either engine, so that digests can be compared across them. A line
//! is a JSON array with a value for each column; bytes are written in Base64.

use base64::{Engine, engine::general_purpose::STANDARD};
use forecourt_store::{Cell, ColumnType, Table};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// What the lines of a table add up to.
#[derive(Debug, Default)]
pub(super) struct Digest {
    sha256: Sha256,
    rows: u64,
}

impl Digest {
    /// Adds a line, which ends with a line break in the file.
    pub(super) fn add(&mut self, line: &str) {
        self.sha256.update(line.as_bytes());
        self.sha256.update(b"\n");
        self.rows += 1;
    }

    /// How many lines there were.
    pub(super) const fn rows(&self) -> u64 {
        self.rows
    }

    /// 64 lower-case hex digits.
    pub(super) fn finish(self) -> String {
        self.sha256.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// The line of a row, without its line break.
pub(super) fn of_row(row: &[Cell]) -> String {
    let values: Vec<_> = row.iter().map(written).collect();
    Value::Array(values).to_string()
}

/// The row of a line of `table`; `None`: it is none.
pub(super) fn row(line: &str, table: &Table) -> Option<Vec<Cell>> {
    let values: Vec<Value> = serde_json::from_str(line).ok()?;
    if values.len() != table.columns.len() {
        return None;
    }
    let cells = table.columns.iter().zip(values);
    cells.map(|(column, value)| cell(value, column.column_type)).collect()
}

/// The last text of a row that begins with the text `key`, as the rows of settings do.
pub(super) fn text_beside(row: &[Cell], key: &str) -> Option<String> {
    match (row.first(), row.last()) {
        (Some(Cell::Text(first)), Some(Cell::Text(last))) if first == key => Some(last.clone()),
        _ => None,
    }
}

fn written(cell: &Cell) -> Value {
    match cell {
        Cell::Null => Value::Null,
        Cell::Integer(number) => Value::from(*number),
        Cell::Boolean(is) => Value::from(*is),
        Cell::Text(text) => Value::from(text.as_str()),
        Cell::Bytes(bytes) => Value::from(STANDARD.encode(bytes)),
    }
}

fn cell(value: Value, column_type: ColumnType) -> Option<Cell> {
    match (value, column_type) {
        (Value::Null, _) => Some(Cell::Null),
        (Value::Number(number), ColumnType::Integer) => number.as_i64().map(Cell::Integer),
        (Value::Bool(is), ColumnType::Boolean) => Some(Cell::Boolean(is)),
        (Value::String(text), ColumnType::Text) => Some(Cell::Text(text)),
        (Value::String(text), ColumnType::Bytes) => STANDARD.decode(text).ok().map(Cell::Bytes),
        _ => None,
    }
}
