//! API descriptions as pages list them, read once: a document of a megabyte takes longer to read than a page may.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    sync::{Arc, Mutex, PoisonError},
};

use forecourt_core::openapi::{Document, Operation};

/// What a page shows of a document.
#[derive(Debug, Default)]
pub struct Reference {
    /// Its title; empty: none.
    pub title: String,
    /// Its version; empty: none.
    pub version: String,
    /// Its operations in the document's order.
    pub operations: Vec<Operation>,
}

/// The documents that were read, by a keyed hash of their text; a changed document is another one.
#[derive(Debug, Default)]
pub struct References {
    hasher: RandomState,
    read: Mutex<HashMap<(u64, usize), Arc<Reference>>>,
}

/// So many documents are remembered; then all are forgotten and read anew.
const REMEMBERED: usize = 128;

impl References {
    /// The reference in `text`; an empty one where the text is no API description, which uploads refuse.
    pub async fn of(&self, text: &Arc<str>) -> Arc<Reference> {
        let key = (self.hasher.hash_one(text.as_ref()), text.len());
        if let Some(known) = self.read.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Arc::clone(known);
        }
        // Reading a large YAML text takes hundreds of milliseconds, which must not stop other requests.
        let own = Arc::clone(text);
        let reference = Arc::new(tokio::task::spawn_blocking(move || read(&own)).await.unwrap_or_default());
        let mut remembered = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if remembered.len() >= REMEMBERED {
            remembered.clear();
        }
        remembered.insert(key, Arc::clone(&reference));
        reference
    }
}

fn read(text: &str) -> Reference {
    let Ok(document) = Document::read("document", text) else { return Reference::default() };
    Reference {
        title: document.title().to_owned(),
        version: document.version().to_owned(),
        operations: document.operations(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_document_is_read_once_and_a_changed_one_again() {
        let references = References::default();
        let text: Arc<str> =
            r#"{"openapi":"3.1.0","info":{"title":"A","version":"1"},"paths":{"/a":{"get":{}}}}"#.into();
        let first = references.of(&text).await;
        assert_eq!((first.title.as_str(), first.operations.len()), ("A", 1));
        assert!(Arc::ptr_eq(&first, &references.of(&text).await));
        let changed: Arc<str> = text.replace("\"A\"", "\"B\"").into();
        assert_eq!(references.of(&changed).await.title, "B");
    }
}
