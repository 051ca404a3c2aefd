//! Patterns of policies: literal text with regular expressions between `<` and `>`, anchored at both ends.
//!
//! Expressions are matched in time linear in the text, and a limit on their compiled size refuses huge ones.

use regex::{Regex, RegexBuilder, escape};

/// The longest pattern, in characters.
pub(super) const LONGEST: usize = 2_048;
/// The largest compiled expression, in bytes.
const COMPILED: usize = 256 * 1024;
/// How deep an expression may be nested.
const DEEPEST: u32 = 32;

/// A compiled pattern.
#[derive(Clone, Debug)]
pub(super) enum Pattern {
    /// `<.*>`: everything.
    Everything,
    /// No expression in it.
    Literal(String),
    /// With expressions.
    Expression(Regex),
}

impl Pattern {
    /// Reads a pattern; the problem is to be read after the member's name.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() || text.chars().count() > LONGEST {
            return Err(format!("must be 1 to {LONGEST} characters"));
        }
        if text == "<.*>" {
            return Ok(Self::Everything);
        }
        let mut whole = String::from(r"\A");
        let (mut depth, mut start, mut literal) = (0_usize, 0, true);
        for (at, sign) in text.char_indices() {
            match sign {
                '<' if depth == 0 => {
                    whole.push_str(&escape(text.get(start..at).unwrap_or_default()));
                    (depth, start, literal) = (1, at + 1, false);
                }
                '<' => depth += 1,
                '>' if depth == 0 => return Err(format!("{text:?} has a > without its <")),
                '>' => {
                    depth -= 1;
                    if depth == 0 {
                        let inner = text.get(start..at).unwrap_or_default();
                        // On its own first: an expression must not close the group that is put around it.
                        compile(inner).map_err(|problem| format!("{text:?} {problem}"))?;
                        whole.push_str(&format!("(?:{inner})"));
                        start = at + 1;
                    }
                }
                _ => {}
            }
        }
        if depth > 0 {
            return Err(format!("{text:?} has a < without its >"));
        }
        if literal {
            return Ok(Self::Literal(text.to_owned()));
        }
        whole.push_str(&escape(text.get(start..).unwrap_or_default()));
        whole.push_str(r"\z");
        Ok(Self::Expression(compile(&whole).map_err(|problem| format!("{text:?} {problem}"))?))
    }

    /// Whether the whole of `text` matches.
    pub(super) fn matches(&self, text: &str) -> bool {
        match self {
            Self::Everything => true,
            Self::Literal(literal) => literal == text,
            Self::Expression(expression) => expression.is_match(text),
        }
    }
}

fn compile(expression: &str) -> Result<Regex, String> {
    RegexBuilder::new(expression)
        .dot_matches_new_line(true)
        .size_limit(COMPILED)
        .dfa_size_limit(COMPILED)
        .nest_limit(DEEPEST)
        .build()
        .map_err(|error| match error {
            regex::Error::CompiledTooBig(_) => "holds a regular expression that is too large".to_owned(),
            error => {
                // The last line of the library's text says what is wrong; those before it only draw where.
                let text = error.to_string();
                let problem =
                    text.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
                format!("holds a regular expression that cannot be used: {problem}")
            }
        })
}
