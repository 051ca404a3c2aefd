//! The words of a notification, with variables in double braces.
//!
//! Invariant: a [`Template`] was read whole. Nothing is evaluated but the variables that [`Variable`] lists and the
//! layout of a time; what else stands in braces is refused when it is given, not when it is sent. What variables bring
//! is put in as it is: who makes HTML or JSON of it escapes the result.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{NotificationEvent, layouts};
use crate::{ids::ApprovalId, text::Invalid, time::Timestamp};

named! {
    /// What a template may name.
    pub enum Variable {
        /// The approval's id.
        ApprovalId = "ApprovalID",
        /// Who asked.
        ApplicantName = "ApplicantName",
        /// What happened.
        Event = "Event",
        /// When it was asked for.
        AppliedAt = "AppliedAt",
        /// What was asked for.
        ResourceName = "ResourceName",
    }
}

/// Words with variables in them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    source: String,
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Variable(Variable),
    /// The time of the application in a layout of Go's.
    Time(String),
}

/// What the variables stand for.
#[derive(Clone, Debug)]
pub struct Occasion {
    /// The approval; `None`: none was needed, and the variable is empty.
    pub approval_id: Option<ApprovalId>,
    /// Who asked.
    pub applicant_name: String,
    /// What happened.
    pub event: NotificationEvent,
    /// When it was asked for.
    pub applied_at: Timestamp,
    /// What was asked for.
    pub resource_name: String,
}

/// How a time is written that has no layout of its own.
const PLAIN_LAYOUT: &str = "2006-01-02T15:04:05.000Z07:00";

impl Template {
    /// Reads `source`, which is called `field` where it is wrong.
    ///
    /// # Errors
    /// When braces do not close, or hold anything but a variable.
    pub fn parse(field: &str, source: &str) -> Result<Self, Invalid> {
        let mut pieces = Vec::new();
        let mut rest = source;
        while let Some((before, after)) = rest.split_once("{{") {
            if !before.is_empty() {
                pieces.push(Piece::Text(before.to_owned()));
            }
            let (action, after) = action(after)
                .ok_or_else(|| Invalid::new(field, "has {{ without }}; write {{.ApplicantName}}"))?;
            pieces.push(piece(field, action.trim())?);
            rest = after;
        }
        if !rest.is_empty() {
            pieces.push(Piece::Text(rest.to_owned()));
        }
        Ok(Self { source: source.to_owned(), pieces })
    }

    /// The template as it was given.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The words for `occasion`.
    pub fn render(&self, occasion: &Occasion) -> String {
        self.written(occasion, str::to_owned)
    }

    /// The words for `occasion` where they are a JSON object or array, with what variables bring escaped, so that no
    /// name breaks out of its string; `None` where they are none.
    pub fn render_json(&self, occasion: &Occasion) -> Option<String> {
        let text = self.written(occasion, json_string);
        let is_json = text.trim_start().starts_with(['{', '['])
            && serde_json::from_str::<de::IgnoredAny>(&text).is_ok();
        is_json.then_some(text)
    }

    fn written(&self, occasion: &Occasion, escaped: impl Fn(&str) -> String) -> String {
        let mut text = String::with_capacity(self.source.len());
        for piece in &self.pieces {
            match piece {
                Piece::Text(own) => text.push_str(own),
                Piece::Time(layout) => {
                    text.push_str(&escaped(&layouts::format(layout, occasion.applied_at)));
                }
                Piece::Variable(variable) => text.push_str(&escaped(&brought(*variable, occasion))),
            }
        }
        text
    }
}

/// What a variable stands for.
fn brought(variable: Variable, occasion: &Occasion) -> String {
    match variable {
        Variable::ApprovalId => occasion.approval_id.as_ref().map(ToString::to_string).unwrap_or_default(),
        Variable::ApplicantName => occasion.applicant_name.clone(),
        Variable::Event => occasion.event.name().to_owned(),
        Variable::AppliedAt => plain_time(occasion.applied_at),
        Variable::ResourceName => occasion.resource_name.clone(),
    }
}

/// A time that has no layout of its own: `2026-08-04T07:00:00.000Z`.
pub fn plain_time(at: Timestamp) -> String {
    layouts::format(PLAIN_LAYOUT, at)
}

/// `text` as it stands between the quotes of a JSON string.
fn json_string(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or_default().to_owned()
}

/// What stands before the braces that close, and what after them. A layout in quotes may hold braces.
fn action(after: &str) -> Option<(&str, &str)> {
    let mut quote = None;
    for (place, character) in after.char_indices() {
        match (quote, character) {
            (None, '"' | '`') => quote = Some(character),
            (Some(open), character) if open == character => quote = None,
            (None, '}') if after.get(place..)?.starts_with("}}") => {
                return Some((after.get(..place)?, after.get(place + 2..)?));
            }
            _ => {}
        }
    }
    None
}

fn piece(field: &str, action: &str) -> Result<Piece, Invalid> {
    let shown: String = action.chars().take(100).collect();
    let unknown = || {
        let known: Vec<_> = Variable::ALL.iter().map(|variable| format!(".{}", variable.name())).collect();
        Invalid::new(
            field,
            format!(
                "must hold no {{{{{shown}}}}}; known are {} and .AppliedAt.Format \"2006-01-02 15:04\"",
                known.join(", ")
            ),
        )
    };
    let path = action.strip_prefix('.').ok_or_else(unknown)?;
    if let Some(variable) = Variable::from_name(path) {
        return Ok(Piece::Variable(variable));
    }
    let layout = path.strip_prefix("AppliedAt.Format").filter(|rest| rest.starts_with([' ', '\t']));
    layout.and_then(|layout| quoted(layout.trim())).map(Piece::Time).ok_or_else(unknown)
}

/// The text between two quotes or backquotes; there are no escapes in it.
fn quoted(text: &str) -> Option<String> {
    let inner = ['"', '`'].into_iter().find_map(|quote| text.strip_prefix(quote)?.strip_suffix(quote))?;
    (!inner.contains(['"', '`', '\\', '\n'])).then(|| inner.to_owned())
}

impl Serialize for Template {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.source)
    }
}

impl<'de> Deserialize<'de> for Template {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let source = String::deserialize(deserializer)?;
        Self::parse("template", &source).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn occasion() -> Occasion {
        Occasion {
            approval_id: Some(ApprovalId::known("apv_1")),
            applicant_name: "Ada {{.Event}}".into(),
            event: NotificationEvent::Created,
            // 2026-08-04T07:05:09.120Z, a Tuesday.
            applied_at: Timestamp::from_micros(1_785_827_109_120_000),
            resource_name: "Orders".into(),
        }
    }

    fn rendered(source: &str) -> String {
        Template::parse("content", source).unwrap().render(&occasion())
    }

    #[test]
    fn each_variable_is_put_in_once_and_not_read_again() {
        let all = "{{.ApprovalID}}|{{ .ApplicantName }}|{{.Event}}|{{.AppliedAt}}|{{.ResourceName}}";
        assert_eq!(
            rendered(all),
            "apv_1|Ada {{.Event}}|subscription_approval_created|2026-08-04T07:05:09.120Z|Orders"
        );
        assert_eq!(rendered("no variable, a } and a {"), "no variable, a } and a {");
        assert_eq!(rendered(""), "");
    }

    #[test]
    fn a_time_is_written_in_its_layout() {
        for (layout, expected) in [
            ("2006-01-02 15:04", "2026-08-04 07:05"),
            ("Monday, 2 January 2006 at 3:04 PM", "Tuesday, 4 August 2026 at 7:05 AM"),
            ("Mon Jan _2 15:04:05 MST 2006", "Tue Aug  4 07:05:09 UTC 2026"),
            ("06/1/2 03.04.05.000 pm -0700", "26/8/4 07.05.09.120 am +0000"),
            ("15:04:05.999Z07:00", "07:05:09.12Z"),
            ("002 is the day, }} are braces", "216 is the day, }} are braces"),
        ] {
            let source = format!("{{{{.AppliedAt.Format \"{layout}\"}}}}");
            assert_eq!(rendered(&source), expected, "{layout}");
        }
        assert_eq!(rendered("{{ .AppliedAt.Format `2006` }}"), "2026");
    }

    #[test]
    fn what_is_no_variable_is_refused_when_it_is_given() {
        for source in [
            "{{.Password}}",
            "{{.AppliedAt.Unix}}",
            "{{.AppliedAt.Format}}",
            "{{.AppliedAt.Format 2006}}",
            "{{.AppliedAt.Format \"2006\" \"01\"}}",
            "{{.AppliedAt.Format(\"2006\")}}",
            "{{.ResourceName | html}}",
            "{{if .Event}}x{{end}}",
            "{{template \"x\"}}",
            "{{- .Event -}}",
            "{{.event}}",
            "{{ApprovalID}}",
            "{{}}",
            "{{.Event}",
            "{{.Event",
            "a {{",
            "{{.AppliedAt.Format \"2006}}",
        ] {
            let refused = Template::parse("content", source).unwrap_err();
            assert!(refused.field == "content" && refused.problem.len() < 300, "{source}: {refused}");
        }
    }

    #[test]
    fn a_stored_template_is_read_back_as_it_was_given() {
        let template = Template::parse("content", "Hi {{.ApplicantName}}").unwrap();
        let stored = serde_json::to_string(&template).unwrap();
        assert_eq!(stored, "\"Hi {{.ApplicantName}}\"");
        assert_eq!(serde_json::from_str::<Template>(&stored).unwrap(), template);
    }

    #[test]
    fn a_name_does_not_break_out_of_a_template_that_is_json() {
        let template = Template::parse("content", r#"{"text": "{{.ApplicantName}} asks at {{.AppliedAt}}"}"#);
        let hostile = Occasion { applicant_name: "Ada\", \"admin\": true, \"x\": \"\n".into(), ..occasion() };
        let text = template.unwrap().render_json(&hostile).unwrap();
        let read: serde_json::Value = serde_json::from_str(&text).unwrap();
        let told = format!("{} asks at 2026-08-04T07:05:09.120Z", hostile.applicant_name);
        assert_eq!(read, serde_json::json!({ "text": told }));
        for words in ["{{.ApplicantName}} asks", "{not json} {{.Event}}", "\"{{.ApplicantName}}\""] {
            assert_eq!(Template::parse("content", words).unwrap().render_json(&hostile), None, "{words}");
        }
    }
}
