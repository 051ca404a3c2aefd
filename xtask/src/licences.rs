//! SPDX licence expressions: does what a package offers fit into what we accept?
//!
//! `OR` lets us choose, `AND` binds us to both sides and more tightly than `OR`, `WITH` belongs to the licence
//! before it. `MIT/Apache-2.0`, the old way of writing `OR`, is understood too.

/// Whether `expression` can be met with licences of `allowed` alone.
///
/// An expression that cannot be read is an error, never a yes.
pub(crate) fn fits(expression: &str, allowed: &[String]) -> Result<bool, String> {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let mut reader = Reader { words: spaced.split_whitespace().collect(), allowed };
    reader.words.reverse();
    let verdict = reader.any().ok_or_else(|| unreadable(expression))?;
    if reader.words.is_empty() { Ok(verdict) } else { Err(unreadable(expression)) }
}

fn unreadable(expression: &str) -> String {
    format!("the licence expression {expression:?} cannot be read")
}

/// The words that are left, the next one last.
struct Reader<'a> {
    words: Vec<&'a str>,
    allowed: &'a [String],
}

impl Reader<'_> {
    /// `all (OR all)*`
    fn any(&mut self) -> Option<bool> {
        let mut verdict = self.all()?;
        while self.takes("OR") {
            // Both sides must be read even when the first has settled it.
            verdict |= self.all()?;
        }
        Some(verdict)
    }

    /// `one (AND one)*`
    fn all(&mut self) -> Option<bool> {
        let mut verdict = self.one()?;
        while self.takes("AND") {
            verdict &= self.one()?;
        }
        Some(verdict)
    }

    /// `( any )` or `LICENCE [WITH EXCEPTION]`
    fn one(&mut self) -> Option<bool> {
        if self.takes("(") {
            let verdict = self.any()?;
            return self.takes(")").then_some(verdict);
        }
        let mut licence =
            self.words.pop().filter(|word| !matches!(*word, "OR" | "AND" | "WITH" | ")"))?.to_owned();
        if self.takes("WITH") {
            licence = format!("{licence} WITH {}", self.words.pop()?);
        }
        Some(self.allowed.contains(&licence))
    }

    fn takes(&mut self, word: &str) -> bool {
        let found = self.words.last() == Some(&word);
        if found {
            self.words.pop();
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(expression: &str) -> Result<bool, String> {
        let allowed = ["MIT", "Apache-2.0", "Apache-2.0 WITH LLVM-exception", "ISC"].map(str::to_owned);
        fits(expression, &allowed)
    }

    #[test]
    fn one_accepted_choice_is_enough_but_every_duty_must_be_accepted() {
        assert_eq!(verdict("MIT"), Ok(true));
        assert_eq!(verdict("GPL-3.0-only"), Ok(false));
        assert_eq!(verdict("GPL-3.0-only OR MIT"), Ok(true));
        assert_eq!(verdict("GPL-3.0-only AND MIT"), Ok(false));
        assert_eq!(verdict("GPL-2.0/MIT"), Ok(true));
    }

    #[test]
    fn and_binds_more_tightly_than_or_unless_parentheses_say_otherwise() {
        assert_eq!(verdict("MIT OR GPL-3.0-only AND GPL-2.0-only"), Ok(true));
        assert_eq!(verdict("(MIT OR GPL-3.0-only) AND GPL-2.0-only"), Ok(false));
        assert_eq!(verdict("(MIT OR GPL-3.0-only) AND (ISC OR Zlib)"), Ok(true));
    }

    #[test]
    fn an_exception_belongs_to_its_licence() {
        assert_eq!(verdict("Apache-2.0 WITH LLVM-exception"), Ok(true));
        assert_eq!(verdict("MIT WITH LLVM-exception"), Ok(false));
    }

    #[test]
    fn what_cannot_be_read_is_never_a_yes() {
        for broken in ["", "MIT OR", "(MIT", "MIT)", "MIT Apache-2.0", "AND MIT", "MIT WITH"] {
            assert!(verdict(broken).is_err(), "{broken:?}");
        }
    }
}
