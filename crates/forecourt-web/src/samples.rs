//! Samples of pages: what tests render and the preview shows, with real-looking data.
//!
//! A sample is a page's context and who looks at it. [`all`] lists every sample of both sites; a test
//! compares it with the template files.

use minijinja::value::{Serde, Value};

use crate::{
    api_references,
    branding::BrandColour,
    confirm, developer,
    display::When,
    errors,
    page::{Flash, Page, Portal, Site, Viewer},
    permissions::Permissions,
    provider,
    templates::View,
};
use forecourt_core::time::Timestamp;

/// A page's context under a name, and the frame that goes with it.
#[derive(Clone, Debug)]
pub struct Sample<V> {
    /// Its name in snapshots and preview paths.
    pub name: &'static str,
    /// The context.
    pub view: V,
    site: Site,
    guest: bool,
    pending: bool,
    reading: bool,
    flash: Option<Flash>,
    colour: Option<BrandColour>,
}

impl<V> Sample<V> {
    /// A page of the Developer Portal site as a signed-in person sees it.
    pub fn developer(name: &'static str, view: V) -> Self {
        Self {
            name,
            view,
            site: Site::Developer,
            guest: false,
            pending: false,
            reading: false,
            flash: None,
            colour: None,
        }
    }

    /// A page of the Provider console as an administrator sees it.
    pub fn provider(name: &'static str, view: V) -> Self {
        Self { site: Site::Provider, ..Self::developer(name, view) }
    }

    /// The same as a guest sees it.
    #[must_use]
    pub fn guest(mut self) -> Self {
        self.guest = true;
        self
    }

    /// The same as a person who waits for approval sees it.
    #[must_use]
    pub fn pending(mut self) -> Self {
        self.pending = true;
        self
    }

    /// The same as an administrator sees it who may look at everything and change nothing.
    #[must_use]
    pub fn reading(mut self) -> Self {
        self.reading = true;
        self
    }

    /// The same with a flash message.
    #[must_use]
    pub fn flash(mut self, flash: Flash) -> Self {
        self.flash = Some(flash);
        self
    }

    /// The same in a portal with a brand colour.
    #[must_use]
    pub fn branded(mut self, colour: &str) -> Self {
        self.colour = BrandColour::parse(colour);
        self
    }

    /// The frame of the sample.
    pub fn page(&self) -> Page {
        let site = self.site;
        let viewer = match site {
            Site::Developer => Viewer::new("Ada Lovelace", "ada@analytical.example"),
            Site::Provider => Viewer::new("Grace Hopper", "admin"),
        };
        let viewer = (!self.guest).then_some(Viewer { pending: self.pending, ..viewer });
        let console = site == Site::Provider && viewer.is_some();
        let name = if site == Site::Developer { "Nordwind APIs" } else { "Partners Europe" };
        let portal = |id: &str, name: &str| Portal {
            id: id.to_owned(),
            name: name.to_owned(),
            logo: None,
            colour: self.colour,
        };
        Page {
            site,
            portal: portal("default", name),
            portals: if console {
                vec![portal("default", name), portal("prt_0198c0aa11", "Internal platform")]
            } else {
                Vec::new()
            },
            viewer,
            permissions: match (console, self.reading) {
                (false, _) => Permissions::default(),
                (true, false) => Permissions::everything(),
                (true, true) => Permissions::reading(),
            },
            sign_up_open: true,
            pending_approvals: if console { 4 } else { 0 },
            flash: self.flash.clone(),
            csrf: "sample-csrf-token".to_owned(),
            nonce: "sample-nonce".to_owned(),
            path: "/".to_owned(),
        }
    }
}

/// A sample without its type.
#[derive(Clone, Debug)]
pub struct AnySample {
    /// The site.
    pub site: Site,
    /// The template.
    pub template: &'static str,
    /// The sample's name.
    pub name: &'static str,
    /// The frame.
    pub page: Page,
    /// The context.
    pub context: Value,
}

impl AnySample {
    /// The part of the template's name between folder and ending, `hub` of `developer/hub.html`.
    pub fn page_name(&self) -> &'static str {
        let name = self.template.split_once('/').map_or(self.template, |(_, name)| name);
        name.strip_suffix(".html").unwrap_or(name)
    }
}

/// The samples of one page, without their type.
pub fn of<V: View>() -> Vec<AnySample> {
    let samples = V::samples().into_iter().map(|sample| AnySample {
        site: sample.site,
        template: V::TEMPLATE,
        name: sample.name,
        page: sample.page(),
        context: Value::from(Serde(&sample.view)),
    });
    samples.collect()
}

/// Every sample of both sites.
pub fn all() -> Vec<AnySample> {
    let mut samples = developer::samples();
    samples.extend(provider::samples());
    samples.extend(of::<api_references::ApiReference>());
    samples.extend(of::<confirm::Confirm>());
    samples.extend(of::<errors::Failure>());
    samples
}

/// The moment that samples call now (7 August 2026), moved back by `seconds`.
pub fn ago(seconds: i64) -> When {
    When::of(Timestamp::from_seconds(1_786_060_800).plus_seconds(-seconds))
}

/// A real-looking id of `prefix`, different for each `number`.
pub fn id(prefix: &str, number: u32) -> String {
    format!("{prefix}_0198c0a4{number:04x}7f31b2c95e0d4a6f")
}
