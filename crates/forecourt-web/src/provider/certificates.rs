//! Certificates of a gateway group. Deleting is `confirm.rs`.

use serde::Serialize;

use crate::{
    display::{Reference, Status, When},
    forms::Form,
    links::{Link, provider},
    lists::Paging,
    samples::{Sample, ago},
    templates::View,
};

/// `GET /gateway/groups/{group}/certificates`, with the query `page`.
#[derive(Clone, Debug, Serialize)]
pub struct CertificateList {
    /// The group.
    pub group: Reference,
    /// Its id.
    pub group_id: String,
    /// Its certificates of this page.
    pub certificates: Vec<CertificateRow>,
    /// The paging.
    pub paging: Paging,
}

/// One certificate. Never its key.
#[derive(Clone, Debug, Serialize)]
pub struct CertificateRow {
    /// Its id.
    pub id: String,
    /// Its server names; empty for one that is shown to upstreams and names none.
    pub names: Vec<String>,
    /// `server` or `client`.
    pub kind: &'static str,
    /// Active, suspended (switched off) or expired.
    pub status: Status,
    /// Whether callers must show one of their own.
    pub mutual: bool,
    /// Until when it is valid.
    pub valid_until: When,
}

/// `GET` and `POST` `/gateway/groups/{group}/certificates/new` and `…/certificates/{certificate}/edit`. Fields: `type`
/// (`server` or `client`), `cert` and `secret` (PEM; an empty `secret` keeps the key that is there), `snis` (one a
/// line), `client_ca` (PEM), `client_depth` (a number), `enabled` (`true`).
#[derive(Clone, Debug, Serialize)]
pub struct CertificateForm {
    /// The group.
    pub group: Reference,
    /// Its id.
    pub group_id: String,
    /// The id of the certificate that is edited; `None`: a new one.
    pub certificate: Option<String>,
    /// Where the form posts to.
    pub action: Link,
    /// What was typed or is stored.
    pub form: Form,
}

impl View for CertificateList {
    const TEMPLATE: &'static str = "provider/certificates/list.html";

    fn samples() -> Vec<Sample<Self>> {
        let row = |id: &str, names: &[&str], kind, status, ends| CertificateRow {
            id: id.to_owned(),
            names: names.iter().map(|name| (*name).to_owned()).collect(),
            kind,
            status,
            mutual: kind == "server" && status == Status::Suspended,
            valid_until: ago(ends),
        };
        let page = |n: u64| provider::certificates("default").with_query(&[("page", &n.to_string())]);
        let full = Self {
            group: Reference::new("default", provider::group("default")),
            group_id: "default".to_owned(),
            certificates: vec![
                row(
                    "ssl_1",
                    &["api.nordwind.example", "*.eu.nordwind.example"],
                    "server",
                    Status::Active,
                    -864_000,
                ),
                row("ssl_2", &["old.nordwind.example"], "server", Status::Expired, 86_400),
                row("ssl_3", &["partners.nordwind.example"], "server", Status::Suspended, -864_000),
                row("ssl_4", &[], "client", Status::Active, -864_000),
            ],
            paging: Paging::new(1, 20, 4, page),
        };
        let empty = Self { certificates: Vec::new(), paging: Paging::new(1, 20, 0, page), ..full.clone() };
        vec![Sample::provider("full", full), Sample::provider("empty", empty)]
    }
}

impl View for CertificateForm {
    const TEMPLATE: &'static str = "provider/certificates/form.html";

    fn samples() -> Vec<Sample<Self>> {
        let plain = Self {
            group: Reference::new("default", provider::group("default")),
            group_id: "default".to_owned(),
            certificate: None,
            action: provider::new_certificate("default"),
            form: Form::new().with("type", "server").with("enabled", "true"),
        };
        let edited = Self {
            certificate: Some("ssl_1".to_owned()),
            action: provider::edit_certificate("default", "ssl_1"),
            form: plain
                .form
                .clone()
                .with("cert", "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----")
                .refused("secret", "This does not fit the certificate: give the key that it was issued for."),
            ..plain.clone()
        };
        vec![Sample::provider("plain", plain), Sample::provider("edited", edited)]
    }
}
