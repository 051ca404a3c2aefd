//! Identities: as whom a provider knows a person or an administrator.

use std::collections::HashMap;

use forecourt_core::{
    administrators::KnownBy,
    ids::{AdministratorId, PersonId, SignInOptionId},
    sessions::SessionOwner,
    sign_in_options::{SignInOption, SignInType},
    time::Timestamp,
};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, Condition, ConnectionTrait, EntityTrait, PaginatorTrait, QueryFilter,
    QueryOrder, QuerySelect, QueryTrait, Statement,
};

use crate::{Reader, StoreError, Tx, administrators, rows};

mod entity {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "identities")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub option_id: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub subject: String,
        pub person_id: Option<String>,
        pub administrator_id: Option<String>,
        pub created_at: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

impl Reader {
    /// Whom the provider of `option` knows as `subject`.
    pub async fn identity_owner(
        &self,
        option: &SignInOptionId,
        subject: &str,
    ) -> Result<Option<SessionOwner>, StoreError> {
        let key = (option.to_string(), subject.to_owned());
        let Some(row) = entity::Entity::find_by_id(key).one(&self.connection()).await? else {
            return Ok(None);
        };
        let owner = match (row.administrator_id, row.person_id) {
            (Some(id), _) => Some(SessionOwner::Administrator(AdministratorId::known(id))),
            (None, Some(id)) => Some(SessionOwner::Person(PersonId::known(id))),
            (None, None) => None,
        };
        Ok(Some(rows::known("owner of an identity", owner)?))
    }

    /// How many identities came with `option`.
    pub async fn identities_through(&self, option: &SignInOptionId) -> Result<u64, StoreError> {
        let select = entity::Entity::find().filter(entity::Column::OptionId.eq(option.as_str()));
        Ok(select.count(&self.connection()).await?)
    }

    /// The option whose provider knows each of `ids`, the one that did so first; those whom none knows are left out.
    pub async fn options_of_administrators(
        &self,
        ids: &[AdministratorId],
    ) -> Result<HashMap<AdministratorId, SignInOptionId>, StoreError> {
        use entity::{Column, Entity};
        let owned = Column::AdministratorId.is_in(ids.iter().map(AdministratorId::as_str));
        // The last one of a key stays: the oldest.
        let select = Entity::find().filter(owned).order_by_desc(Column::CreatedAt);
        let rows = select.all(&self.connection()).await?.into_iter();
        let pair = |row: entity::Model| {
            Some((AdministratorId::known(row.administrator_id?), SignInOptionId::known(row.option_id)))
        };
        Ok(rows.filter_map(pair).collect())
    }

    /// How many people would have no way to sign in if `option` were gone: no identity at another enabled option of
    /// theirs, and either no password or a disabled built-in option.
    pub async fn left_without_sign_in(&self, option: &SignInOption) -> Result<u64, StoreError> {
        let (owners, owner) = match &option.portal_id {
            Some(_) => ("persons", "person_id"),
            None => ("administrators", "administrator_id"),
        };
        let same_scope = match &option.portal_id {
            Some(_) => "w.portal_id = $2",
            None => "w.portal_id IS NULL AND $2 = ''",
        };
        let sql = format!(
            "SELECT COUNT(DISTINCT o.id) AS number FROM identities i JOIN {owners} o ON o.id = i.{owner} \
             WHERE i.option_id = $1 \
             AND NOT EXISTS (SELECT 1 FROM identities j JOIN login_options w ON w.id = j.option_id \
               WHERE j.{owner} = o.id AND j.option_id <> $1 AND NOT w.disable) \
             AND NOT (o.password_hash <> '' AND EXISTS (SELECT 1 FROM login_options w \
               WHERE {same_scope} AND w.provider_type = '{}' AND NOT w.disable))",
            SignInType::BuiltIn.name(),
        );
        let portal = option.portal_id.as_ref().map(ToString::to_string).unwrap_or_default();
        let connection = self.connection();
        let values = [option.id.to_string().into(), portal.into()];
        let statement = Statement::from_sql_and_values(rows::backend(&connection), sql, values);
        let found = connection.query_one_raw(statement).await?;
        let number = found.map(|row| row.try_get::<i64>("", "number")).transpose()?.unwrap_or_default();
        Ok(u64::try_from(number).unwrap_or_default())
    }
}

impl Tx {
    /// Notes that the provider of `option` knows `owner` as `subject`.
    pub async fn insert_identity(
        &self,
        option: &SignInOptionId,
        subject: &str,
        owner: &SessionOwner,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let (administrator, person) = match owner {
            SessionOwner::Administrator(id) => (Some(id.to_string()), None),
            SessionOwner::Person(id) => (None, Some(id.to_string())),
        };
        let row = entity::ActiveModel {
            option_id: Set(option.to_string()),
            subject: Set(subject.to_owned()),
            person_id: Set(person),
            administrator_id: Set(administrator),
            created_at: Set(now.micros()),
        };
        entity::Entity::insert(row).exec_without_returning(&self.connection()).await?;
        Ok(())
    }
}

/// The administrators who are known so.
pub(crate) fn known_by(known_by: &KnownBy) -> Condition {
    use entity::{Column, Entity};
    let known = || Entity::find().select_only().column(Column::AdministratorId);
    let of_providers = Column::OptionId.is_in(known_by.providers.iter().map(SignInOptionId::as_str));
    let own = administrators::entity::Column::Id;
    let by_providers = own.in_subquery(known().filter(of_providers).into_query());
    let condition = Condition::any().add(by_providers);
    if !known_by.nobody {
        return condition;
    }
    // Of persons the column is null, and nothing is told from a set that holds null.
    let all = known().filter(Column::AdministratorId.is_not_null());
    condition.add(own.not_in_subquery(all.into_query()))
}
