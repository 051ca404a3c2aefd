//! The schema's history. Each step is one SQL text for both engines, run once, in a transaction.

use sea_orm::{ConnectionTrait, DatabaseConnection, DbErr};
use sea_orm_migration::{MigrationName, MigrationTrait, MigratorTrait, SchemaManager};

use crate::dialect;

struct Migrator;

struct Step {
    name: &'static str,
    sql: &'static str,
}

const STEPS: [Step; 4] = [
    Step { name: "0001_main_job", sql: include_str!("migrations/0001_main_job.sql") },
    Step { name: "0002_gateway_objects", sql: include_str!("migrations/0002_gateway_objects.sql") },
    Step {
        name: "0003_plugins_and_upstreams",
        sql: include_str!("migrations/0003_plugins_and_upstreams.sql"),
    },
    Step { name: "0007_plans", sql: include_str!("migrations/0007_plans.sql") },
];

/// Brings the schema up to date.
pub(crate) async fn run(connection: &DatabaseConnection) -> Result<(), DbErr> {
    Migrator::up(connection, None).await
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
        let sql = self.sql.replace("{text}", dialect::text_type(connection.get_database_backend()));
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
    const NOT_OWNED: [(&str, &str, &str); 15] = [
        ("events", "actor_id", "a record outlives who made it"),
        ("events", "noun_id", "a record outlives what it tells of"),
        ("events", "portal_id", "a record outlives its portal"),
        ("events", "request_id", "requests are not stored"),
        ("products", "portal_id", "a portal with products is not deleted"),
        ("product_services", "service_id", "a linked service is not deleted"),
        ("product_services", "gateway_group_id", "a group with a linked service is not deleted"),
        ("developers", "portal_id", "a portal with developers is not deleted"),
        ("credentials", "version_id", "the version stands in the same row"),
        ("approvals", "subscription_id", "an approval outlives its subscription"),
        ("approvals", "product_id", "an approval outlives its product"),
        ("approvals", "developer_id", "an approval outlives its developer"),
        ("approvals", "applicant_id", "a public id, kept as it was"),
        ("approvals", "operator_id", "an approval outlives its operator"),
        ("usage_hours", "*", "calls outlive everything that they were made with"),
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
