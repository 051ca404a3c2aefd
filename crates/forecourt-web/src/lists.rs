//! What every list has: search, filter chips, paging with a count.

use serde::Serialize;

use crate::links::Link;

/// The page numbers around a list. Pages count from 1.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Paging {
    /// Rows that paging can reach.
    pub total: u64,
    /// Number of the first row shown, from 1; 0 where there is none.
    pub first: u64,
    /// Number of the last row shown.
    pub last: u64,
    /// The previous page.
    pub previous: Option<Link>,
    /// The next page.
    pub next: Option<Link>,
    /// The pages to choose from; `None` is a gap.
    pub pages: Vec<Option<PageLink>>,
}

/// One page to choose.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PageLink {
    /// Its number.
    pub number: u64,
    /// Its link.
    pub href: Link,
    /// Whether it is the one shown.
    pub current: bool,
}

impl Paging {
    /// Paging of `total` rows at `page_size` a page, showing `page`; `link` makes the link of a page.
    pub fn new(page: u64, page_size: u64, total: u64, link: impl Fn(u64) -> Link) -> Self {
        let page_size = page_size.max(1);
        let page = page.max(1);
        let last_page = total.div_ceil(page_size).max(1);
        let first = (page - 1).saturating_mul(page_size).saturating_add(1);
        let mut pages = Vec::new();
        let mut shown = 0;
        for number in (1..=last_page.min(2))
            .chain(page.saturating_sub(1)..=page.saturating_add(1))
            .chain(last_page..=last_page)
        {
            if number <= shown || number > last_page || number == 0 {
                continue;
            }
            if number > shown + 1 {
                pages.push(None);
            }
            pages.push(Some(PageLink { number, href: link(number), current: number == page }));
            shown = number;
        }
        Self {
            total,
            first: if first > total { 0 } else { first },
            last: page.saturating_mul(page_size).min(total),
            previous: (page > 1).then(|| link((page - 1).min(last_page))),
            next: (page < last_page).then(|| link(page + 1)),
            pages,
        }
    }
}

/// The search field of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Search {
    /// The list's path.
    pub action: Link,
    /// What is searched for.
    pub value: String,
    /// Filters that a search keeps: names and values of the query.
    pub kept: Vec<(String, String)>,
}

impl Search {
    /// A search on the list at `action`.
    pub fn new(action: Link, value: impl Into<String>, kept: &[(&str, &str)]) -> Self {
        let kept = kept.iter().filter(|(_, value)| !value.is_empty());
        let kept = kept.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Self { action, value: value.into(), kept }
    }
}

/// A filter that is one press away.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Chip {
    /// What it says.
    pub text: String,
    /// The list with this filter, or without it where it is selected.
    pub href: Link,
    /// Whether the list is filtered by it.
    pub selected: bool,
    /// How many rows it would leave, where known.
    pub count: Option<u64>,
}

impl Chip {
    /// A chip without a count.
    pub fn new(text: impl Into<String>, href: Link, selected: bool) -> Self {
        Self { text: text.into(), href, selected, count: None }
    }

    /// The same with the number of rows.
    #[must_use]
    pub fn counting(mut self, count: u64) -> Self {
        self.count = Some(count);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::links::developer;

    fn numbers(page: u64, total: u64) -> Vec<Option<u64>> {
        let paging =
            Paging::new(page, 10, total, |n| developer::hub().with_query(&[("page", &n.to_string())]));
        paging.pages.into_iter().map(|page| page.map(|page| page.number)).collect()
    }

    #[test]
    fn few_pages_are_all_shown() {
        assert_eq!(numbers(1, 0), [Some(1)]);
        assert_eq!(numbers(2, 25), [Some(1), Some(2), Some(3)]);
    }

    #[test]
    fn many_pages_have_gaps() {
        let expected = [Some(1), Some(2), None, Some(49), Some(50), Some(51), None, Some(100)];
        assert_eq!(numbers(50, 1000), expected);
    }

    #[test]
    fn the_rows_shown_are_counted() {
        let paging = Paging::new(3, 10, 25, |_| developer::hub());
        assert_eq!((paging.first, paging.last, paging.total), (21, 25, 25));
        assert!(paging.next.is_none() && paging.previous.is_some());
        let beyond = Paging::new(9, 10, 25, |_| developer::hub());
        assert_eq!(beyond.first, 0);
        assert_eq!(beyond.previous, Some(developer::hub()));
        assert_eq!(Paging::new(u64::MAX, 10, 25, |_| developer::hub()).first, 0);
    }
}
