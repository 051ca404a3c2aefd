//! How things are stored, as the audit log quotes them: the members that tell what a thing is, by the kind of the thing.
//!
//! Invariant: a column is quoted because it stands here, and none of those with passwords, digests and sealed secrets of
//! ours does. What callers configured may hold secrets all the same; whoever quotes it masks it.

use sea_orm::{ConnectionTrait, QueryResult, Statement};
use serde_json::{Map, Value};

use crate::{Reader, StoreError, rows};

/// Where things of a kind lie.
struct Noun {
    name: &'static str,
    table: &'static str,
    /// What picks one by its id, `$1`.
    place: &'static str,
    columns: &'static [Column],
}

/// A column and what is in it.
#[derive(Clone, Copy)]
enum Column {
    Text(&'static str),
    Json(&'static str),
    Flag(&'static str),
    Number(&'static str),
    /// Microseconds, quoted in seconds.
    Time(&'static str),
}

use Column::{Flag, Json, Number, Text, Time};

const BY_ID: &str = "id = $1";

const fn noun(name: &'static str, table: &'static str, columns: &'static [Column]) -> Noun {
    Noun { name, table, place: BY_ID, columns }
}

const NOUNS: [Noun; 30] = [
    noun(
        "administrator",
        "administrators",
        &[
            Text("username"),
            Text("email"),
            Text("first_name"),
            Text("last_name"),
            Flag("password_one_time"),
            Flag("activated"),
            Flag("active"),
            Text("boundary_id"),
        ],
    ),
    noun("admin_token", "admin_tokens", &[Text("administrator_id"), Text("name"), Time("expires_at")]),
    noun("role", "roles", &[Text("name"), Text("desc"), Json("labels")]),
    noun(
        "permission_policy",
        "permission_policies",
        &[Text("name"), Text("desc"), Json("labels"), Json("document")],
    ),
    noun(
        "portal",
        "portals",
        &[
            Text("name"),
            Text("desc"),
            Json("labels"),
            Text("public_url"),
            Text("domain"),
            Flag("public_access"),
        ],
    ),
    noun("portal_token", "portal_tokens", &[Text("portal_id"), Text("name"), Time("expires_at")]),
    noun(
        "sign_in_option",
        "login_options",
        &[
            Text("portal_id"),
            Text("name"),
            Text("logo"),
            Flag("disable"),
            Text("provider_type"),
            Json("config"),
        ],
    ),
    noun(
        "contact_point",
        "contact_points",
        &[Text("name"), Text("contact_type"), Json("addresses"), Text("url")],
    ),
    noun("gateway_group", "gateway_groups", &[Text("name"), Text("desc"), Json("labels")]),
    noun("instance_token", "instance_tokens", &[Text("gateway_group_id"), Time("last_used_at")]),
    noun(
        "node",
        "gateway_nodes",
        &[Text("name"), Text("gateway_group_id"), Text("token_id"), Text("version"), Text("address")],
    ),
    noun(
        "service",
        "services",
        &[
            Text("gateway_group_id"),
            Text("name"),
            Text("desc"),
            Json("labels"),
            Flag("stream"),
            Flag("enabled"),
            Json("hosts"),
            Text("path_prefix"),
            Flag("strip_path_prefix"),
            Json("upstream"),
            Json("upstreams"),
            Json("plugins"),
            Json("extra"),
            Flag("has_openapi"),
        ],
    ),
    noun(
        "route",
        "routes",
        &[
            Text("gateway_group_id"),
            Text("service_id"),
            Text("name"),
            Text("desc"),
            Json("labels"),
            Json("paths"),
            Json("methods"),
            Number("priority"),
            Json("plugins"),
            Text("upstream_id"),
            Json("timeout"),
            Flag("enable_websocket"),
            Json("extra"),
        ],
    ),
    noun(
        "certificate",
        "certificates",
        &[
            Text("gateway_group_id"),
            Text("certificate_type"),
            Flag("enabled"),
            Json("snis"),
            Text("client_ca"),
            Json("labels"),
            Json("extra"),
            Time("not_before"),
            Time("not_after"),
        ],
    ),
    Noun {
        name: "consumer",
        table: "consumers",
        place: "key = $1",
        columns: &[
            Text("gateway_group_id"),
            Text("username"),
            Text("desc"),
            Json("labels"),
            Json("plugins"),
            Json("extra"),
        ],
    },
    // Its id is unique within its consumer only: where several have it, none is quoted.
    noun(
        "consumer_credential",
        "consumer_credentials",
        &[Text("consumer_key"), Text("name"), Text("desc"), Json("labels"), Json("auth"), Json("extra")],
    ),
    group_object("global_rule", "kind = 'global_rule' AND id = $1"),
    group_object("stream_route", "kind = 'stream_route' AND id = $1"),
    group_object("plugin_metadata", "kind = 'plugin_metadata' AND id = $1"),
    noun(
        "product",
        "products",
        &[
            Text("portal_id"),
            Text("name"),
            Text("desc"),
            Json("labels"),
            Text("status"),
            Text("visibility"),
            Text("product_type"),
            Json("auth"),
            Flag("subscription_auto_approval"),
            Flag("can_view_unsubscribed"),
            Number("document_operations"),
            Json("server_urls"),
            Text("server_url"),
            Json("notifications"),
        ],
    ),
    noun(
        "plan",
        "plans",
        &[Text("product_id"), Text("name"), Text("desc"), Json("limits"), Flag("is_default")],
    ),
    noun(
        "dcr_provider",
        "dcr_providers",
        &[
            Text("name"),
            Text("desc"),
            Text("provider_type"),
            Text("issuer"),
            Text("base_url"),
            Json("headers"),
        ],
    ),
    noun(
        "dcr_removal",
        "dcr_removals",
        &[Text("provider_id"), Text("application_id"), Text("client_name"), Text("client_id")],
    ),
    noun(
        "developer",
        "developers",
        &[
            Text("portal_id"),
            Text("name"),
            Text("display_name"),
            Text("username"),
            Text("email"),
            Text("status"),
            Text("provider"),
        ],
    ),
    noun(
        "person",
        "persons",
        &[Text("portal_id"), Text("name"), Text("username"), Text("email"), Flag("password_one_time")],
    ),
    noun(
        "application",
        "applications",
        &[
            Text("portal_id"),
            Text("developer_id"),
            Text("name"),
            Text("desc"),
            Json("labels"),
            Json("callback_urls"),
            Json("attributes"),
            Text("status"),
            Text("status_reason"),
        ],
    ),
    noun(
        "credential",
        "credentials",
        &[
            Text("application_id"),
            Text("credential_type"),
            Text("name"),
            Text("desc"),
            Json("labels"),
            Text("version_id"),
        ],
    ),
    noun(
        "subscription",
        "subscriptions",
        &[
            Text("portal_id"),
            Text("application_id"),
            Text("product_id"),
            Text("plan_id"),
            Text("status"),
            Time("subscribed_at"),
        ],
    ),
    Noun {
        name: "settings",
        table: "settings",
        // What else lies there is none of the log's business.
        place: "key = $1 AND key IN ('system', 'scim')",
        columns: &[Json("value")],
    },
    Noun {
        name: "smtp_server",
        table: "settings",
        place: "key = $1 AND key = 'smtp_server'",
        columns: &[Json("value")],
    },
];

const fn group_object(name: &'static str, place: &'static str) -> Noun {
    const COLUMNS: &[Column] = &[
        Text("gateway_group_id"),
        Text("name"),
        Text("desc"),
        Json("labels"),
        Text("service_id"),
        Json("plugins"),
        Json("extra"),
    ];
    Noun { name, table: "group_objects", place, columns: COLUMNS }
}

impl Column {
    const fn name(self) -> &'static str {
        match self {
            Self::Text(name)
            | Self::Json(name)
            | Self::Flag(name)
            | Self::Number(name)
            | Self::Time(name) => name,
        }
    }

    /// What stands in it; `None` where that is nothing.
    fn read(self, row: &QueryResult) -> Result<Option<Value>, StoreError> {
        let name = self.name();
        Ok(match self {
            Self::Text(_) => row.try_get::<Option<String>>("", name)?.map(Value::from),
            Self::Json(_) => {
                let text = row.try_get::<Option<String>>("", name)?.filter(|text| !text.is_empty());
                text.map(|text| serde_json::from_str(&text).unwrap_or(Value::String(text)))
            }
            Self::Flag(_) => row.try_get::<Option<bool>>("", name)?.map(Value::from),
            Self::Number(_) => row.try_get::<Option<i64>>("", name)?.map(Value::from),
            Self::Time(_) => {
                row.try_get::<Option<i64>>("", name)?.map(|micros| micros.div_euclid(1_000_000).into())
            }
        })
    }
}

impl Reader {
    /// The thing of this kind with this id as it is stored, with times in seconds; `None` where it is not there, is not
    /// stored as one thing, or its id does not tell it from another. Secrets that callers configured are in it.
    pub async fn quoted(&self, noun: &str, id: &str) -> Result<Option<Value>, StoreError> {
        let Some(noun) = NOUNS.iter().find(|known| known.name == noun) else { return Ok(None) };
        // PostgreSQL cannot even be asked for a text with NUL; nothing has such an id.
        if id.is_empty() || id.contains('\0') {
            return Ok(None);
        }
        let columns: Vec<_> = noun.columns.iter().map(|column| format!("\"{}\"", column.name())).collect();
        let sql = format!("SELECT {} FROM {} WHERE {} LIMIT 2", columns.join(", "), noun.table, noun.place);
        let connection = self.connection();
        let values = [id.to_owned().into()];
        let statement = Statement::from_sql_and_values(rows::backend(&connection), sql, values);
        let found = connection.query_all_raw(statement).await?;
        let [row] = found.as_slice() else { return Ok(None) };
        let mut members = Map::new();
        for column in noun.columns {
            if let Some(value) = column.read(row)? {
                members.insert(column.name().to_owned(), value);
            }
        }
        Ok(Some(Value::Object(members)))
    }
}

#[cfg(test)]
mod tests {
    use crate::{Location, Store};

    use super::*;

    #[tokio::test]
    async fn every_kind_of_thing_lies_where_it_is_looked_for() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&Location::Sqlite(folder.path().join("db"))).await.unwrap();
        for noun in &NOUNS {
            assert_eq!(store.read().quoted(noun.name, "unknown").await.unwrap(), None, "{}", noun.name);
        }
        let role = store.read().quoted("role", "super-admin").await.unwrap().unwrap();
        assert_eq!(role["name"], "Super Admin");
        assert_eq!(role["labels"], serde_json::json!({}));
        assert_eq!(store.read().quoted("settings", "csrf_key").await.unwrap(), None);
    }

    #[test]
    fn no_column_with_a_password_a_digest_or_a_sealed_secret_is_quoted() {
        for column in NOUNS.iter().flat_map(|noun| noun.columns) {
            let name = column.name();
            let is_secret = ["password_hash", "digest", "secret", "pairs", "management"];
            assert!(!is_secret.iter().any(|part| name.contains(part)), "{name}");
        }
    }
}
