//! Pages, orders and lists: what every listing takes and gives.

use crate::labels::LabelCondition;

/// Which rows of a list are wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Paging {
    /// Every row.
    #[default]
    All,
    /// One page.
    Page {
        /// From 1.
        page: u64,
        /// Rows a page, from 1.
        size: u64,
    },
}

/// Which way a list is sorted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Direction {
    /// Smallest first.
    Ascending,
    /// Largest first.
    #[default]
    Descending,
}

/// How a list is sorted; ties are broken by creation time, then id, in the same direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Order<By> {
    /// The sorted column.
    pub by: By,
    /// Which way.
    pub direction: Direction,
}

/// The two orders that most lists offer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TimeOrder {
    /// By last change.
    #[default]
    UpdatedAt,
    /// By creation.
    CreatedAt,
}

/// Rows of one page and the number of all that match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct List<T> {
    /// The rows of this page.
    pub rows: Vec<T>,
    /// How many rows match, over all pages.
    pub total: u64,
}

impl<T> List<T> {
    /// The same list with each row changed.
    pub fn map<U>(self, change: impl FnMut(T) -> U) -> List<U> {
        List { rows: self.rows.into_iter().map(change).collect(), total: self.total }
    }
}

/// Which rows of a list the caller may read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Readable {
    /// All of them.
    #[default]
    All,
    /// Those with one of these ids, as text.
    Only(Vec<String>),
}

impl Readable {
    /// Whether no row can be read.
    pub fn is_empty(&self) -> bool {
        matches!(self, Self::Only(ids) if ids.is_empty())
    }
}

/// The text and label conditions that most lists take.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TextFilter {
    /// Case-insensitive substring of the noun's searched members.
    pub search: Option<String>,
    /// All must hold.
    pub labels: Vec<LabelCondition>,
}
