//! The two forms of a downloaded audit log, a page of records at a time.
//!
//! Tables are opened in spreadsheets, which take a cell that begins like a formula for one: such a cell gets a `'` in
//! front, so that nobody who can be recorded can have something computed by whoever reads the record.

use serde_json::Value;

/// What a download is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// An array of records.
    Json,
    /// A table (RFC 4180).
    Csv,
}

/// The columns of a table: their names, and where in a record they stand.
const COLUMNS: [(&str, &str); 17] = [
    ("id", "/id"),
    ("event_time", "/event_time"),
    ("event_type", "/event_type"),
    ("operator_id", "/operator/id"),
    ("operator_username", "/operator/username"),
    ("source", "/source"),
    ("token_name", "/token_name"),
    ("resource_id", "/resource_id"),
    ("gateway_group_id", "/gateway_group_id"),
    ("ip_address", "/ip_address"),
    ("request_id", "/request_id"),
    ("method", "/http_request/method"),
    ("uri", "/http_request/uri"),
    ("user_agent", "/http_request/user_agent"),
    ("status_code", "/http_response/status_code"),
    ("error_message", "/error_message"),
    ("changes", "/changes"),
];

impl Format {
    /// The word of the parameter, and the ending of the file.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Csv => "csv",
        }
    }

    pub(super) fn from_name(word: &str) -> Option<Self> {
        match word {
            "json" => Some(Self::Json),
            "csv" => Some(Self::Csv),
            _ => None,
        }
    }

    pub(super) const fn media_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Csv => "text/csv; charset=utf-8",
        }
    }

    /// The text of the next records; without any it is the end.
    pub(super) fn page(self, records: &[Value], is_first: bool) -> String {
        match self {
            Self::Json => json_page(records, is_first),
            Self::Csv => csv_page(records, is_first),
        }
    }
}

fn json_page(records: &[Value], is_first: bool) -> String {
    let mut text = String::new();
    for (place, record) in records.iter().enumerate() {
        text.push(if is_first && place == 0 { '[' } else { ',' });
        text.push_str(&record.to_string());
    }
    match (records.is_empty(), is_first) {
        (true, true) => "[]".to_owned(),
        (true, false) => "]".to_owned(),
        (false, _) => text,
    }
}

fn csv_page(records: &[Value], is_first: bool) -> String {
    let mut text = String::new();
    if is_first {
        text.push_str(&COLUMNS.map(|(name, _)| name).join(","));
        text.push_str("\r\n");
    }
    for record in records {
        let cells = COLUMNS.map(|(_, pointer)| cell(record.pointer(pointer)));
        text.push_str(&cells.join(","));
        text.push_str("\r\n");
    }
    text
}

fn cell(value: Option<&Value>) -> String {
    let text = match value {
        None | Some(Value::Null) => return String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(value) => value.to_string(),
    };
    let guarded = if text.starts_with(['=', '+', '-', '@']) { format!("'{text}") } else { text };
    match guarded.contains(['"', ',', '\r', '\n']) {
        true => format!("\"{}\"", guarded.replace('"', "\"\"")),
        false => guarded,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn cells_starting_with_a_formula_sign_get_an_apostrophe() {
        for sign in ["=", "+", "-", "@"] {
            assert_eq!(cell(Some(&json!(format!("{sign}1+1")))), format!("'{sign}1+1"));
        }
        assert_eq!(cell(Some(&json!("=1,\"2\""))), "\"'=1,\"\"2\"\"\"");
        assert_eq!(cell(Some(&json!("a=1"))), "a=1");
        assert_eq!(cell(Some(&json!(7))), "7");
        assert_eq!(cell(None), "");
    }

    #[test]
    fn pages_of_a_download_are_one_array() {
        let pages = [vec![json!(1), json!(2)], vec![json!(3)], vec![]];
        let text: String =
            pages.iter().enumerate().map(|(place, page)| Format::Json.page(page, place == 0)).collect();
        assert_eq!(text, "[1,2,3]");
        assert_eq!(Format::Json.page(&[], true), "[]");
    }

    #[test]
    fn a_table_begins_with_its_columns() {
        let text = Format::Csv.page(&[json!({ "id": "aud_1", "operator": { "username": "ann" } })], true);
        let mut lines = text.split("\r\n");
        assert!(lines.next().unwrap().starts_with("id,event_time,event_type,operator_id,operator_username,"));
        assert!(lines.next().unwrap().starts_with("aud_1,,,,ann,"));
    }
}
