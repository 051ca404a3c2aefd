//! How a rule says no: each noun has its own small enum of refusals, all of which answer the same questions.

/// What sort of no it is; each face has one status for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalKind {
    /// What was given is wrong.
    Invalid,
    /// What was given is fine, but the state of things forbids it.
    Conflict,
}

/// A refusal of a rule: its `Display` is a sentence for the caller.
pub trait Refusal: std::error::Error {
    /// What sort of no it is.
    fn kind(&self) -> RefusalKind;
    /// A stable word for programs and logs, snake case.
    fn code(&self) -> &'static str;
}

impl Refusal for crate::text::Invalid {
    fn kind(&self) -> RefusalKind {
        RefusalKind::Invalid
    }

    fn code(&self) -> &'static str {
        "invalid_field"
    }
}
