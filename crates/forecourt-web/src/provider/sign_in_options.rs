//! Sign-in options of a portal and of the administrators: the list, and the form of one. Deleting is `confirm.rs`.

use serde::Serialize;

use crate::{
    forms::Form,
    links::{Link, provider},
    samples::{Sample, id},
    templates::View,
};

/// `GET /portals/{portal}/sign-in` and `/settings/sign-in`.
#[derive(Clone, Debug, Serialize)]
pub struct SignInOptionList {
    /// The portal's id; `None`: the administrators' options.
    pub portal: Option<String>,
    /// The options, the built-in one first.
    pub options: Vec<SignInOptionRow>,
    /// Where another one is added.
    pub create: Link,
}

/// One option.
#[derive(Clone, Debug, Serialize)]
pub struct SignInOptionRow {
    /// Its name.
    pub name: String,
    /// `built_in`, `oidc`, `saml`, `ldap` or `cas`.
    pub kind: &'static str,
    /// Its provider's address; empty for the built-in one.
    pub address: String,
    /// Whether nobody signs in this way.
    pub disabled: bool,
    /// Where it is changed.
    pub edit: Link,
    /// Where it is deleted; `None`: it stays.
    pub delete: Option<Link>,
}

/// `GET` and `POST` `…/sign-in/new?kind=…` and `…/sign-in/{option}/edit`. Fields: `name`, `enabled` (`true`), and the
/// settings by the names that the API has for them; `request_scopes` separated by white space, `attributes` as
/// `ours: theirs`, one a line; `remove_NAME` (`true`) for a secret that is to be removed.
#[derive(Clone, Debug, Serialize)]
pub struct SignInOptionForm {
    /// The portal's id; `None`: an option of the administrators.
    pub portal: Option<String>,
    /// The name of the option that is edited; `None` for a new one.
    pub option: Option<String>,
    /// Its id, where it is edited.
    pub id: Option<String>,
    /// Its kind.
    pub kind: &'static str,
    /// The kinds to choose from, each with its form; empty where an option is edited.
    pub kinds: Vec<(&'static str, Link)>,
    /// Its settings, in the order in which they are asked for.
    pub settings: Vec<Setting>,
    /// Where people begin to sign in this way (`login`), and what its provider must know of us (`callback`).
    pub addresses: Vec<(&'static str, String)>,
    /// What was typed; never secrets.
    pub form: Form,
    /// Where the form posts to.
    pub action: Link,
    /// The list.
    pub back: Link,
}

/// One setting.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Setting {
    /// Its name, which the API has for it too.
    pub name: &'static str,
    /// How it is typed.
    pub input: SettingInput,
    /// Whether it may be left empty. A secret that is stored may.
    pub optional: bool,
    /// Whether a secret is stored, which stays where none is typed.
    pub stored: bool,
    /// Whether what is stored may be removed, by ticking the box `remove_NAME`.
    pub removable: bool,
}

/// How a setting is typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SettingInput {
    /// One line.
    Line,
    /// Several lines.
    Lines,
    /// A box to tick.
    Check,
    /// One line that is not shown.
    Secret,
    /// Several lines that are not shown again.
    SecretLines,
}

/// The settings of an option of this kind.
pub fn settings(kind: &str) -> &'static [Setting] {
    use SettingInput::{Check, Line, Lines, Secret, SecretLines};
    const fn needed(name: &'static str, input: SettingInput) -> Setting {
        Setting { name, input, optional: false, stored: false, removable: false }
    }
    const fn optional(name: &'static str, input: SettingInput) -> Setting {
        Setting { optional: true, ..needed(name, input) }
    }
    const BUILT_IN: &[Setting] = &[
        optional("enable_self_registration", Check),
        optional("registration_auto_approval", Check),
        optional("login_with_email", Check),
    ];
    const OIDC: &[Setting] = &[
        needed("issuer", Line),
        needed("client_id", Line),
        needed("client_secret", Secret),
        needed("request_scopes", Line),
        optional("root_url", Line),
        optional("logout_url", Line),
        optional("attributes", Lines),
        optional("ssl_verify", Check),
    ];
    const SAML: &[Setting] = &[
        needed("idp_metadata_url", Line),
        needed("sp_root_url", Line),
        optional("entity_id", Line),
        optional("certificate", Lines),
        optional("private_key", SecretLines),
        optional("attributes", Lines),
        optional("sign_request", Check),
        optional("logout_idp_session", Check),
    ];
    const LDAP: &[Setting] = &[
        needed("host", Line),
        needed("port", Line),
        needed("base_dn", Line),
        needed("bind_dn", Line),
        optional("bind_password", Secret),
        needed("identifier", Line),
        optional("attributes", Lines),
        optional("timeout", Line),
        optional("use_ssl", Check),
        optional("ssl_verify", Check),
        optional("root_ca_cert", Lines),
        optional("client_cert", Lines),
        optional("client_key", SecretLines),
    ];
    const CAS: &[Setting] =
        &[needed("url", Line), optional("send_service", Check), optional("ssl_verify", Check)];
    match kind {
        "oidc" => OIDC,
        "saml" => SAML,
        "ldap" => LDAP,
        "cas" => CAS,
        _ => BUILT_IN,
    }
}

impl View for SignInOptionList {
    const TEMPLATE: &'static str = "provider/sign_in_options/list.html";

    fn samples() -> Vec<Sample<Self>> {
        let row = |number, name: &str, kind, address: &str, disabled| SignInOptionRow {
            name: name.to_owned(),
            kind,
            address: address.to_owned(),
            disabled,
            edit: provider::edit_sign_in_option("default", &id("sio", number)),
            delete: (kind != "built_in")
                .then(|| provider::delete_sign_in_option("default", &id("sio", number))),
        };
        let options = vec![
            row(1, "Email", "built_in", "", false),
            row(2, "Nordwind staff", "oidc", "https://id.nordwind.example/realms/staff", false),
            row(3, "Partner directory", "ldap", "ldap.partners.nordwind.example:636", true),
        ];
        let portal = Self {
            portal: Some("default".to_owned()),
            options,
            create: provider::new_sign_in_option("default"),
        };
        let built_in = SignInOptionRow {
            name: "Built-in".to_owned(),
            edit: provider::edit_admin_sign_in_option("built_in"),
            ..row(1, "", "built_in", "", false)
        };
        let administrators =
            Self { portal: None, options: vec![built_in], create: provider::new_admin_sign_in_option() };
        vec![Sample::provider("portal", portal), Sample::provider("administrators", administrators)]
    }
}

impl View for SignInOptionForm {
    const TEMPLATE: &'static str = "provider/sign_in_options/form.html";

    fn samples() -> Vec<Sample<Self>> {
        let new = |kind| Self {
            portal: Some("default".to_owned()),
            option: None,
            id: None,
            kind,
            kinds: ["oidc", "saml", "ldap", "cas"]
                .map(|kind| (kind, provider::new_sign_in_option("default").with_query(&[("kind", kind)])))
                .to_vec(),
            settings: settings(kind).to_vec(),
            addresses: Vec::new(),
            form: Form::new().with("enabled", "true").with("ssl_verify", "true"),
            action: provider::new_sign_in_option("default").with_query(&[("kind", kind)]),
            back: provider::sign_in_options("default"),
        };
        let ldap = new("ldap");
        let refused = Self {
            form: Form::new()
                .with("port", "ldaps")
                .refused("port", "This must be a port as text, \"1\" to \"65535\"."),
            ..ldap.clone()
        };
        let edit = Self {
            option: Some("Email".to_owned()),
            id: Some(id("sio", 1)),
            kinds: Vec::new(),
            action: provider::edit_sign_in_option("default", &id("sio", 1)),
            ..new("built_in")
        };
        let administrators = Self {
            portal: None,
            back: provider::admin_sign_in_options(),
            action: provider::new_admin_sign_in_option(),
            ..new("cas")
        };
        let known = Self {
            option: Some("Nordwind staff".to_owned()),
            id: Some(id("sio", 2)),
            kinds: Vec::new(),
            settings: settings("oidc").to_vec(),
            kind: "oidc",
            addresses: vec![
                ("login", "https://console.nordwind.example/api/oidc/sio_2/login".to_owned()),
                ("callback", "https://console.nordwind.example/api/oidc/callback".to_owned()),
            ],
            ..administrators.clone()
        };
        vec![
            Sample::provider("known", known),
            Sample::provider("oidc", new("oidc")),
            Sample::provider("saml", new("saml")),
            Sample::provider("ldap", ldap.clone()),
            Sample::provider("refused", refused),
            Sample::provider("stored", with_stored_password(ldap)),
            Sample::provider("built_in", edit),
            Sample::provider("administrators", administrators),
        ]
    }
}

/// The form of a directory whose bind password is stored.
fn with_stored_password(new: SignInOptionForm) -> SignInOptionForm {
    let setting = |setting: &Setting| match setting.input {
        SettingInput::Secret => Setting { optional: true, stored: true, removable: true, ..*setting },
        _ => *setting,
    };
    SignInOptionForm {
        option: Some("Partner directory".to_owned()),
        id: Some(id("sio", 3)),
        kinds: Vec::new(),
        settings: new.settings.iter().map(setting).collect(),
        action: provider::edit_sign_in_option("default", &id("sio", 3)),
        ..new
    }
}
