//! The template engine: the theme directory first, the embedded templates second.
//!
//! Undefined values are errors and everything is escaped. Templates reach texts by `t('key', name=…)`, paths
//! by `link('site.path', id…)`, files by `asset('app.css')`, icons by `icon('name')`, and what the viewer may do
//! by `page.may(…)` ([`crate::permissions`]). With only the
//! embedded templates a text that the catalogue lacks is an error; a theme, which may be older than the
//! release, shows the key instead of failing the page.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use minijinja::{
    AutoEscape, Environment, Error, ErrorKind, UndefinedBehavior, context,
    syntax::SyntaxConfig,
    value::{Kwargs, Rest, Serde, Value, merge_maps},
};
use rust_embed::RustEmbed;
use serde::Serialize;

use crate::{
    assets, links,
    messages::Messages,
    page::{Page, initials},
    samples::Sample,
};

#[derive(RustEmbed)]
#[folder = "templates"]
struct Embedded;

/// A page: its typed context, its template, and samples of it.
pub trait View: Serialize + Sized {
    /// The template, under `templates/`.
    const TEMPLATE: &'static str;

    /// The page as tests and the preview show it: at least one usual case, and the empty or failed ones.
    fn samples() -> Vec<Sample<Self>>;
}

/// Why a page could not be rendered. Never shown to people: they get the error page.
#[derive(Debug)]
pub struct RenderError(String);

impl RenderError {
    pub(crate) fn new(sentence: String) -> Self {
        Self(sentence)
    }
}

impl std::fmt::Display for RenderError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for RenderError {}

/// All templates of both sites.
#[derive(Debug)]
pub struct Templates {
    environment: Environment<'static>,
}

impl Templates {
    /// The templates, with those in `theme` (`theme/developer/hub.html`) instead of ours.
    ///
    /// # Errors
    /// When the embedded catalogue or assets cannot be read, which a test rules out.
    pub fn new(theme: Option<PathBuf>) -> Result<Self, RenderError> {
        let messages =
            Messages::english().map_err(|error| RenderError(format!("messages/en.json: {error}")))?;
        let strict = theme.is_none();
        let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_auto_escape_callback(|_| AutoEscape::Html);
        environment.set_syntax(syntax.map_err(|error| RenderError(error.to_string()))?);
        environment.set_loader(move |name| Ok(source(theme.as_deref(), name)));
        environment
            .add_function("t", move |key: &str, arguments: Kwargs| text(&messages, strict, key, &arguments));
        environment.add_function("link", link);
        environment.add_function("asset", asset);
        environment.add_function("icon", icon);
        environment.add_function("value", form_value);
        environment.add_function("chosen", form_chosen);
        environment.add_filter("number", number);
        environment.add_filter("initials", |name: &str| initials(name));
        environment.add_filter("bars", bars);
        Ok(Self { environment })
    }

    /// The HTML of `view` in the frame `page`.
    ///
    /// # Errors
    /// When the template does not fit the context; with our own templates a test rules that out.
    pub fn render<V: View>(&self, page: &Page, view: &V) -> Result<String, RenderError> {
        self.render_named(V::TEMPLATE, page, Value::from(Serde(view)))
    }

    /// The HTML of the template called `name` with `view` as its context.
    ///
    /// # Errors
    /// As [`render`](Self::render), and when there is no such template.
    pub fn render_named(&self, name: &str, page: &Page, view: Value) -> Result<String, RenderError> {
        let asked =
            context! { may => page.permissions.may(), may_somewhere => page.permissions.may_somewhere() };
        let frame = context! { page => merge_maps([Value::from(Serde(page)), asked]) };
        self.environment
            .get_template(name)
            .and_then(|template| template.render(merge_maps([frame, view])))
            .map_err(|error| RenderError(format!("{name}: {error:#}\n{}", error.display_debug_info())))
    }

    /// The names of the embedded templates.
    pub fn names() -> Vec<String> {
        Embedded::iter().map(|name| name.into_owned()).collect()
    }

    /// The text of the embedded template `name`.
    pub fn embedded_source(name: &str) -> Option<String> {
        source(None, name)
    }
}

/// Names with `..` or a root never reach the disk.
fn source(theme: Option<&Path>, name: &str) -> Option<String> {
    let plain = Path::new(name).components().all(|part| matches!(part, std::path::Component::Normal(_)));
    if let (Some(folder), true) = (theme, plain)
        && let Ok(text) = std::fs::read_to_string(folder.join(name))
    {
        return Some(text);
    }
    Embedded::get(name).and_then(|file| String::from_utf8(file.data.into_owned()).ok())
}

fn wrong(sentence: String) -> Error {
    Error::new(ErrorKind::InvalidOperation, sentence)
}

fn text(messages: &Messages, strict: bool, key: &str, arguments: &Kwargs) -> Result<String, Error> {
    let mut filled = BTreeMap::new();
    for name in arguments.args() {
        let value: Value = arguments.get(name)?;
        filled.insert(name.to_owned(), value.to_string());
    }
    match messages.text(key, &filled) {
        Some(text) => Ok(text),
        None if strict => Err(wrong(format!("the message {key} with {filled:?} is not in the catalogue"))),
        None => {
            tracing::warn!(message.key = key, "a theme asks for a message that the catalogue lacks");
            Ok(key.to_owned())
        }
    }
}

// A link is made of fixed words and escaped ids, an asset's path of the build's names: both are safe as they are.
fn link(name: &str, ids: Rest<String>) -> Result<Value, Error> {
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    links::by_name(name, &ids)
        .map(|link| Value::from_safe_string(link.to_string()))
        .ok_or_else(|| wrong(format!("there is no path {name} with {} ids", ids.len())))
}

fn asset(name: &str) -> Result<Value, Error> {
    assets::path(name)
        .map(Value::from_safe_string)
        .ok_or_else(|| wrong(format!("the build has no asset {name}")))
}

fn icon(name: &str, arguments: Kwargs) -> Result<Value, Error> {
    if !assets::has_icon(name) {
        return Err(wrong(format!("the icon sprite has no {name}; build the assets again")));
    }
    let class = arguments.get::<Option<String>>("class")?.unwrap_or_default();
    arguments.assert_all_used()?;
    let sprite = asset("icons.svg")?;
    Ok(Value::from_safe_string(format!(
        r##"<svg class="icon {class}" aria-hidden="true"><use href="{sprite}#{name}"/></svg>"##
    )))
}

fn form_values(form: &Value, name: &str) -> Result<Vec<Value>, Error> {
    let values = form.get_attr("values")?.get_attr(name)?;
    if values.is_undefined() { Ok(Vec::new()) } else { Ok(values.try_iter()?.collect()) }
}

/// What the form keeps for the field `name`, or nothing.
fn form_value(form: Value, name: &str) -> Result<String, Error> {
    Ok(form_values(&form, name)?.first().map(Value::to_string).unwrap_or_default())
}

/// Whether the form keeps `value` among those of the field `name`.
fn form_chosen(form: Value, name: &str, value: Value) -> Result<bool, Error> {
    Ok(form_values(&form, name)?.iter().any(|kept| kept.to_string() == value.to_string()))
}

/// Digits in groups of three with narrow no-break spaces, from five digits on.
fn number(value: i64) -> String {
    let digits = value.unsigned_abs().to_string();
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if digits.len() > 4 && index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push('\u{202f}');
        }
        grouped.push(digit);
    }
    if value < 0 { format!("−{grouped}") } else { grouped }
}

/// The rectangles of a small bar chart of `values` in a box of 100 by 32.
fn bars(values: Vec<u64>) -> Value {
    let highest = values.iter().copied().max().unwrap_or(0).max(1);
    let step = 100.0 / f64::from(u32::try_from(values.len().max(1)).unwrap_or(u32::MAX));
    let mut rectangles = String::new();
    let mut x = 0.0;
    for value in values {
        #[expect(clippy::cast_precision_loss, reason = "a bar's height needs no more than seven digits")]
        let height = if value == 0 { 0.5 } else { (value as f64 / highest as f64 * 31.0).max(1.0) };
        rectangles.push_str(&format!(
            r#"<rect x="{x:.2}" y="{:.2}" width="{:.2}" height="{height:.2}"/>"#,
            32.0 - height,
            step * 0.7
        ));
        x += step;
    }
    Value::from_safe_string(rectangles)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_from_five_digits_on() {
        assert_eq!(number(1234), "1234");
        assert_eq!(number(1_234_567), "1\u{202f}234\u{202f}567");
        assert_eq!(number(-12_345), "−12\u{202f}345");
    }

    #[test]
    fn a_theme_replaces_a_template_and_lacks_no_other() {
        let theme = tempfile::tempdir().unwrap();
        std::fs::create_dir(theme.path().join("developer")).unwrap();
        std::fs::write(theme.path().join("developer/home.html"), "ours: {{ page.portal.name }}").unwrap();
        let templates = Templates::new(Some(theme.path().to_owned())).unwrap();
        let page = Sample::developer("any", ()).page();
        let home = templates.render_named("developer/home.html", &page, context! {}).unwrap();
        assert!(home.starts_with("ours: "), "{home}");
        assert!(templates.environment.get_template("developer/hub.html").is_ok());
    }

    #[test]
    fn a_template_name_cannot_leave_the_theme() {
        let theme = tempfile::tempdir().unwrap();
        std::fs::write(theme.path().join("secret.html"), "secret").unwrap();
        let inner = theme.path().join("inner");
        std::fs::create_dir(&inner).unwrap();
        assert_eq!(source(Some(&inner), "../secret.html"), None);
    }

    #[test]
    fn a_missing_text_fails_our_templates_but_not_a_theme() {
        let messages = Messages::english().unwrap();
        let none = Kwargs::from_iter(Vec::<(String, Value)>::new());
        assert!(text(&messages, true, "no.such.text", &none).is_err());
        assert_eq!(text(&messages, false, "no.such.text", &none).unwrap(), "no.such.text");
    }
}
