//! Rust text as the rules need to see it: without comments, without what stands in quotes, without tests.
//!
//! Masked characters become spaces, so that lines and columns stay what they are.

/// The code alone: comments, strings and characters are blanked.
pub(super) fn code(text: &str) -> String {
    let mut scanner = Scanner { rest: text, out: String::with_capacity(text.len()) };
    while !scanner.rest.is_empty() {
        scanner.step();
    }
    scanner.out
}

/// The code that ships: modules marked `#[cfg(test)]` are blanked too.
pub(super) fn shipped(text: &str) -> String {
    let code = code(text);
    let mut out = String::with_capacity(code.len());
    let mut rest = code.as_str();
    while let Some(start) = rest.find("#[cfg(test)]") {
        let (before, tests) = rest.split_at(start);
        out.push_str(before);
        // `mod tests;` has no block: then it ends at the semicolon.
        let block = tests.find('{').filter(|open| tests.find(';').is_none_or(|end| *open < end));
        let end = match block {
            Some(open) => open + block_length(tests.get(open..).unwrap_or_default()),
            None => tests.find(';').map_or(tests.len(), |end| end + 1),
        };
        let (skipped, after) = tests.split_at(end);
        out.extend(skipped.chars().map(blank));
        rest = after;
    }
    out.push_str(rest);
    out
}

/// The length in bytes of the block that `code` opens with, both braces included.
pub(super) fn block_length(code: &str) -> usize {
    let mut depth = 0_usize;
    for (at, character) in code.char_indices() {
        match character {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            _ => continue,
        }
        if depth == 0 {
            return at + 1;
        }
    }
    code.len()
}

/// The words of `code` that may be names, each with its line, counted from 1.
pub(super) fn words(code: &str) -> impl Iterator<Item = (usize, &str)> {
    code.lines().enumerate().flat_map(|(index, line)| {
        let words = line.split(|character: char| !character.is_alphanumeric() && character != '_');
        words.filter(|word| !word.is_empty()).map(move |word| (index + 1, word))
    })
}

fn blank(character: char) -> char {
    if character == '\n' { '\n' } else { ' ' }
}

struct Scanner<'a> {
    rest: &'a str,
    out: String,
}

impl Scanner<'_> {
    /// Takes one token: a comment, something quoted, a name, or one other character.
    fn step(&mut self) {
        if self.rest.starts_with("//") {
            self.mask(self.rest.find('\n').unwrap_or(self.rest.len()));
        } else if self.rest.starts_with("/*") {
            self.mask(comment_length(self.rest));
        } else if let Some(length) = raw_string_length(self.rest) {
            self.mask(length);
        } else if self.rest.starts_with('"') {
            self.mask(quoted_length(self.rest, '"'));
        } else if self.rest.starts_with('\'') && !is_lifetime(self.rest) {
            self.mask(quoted_length(self.rest, '\''));
        } else {
            // A name is taken whole, so that the r of `for"` is never read as the start of a raw string.
            let name = self
                .rest
                .find(|next: char| !next.is_alphanumeric() && next != '_')
                .unwrap_or(self.rest.len());
            let length = if name > 0 && !matches!(self.rest.get(..name), Some("b" | "c")) { name } else { 1 };
            self.keep(length);
        }
    }

    fn mask(&mut self, length: usize) {
        let (taken, rest) = self.rest.split_at(length);
        self.out.extend(taken.chars().map(blank));
        self.rest = rest;
    }

    fn keep(&mut self, length: usize) {
        let whole = self.rest.chars().next().map_or(length, |first| length.max(first.len_utf8()));
        let (taken, rest) = self.rest.split_at(whole);
        self.out.push_str(taken);
        self.rest = rest;
    }
}

/// A block comment may hold others.
fn comment_length(text: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        if rest.starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest.starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
        }
    }
    text.len()
}

/// The length of a raw string that `text` starts with: `r"…"`, `br##"…"##`.
fn raw_string_length(text: &str) -> Option<usize> {
    let body =
        text.strip_prefix("br").or_else(|| text.strip_prefix("cr")).or_else(|| text.strip_prefix('r'))?;
    let hashes = body.len() - body.trim_start_matches('#').len();
    let inner = body.get(hashes..)?.strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    let start = text.len() - inner.len();
    Some(inner.find(&end).map_or(text.len(), |at| start + at + end.len()))
}

/// The length of what stands between two `quote`s, both included; a backslash escapes.
fn quoted_length(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, character) in text.char_indices().skip(1) {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if character == quote => return at + character.len_utf8(),
            _ => {}
        }
    }
    text.len()
}

/// `'a` is a lifetime; `'a'` and `'\n'` are characters.
fn is_lifetime(text: &str) -> bool {
    let mut characters = text.chars().skip(1);
    match (characters.next(), characters.next()) {
        (Some('\\'), _) | (_, Some('\'')) => false,
        (Some(first), _) => first.is_alphabetic() || first == '_',
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_strings_and_characters_are_blanked_and_lifetimes_are_not() {
        let text = "a /* x /* y */ { */ b // {\n\"{\\\"{\" r#\"{\"{\"# 'x' '\\'' '{' &'a str \u{e9} b\"{\"";
        let code = code(text);
        assert!(!code.contains('{'), "{code}");
        assert!(code.contains("&'a str") && code.contains("a ") && code.contains(" b "), "{code}");
        assert_eq!(code.lines().count(), 2);
    }

    #[test]
    fn modules_of_tests_are_not_shipped() {
        let text = "fn a() { 1 }\n#[cfg(test)]\nmod tests {\n fn b() { 2 }\n}\nfn c() {}\n#[cfg(test)]\nmod other;\nfn d() {}\n";
        let shipped = shipped(text);
        assert!(
            shipped.contains("fn a") && shipped.contains("fn c") && shipped.contains("fn d"),
            "{shipped}"
        );
        assert!(!shipped.contains("fn b") && !shipped.contains("other"), "{shipped}");
        assert_eq!(shipped.lines().count(), text.lines().count());
    }

    #[test]
    fn a_name_that_ends_in_r_does_not_start_a_raw_string() {
        assert_eq!(code("for\"x\" y"), "for    y");
    }
}
