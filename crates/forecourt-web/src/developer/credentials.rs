//! Credentials of an application: create, rename, and the one page that shows a secret.

use serde::Serialize;

use super::products::{AuthKind, Choice};
use crate::{
    display::{Reference, When},
    forms::Form,
    links::{Link, developer},
    samples::{Sample, ago, id},
    templates::View,
};

/// One credential in a list. Never its secret.
#[derive(Clone, Debug, Serialize)]
pub struct CredentialRow {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: AuthKind,
    /// What may be shown of it: a username. A key is kept as a digest, of which nothing can be shown.
    pub shown: Option<String>,
    /// When it was made.
    pub created_at: When,
    /// The last call with it, if any.
    pub last_used_at: Option<When>,
    /// Whether its secret can be replaced.
    pub regenerable: bool,
}

/// `GET` and `POST` `/applications/{application}/credentials/new?kind=…` and `…/{credential}/edit`. Fields:
/// `kind` (`key_auth`, `basic_auth`, `jwt_auth` or `oauth`; new only), `name` (not for `oauth`), `desc`, for basic-auth
/// `username`, `password`, for jwt-auth `algorithm`, `public_key`, and for oauth `provider` (new only), `redirect_uris`, one a
/// line.
#[derive(Clone, Debug, Serialize)]
pub struct CredentialForm {
    /// The application.
    pub application: Reference,
    /// The credential that is edited; `None` for a new one.
    pub credential: Option<String>,
    /// The kind.
    pub kind: AuthKind,
    /// The algorithms that tokens may be signed with; shown for `jwt_auth`.
    pub algorithms: Vec<Choice>,
    /// The providers that a client can be registered at; for a new `oauth`.
    pub providers: Vec<Choice>,
    /// What was typed.
    pub form: Form,
    /// Where the form posts to.
    pub action: Link,
}

/// The answer to a create or a regenerate: the secret, this once. Never cached (`Cache-Control: no-store`).
#[derive(Clone, Debug, Serialize)]
pub struct SecretShown {
    /// The application.
    pub application: Reference,
    /// The credential's name.
    pub name: String,
    /// Its kind.
    pub kind: AuthKind,
    /// What to store.
    pub secrets: Vec<Secret>,
    /// A line for a shell, with a real path of a subscribed product; `None` without one.
    pub curl: Option<String>,
    /// Whether the line works only once a subscription that waits has been approved.
    pub waits: bool,
}

/// One value to store.
#[derive(Clone, Debug, Serialize)]
pub struct Secret {
    /// What it is called.
    pub name: String,
    /// Its name in an environment file.
    pub env: String,
    /// The value itself.
    pub value: String,
}

impl View for CredentialForm {
    const TEMPLATE: &'static str = "developer/credentials/form.html";

    fn samples() -> Vec<Sample<Self>> {
        let new = |kind, form| Self {
            application: sample_application(),
            credential: None,
            kind,
            algorithms: ["HS256", "EdDSA"].map(|name| Choice::new(name, name)).into(),
            providers: vec![Choice::new("dcr_1", "Keycloak"), Choice::new("dcr_2", "Legacy bridge")],
            form,
            action: developer::new_credential(&id("app", 1)),
        };
        let taken = Form::new()
            .with("name", "Nightly batch")
            .with("username", "warehouse")
            .refused("username", "Another credential has this username; choose another one.");
        let edit = Self {
            credential: Some("Production".to_owned()),
            action: developer::edit_credential(&id("app", 1), &id("crd", 1)),
            ..new(AuthKind::KeyAuth, Form::new().with("name", "Production"))
        };
        vec![
            Sample::developer("key", new(AuthKind::KeyAuth, Form::new())),
            Sample::developer("basic_refused", new(AuthKind::BasicAuth, taken)),
            Sample::developer("jwt", new(AuthKind::JwtAuth, Form::new())),
            Sample::developer("oauth", new(AuthKind::Oauth, Form::new())),
            Sample::developer(
                "oauth_without_provider",
                Self { providers: Vec::new(), ..new(AuthKind::Oauth, Form::new()) },
            ),
            Sample::developer("edit", edit),
        ]
    }
}

impl View for SecretShown {
    const TEMPLATE: &'static str = "developer/credentials/secret.html";

    fn samples() -> Vec<Sample<Self>> {
        let secret = |name: &str, env: &str, value: &str| Secret {
            name: name.to_owned(),
            env: env.to_owned(),
            value: value.to_owned(),
        };
        let key = Self {
            application: sample_application(),
            name: "Production".to_owned(),
            kind: AuthKind::KeyAuth,
            secrets: vec![secret("API key", "API_KEY", "fck_sample4Zr0notAReal0keyButAsLongAsOneX7Q2p9")],
            curl: Some(
                "curl -H 'apikey: fck_sample4Zr0notAReal0keyButAsLongAsOneX7Q2p9' https://gateway.nordwind.example/payments/v2/payments"
                    .to_owned(),
            ),
            waits: false,
        };
        let waiting = Self { waits: true, ..key.clone() };
        let basic = Self {
            name: "Nightly batch".to_owned(),
            kind: AuthKind::BasicAuth,
            secrets: vec![
                secret("Username", "API_USERNAME", "warehouse-sync"),
                secret("Password", "API_PASSWORD", "sample correct horse battery staple"),
            ],
            curl: None,
            ..key.clone()
        };
        let jwt = Self {
            name: "Partner sync".to_owned(),
            kind: AuthKind::JwtAuth,
            secrets: vec![
                secret("Key", "API_TOKEN_KEY", "frt_sample2Qk7Zr0notAReal0one"),
                secret("Secret", "API_TOKEN_SECRET", "frs_sample4Zr0notAReal0secretButAsLongAsOneX7Q2p9"),
            ],
            curl: None,
            ..key.clone()
        };
        let oauth = Self {
            name: "Keycloak".to_owned(),
            kind: AuthKind::Oauth,
            secrets: vec![
                secret("Client ID", "OAUTH_CLIENT_ID", "0KtxBca-sample-not-a-client"),
                secret("Client secret", "OAUTH_CLIENT_SECRET", "0wKRm9-sample-not-a-secret"),
                secret("Issuer", "OAUTH_ISSUER", "https://id.nordwind.example/realms/partners"),
            ],
            curl: None,
            ..key.clone()
        };
        vec![
            Sample::developer("key", key),
            Sample::developer("basic", basic),
            Sample::developer("jwt", jwt),
            Sample::developer("oauth", oauth),
            Sample::developer("waiting", waiting),
        ]
    }
}

fn sample_application() -> Reference {
    Reference::new("Checkout frontend", developer::application(&id("app", 1)))
}

/// Two credentials with real-looking data.
pub(crate) fn sample_rows() -> Vec<CredentialRow> {
    vec![
        CredentialRow {
            id: id("crd", 1),
            name: "Production".to_owned(),
            kind: AuthKind::KeyAuth,
            shown: None,
            created_at: ago(86_400 * 30),
            last_used_at: Some(ago(40)),
            regenerable: true,
        },
        CredentialRow {
            id: id("crd", 2),
            name: "Nightly batch".to_owned(),
            kind: AuthKind::BasicAuth,
            shown: Some("warehouse-sync".to_owned()),
            created_at: ago(86_400 * 2),
            last_used_at: None,
            regenerable: true,
        },
    ]
}
