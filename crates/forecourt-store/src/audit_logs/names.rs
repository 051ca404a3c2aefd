//! What the things are called that audit records name by their ids: one query for a whole page of records.

use forecourt_core::audit_logs::objects::NamedObject;
use sea_orm::{ConnectionTrait, Statement, Value};

use crate::{Reader, StoreError, rows};

/// Where named things lie.
struct Named {
    noun: &'static str,
    table: &'static str,
    id: &'static str,
    name: &'static str,
    place: &'static str,
    parent: &'static str,
}

const NOTHING: &str = "''";

const fn named(noun: &'static str, table: &'static str, place: &'static str) -> Named {
    Named { noun, table, id: "id", name: "name", place, parent: NOTHING }
}

const NAMED: [Named; 13] = [
    Named {
        name: "COALESCE(NULLIF(TRIM(first_name || ' ' || last_name), ''), username)",
        ..named("administrator", "administrators", NOTHING)
    },
    named("role", "roles", NOTHING),
    named("permission_policy", "permission_policies", NOTHING),
    named("contact_point", "contact_points", NOTHING),
    named("portal", "portals", NOTHING),
    named("product", "products", "portal_id"),
    Named { name: "display_name", ..named("developer", "developers", "portal_id") },
    Named { parent: "developer_id", ..named("application", "applications", "portal_id") },
    named("gateway_group", "gateway_groups", NOTHING),
    named("service", "services", "gateway_group_id"),
    Named { parent: "service_id", ..named("route", "routes", "gateway_group_id") },
    Named { id: "key", name: "username", ..named("consumer", "consumers", "gateway_group_id") },
    named("node", "gateway_nodes", "gateway_group_id"),
];

impl Named {
    /// The rows whose ids are among `marks`.
    fn select(&self, marks: &str) -> String {
        let Self { noun, table, id, name, place, parent } = self;
        format!(
            "SELECT '{noun}' AS noun, {id} AS id, COALESCE({name}, '') AS name, COALESCE({place}, '') AS place, \
             COALESCE({parent}, '') AS parent FROM {table} WHERE {id} IN ({marks})"
        )
    }
}

impl Reader {
    /// Everything that has a name and one of `ids`, of any kind; ids that callers chose may name several things.
    pub async fn named_objects(&self, ids: &[&str]) -> Result<Vec<NamedObject>, StoreError> {
        // PostgreSQL cannot even be asked for a text with NUL; nothing has such an id.
        let ids: Vec<&str> = ids.iter().copied().filter(|id| !id.is_empty() && !id.contains('\0')).collect();
        let mut found = Vec::new();
        for ids in ids.chunks(rows::CHUNK) {
            let marks: Vec<String> = (1..=ids.len()).map(|number| format!("${number}")).collect();
            let marks = marks.join(", ");
            let sql = NAMED.iter().map(|named| named.select(&marks)).collect::<Vec<_>>().join(" UNION ALL ");
            let connection = self.connection();
            let values = ids.iter().map(|id| Value::from((*id).to_owned()));
            let statement = Statement::from_sql_and_values(rows::backend(&connection), sql, values);
            for row in connection.query_all_raw(statement).await? {
                found.push(NamedObject {
                    noun: row.try_get("", "noun")?,
                    id: row.try_get("", "id")?,
                    name: row.try_get("", "name")?,
                    place: row.try_get("", "place")?,
                    parent: row.try_get("", "parent")?,
                });
            }
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use crate::{Location, Store};

    #[tokio::test]
    async fn what_has_a_name_is_found_by_its_id_whatever_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&Location::Sqlite(folder.path().join("db"))).await.unwrap();
        let found = store.read().named_objects(&["super-admin", "unknown", "", "a\0b"]).await.unwrap();
        let found: Vec<_> = found.iter().map(|found| (found.noun.as_str(), found.name.as_str())).collect();
        assert!(found.contains(&("role", "Super Admin")), "{found:?}");
        assert!(store.read().named_objects(&[]).await.unwrap().is_empty());
    }
}
