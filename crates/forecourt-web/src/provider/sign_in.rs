//! The administrators' way in.

use serde::Serialize;

use crate::{
    forms::Form,
    links::{Link, admin_api, provider},
    samples::Sample,
    templates::View,
};

/// `GET` and `POST` `/sign-in`. Fields: `username`, `password`, `next`, `option` (the directory that is asked; empty: the
/// password is ours).
#[derive(Clone, Debug, Serialize)]
pub struct SignIn {
    /// What was typed; `next` is kept as a hidden field.
    pub form: Form,
    /// Whether the person has just signed out.
    pub signed_out: bool,
    /// Whether a name and a password are asked for.
    pub asks_password: bool,
    /// The directory that is asked, where it is one.
    pub directory: Option<AskedDirectory>,
    /// The other ways to sign in.
    pub others: Vec<OtherWay>,
}

/// A directory whose name and password are asked for.
#[derive(Clone, Debug, Serialize)]
pub struct AskedDirectory {
    /// The id of its option.
    pub id: String,
    /// What people call it.
    pub name: String,
}

/// Another way to sign in.
#[derive(Clone, Debug, Serialize)]
pub struct OtherWay {
    /// What people call it.
    pub name: String,
    /// Its picture as a `data:` URL; `None`: a usual one.
    pub logo: Option<String>,
    /// Where it begins.
    pub start: Link,
}

/// What an administrator without a role sees instead of every page.
#[derive(Clone, Debug, Serialize)]
pub struct NoRole {
    /// Their user name.
    pub username: String,
}

impl View for NoRole {
    const TEMPLATE: &'static str = "provider/no_role.html";

    fn samples() -> Vec<Sample<Self>> {
        vec![Sample::provider("plain", Self { username: "grace".to_owned() }).guest()]
    }
}

impl View for SignIn {
    const TEMPLATE: &'static str = "provider/sign_in.html";

    fn samples() -> Vec<Sample<Self>> {
        let plain = Self {
            form: Form::new(),
            signed_out: false,
            asks_password: true,
            directory: None,
            others: Vec::new(),
        };
        let failed = Form::new()
            .with("username", "admin")
            .failed("This combination of username and password is not right.");
        let way = |name: &str, start: Link| OtherWay { name: name.to_owned(), logo: None, start };
        let logo = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg'/%3E".to_owned();
        let staff = way("Nordwind staff", admin_api::oidc_login("sio_1"));
        let others = vec![
            OtherWay { logo: Some(logo), ..staff },
            way("Partner directory", provider::sign_in().with_query(&[("option", "sio_2")])),
        ];
        let directory = Self {
            directory: Some(AskedDirectory { id: "sio_2".to_owned(), name: "Partner directory".to_owned() }),
            others: vec![way("Built-in", provider::sign_in())],
            ..plain.clone()
        };
        let elsewhere = Form::new().failed("You were not signed in. Try again, or choose another way.");
        let elsewhere =
            Self { form: elsewhere, asks_password: false, others: others.clone(), ..plain.clone() };
        vec![
            Sample::provider("plain", plain.clone()).guest(),
            Sample::provider("failed", Self { form: failed, ..plain.clone() }).guest(),
            Sample::provider("signed_out", Self { signed_out: true, ..plain.clone() }).guest(),
            Sample::provider("several", Self { others, ..plain.clone() }).guest(),
            Sample::provider("directory", directory).guest(),
            Sample::provider("elsewhere", elsewhere).guest(),
            Sample::provider("closed", Self { asks_password: false, ..plain }).guest(),
        ]
    }
}
