//! As much of TOML as this repository's own files use: tables, arrays of tables, and the strings in values.
//!
//! Reading `Cargo.toml`, `deny.toml` and `tidy.toml` needs names of keys and quoted strings, nothing more.

/// One `[table]` or one element of an `[[array]]`.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Table {
    /// The name between the brackets; empty before the first.
    pub(crate) name: String,
    /// Keys as written (`serde.workspace` stays whole), each with all strings of its value.
    pub(crate) entries: Vec<(String, Vec<String>)>,
}

impl Table {
    /// The strings of `key`; empty when it is absent.
    pub(crate) fn strings(&self, key: &str) -> &[String] {
        self.entries.iter().find(|(name, _)| name == key).map_or(&[], |(_, strings)| strings)
    }

    /// The first string of `key`.
    pub(crate) fn text(&self, key: &str) -> Option<&str> {
        self.strings(key).first().map(String::as_str)
    }
}

/// The tables of a document, in order.
pub(crate) fn tables(document: &str) -> Vec<Table> {
    let mut tables = vec![Table::default()];
    let mut open: Option<(String, Vec<String>, i32)> = None;
    for line in document.lines() {
        let (code, strings, depth) = scan(line);
        if let Some((key, mut values, level)) = open.take() {
            values.extend(strings);
            open = finish(&mut tables, key, values, level + depth);
        } else if code.starts_with('[') {
            let name = code.trim_matches(['[', ']']).trim().to_owned();
            tables.push(Table { name, entries: Vec::new() });
        } else if let Some((key, _)) = code.split_once('=') {
            open = finish(&mut tables, key.trim().trim_matches('"').to_owned(), strings, depth);
        }
    }
    tables
}

/// Stores a value that is complete, or hands it back with how many brackets are still open.
fn finish(
    tables: &mut [Table],
    key: String,
    values: Vec<String>,
    depth: i32,
) -> Option<(String, Vec<String>, i32)> {
    if depth > 0 {
        return Some((key, values, depth));
    }
    if let Some(table) = tables.last_mut() {
        table.entries.push((key, values));
    }
    None
}

/// A line without comment, its strings, and by how much it opens brackets.
fn scan(line: &str) -> (String, Vec<String>, i32) {
    let mut code = String::new();
    let mut strings = Vec::new();
    let mut depth = 0;
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        match character {
            '#' => break,
            '"' | '\'' => {
                let text: String = characters.by_ref().take_while(|next| *next != character).collect();
                code.push('"');
                code.push_str(&text);
                code.push('"');
                strings.push(text);
                continue;
            }
            '[' | '{' => depth += 1,
            ']' | '}' => depth -= 1,
            _ => {}
        }
        code.push(character);
    }
    (code.trim().to_owned(), strings, depth)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_keys_and_strings_over_several_lines_are_read() {
        let document = "[a.b]\none = \"x\" # \"no\"\nmany = [\n  \"p\", # why\n  \"q#r\",\n]\n[[c]]\nd.workspace = true\n";
        let read = tables(document);
        assert_eq!(read.len(), 3);
        assert_eq!(read[1].name, "a.b");
        assert_eq!(read[1].text("one"), Some("x"));
        assert_eq!(read[1].strings("many"), ["p", "q#r"]);
        assert_eq!(read[2].name, "c");
        assert_eq!(read[2].entries, [("d.workspace".to_owned(), vec![])]);
    }

    #[test]
    fn an_absent_key_has_no_text() {
        assert_eq!(tables("")[0].text("anything"), None);
    }
}
