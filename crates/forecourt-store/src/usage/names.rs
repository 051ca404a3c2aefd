//! The names that products and applications with calls have, or had when they were deleted.

use std::collections::HashMap;

use sea_orm::{
    ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, prelude::Expr, sea_query::OnConflict,
};

use crate::{Reader, StoreError, Tx, rows};

mod entity {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "usage_names")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub kind: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: String,
        pub name: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// What has a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NamedInUsage {
    /// A product.
    Product,
    /// An application.
    Application,
}

impl NamedInUsage {
    const fn word(self) -> &'static str {
        match self {
            Self::Product => "product",
            Self::Application => "application",
        }
    }
}

impl Reader {
    /// The names of these ids, as far as they are known.
    pub async fn usage_names(
        &self,
        kind: NamedInUsage,
        ids: &[String],
    ) -> Result<HashMap<String, String>, StoreError> {
        let mut names = HashMap::new();
        for ids in ids.chunks(rows::CHUNK) {
            let rows = entity::Entity::find()
                .filter(entity::Column::Kind.eq(kind.word()))
                .filter(entity::Column::Id.is_in(ids.iter().map(String::as_str)))
                .all(&self.connection())
                .await?;
            names.extend(rows.into_iter().map(|row| (row.id, row.name)));
        }
        Ok(names)
    }
}

impl Tx {
    /// Notes the name of something that has its first calls.
    pub async fn name_in_usage(&self, kind: NamedInUsage, id: &str, name: &str) -> Result<(), StoreError> {
        let row = entity::ActiveModel {
            kind: Set(kind.word().to_owned()),
            id: Set(id.to_owned()),
            name: Set(name.to_owned()),
        };
        let replace = OnConflict::columns([entity::Column::Kind, entity::Column::Id])
            .update_column(entity::Column::Name)
            .to_owned();
        entity::Entity::insert(row).on_conflict(replace).exec_without_returning(&self.connection()).await?;
        Ok(())
    }

    /// Gives counted calls the new name of what they were made with.
    pub async fn rename_in_usage(&self, kind: NamedInUsage, id: &str, name: &str) -> Result<(), StoreError> {
        entity::Entity::update_many()
            .col_expr(entity::Column::Name, Expr::value(name))
            .filter(entity::Column::Kind.eq(kind.word()))
            .filter(entity::Column::Id.eq(id))
            .exec(&self.connection())
            .await?;
        Ok(())
    }
}
