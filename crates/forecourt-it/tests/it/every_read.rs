//! Every GET of both APIs, as their documents list them, with ids of what is there: what an installation answers to all of
//! them, to be held against what it answers elsewhere.

use std::collections::{BTreeMap, BTreeSet};

use forecourt_it::{Client, consistency::Snapshot, installations::ADMIN_PASSWORD};
use serde_json::Value;

/// Question by question: the status, and the body as it came.
pub(crate) type Answers = BTreeMap<String, (u16, String)>;

/// What tells of the process and not of what is stored, or is another with every question.
const OF_THE_PROCESS: [&str; 13] = [
    "/healthz",
    "/api/audit_logs",
    "/api/audit_logs/export",
    "/api/cas/{id}/callback",
    "/api/cas/{id}/login",
    "/api/forecourt/nodes",
    "/api/forecourt/nodes/{id}",
    "/api/forecourt/receipts/{revision}",
    "/api/gateway_groups/{id}/deployment/docker",
    "/api/oidc/callback",
    "/api/oidc/{id}/login",
    "/api/saml/{id}/login",
    "/api/saml/{id}/metadata",
];

/// The part of a path before an id, the table of what is named there, and the column.
const NAMED: &[(&str, &str, &str)] = &[
    ("api_products", "products", "id"),
    ("applications", "applications", "id"),
    ("approvals", "approvals", "id"),
    ("consumers", "consumers", "username"),
    ("contact_points", "contact_points", "id"),
    ("credentials", "credentials", "id"),
    ("dcr_providers", "dcr_providers", "id"),
    ("deliveries", "deliveries", "id"),
    ("developers", "developers", "id"),
    ("developers", "developers", "name"),
    ("gateway_groups", "gateway_groups", "id"),
    ("global_rules", "group_objects", "id"),
    ("login_options", "login_options", "id"),
    ("permission_policies", "permission_policies", "id"),
    ("plans", "plans", "id"),
    ("plugin_metadata", "group_objects", "id"),
    ("portals", "portals", "id"),
    ("roles", "roles", "id"),
    ("routes", "routes", "id"),
    ("services", "services", "id"),
    ("ssls", "certificates", "id"),
    ("stream_routes", "group_objects", "id"),
    ("tokens", "admin_tokens", "id"),
    ("tokens", "portal_tokens", "id"),
    ("upstreams", "services", "id"),
    ("users", "administrators", "id"),
];
/// The same for words that no table holds.
const WORDS: &[(&str, &[&str])] =
    &[("labels", &["api_product", "application", "gateway_service", "portal"]), ("plugins", &["key-auth"])];
/// Members that being asked changes.
const NOTED: [&str; 2] = ["last_active_at", "last_used_at"];
/// How many of one sort are named.
const MOST: usize = 3;

/// All questions.
pub(crate) struct Reads {
    admin: Vec<String>,
    portal: Vec<String>,
    routes: BTreeSet<String>,
    token: String,
    developer: String,
    key: String,
}

impl Reads {
    /// About what is in a snapshot. `token`: a front end's of the portal; `key`: what callers show, which is never answered.
    pub(crate) fn of(snapshot: &Snapshot, token: &str, key: &str) -> Self {
        let portal = snapshot.rows("portals")[0].text("id");
        let span = "start_at=1700000000&end_at=1702000000";
        let asked = format!("portal_id={portal}&gateway_group_id=default&format=json&name=x&{span}");
        let mut routes = BTreeSet::new();
        let mut questions = |document: &str| {
            let document: Value = serde_json::from_str(document).unwrap();
            let paths = document["paths"].as_object().expect("paths");
            let reads = paths
                .iter()
                .filter(|(path, of)| of.get("get").is_some() && !OF_THE_PROCESS.contains(&path.as_str()));
            let mut all = Vec::new();
            for (path, _) in reads {
                routes.insert(path.clone());
                let filled = filled(snapshot, path).into_iter();
                all.extend(filled.map(|address| format!("{path} {address}?{asked}")));
            }
            all
        };
        Self {
            admin: questions(forecourt_api::admin::document()),
            portal: questions(forecourt_api::portal::document()),
            routes,
            token: token.to_owned(),
            developer: snapshot.rows("developers")[0].text("name").to_owned(),
            key: key.to_owned(),
        }
    }

    /// What both APIs answer: the Admin API first, since a developer's call is noted.
    pub(crate) async fn answered(&self, admin: &Client, portal_api: &Client) -> Answers {
        let mut answers = Answers::new();
        let admin = admin.with_basic("admin", ADMIN_PASSWORD);
        let front_end = portal_api.with_bearer(&self.token);
        let developer = front_end.with("x-portal-developer-id", &self.developer);
        for (who, client, questions) in [
            ("admin", &admin, &self.admin),
            ("front end", &front_end, &self.portal),
            ("developer", &developer, &self.portal),
        ] {
            for question in questions {
                let (_, address) = question.split_once(' ').expect("a path and an address");
                let answer = client.get(address).await;
                // Where a process listens is its own.
                let told = NOTED.iter().fold(answer.text(), |told, member| without(&told, member));
                let told = told.replace(client.base(), "HERE");
                assert!(!told.contains(&self.key), "{question} answers a key");
                answers.insert(format!("{who} {question}"), (answer.status.as_u16(), told));
            }
        }
        self.is_not_empty(&answers);
        answers
    }

    /// Fails where an answer is another, byte for byte.
    #[track_caller]
    pub(crate) fn same(&self, before: &Answers, after: &Answers) {
        assert_eq!(before.len(), after.len());
        for (question, answer) in before {
            assert_eq!(Some(answer), after.get(question), "{question}");
        }
    }

    /// A comparison of refusals would prove nothing.
    #[track_caller]
    fn is_not_empty(&self, answers: &Answers) {
        let is_read = |route: &&String| {
            let part = format!(" {route} ");
            answers.iter().any(|(question, (status, _))| *status == 200 && question.contains(&part))
        };
        let (read, refused): (Vec<&String>, Vec<&String>) = self.routes.iter().partition(is_read);
        assert!(read.len() > 2 * refused.len(), "{} routes were read, not {refused:#?}", read.len());
    }
}

/// A JSON text without the values of a member: texts and numbers, which hold no comma.
fn without(text: &str, member: &str) -> String {
    let name = format!("\"{member}\":");
    let mut parts = text.split(name.as_str());
    let mut left = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        left.push_str(&name);
        left.push_str(&part[part.find([',', '}']).unwrap_or(0)..]);
    }
    left
}

/// A path with everything that may stand in its places, as far as that is there; an unknown id where nothing is.
fn filled(snapshot: &Snapshot, path: &str) -> Vec<String> {
    let mut all = vec![String::new()];
    let mut before = "";
    for segment in path.split('/').skip(1) {
        let values =
            if segment.starts_with('{') { named(snapshot, before) } else { vec![segment.to_owned()] };
        all =
            all.iter().flat_map(|start| values.iter().map(move |value| format!("{start}/{value}"))).collect();
        before = segment;
    }
    all
}

fn named(snapshot: &Snapshot, before: &str) -> Vec<String> {
    let mut values = Vec::new();
    for (_, table, column) in NAMED.iter().filter(|(part, ..)| *part == before) {
        let rows = snapshot.rows(table).iter().take(MOST);
        values.extend(rows.map(|row| row.text(column).to_owned()));
    }
    for (_, words) in WORDS.iter().filter(|(part, _)| *part == before) {
        values.extend(words.iter().map(|word| (*word).to_owned()));
    }
    if values.is_empty() {
        values.push("unknown".into());
    }
    values
}
