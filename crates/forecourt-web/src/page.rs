//! What every page has around its content: site, portal, who is signed in, flash, tokens of this answer.
//!
//! The handlers make one [`Page`] for each request; the layouts in `templates/layouts` show it. The CSRF
//! token and the nonce are fresh texts of URL-safe characters.

use serde::Serialize;

use crate::{branding::BrandColour, links::Link, permissions::Permissions};

/// Which site a page belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Site {
    /// The Developer Portal site.
    Developer,
    /// The Provider console.
    Provider,
}

/// The frame of a page.
#[derive(Clone, Debug, Serialize)]
pub struct Page {
    /// The site.
    pub site: Site,
    /// The portal shown; in the console the one being worked on.
    pub portal: Portal,
    /// The other portals of the console's switcher; empty on the Developer Portal site.
    pub portals: Vec<Portal>,
    /// Who is signed in; `None` for guests.
    pub viewer: Option<Viewer>,
    /// What the viewer may do in the console; templates ask `page.may` and `page.may_somewhere`.
    #[serde(skip)]
    pub permissions: Permissions,
    /// Whether guests may make an account by themselves.
    pub sign_up_open: bool,
    /// Approvals that wait, for the console's navigation.
    pub pending_approvals: u64,
    /// What was just done, said once.
    pub flash: Option<Flash>,
    /// The token that every form carries as `csrf`.
    pub csrf: String,
    /// The nonce of the page's content security policy.
    pub nonce: String,
    /// The path of this page, so that sign-in can come back to it.
    pub path: String,
}

impl Page {
    /// A page that is the same for everybody: nobody is signed in, it has no forms, and nothing inline.
    pub fn plain(site: Site, portal: Portal, path: &str) -> Self {
        Self {
            site,
            portal,
            portals: Vec::new(),
            viewer: None,
            permissions: Permissions::default(),
            sign_up_open: false,
            pending_approvals: 0,
            flash: None,
            csrf: String::new(),
            nonce: String::new(),
            path: path.to_owned(),
        }
    }
}

/// A portal, as its name and look.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Portal {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// A logo on this origin or as a `data:` URL.
    pub logo: Option<String>,
    /// Its colour; `None` for ours.
    pub colour: Option<BrandColour>,
}

/// A signed-in person or administrator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Viewer {
    /// The name shown.
    pub name: String,
    /// One or two capitals for the round mark.
    pub initials: String,
    /// E-mail address or username, under the name.
    pub detail: String,
    /// Whether the person still waits for approval and may only look.
    pub pending: bool,
}

impl Viewer {
    /// A viewer; the initials come from the name.
    pub fn new(name: impl Into<String>, detail: impl Into<String>) -> Self {
        let name = name.into();
        Self { initials: initials(&name), name, detail: detail.into(), pending: false }
    }
}

/// A message about what was just done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Flash {
    /// Its tone.
    pub tone: Tone,
    /// The sentence.
    pub text: String,
    /// Where to go on from here, and what that is called.
    pub next: Option<(Link, String)>,
}

/// A tone of messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Tone {
    /// Done.
    Good,
    /// Done, but look at this.
    Warning,
    /// Not done.
    Danger,
}

/// The first letters of the first two words of `name`, in capitals.
pub fn initials(name: &str) -> String {
    let letters = name.split_whitespace().filter_map(|word| word.chars().find(|c| c.is_alphanumeric()));
    letters.take(2).flat_map(char::to_uppercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn initials_are_the_first_letters_of_two_words() {
        assert_eq!(initials("ada augusta lovelace"), "AA");
        assert_eq!(initials("(payments)"), "P");
        assert_eq!(initials("…"), "");
    }
}
