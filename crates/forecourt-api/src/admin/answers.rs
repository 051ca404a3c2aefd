//! The envelope of the Admin API: `{"value":…}`, with a `warning_msg` where there is one.

use axum::Json;
use forecourt_http::{lists::ListBody, problem::Problem};
use serde_json::{Value, json};

/// What a handler of one object returns.
pub(super) type Answer = Result<Json<Value>, Problem>;

/// What a handler of a list returns.
pub(super) type ListAnswer = Result<Json<ListBody<Value>>, Problem>;

/// One object, or anything else that is a value.
pub(super) fn value(value: impl Into<Value>) -> Answer {
    Ok(Json(json!({ "value": value.into() })))
}

/// One object, and a sentence about what else happened.
pub(super) fn value_with_warning(value: impl Into<Value>, warning: Option<String>) -> Answer {
    Ok(Json(match warning {
        Some(warning) => json!({ "value": value.into(), "warning_msg": warning }),
        None => json!({ "value": value.into() }),
    }))
}

/// The answer of a delete that did more than that.
pub(super) fn deleted_with_warning(id: &str, warning: Option<String>) -> Answer {
    value_with_warning(json!({ "id": id }), warning)
}

/// The answer of a delete: the id of what is gone.
pub(super) fn deleted(id: &str) -> Answer {
    value(json!({ "id": id }))
}
