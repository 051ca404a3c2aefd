//! List answers: `{"list":[…],"total":n}`, never null.

use axum::Json;
use forecourt_core::lists::List;
use serde::Serialize;

/// The body of a list.
#[derive(Debug, Serialize)]
pub struct ListBody<T> {
    list: Vec<T>,
    total: u64,
}

/// A list's answer.
pub fn body<T>(list: List<T>) -> Json<ListBody<T>> {
    Json(ListBody { list: list.rows, total: list.total })
}

/// The answer of a list that is not paged.
pub fn whole<T>(rows: Vec<T>) -> Json<ListBody<T>> {
    Json(ListBody { total: rows.len() as u64, list: rows })
}
