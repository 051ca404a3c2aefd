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
    /// The wanted page of `rows`, which are all that match, in their order.
    pub fn of_all(rows: Vec<T>, paging: Paging) -> Self {
        let total = rows.len() as u64;
        let rows = match paging {
            Paging::All => rows,
            Paging::Page { page, size } => {
                let count = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
                let skipped = page.saturating_sub(1).saturating_mul(size);
                rows.into_iter().skip(count(skipped)).take(count(size)).collect()
            }
        };
        Self { rows, total }
    }

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_of_rows_that_are_all_there_counts_them_all() {
        let page = |page, size| List::of_all(vec!['a', 'b', 'c'], Paging::Page { page, size });
        assert_eq!(page(1, 2), List { rows: vec!['a', 'b'], total: 3 });
        assert_eq!(page(2, 2), List { rows: vec!['c'], total: 3 });
        assert_eq!(page(3, 2), List { rows: vec![], total: 3 });
        assert_eq!(page(u64::MAX, u64::MAX), List { rows: vec![], total: 3 });
        assert_eq!(List::of_all(vec!['a'], Paging::All), List { rows: vec!['a'], total: 1 });
    }
}
