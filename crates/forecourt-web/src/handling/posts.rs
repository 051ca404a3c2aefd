//! A form that was sent. Extracting it checks its token first, and which site sent it, so no handler can read one
//! unchecked.

use axum::{
    body::Body,
    extract::{FromRequest, Request},
    http::{HeaderMap, header},
};
use forecourt_app::{Error, ErrorKind};
use forecourt_core::audit_logs::Journal;
use forecourt_http::{audits, forms::fits, origins, queries::Query};
use http_body_util::{BodyExt, LengthLimitError, Limited};

use super::{Failed, Visit};
use crate::{errors::FailureKind, forms::Form};

/// The largest form, bytes.
pub const LIMIT: usize = 1024 * 1024;

/// Never shown again, and not the visitor's own words.
const NOT_KEPT: [&str; 10] = [
    "csrf",
    "password",
    "again",
    "current",
    "secret",
    "headers",
    "client_secret",
    "private_key",
    "bind_password",
    "client_key",
];

/// The fields of a form whose token was right. `LIMIT` is the largest body, in bytes.
#[derive(Clone, Debug)]
pub struct Posted<const MOST: usize = LIMIT> {
    fields: Query,
    journal: Journal,
}

impl<const MOST: usize, S: Send + Sync> FromRequest<S> for Posted<MOST> {
    type Rejection = Failed;

    async fn from_request(request: Request, _state: &S) -> Result<Self, Failed> {
        // Only a route outside its site's middleware has no visit: a fault of ours.
        let visit = request.extensions().get::<Visit>().cloned().ok_or(FailureKind::Internal)?;
        if origins::is_form_of_another_site(request.headers()) {
            return Err(FailureKind::StaleForm.into());
        }
        let readable = is_form(request.headers());
        let body = body::<MOST>(request.into_body()).await?;
        let text = std::str::from_utf8(&body).ok().filter(|_| readable).unwrap_or_default();
        let fields = Query::parse(text).map_err(|_| FailureKind::Unreadable)?;
        let token = fields.text("csrf").unwrap_or_default();
        if !fits(visit.web.app().csrf_key(), visit.form_cookie(), token) {
            return Err(FailureKind::StaleForm.into());
        }
        let journal = visit.call.journal;
        journal.note_body(&audits::form_body(&fields));
        Ok(Self { fields, journal })
    }
}

fn is_form(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = kind.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

async fn body<const MOST: usize>(body: Body) -> Result<bytes::Bytes, Failed> {
    match Limited::new(body, MOST).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(FailureKind::TooLarge.into()),
        Err(_) => Err(FailureKind::Unreadable.into()),
    }
}

impl<const MOST: usize> Posted<MOST> {
    /// The field `name` as it was sent, the last one where there are several; empty where it is missing.
    pub fn text(&self, name: &str) -> &str {
        self.fields.text(name).unwrap_or_default()
    }

    /// The field `name`, or nothing where it is missing or empty.
    pub fn given(&self, name: &str) -> Option<&str> {
        self.fields.text(name)
    }

    /// All values of the fields `name` and `name[]` that are not empty.
    pub fn texts(&self, name: &str) -> Vec<String> {
        self.fields.texts(name).into_iter().map(str::to_owned).collect()
    }

    /// Whether the check box `name` is ticked.
    pub fn ticked(&self, name: &str) -> bool {
        self.text(name) == "true"
    }

    /// What was typed, to be shown again; never secrets.
    pub fn form(&self) -> Form {
        let kept = self.fields.pairs().filter(|(name, _)| !NOT_KEPT.contains(name));
        kept.fold(Form::new(), |form, (name, value)| {
            form.with(name.strip_suffix("[]").unwrap_or(name), value)
        })
    }

    /// The form with what a use case refused: beside its field where the sentence begins with one of `fields`
    /// (the word that it begins with, the form's own name), else on top.
    ///
    /// # Errors
    /// What is no refusal of what was given stays a failure.
    pub fn refused(&self, error: Error, fields: &[(&str, &str)]) -> Result<Form, Failed> {
        if !matches!(error.kind(), ErrorKind::Invalid | ErrorKind::Conflict) {
            return Err(error.into());
        }
        let sentence = error.to_string();
        self.journal.note_error(&sentence);
        let beside =
            fields.iter().find_map(|(word, name)| Some((*name, after_word(&sentence, word)?.to_owned())));
        Ok(match beside {
            Some((name, rest)) => self.form().refused(name, said_of_this(&rest)),
            None => self.form().failed(sentence_case(&sentence)),
        })
    }
}

/// What follows `word` where `sentence` begins with it as a whole word.
fn after_word<'a>(sentence: &'a str, word: &str) -> Option<&'a str> {
    let rest = sentence.strip_prefix(word)?;
    let whole = !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_');
    whole.then(|| rest.trim_start_matches([' ', ':']))
}

// `must be 1 to 100 characters` stands under the field's own label, so the field is `this`.
fn said_of_this(rest: &str) -> String {
    let verb = ["must ", "is ", "may ", "cannot ", "has "].iter().any(|verb| rest.starts_with(verb));
    if verb { stopped(format!("This {rest}")) } else { sentence_case(rest) }
}

fn sentence_case(text: &str) -> String {
    let mut characters = text.chars();
    let first = characters.next().map(char::to_uppercase).into_iter().flatten();
    stopped(first.chain(characters).collect())
}

fn stopped(mut sentence: String) -> String {
    if !sentence.ends_with(['.', '!', '?']) {
        sentence.push('.');
    }
    sentence
}

#[cfg(test)]
mod tests {
    use super::*;

    fn posted(raw: &str) -> Posted {
        Posted { fields: Query::parse(raw).unwrap(), journal: Journal::default() }
    }

    const FIELDS: &[(&str, &str)] = &[("name", "name"), ("new_password", "password")];

    fn refused(sentence: &str) -> Form {
        posted("name=x").refused(Error::invalid("invalid", sentence), FIELDS).unwrap()
    }

    #[test]
    fn a_refusal_stands_beside_the_field_that_it_begins_with() {
        assert_eq!(
            refused("name must be 1 to 100 characters").errors["name"],
            "This must be 1 to 100 characters."
        );
        assert_eq!(refused("new_password is required").errors["password"], "This is required.");
        assert_eq!(
            refused("name \"x\" is taken; choose another").errors["name"],
            "\"x\" is taken; choose another."
        );
    }

    #[test]
    fn any_other_refusal_stands_on_top() {
        for sentence in ["names are not for sale", "the portal is closed"] {
            let form = refused(sentence);
            assert!(form.errors.is_empty());
            assert_eq!(form.error.unwrap().to_lowercase(), format!("{sentence}."));
        }
    }

    #[test]
    fn what_is_no_refusal_stays_a_failure() {
        assert!(posted("").refused(Error::not_found(), FIELDS).is_err());
    }

    #[test]
    fn what_was_typed_is_kept_and_secrets_are_not() {
        let form = posted("name=Ada&products[]=a&products[]=b&password=x&csrf=y").form();
        assert_eq!(form.values["name"], ["Ada"]);
        assert_eq!(form.values["products"], ["a", "b"]);
        assert_eq!(form.values.len(), 2);
    }
}
