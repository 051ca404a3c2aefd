//! Tokens with which gateway nodes join their group. Deleting is `confirm.rs`.

use serde::Serialize;

use crate::{
    developer::credentials::Secret,
    display::{Reference, When},
    forms::Form,
    links::provider,
    lists::Paging,
    samples::{Sample, ago, id},
    templates::View,
};

/// `GET /gateway/tokens`, with the query `page`.
#[derive(Clone, Debug, Serialize)]
pub struct InstanceTokenList {
    /// The tokens of this page.
    pub tokens: Vec<InstanceTokenRow>,
    /// The paging.
    pub paging: Paging,
}

/// One token. Never its text.
#[derive(Clone, Debug, Serialize)]
pub struct InstanceTokenRow {
    /// Its id.
    pub id: String,
    /// The group that it opens.
    pub group: Reference,
    /// How many nodes joined with it last.
    pub nodes: u64,
    /// Whether the viewer may delete it.
    pub deletable: bool,
    /// When a node was last let in with it.
    pub last_used_at: Option<When>,
    /// When it was made.
    pub created_at: When,
}

/// `GET` and `POST` `/gateway/tokens/new`. Field: `group`, a group's id.
#[derive(Clone, Debug, Serialize)]
pub struct NewInstanceToken {
    /// The groups to choose from.
    pub groups: Vec<GroupChoice>,
    /// What was chosen.
    pub form: Form,
}

/// A group that a token may be for.
#[derive(Clone, Debug, Serialize)]
pub struct GroupChoice {
    /// Its id.
    pub value: String,
    /// Its name.
    pub text: String,
}

/// The answer to a create: the token, this once. Never cached.
#[derive(Clone, Debug, Serialize)]
pub struct InstanceTokenShown {
    /// The group's name.
    pub group: String,
    /// The token.
    pub secrets: Vec<Secret>,
    /// A line that starts a node, where the control plane's address is known.
    pub command: Option<String>,
}

impl View for InstanceTokenList {
    const TEMPLATE: &'static str = "provider/nodes/tokens.html";

    fn samples() -> Vec<Sample<Self>> {
        let page = |n: u64| provider::instance_tokens().with_query(&[("page", &n.to_string())]);
        let row = |number, nodes, last_used_at| InstanceTokenRow {
            id: id("itk", number),
            group: Reference::new("default", provider::group("default")),
            nodes,
            deletable: true,
            last_used_at,
            created_at: ago(86_400 * 30),
        };
        let tokens = vec![row(1, 3, Some(ago(40))), row(2, 0, None)];
        vec![
            Sample::provider("full", Self { tokens, paging: Paging::new(1, 20, 2, page) }),
            Sample::provider("empty", Self { tokens: Vec::new(), paging: Paging::new(1, 20, 0, page) }),
        ]
    }
}

impl View for NewInstanceToken {
    const TEMPLATE: &'static str = "provider/nodes/new_token.html";

    fn samples() -> Vec<Sample<Self>> {
        let group = |value: &str, text: &str| GroupChoice { value: value.to_owned(), text: text.to_owned() };
        let groups = vec![group("default", "default"), group("grp_2", "edge-singapore")];
        vec![Sample::provider("plain", Self { groups, form: Form::new().with("group", "default") })]
    }
}

impl View for InstanceTokenShown {
    const TEMPLATE: &'static str = "provider/nodes/token_shown.html";

    fn samples() -> Vec<Sample<Self>> {
        let token = "a7dp-sample-not-a-real-token-0123456789abcdef.00ff00ff00ff00ff00ff00ff00ff00ff";
        let secrets = vec![Secret {
            name: "Instance token".to_owned(),
            env: "FORECOURT_GATEWAY_TOKEN".to_owned(),
            value: token.to_owned(),
        }];
        let command = format!(
            "forecourt gateway --control-plane https://127.0.0.1:7943 --token {token} --data-dir ./gateway --listen 0.0.0.0:9080"
        );
        vec![Sample::provider("plain", Self { group: "default".to_owned(), secrets, command: Some(command) })]
    }
}
