//! One value of a row, the same whichever engine holds it.

use sea_orm::{QueryResult, sea_query::Value};

use crate::{ColumnType, StoreError};

/// A value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cell {
    /// None.
    Null,
    /// A whole number.
    Integer(i64),
    /// True or false.
    Boolean(bool),
    /// Text.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
}

/// How `column` is asked for, so that both engines answer with one of four types.
pub(super) fn selected(column: &str, column_type: ColumnType) -> String {
    match column_type {
        ColumnType::Integer => format!("CAST({column} AS BIGINT)"),
        ColumnType::Boolean => {
            format!("CAST(CASE WHEN {column} THEN 1 WHEN NOT {column} THEN 0 END AS BIGINT)")
        }
        ColumnType::Text | ColumnType::Bytes => column.to_owned(),
    }
}

impl Cell {
    /// The value at `index` of a row that was asked for as [`selected`] says.
    pub(super) fn read(row: &QueryResult, index: usize, column_type: ColumnType) -> Result<Self, StoreError> {
        Ok(match column_type {
            ColumnType::Integer => {
                row.try_get_by_index::<Option<i64>>(index)?.map_or(Self::Null, Self::Integer)
            }
            ColumnType::Boolean => {
                let number = row.try_get_by_index::<Option<i64>>(index)?;
                number.map_or(Self::Null, |number| Self::Boolean(number != 0))
            }
            ColumnType::Text => row.try_get_by_index::<Option<String>>(index)?.map_or(Self::Null, Self::Text),
            ColumnType::Bytes => {
                row.try_get_by_index::<Option<Vec<u8>>>(index)?.map_or(Self::Null, Self::Bytes)
            }
        })
    }

    /// As it is bound for a column of this type; null has a type too.
    pub(super) fn bound(&self, column_type: ColumnType) -> Value {
        match (self, column_type) {
            (Self::Null, ColumnType::Integer) => Value::BigInt(None),
            (Self::Null, ColumnType::Boolean) => Value::Bool(None),
            (Self::Null, ColumnType::Text) => Value::String(None),
            (Self::Null, ColumnType::Bytes) => Value::Bytes(None),
            (other, _) => other.as_key(),
        }
    }

    /// As it is bound where no null can be.
    pub(super) fn as_key(&self) -> Value {
        match self {
            Self::Null => Value::String(None),
            Self::Integer(number) => Value::BigInt(Some(*number)),
            Self::Boolean(is) => Value::Bool(Some(*is)),
            Self::Text(text) => Value::String(Some(text.clone())),
            Self::Bytes(bytes) => Value::Bytes(Some(bytes.clone())),
        }
    }

    /// About how much memory it takes.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Null | Self::Integer(_) | Self::Boolean(_) => 8,
            Self::Text(text) => text.len(),
            Self::Bytes(bytes) => bytes.len(),
        }
    }
}
