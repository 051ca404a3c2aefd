//! DCR providers, and the OAuth clients that are left behind there. Deleting and dismissing are `confirm.rs`.

use serde::Serialize;

use crate::{
    display::When,
    forms::Form,
    links::{Link, provider},
    lists::Paging,
    samples::{Sample, ago, id},
    templates::View,
};

/// `GET /gateway/oauth-providers`, with the query `page` of the clients that are left behind.
#[derive(Clone, Debug, Serialize)]
pub struct DcrProviderList {
    /// Every provider, by name.
    pub providers: Vec<DcrProviderRow>,
    /// Clients that must still go, or that may have been made unseen; the oldest first.
    pub removals: Vec<DcrRemovalRow>,
    /// The paging of the removals.
    pub paging: Paging,
}

/// One provider.
#[derive(Clone, Debug, Serialize)]
pub struct DcrProviderRow {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// `oidc` or `http_bridge`.
    pub kind: String,
    /// Its issuer, or the bridge's address.
    pub address: String,
    /// When it was made.
    pub created_at: When,
}

/// One client that is left behind.
#[derive(Clone, Debug, Serialize)]
pub struct DcrRemovalRow {
    /// Its id.
    pub id: String,
    /// Its provider's name, as it is or was.
    pub provider: String,
    /// Its id there, where it is known.
    pub client_id: Option<String>,
    /// The name that it was registered with.
    pub client_name: String,
    /// How often its removal was tried.
    pub attempts: i64,
    /// What the last attempt met.
    pub last_error: String,
    /// Whether the viewer may take it off the list.
    pub dismissible: bool,
    /// When it is tried again; `None`: somebody must remove it by hand.
    pub next_attempt_at: Option<When>,
}

/// `GET` and `POST` `/gateway/oauth-providers/new` and `…/{provider}/edit`. Fields: `name`, `desc`, `provider_type`
/// (new only), `issuer`, `base_url`, `headers` (`Name: value`, one a line; a value of stars stays as it is).
#[derive(Clone, Debug, Serialize)]
pub struct DcrProviderForm {
    /// The name of the provider that is edited; `None` for a new one.
    pub provider: Option<String>,
    /// Its id, where it is edited.
    pub id: Option<String>,
    /// Its type, where it is edited.
    pub kind: Option<String>,
    /// What was typed.
    pub form: Form,
    /// Where the form posts to.
    pub action: Link,
}

impl View for DcrProviderList {
    const TEMPLATE: &'static str = "provider/dcr_providers/list.html";

    fn samples() -> Vec<Sample<Self>> {
        let page = |n: u64| provider::dcr_providers().with_query(&[("page", &n.to_string())]);
        let row = |number, name: &str, kind: &str, address: &str| DcrProviderRow {
            id: id("dcr", number),
            name: name.to_owned(),
            kind: kind.to_owned(),
            address: address.to_owned(),
            created_at: ago(86_400 * 9),
        };
        let providers = vec![
            row(1, "Keycloak", "oidc", "https://id.nordwind.example/realms/partners"),
            row(2, "Legacy bridge", "http_bridge", "https://bridge.nordwind.example/v1"),
        ];
        let removal = DcrRemovalRow {
            id: id("rmv", 1),
            provider: "Keycloak".to_owned(),
            client_id: Some("0KtxBca-EZb-0TyyISexroiQ".to_owned()),
            client_name: "Checkout frontend".to_owned(),
            attempts: 3,
            last_error: "removal of the client: the provider answered 503 Service Unavailable".to_owned(),
            dismissible: true,
            next_attempt_at: Some(ago(-40)),
        };
        let lost = DcrRemovalRow {
            id: id("rmv", 2),
            client_id: None,
            attempts: 0,
            last_error: "no whole answer within 10 s".to_owned(),
            next_attempt_at: None,
            ..removal.clone()
        };
        let full = Self { providers, removals: vec![removal, lost], paging: Paging::new(1, 20, 2, page) };
        let empty = Self { providers: Vec::new(), removals: Vec::new(), paging: Paging::new(1, 20, 0, page) };
        vec![Sample::provider("full", full), Sample::provider("empty", empty)]
    }
}

impl View for DcrProviderForm {
    const TEMPLATE: &'static str = "provider/dcr_providers/form.html";

    fn samples() -> Vec<Sample<Self>> {
        let new = Self {
            provider: None,
            id: None,
            kind: None,
            form: Form::new().with("provider_type", "oidc"),
            action: provider::new_dcr_provider(),
        };
        let refused = new.form.clone().refused("issuer", "This is required for a provider of type oidc.");
        let stored = Form::new()
            .with("name", "Keycloak")
            .with("issuer", "https://id.nordwind.example/realms/partners")
            .with("headers", "Authorization: ******");
        let edit = Self {
            provider: Some("Keycloak".to_owned()),
            id: Some(id("dcr", 1)),
            kind: Some("oidc".to_owned()),
            form: stored,
            action: provider::edit_dcr_provider(&id("dcr", 1)),
        };
        vec![
            Sample::provider("new", new.clone()),
            Sample::provider("refused", Self { form: refused, ..new }),
            Sample::provider("edit", edit),
        ]
    }
}
