//! The schema's history. Each step is one SQL text for both engines, run once, in a transaction.

use sea_orm::{ConnectionTrait, DatabaseConnection, DbErr};
use sea_orm_migration::{MigrationName, MigrationTrait, MigratorTrait, SchemaManager};

use crate::dialect;

struct Migrator;

struct Step {
    name: &'static str,
    sql: &'static str,
}

const STEPS: [Step; 25] = [
    Step { name: "0001_main_job", sql: include_str!("migrations/0001_main_job.sql") },
    Step { name: "0002_gateway_objects", sql: include_str!("migrations/0002_gateway_objects.sql") },
    Step {
        name: "0003_plugins_and_upstreams",
        sql: include_str!("migrations/0003_plugins_and_upstreams.sql"),
    },
    Step { name: "0004_revisions", sql: include_str!("migrations/0004_revisions.sql") },
    Step { name: "0005_nodes", sql: include_str!("migrations/0005_nodes.sql") },
    Step { name: "0006_usage", sql: include_str!("migrations/0006_usage.sql") },
    Step { name: "0007_plans", sql: include_str!("migrations/0007_plans.sql") },
    Step { name: "0008_node_instances", sql: include_str!("migrations/0008_node_instances.sql") },
    Step { name: "0009_usage_spools", sql: include_str!("migrations/0009_usage_spools.sql") },
    Step { name: "0010_dcr", sql: include_str!("migrations/0010_dcr.sql") },
    Step { name: "0011_permissions", sql: include_str!("migrations/0011_permissions.sql") },
    Step { name: "0012_sign_in_options", sql: include_str!("migrations/0012_sign_in_options.sql") },
    Step { name: "0013_contact_points", sql: include_str!("migrations/0013_contact_points.sql") },
    Step { name: "0014_scim", sql: include_str!("migrations/0014_scim.sql") },
    Step { name: "0015_application_members", sql: include_str!("migrations/0015_application_members.sql") },
    Step { name: "0016_external_sign_ins", sql: include_str!("migrations/0016_external_sign_ins.sql") },
    Step { name: "0017_oauth_client_updates", sql: include_str!("migrations/0017_oauth_client_updates.sql") },
    Step { name: "0018_subscription_order", sql: include_str!("migrations/0018_subscription_order.sql") },
    Step { name: "0019_application_search", sql: include_str!("migrations/0019_application_search.sql") },
    Step {
        name: "0020_conditions_and_depths",
        sql: include_str!("migrations/0020_conditions_and_depths.sql"),
    },
    Step { name: "0021_portal_scim", sql: include_str!("migrations/0021_portal_scim.sql") },
    Step { name: "0022_audit_logs", sql: include_str!("migrations/0022_audit_logs.sql") },
    Step { name: "0023_deliveries", sql: include_str!("migrations/0023_deliveries.sql") },
    Step { name: "0024_data_keys", sql: include_str!("migrations/0024_data_keys.sql") },
    Step { name: "0025_person_links", sql: include_str!("migrations/0025_person_links.sql") },
];

/// Brings the schema up to date.
pub(crate) async fn run(connection: &DatabaseConnection) -> Result<(), DbErr> {
    Migrator::up(connection, None).await
}

/// The last step that this version knows.
pub(crate) fn newest() -> &'static str {
    STEPS.last().map_or("", |step| step.name)
}

/// The steps that this version knows, the first one first.
pub fn schema_steps() -> impl Iterator<Item = &'static str> {
    STEPS.iter().map(|step| step.name)
}

/// Where in the history a step stands, from 0; `None`: this version does not know it.
pub(crate) fn place_of(name: &str) -> Option<usize> {
    STEPS.iter().position(|step| step.name == name)
}

/// Runs the steps up to the one at `place`, of which the first `run` were run before.
pub(crate) async fn run_up_to(
    connection: &DatabaseConnection,
    place: usize,
    run: usize,
) -> Result<(), DbErr> {
    let steps = u32::try_from((place + 1).saturating_sub(run)).unwrap_or(u32::MAX);
    if steps == 0 { Ok(()) } else { Migrator::up(connection, Some(steps)).await }
}

/// The tables that the steps make, as they are written there.
#[cfg(test)]
pub(crate) fn tables_of_the_steps() -> std::collections::BTreeSet<String> {
    let lines = STEPS.iter().flat_map(|step| step.sql.lines());
    let mut tables = std::collections::BTreeSet::new();
    for line in lines {
        if let Some(rest) = line.strip_prefix("CREATE TABLE ") {
            tables.extend(rest.split([' ', '(']).next().map(str::to_owned));
        }
        if let Some(rest) = line.strip_prefix("DROP TABLE ") {
            tables.remove(rest.trim_end_matches(';').trim());
        }
    }
    tables
}

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        STEPS.iter().map(|step| Box::new(Step { ..*step }) as Box<dyn MigrationTrait>).collect()
    }
}

impl MigrationName for Step {
    fn name(&self) -> &str {
        self.name
    }
}

#[sea_orm_migration::async_trait::async_trait]
impl MigrationTrait for Step {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let connection = manager.get_connection();
        let backend = connection.get_database_backend();
        let sql = self.sql.replace("{text}", dialect::text_type(backend));
        let sql = sql.replace("{bytes}", dialect::bytes_type(backend));
        let sql = sql.replace("{searched}", dialect::searched_in_index(backend));
        connection.execute_unprepared(&sql).await?;
        Ok(())
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Columns that name a row without owning it, each with why its end is not the row's end.
    const NOT_OWNED: [(&str, &str, &str); 30] = [
        ("scim_users", "external_id", "the directory's own id"),
        ("scim_persons", "external_id", "the directory's own id"),
        ("role_policies", "policy_id", "an attached policy is not deleted"),
        ("administrator_roles", "role_id", "a role that somebody holds is not deleted"),
        ("audit_entries", "*", "a record outlives what it tells of"),
        ("events", "actor_id", "a record outlives who made it"),
        ("events", "noun_id", "a record outlives what it tells of"),
        ("events", "portal_id", "a record outlives its portal"),
        ("events", "request_id", "requests are not stored"),
        ("products", "portal_id", "a portal with products is not deleted"),
        ("product_services", "service_id", "a linked service is not deleted"),
        ("product_contact_points", "contact_point_id", "a notified contact point is not deleted"),
        ("product_services", "gateway_group_id", "a group with a linked service is not deleted"),
        ("developers", "portal_id", "a portal with developers is not deleted"),
        ("credentials", "version_id", "the version stands in the same row"),
        ("approvals", "subscription_id", "an approval outlives its subscription"),
        ("approvals", "product_id", "an approval outlives its product"),
        ("approvals", "developer_id", "an approval outlives its developer"),
        ("approvals", "applicant_id", "a public id, kept as it was"),
        ("approvals", "operator_id", "an approval outlives its operator"),
        ("gateway_nodes", "token_id", "a node stays listed when its token is gone"),
        (
            "oauth_clients",
            "provider_id",
            "a provider's credentials are deleted one by one, each with its removal",
        ),
        ("oauth_clients", "client_id", "the provider's own id"),
        ("notices", "event_id", "a notice is gone long before its event"),
        ("deliveries", "*", "a record outlives what it tells of, and whom it told"),
        ("dcr_removals", "provider_id", "what is left behind outlives its provider"),
        ("dcr_removals", "application_id", "what is left behind outlives its application"),
        ("dcr_removals", "client_id", "the provider's own id"),
        ("usage_hours", "*", "calls outlive everything that they were made with"),
        ("usage_series", "*", "calls outlive everything that they were made with"),
    ];

    /// Table, column and the rest of its definition.
    fn columns() -> Vec<(String, String, String)> {
        let sql: String = STEPS.iter().map(|step| step.sql).collect();
        let mut found = Vec::new();
        for table in sql.split("CREATE TABLE ").skip(1) {
            let (name, rest) = table.split_once('(').unwrap();
            let (body, _) = rest.split_once(");").unwrap();
            // Commas within brackets separate no columns; none of ours hold brackets within brackets.
            let mut depth = 0;
            let parts = body.split(|c| {
                depth += i32::from(c == '(') - i32::from(c == ')');
                c == ',' && depth == 0
            });
            for part in parts {
                let (column, definition) = part.trim().split_once(' ').unwrap_or((part.trim(), ""));
                found.push((name.trim().to_owned(), column.to_owned(), definition.to_owned()));
            }
        }
        found
    }

    #[tokio::test]
    async fn hours_counted_by_an_earlier_version_are_moved_into_the_inbox() {
        let connection = sea_orm::Database::connect("sqlite::memory:").await.unwrap();
        let before = STEPS.iter().position(|step| step.name == "0006_usage").unwrap();
        Migrator::up(&connection, Some(u32::try_from(before).unwrap())).await.unwrap();
        let row = |hour: i64, calls: i64| {
            format!(
                "INSERT INTO usage_hours VALUES ('prd_1', 'app_1', 'crd_1', {hour}, 'prt_1', 'dev_1', \
                 'It''s \"Orders\"', {calls})"
            )
        };
        for statement in [row(3_600_000_000, 42), row(0, 7)] {
            connection.execute_unprepared(&statement).await.unwrap();
        }
        run(&connection).await.unwrap();
        let told = |sql: &str| sea_orm::Statement::from_string(sea_orm::DbBackend::Sqlite, sql);
        let rows =
            connection.query_all_raw(told("SELECT body FROM usage_inbox ORDER BY number")).await.unwrap();
        let bodies: Vec<serde_json::Value> = rows
            .iter()
            .map(|row| serde_json::from_str(&row.try_get::<String>("", "body").unwrap()).unwrap())
            .collect();
        let expected = |hour: i64, calls: i64| {
            serde_json::json!([{
                "product_id": "prd_1", "application_id": "app_1", "credential_id": "crd_1", "minute": hour,
                "totals": { "calls": calls },
            }])
        };
        assert_eq!(bodies, [expected(0, 7), expected(3_600_000_000, 42)]);
        let names = connection.query_all_raw(told("SELECT name FROM usage_names")).await.unwrap();
        assert_eq!(names[0].try_get::<String>("", "name").unwrap(), "It's \"Orders\"");
    }

    #[tokio::test]
    async fn whoever_was_a_super_administrator_holds_the_role_after_the_upgrade() {
        let connection = sea_orm::Database::connect("sqlite::memory:").await.unwrap();
        let before = STEPS.iter().position(|step| step.name == "0011_permissions").unwrap();
        Migrator::up(&connection, Some(u32::try_from(before).unwrap())).await.unwrap();
        for (id, super_admin, made) in [("usr_1", true, 20), ("usr_2", false, 10), ("usr_3", true, 30)] {
            let sql = format!(
                "INSERT INTO administrators VALUES \
                 ('{id}', '{id}', '', '', '', '', FALSE, TRUE, {super_admin}, FALSE, '', {made}, {made})"
            );
            connection.execute_unprepared(&sql).await.unwrap();
        }
        run(&connection).await.unwrap();
        let rows = async |sql: &str| {
            let told = sea_orm::Statement::from_string(sea_orm::DbBackend::Sqlite, sql);
            connection.query_all_raw(told).await.unwrap()
        };
        let held: Vec<(String, String, String)> = rows(
            "SELECT administrator_id, role_id, scopes FROM administrator_roles ORDER BY administrator_id",
        )
        .await
        .iter()
        .map(|row| {
            let text = |column: &str| row.try_get::<String>("", column).unwrap();
            (text("administrator_id"), text("role_id"), text("scopes"))
        })
        .collect();
        let holds = |id: &str| (id.to_owned(), "super-admin".to_owned(), "[]".to_owned());
        assert_eq!(held, [holds("usr_1"), holds("usr_3")]);
        let made = rows("SELECT created_at FROM roles").await;
        assert_eq!(made[0].try_get::<i64>("", "created_at").unwrap(), 10, "as old as the installation");
    }

    #[tokio::test]
    async fn an_application_has_called_when_the_last_of_its_credentials_was_used_before_the_upgrade() {
        let connection = sea_orm::Database::connect("sqlite::memory:").await.unwrap();
        let before = STEPS.iter().position(|step| step.name == "0015_application_members").unwrap();
        Migrator::up(&connection, Some(u32::try_from(before).unwrap())).await.unwrap();
        let application = |id: &str| {
            format!(
                "INSERT INTO applications VALUES \
                 ('{id}', 'prt', 'dev', 'demo', '', '{{}}', '', '', 'active', '', 1, 1)"
            )
        };
        let credential = |id: &str, used: &str| {
            format!(
                "INSERT INTO credentials VALUES \
                 ('{id}', 'app_1', 'key-auth', 'k', '', '{{}}', '', '', 'ver', '{{}}', 1, {used}, NULL, 1, 1)"
            )
        };
        // What they belong to does not matter here.
        connection.execute_unprepared("PRAGMA foreign_keys = OFF").await.unwrap();
        for statement in [
            application("app_1"),
            application("app_2"),
            credential("crd_1", "20"),
            credential("crd_2", "30"),
            credential("crd_3", "NULL"),
        ] {
            connection.execute_unprepared(&statement).await.unwrap();
        }
        run(&connection).await.unwrap();
        let told = "SELECT callback_urls, attributes, last_used_at FROM applications ORDER BY id";
        let rows = sea_orm::Statement::from_string(sea_orm::DbBackend::Sqlite, told);
        let rows: Vec<(String, String, Option<i64>)> = connection
            .query_all_raw(rows)
            .await
            .unwrap()
            .iter()
            .map(|row| {
                row.try_get_many("", &["callback_urls".into(), "attributes".into(), "last_used_at".into()])
                    .unwrap()
            })
            .collect();
        let row = |last: Option<i64>| ("[]".to_owned(), "{}".to_owned(), last);
        assert_eq!(rows, [row(Some(30)), row(None)]);
    }

    #[tokio::test]
    async fn a_portal_keeps_its_sign_in_after_the_upgrade() {
        let connection = sea_orm::Database::connect("sqlite::memory:").await.unwrap();
        let before = STEPS.iter().position(|step| step.name == "0012_sign_in_options").unwrap();
        Migrator::up(&connection, Some(u32::try_from(before).unwrap())).await.unwrap();
        let portal = "INSERT INTO portals VALUES ('prt_1', 'p', '', '{}', '', '', NULL, NULL, TRUE, 1, 1)";
        let option = "INSERT INTO sign_in_options VALUES ('sio_1', 'prt_1', 'Mail', '', TRUE, FALSE, TRUE, FALSE, 2, 3)";
        for statement in [portal, option] {
            connection.execute_unprepared(statement).await.unwrap();
        }
        run(&connection).await.unwrap();
        let told = sea_orm::Statement::from_string(sea_orm::DbBackend::Sqlite, "SELECT * FROM login_options");
        let rows = connection.query_all_raw(told).await.unwrap();
        let text = |column: &str| rows[0].try_get::<String>("", column).unwrap();
        assert_eq!(
            (rows.len(), text("id"), text("portal_id"), text("name")),
            (1, "sio_1".into(), "prt_1".into(), "Mail".into())
        );
        assert!(rows[0].try_get::<bool>("", "disable").unwrap());
        let config: forecourt_core::sign_in_options::SignInConfig =
            serde_json::from_str(&text("config")).unwrap();
        let kept = config.built_in().unwrap();
        assert_eq!(
            (kept.enable_self_registration, kept.registration_auto_approval, kept.login_with_email),
            (false, true, false)
        );
    }

    #[tokio::test]
    async fn people_are_found_by_what_they_sign_in_with_after_the_upgrade() {
        let connection = sea_orm::Database::connect("sqlite::memory:").await.unwrap();
        let before = STEPS.iter().position(|step| step.name == "0021_portal_scim").unwrap();
        Migrator::up(&connection, Some(u32::try_from(before).unwrap())).await.unwrap();
        for statement in [
            "INSERT INTO portals VALUES ('prt_1', 'p', '', '{}', '', '', NULL, NULL, TRUE, 1, 1)",
            "INSERT INTO developers VALUES ('dev_1', 'prt_1', 'd', 'Änn', 'Änn', NULL, 'active', 'built_in', \
             'd\nänn\nänn\n', NULL, 1, 1)",
            "INSERT INTO organizations VALUES ('org_1', 'prt_1', 'dev_1', 'Änn', TRUE, 1, 1)",
            "INSERT INTO persons VALUES ('per_1', 'prt_1', NULL, 'Änn', 'Änn', 'hash', FALSE, 1, 1)",
            "INSERT INTO memberships VALUES ('org_1', 'per_1', 'owner', 1)",
        ] {
            connection.execute_unprepared(statement).await.unwrap();
        }
        run(&connection).await.unwrap();
        let told = "SELECT persons.search_text, persons.active, developers.on_hold FROM persons, developers";
        let told = sea_orm::Statement::from_string(sea_orm::DbBackend::Sqlite, told);
        let rows = connection.query_all_raw(told).await.unwrap();
        let text: String = rows[0].try_get("", "search_text").unwrap();
        assert!(
            rows.len() == 1 && text.contains("änn"),
            "folded as we do, and not as the engine would: {text}"
        );
        assert!(rows[0].try_get::<bool>("", "active").unwrap());
        assert!(!rows[0].try_get::<bool>("", "on_hold").unwrap());
    }

    #[test]
    fn every_row_that_belongs_to_another_goes_with_it() {
        let columns = columns();
        assert!(columns.len() > 150, "the schema is read as it is written");
        for (table, column, definition) in columns.iter().filter(|(_, column, _)| column.ends_with("_id")) {
            let not_owned =
                NOT_OWNED.iter().any(|(own, name, _)| own == table && (name == column || *name == "*"));
            assert_eq!(
                definition.contains("ON DELETE CASCADE"),
                !not_owned,
                "{table}.{column} must cascade, or be listed with the reason why not"
            );
        }
    }

    #[test]
    fn every_key_to_another_row_is_found_without_a_scan() {
        let sql: String = STEPS.iter().map(|step| step.sql).collect();
        for (table, column, definition) in columns() {
            if !definition.contains("REFERENCES") {
                continue;
            }
            let is_indexed = definition.contains("PRIMARY KEY")
                || definition.contains("UNIQUE")
                || sql.lines().any(|line| {
                    line.starts_with("CREATE INDEX") && line.contains(&format!(" ON {table} ({column}"))
                })
                || sql.split(&format!("CREATE TABLE {table} (")).nth(1).is_some_and(|rest| {
                    let body = rest.split_once(");").map_or(rest, |(body, _)| body);
                    ["PRIMARY KEY", "UNIQUE"].iter().any(|key| body.contains(&format!("{key} ({column}")))
                });
            assert!(
                is_indexed,
                "{table}.{column} refers to another row and has no index that starts with it"
            );
        }
    }
}
