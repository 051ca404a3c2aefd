//! Forms of pages, as people post them: what is filled in already, and what they type.

use url::Url;

use crate::Page;

/// A form of a page, as it would be posted.
#[derive(Clone, Debug)]
pub struct PageForm {
    /// Where to.
    pub action: Url,
    /// Its fields with their values.
    pub fields: Vec<(String, String)>,
}

impl PageForm {
    /// The first form of `page`, with the fields that are filled in.
    ///
    /// # Panics
    /// When it has none.
    #[track_caller]
    pub fn on(page: &Page) -> Self {
        let (_, form) = page.text.split_once("<form").unwrap_or_else(|| panic!("no form on {page:?}"));
        let (head, rest) = form.split_once('>').unwrap();
        let action = attribute(head, "action").unwrap_or_default();
        let inputs = rest.split("<input").skip(1).map(|input| input.split('>').next().unwrap());
        let fields = inputs.filter_map(|input| {
            Some((attribute(input, "name")?, attribute(input, "value").unwrap_or_default()))
        });
        Self { action: page.url.join(&action).unwrap(), fields: fields.collect() }
    }

    /// The value of a field.
    ///
    /// # Panics
    /// When there is none.
    #[track_caller]
    pub fn field(&self, name: &str) -> &str {
        let found = self.fields.iter().find(|(own, _)| own == name);
        &found.unwrap_or_else(|| panic!("no field {name} in {self:?}")).1
    }

    /// What is sent.
    pub(crate) fn body(&self) -> String {
        url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&self.fields).finish()
    }

    /// The same form with another value in a field, which is added where there is none.
    #[must_use]
    pub fn with(&self, name: &str, value: &str) -> Self {
        let mut form = self.clone();
        form.fields.retain(|(own, _)| own != name);
        form.fields.push((name.to_owned(), value.to_owned()));
        form
    }
}

/// The value of an attribute in double quotes.
fn attribute(tag: &str, name: &str) -> Option<String> {
    let begins = [' ', '\n', '\t'].map(|space| format!("{space}{name}=\""));
    let (_, rest) = begins.iter().find_map(|begin| tag.split_once(begin.as_str()))?;
    let value = rest.split('"').next()?.to_owned();
    let entities =
        [("&#34;", "\""), ("&quot;", "\""), ("&#39;", "'"), ("&#x27;", "'"), ("&lt;", "<"), ("&gt;", ">")];
    let value = entities.iter().fold(value, |text, (entity, plain)| text.replace(entity, plain));
    Some(value.replace("&amp;", "&"))
}
