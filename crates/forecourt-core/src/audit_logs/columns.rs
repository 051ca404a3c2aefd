//! What of an entry of the audit log can be searched, in columns beside it.

use super::AuditEntry;
use crate::{ids::AuditRecordId, time::Timestamp};

/// The longest text that can be searched, bytes: PostgreSQL's indexes take no row above 2,700.
pub const LONGEST_SEARCHED: usize = 256;

/// What of an entry can be searched. Stored beside the entry, and compared with it by whoever verifies the log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditColumns {
    /// `record`, `further` or `answer`.
    pub kind: String,
    /// The record's id.
    pub record_id: String,
    /// When, microseconds.
    pub at: i64,
    /// Empty but in records, as are those that follow.
    pub event_type: String,
    /// The operator's id.
    pub operator_id: String,
    /// What it was done to.
    pub resource_id: String,
    /// Its gateway group.
    pub gateway_group_id: String,
}

impl AuditEntry {
    /// What of it can be searched.
    pub fn columns(&self) -> AuditColumns {
        let of = |kind: &str, id: &AuditRecordId, at: Timestamp| AuditColumns {
            kind: kind.to_owned(),
            record_id: id.to_string(),
            at: at.micros(),
            ..AuditColumns::default()
        };
        match self {
            Self::Record(record) => AuditColumns {
                event_type: searched(&record.event_type),
                operator_id: searched(&record.operator.id),
                resource_id: searched(&record.resource_id),
                gateway_group_id: searched(&record.gateway_group_id),
                ..of("record", &record.id, record.at)
            },
            Self::Further(further) => of("further", &further.id, further.at),
            Self::Answer(answer) => of("answer", &answer.id, answer.at),
        }
    }
}

/// `text` as a column and an index of either engine take it: without NUL, and not too long.
fn searched(text: &str) -> String {
    let end = text.floor_char_boundary(LONGEST_SEARCHED);
    text.get(..end).unwrap_or_default().replace('\0', "")
}
