//! Portals: the list, the form of a new one, and the settings of one.

use serde::Serialize;

use super::activities::Activity;
use crate::{
    display::When,
    forms::Form,
    samples::{Sample, ago},
    templates::View,
};

/// `GET /portals/list`.
#[derive(Clone, Debug, Serialize)]
pub struct PortalList {
    /// The portals.
    pub portals: Vec<PortalRow>,
}

/// One portal.
#[derive(Clone, Debug, Serialize)]
pub struct PortalRow {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its description; may be empty.
    pub description: String,
    /// Where its site is, if known.
    pub public_url: Option<String>,
    /// Its published products.
    pub products: u64,
    /// Its developers.
    pub developers: u64,
    /// When it was made.
    pub created_at: When,
}

/// `GET` and `POST` `/portals/new`. Fields: `name`, `desc`, `public_url`.
#[derive(Clone, Debug, Serialize)]
pub struct NewPortal {
    /// What was typed.
    pub form: Form,
}

/// `GET` and `POST` `/portals/{portal}/settings` (`/portals/{portal}` redirects to its products). Fields:
/// `name`, `desc`, `public_url`, `domain`, `public_access` (`true`), `self_registration` (`true`),
/// `registration_approval` (`true`).
#[derive(Clone, Debug, Serialize)]
pub struct PortalSettings {
    /// Its id.
    pub id: String,
    /// Its name as stored.
    pub name: String,
    /// What was typed or is stored.
    pub form: Form,
    /// Whether it may be deleted: only one without products and developers.
    pub deletable: bool,
    /// What happened to it, newest first.
    pub activity: Vec<Activity>,
}

impl View for PortalList {
    const TEMPLATE: &'static str = "provider/portals/list.html";

    fn samples() -> Vec<Sample<Self>> {
        let row = |id: &str, name: &str, url: Option<&str>, products, developers| PortalRow {
            id: id.to_owned(),
            name: name.to_owned(),
            description: "For partners with a signed contract".to_owned(),
            public_url: url.map(str::to_owned),
            products,
            developers,
            created_at: ago(86_400 * 90),
        };
        let portals = vec![
            row("default", "Partners Europe", Some("https://developer.nordwind.example"), 42, 1310),
            row("prt_0198c0aa11", "Internal platform", None, 7, 88),
        ];
        vec![Sample::provider("full", Self { portals })]
    }
}

impl View for NewPortal {
    const TEMPLATE: &'static str = "provider/portals/new.html";

    fn samples() -> Vec<Sample<Self>> {
        let refused =
            Form::new().with("name", "Partners Asia").with("public_url", "developer.nordwind").refused(
                "public_url",
                "A public URL starts with https:// or http://, such as https://developer.example.org.",
            );
        vec![
            Sample::provider("plain", Self { form: Form::new() }),
            Sample::provider("refused", Self { form: refused }),
        ]
    }
}

impl View for PortalSettings {
    const TEMPLATE: &'static str = "provider/portals/settings.html";

    fn samples() -> Vec<Sample<Self>> {
        let full = Self {
            id: "default".to_owned(),
            name: "Partners Europe".to_owned(),
            form: Form::new()
                .with("name", "Partners Europe")
                .with("public_url", "https://developer.nordwind.example")
                .with("domain", "developer.nordwind.example")
                .with("public_access", "true")
                .with("self_registration", "true"),
            deletable: false,
            activity: vec![Activity::sample("portal_updated"), Activity::sample("portal_created")],
        };
        let deletable = Self { deletable: true, ..full.clone() };
        vec![Sample::provider("full", full), Sample::provider("deletable", deletable)]
    }
}
