//! What happened to an object, as its page tells it at the end.
//!
//! The words are `happened.EVENT` in the catalogue, one for each event of the log; a test compares the two.

use serde::Serialize;

use crate::{display::When, samples::ago};

/// One thing that happened.
#[derive(Clone, Debug, Serialize)]
pub struct Activity {
    /// The event's name, `product_published`.
    pub event: &'static str,
    /// What was said about it, such as the reason of a suspension.
    pub note: Option<String>,
    /// Who did it; `None` where nobody is known.
    pub actor: Option<String>,
    /// When.
    pub at: When,
}

impl Activity {
    /// A sample of the event called `event`.
    pub(crate) fn sample(event: &'static str) -> Self {
        Self { event, note: None, actor: Some("Grace Hopper".to_owned()), at: ago(86_400 * 4) }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use forecourt_core::events::EventName;

    use crate::messages::Messages;

    #[test]
    fn every_event_has_its_words() {
        let messages = Messages::english().unwrap();
        for event in EventName::ALL {
            let key = format!("happened.{}", event.name());
            assert!(messages.text(&key, &BTreeMap::new()).is_some(), "the catalogue lacks {key}");
        }
    }
}
