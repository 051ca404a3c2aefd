//! Gateway nodes. Removing one is `confirm.rs`.

use serde::Serialize;

use crate::{
    display::{Reference, Status, When},
    links::provider,
    lists::Paging,
    samples::{Sample, ago},
    templates::View,
};

/// `GET /gateway/nodes`, with the query `page`.
#[derive(Clone, Debug, Serialize)]
pub struct NodeList {
    /// The nodes of this page.
    pub nodes: Vec<NodeRow>,
    /// The paging.
    pub paging: Paging,
}

/// One node.
#[derive(Clone, Debug, Serialize)]
pub struct NodeRow {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The group that it serves.
    pub group: Reference,
    /// Up to date, behind or offline.
    pub status: Status,
    /// The version of its program.
    pub version: String,
    /// The revision that it has applied.
    pub revision: u64,
    /// For how long it has lacked a change, such as `12 ms`; `None`: it lacks none.
    pub lag: Option<String>,
    /// When it was last heard of.
    pub last_contact_at: When,
    /// The kinds of rows in which it differs from the control plane; empty: none.
    pub drift: Vec<&'static str>,
    /// Whether two processes go by its id.
    pub is_duplicated: bool,
}

/// `GET /gateway/nodes/{node}`.
#[derive(Clone, Debug, Serialize)]
pub struct NodePage {
    /// The node.
    pub node: NodeRow,
    /// Where callers reach it; may be empty.
    pub address: String,
    /// Whether it runs inside a control plane's process.
    pub is_embedded: bool,
    /// Whether it may be removed now, by the viewer.
    pub removable: bool,
    /// When it told that it has applied its revision.
    pub applied_at: When,
    /// When it was first seen.
    pub created_at: When,
}

/// A length of time as people say it, from milliseconds.
pub fn duration(millis: i64) -> String {
    match millis {
        ..1_000 => format!("{millis} ms"),
        1_000..120_000 => format!("{}.{} s", millis / 1_000, millis % 1_000 / 100),
        120_000..7_200_000 => format!("{} min", millis / 60_000),
        7_200_000..172_800_000 => format!("{} h", millis / 3_600_000),
        _ => format!("{} d", millis / 86_400_000),
    }
}

impl View for NodeList {
    const TEMPLATE: &'static str = "provider/nodes/list.html";

    fn samples() -> Vec<Sample<Self>> {
        let page = |n: u64| provider::nodes().with_query(&[("page", &n.to_string())]);
        let far = NodeRow {
            id: "nod_2".to_owned(),
            name: "edge-singapore-01.gateways.nordwind.example".to_owned(),
            group: Reference::new("edge-singapore", provider::group("grp_2")),
            status: Status::Behind,
            revision: 18_201,
            lag: Some(duration(4_210)),
            ..sample_node()
        };
        let lost = NodeRow {
            id: "nod_3".to_owned(),
            name: "edge-2".to_owned(),
            status: Status::Offline,
            revision: 17_000,
            lag: Some(duration(7_300_000)),
            last_contact_at: ago(7_300),
            drift: vec!["credential", "grant"],
            ..sample_node()
        };
        let full = Self { nodes: vec![sample_node(), far, lost], paging: Paging::new(1, 20, 3, page) };
        let empty = Self { nodes: Vec::new(), paging: Paging::new(1, 20, 0, page) };
        vec![Sample::provider("full", full), Sample::provider("empty", empty)]
    }
}

impl View for NodePage {
    const TEMPLATE: &'static str = "provider/nodes/page.html";

    fn samples() -> Vec<Sample<Self>> {
        let view = |node, is_embedded| Self {
            node,
            address: if is_embedded { String::new() } else { "https://10.0.0.7:9443".to_owned() },
            is_embedded,
            removable: !is_embedded,
            applied_at: ago(3),
            created_at: ago(86_400 * 40),
        };
        let drifted = NodeRow {
            status: Status::Behind,
            lag: Some(duration(90)),
            drift: vec!["credential", "grant"],
            ..sample_node()
        };
        let duplicated = NodeRow { status: Status::Behind, is_duplicated: true, ..sample_node() };
        vec![
            Sample::provider("joined", view(drifted, false)),
            Sample::provider("duplicated", view(duplicated, false)),
            Sample::provider("embedded", view(sample_node(), true)),
        ]
    }
}

fn sample_node() -> NodeRow {
    NodeRow {
        id: "nod_019fd98500007fffbfffffffffffffff".to_owned(),
        name: "edge-1".to_owned(),
        group: Reference::new("default", provider::group("default")),
        status: Status::InSync,
        version: "0.1.0".to_owned(),
        revision: 18_204,
        lag: None,
        last_contact_at: ago(2),
        drift: Vec::new(),
        is_duplicated: false,
    }
}

#[cfg(test)]
mod tests {
    use super::duration;

    #[test]
    fn a_duration_is_told_in_the_unit_that_people_would_use() {
        for (millis, text) in [
            (0, "0 ms"),
            (999, "999 ms"),
            (1_250, "1.2 s"),
            (120_000, "2 min"),
            (7_200_000, "2 h"),
            (172_800_000, "2 d"),
        ] {
            assert_eq!(duration(millis), text);
        }
    }
}
