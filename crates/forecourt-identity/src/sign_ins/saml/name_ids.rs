//! Whom a `NameID` names (saml-core §2.2.2): its value counts within its format and its qualifiers. risaml reads no
//! qualifiers, so they are read here.
//!
//! Invariant: two names are one subject only where all four parts are equal. What is read stands in the assertion that
//! risaml verified: identifiers are unique in a document, which it has seen to.

use std::borrow::Cow;

use quick_xml::{
    Reader, XmlVersion,
    events::{BytesStart, Event},
};
use risaml::{NameIdFormat, SsoSession};
use serde_json::json;

/// Where in the document an element stands.
enum Place {
    Assertion,
    Subject,
    Elsewhere,
}

/// What the identity provider knows somebody by: format, `NameQualifier`, `SPNameQualifier` and value, as a JSON array
/// of texts; a qualifier that is not told is empty. `None` where the value is empty or has control characters, or the
/// element is not found once.
pub(super) fn subject(session: &SsoSession) -> Option<String> {
    let name_id = session.name_id();
    let [theirs, ours] = qualifiers(&session.raw_flow().saml_content, session.assertion_id().as_str())?;
    // saml-core §2.2.2: no format is this one.
    let unspecified = NameIdFormat::Unspecified;
    let format = name_id.format().unwrap_or(&unspecified);
    joined(format.as_uri(), &theirs, &ours, name_id.value())
}

fn joined(format: &str, theirs: &str, ours: &str, value: &str) -> Option<String> {
    // Joined, neither would be seen any more.
    let names_somebody = !value.trim().is_empty() && !value.chars().any(char::is_control);
    names_somebody.then(|| json!([format, theirs, ours, value]).to_string())
}

/// `NameQualifier` and `SPNameQualifier` of the one `NameID` of the subject of this assertion.
fn qualifiers(xml: &str, assertion: &str) -> Option<[String; 2]> {
    let mut reader = Reader::from_str(xml);
    let (mut places, mut found) = (Vec::new(), None);
    loop {
        let (element, has_content) = match reader.read_event().ok()? {
            Event::Start(element) => (element, true),
            Event::Empty(element) => (element, false),
            Event::End(_) => {
                places.pop();
                continue;
            }
            Event::Eof => return found,
            _ => continue,
        };
        let local_name = element.local_name();
        let local_name: &[u8] = local_name.as_ref();
        let place = match (places.last(), local_name) {
            (_, b"Assertion") if attribute(&element, "ID")? == assertion => Place::Assertion,
            (Some(Place::Assertion), b"Subject") => Place::Subject,
            (Some(Place::Subject), b"NameID") => {
                let told = [attribute(&element, "NameQualifier")?, attribute(&element, "SPNameQualifier")?];
                if found.replace(told).is_some() {
                    return None;
                }
                Place::Elsewhere
            }
            _ => Place::Elsewhere,
        };
        if has_content {
            places.push(place);
        }
    }
}

/// The value of an attribute; empty where there is none, and `None` where it cannot be read.
fn attribute(element: &BytesStart<'_>, name: &str) -> Option<String> {
    let Some(found) = element.try_get_attribute(name).ok()? else { return Some(String::new()) };
    let value = found.decoded_and_normalized_value(XmlVersion::Implicit1_0, element.decoder());
    value.ok().map(Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assertion(id: &str, subject: &str) -> String {
        format!("<a:Assertion xmlns:a=\"urn:x\" ID=\"{id}\"><a:Subject>{subject}</a:Subject></a:Assertion>")
    }

    fn read(content: &str) -> Option<[String; 2]> {
        qualifiers(&format!("<Response>{content}</Response>"), "_a")
    }

    #[test]
    fn qualifiers_are_those_of_the_name_of_the_verified_assertion() {
        let name = "<a:NameID NameQualifier=\"i&amp;p\" SPNameQualifier=\"sp\">ada</a:NameID>";
        let other = "<a:NameID NameQualifier=\"other\">ada</a:NameID>";
        let told = Some(["i&p".to_owned(), "sp".to_owned()]);
        assert_eq!(read(&assertion("_a", name)), told);
        assert_eq!(read(&format!("{}{}", assertion("_b", other), assertion("_a", name))), told);
        let confirmed = format!("{name}<a:SubjectConfirmation>{other}</a:SubjectConfirmation>");
        assert_eq!(read(&assertion("_a", &confirmed)), told);
        assert_eq!(read(&assertion("_a", "<a:NameID>ada</a:NameID>")), Some([String::new(), String::new()]));
    }

    #[test]
    fn a_name_that_is_not_there_once_or_cannot_be_read_is_none() {
        let name = "<a:NameID>ada</a:NameID>";
        let unknown = "<a:NameID NameQualifier=\"&unknown;\">ada</a:NameID>";
        for content in [
            assertion("_b", name),
            assertion("_a", ""),
            assertion("_a", &format!("{name}{name}")),
            assertion("_a", &format!("<a:Advice>{name}</a:Advice>")),
            assertion("_a", unknown),
            "</Assertion>".to_owned(),
        ] {
            assert_eq!(read(&content), None, "{content}");
        }
    }

    #[test]
    fn names_that_differ_in_any_part_are_different_subjects() {
        let names = [
            ("f", "", "", "ada"),
            ("g", "", "", "ada"),
            ("f", "q", "", "ada"),
            ("f", "", "q", "ada"),
            ("f", "", "", "eve"),
            ("f", "q\",\"", "", "ada"),
            ("f", "q", "\",\"", "ada"),
        ];
        let subjects: std::collections::BTreeSet<_> = names
            .iter()
            .map(|(format, theirs, ours, value)| joined(format, theirs, ours, value).unwrap())
            .collect();
        assert_eq!(subjects.len(), names.len(), "{subjects:?}");
        for value in ["", " ", "a\nb"] {
            assert_eq!(joined("f", "", "", value), None, "{value:?}");
        }
    }
}
