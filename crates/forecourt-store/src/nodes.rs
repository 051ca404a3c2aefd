//! Gateway nodes as they were last heard of, and what they told that they have applied.
//!
//! What is here lags up to a fraction of a second behind what the process that holds a node's stream knows.

use forecourt_core::{
    gateway_state::Kind,
    ids::{GatewayGroupId, InstanceTokenId, NodeId},
    lists::{Direction, List},
    nodes::{Instances, Node, NodeConnection, NodeFilter},
    time::Timestamp,
};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, Condition, EntityTrait, ExprTrait, PaginatorTrait, QueryFilter,
    QueryOrder, QuerySelect, prelude::Expr, sea_query::OnConflict,
};

use crate::{Reader, StoreError, Tx, dialect, rows};

mod entity {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "gateway_nodes")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: String,
        pub name: String,
        pub gateway_group_id: String,
        pub token_id: Option<String>,
        pub version: String,
        pub address: String,
        pub held_by: String,
        pub revision: i64,
        pub applied_at: i64,
        pub last_contact_at: i64,
        pub drift: String,
        pub created_at: i64,
        pub instance: String,
        pub former_instances: String,
        pub duplicated_at: Option<i64>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

mod acknowledgements {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "node_acknowledgements")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub node_id: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub revision: i64,
        pub applied_at: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Which nodes count as connected, beyond what their rows say.
#[derive(Clone, Debug, Default)]
pub struct Alive {
    /// Nodes whose stream this process holds.
    pub here: Vec<NodeId>,
    /// Nodes whose stream this process held until a moment ago.
    pub gone: Vec<NodeId>,
    /// A node of another process is connected if that process has noted it since then.
    pub since: Timestamp,
}

/// What was heard of one node since it was last written down.
#[derive(Clone, Debug)]
pub struct NodeNews {
    /// Which.
    pub id: NodeId,
    /// Which of the processes that have gone by its id.
    pub instance: String,
    /// Whether this process holds its stream now.
    pub held: bool,
    /// When it was last heard of.
    pub last_contact_at: Timestamp,
    /// The kinds of rows in which it differs.
    pub drift: Vec<Kind>,
    /// What it has applied, ascending.
    pub applied: Vec<Applied>,
}

/// A node told that it has a revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// Up to where it has everything.
    pub revision: i64,
    /// The mark that it knows this revision by; empty: the revision had none.
    pub mark: String,
    /// When it told so.
    pub at: Timestamp,
}

impl Alive {
    /// `node`, as its row says, with whether it is connected.
    pub fn settled(&self, mut node: Node) -> Node {
        let is_held = node.connection == NodeConnection::Connected && node.last_contact_at >= self.since;
        let is_connected = self.here.contains(&node.id) || (is_held && !self.gone.contains(&node.id));
        node.connection = if is_connected { NodeConnection::Connected } else { NodeConnection::Disconnected };
        node
    }

    fn condition(&self, wanted: NodeConnection) -> Condition {
        use entity::Column;
        let held = Column::HeldBy.ne("").and(Column::LastContactAt.gte(self.since.micros()));
        let held = held.and(Column::Id.is_not_in(self.gone.iter().map(NodeId::as_str)));
        let connected =
            Condition::any().add(Column::Id.is_in(self.here.iter().map(NodeId::as_str))).add(held);
        match wanted {
            NodeConnection::Connected => connected,
            NodeConnection::Disconnected => connected.not(),
        }
    }
}

impl Reader {
    /// The node with this id.
    pub async fn node(&self, id: &NodeId, alive: &Alive) -> Result<Option<Node>, StoreError> {
        let row = entity::Entity::find_by_id(id.as_str()).one(&self.connection()).await?;
        Ok(row.map(node).transpose()?.map(|node| alive.settled(node)))
    }

    /// The nodes that `filter` wants, by name.
    pub async fn nodes(&self, filter: &NodeFilter, alive: &Alive) -> Result<List<Node>, StoreError> {
        use entity::{Column, Entity};
        let mut select = Entity::find();
        if let Some(group) = &filter.gateway_group_id {
            select = select.filter(Column::GatewayGroupId.eq(group.as_str()));
        }
        if let Some(wanted) = filter.connection {
            select = select.filter(alive.condition(wanted));
        }
        let select = dialect::readable(
            rows::backend(&self.connection()),
            select,
            Column::GatewayGroupId,
            &filter.readable,
        );
        let select = rows::sorted(select, Direction::Ascending, Column::Name, Column::CreatedAt, Column::Id);
        let found = rows::page(self.connection(), select, filter.paging, node).await?;
        Ok(found.map(|node| alive.settled(node)))
    }

    /// How many nodes joined with this token last.
    pub async fn nodes_of_token(&self, id: &InstanceTokenId) -> Result<u64, StoreError> {
        let select = entity::Entity::find().filter(entity::Column::TokenId.eq(id.as_str()));
        Ok(select.count(&self.connection()).await?)
    }

    /// Those of `applied` whose revisions have the same mark here: the others were told of another line of revisions,
    /// before this database was put back.
    pub async fn of_this_line<'a>(&self, applied: &'a [Applied]) -> Result<Vec<&'a Applied>, StoreError> {
        let marks = self.marks_of(&applied.iter().map(|applied| applied.revision).collect()).await?;
        let is_ours = |applied: &&Applied| match marks.get(&applied.revision) {
            Some(mark) => *mark == applied.mark,
            None => applied.mark.is_empty(),
        };
        Ok(applied.iter().filter(is_ours).collect())
    }

    /// When the node first told that it has `revision` or a later one, as far as this is still kept.
    pub async fn acknowledged_at(
        &self,
        node: &NodeId,
        revision: i64,
    ) -> Result<Option<Timestamp>, StoreError> {
        use acknowledgements::Column;
        let first = acknowledgements::Entity::find()
            .filter(Column::NodeId.eq(node.as_str()))
            .filter(Column::Revision.gte(revision))
            .order_by_asc(Column::Revision)
            .one(&self.connection())
            .await?;
        Ok(first.map(|row| Timestamp::from_micros(row.applied_at)))
    }
}

impl Tx {
    /// Adds a node, or replaces what is known of it. `held_by`: the process that holds its stream, empty for none.
    pub async fn save_node(&self, node: &Node, held_by: &str) -> Result<(), StoreError> {
        use entity::Column;
        let replace = OnConflict::column(Column::Id)
            .update_columns([
                Column::Name,
                Column::GatewayGroupId,
                Column::TokenId,
                Column::Version,
                Column::Address,
                Column::HeldBy,
                Column::Revision,
                Column::AppliedAt,
                Column::LastContactAt,
                Column::Drift,
                Column::Instance,
                Column::FormerInstances,
                Column::DuplicatedAt,
            ])
            .to_owned();
        entity::Entity::insert(row(node, held_by)?)
            .on_conflict(replace)
            .exec_without_returning(&self.connection())
            .await?;
        Ok(())
    }

    /// Notes when a second process that goes by the node's id was last heard of.
    pub async fn note_duplicate(&self, node: &Node) -> Result<(), StoreError> {
        use entity::Column;
        entity::Entity::update_many()
            .col_expr(Column::DuplicatedAt, Expr::value(node.instances.duplicated_at.map(Timestamp::micros)))
            .filter(Column::Id.eq(node.id.as_str()))
            .exec(&self.connection())
            .await?;
        Ok(())
    }

    /// Writes down what `process` heard of a node, without what was told of another line of revisions; `false` where
    /// the node was removed, or another process goes by its id now, and nothing is written.
    pub async fn note_node(&self, news: &NodeNews, process: &str) -> Result<bool, StoreError> {
        use entity::Column;
        let applied = self.of_this_line(&news.applied).await?;
        let own = || {
            entity::Entity::update_many()
                .filter(Column::Id.eq(news.id.as_str()))
                .filter(Column::Instance.eq(news.instance.as_str()))
        };
        // What this process writes down late must not take back what another one has heard since.
        let newest = own()
            .col_expr(Column::LastContactAt, Expr::value(news.last_contact_at.micros()))
            .col_expr(Column::Drift, Expr::value(rows::to_json("node drift", &news.drift)?))
            .filter(Column::LastContactAt.lte(news.last_contact_at.micros()));
        let newest = if news.held { newest.col_expr(Column::HeldBy, Expr::value(process)) } else { newest };
        if newest.exec(&self.connection()).await?.rows_affected == 0
            && own().col_expr(Column::Id, Expr::col(Column::Id)).exec(&self.connection()).await?.rows_affected
                == 0
        {
            return Ok(false);
        }
        if let Some(last) = applied.last() {
            own()
                .col_expr(Column::Revision, Expr::value(last.revision))
                .col_expr(Column::AppliedAt, Expr::value(last.at.micros()))
                .filter(Column::Revision.lt(last.revision))
                .exec(&self.connection())
                .await?;
        }
        if !news.held {
            // By now the node may be held by another process.
            entity::Entity::update_many()
                .col_expr(Column::HeldBy, Expr::value(""))
                .filter(Column::Id.eq(news.id.as_str()))
                .filter(Column::HeldBy.eq(process))
                .exec(&self.connection())
                .await?;
        }
        self.insert_acknowledgements(&news.id, &applied).await?;
        Ok(true)
    }

    async fn insert_acknowledgements(&self, node: &NodeId, applied: &[&Applied]) -> Result<(), StoreError> {
        let rows: Vec<_> = applied
            .iter()
            .map(|applied| acknowledgements::ActiveModel {
                node_id: Set(node.to_string()),
                revision: Set(applied.revision),
                applied_at: Set(applied.at.micros()),
            })
            .collect();
        // The first telling counts, whoever heard it.
        let first =
            OnConflict::columns([acknowledgements::Column::NodeId, acknowledgements::Column::Revision])
                .do_nothing()
                .to_owned();
        for rows in rows.chunks(2_000) {
            acknowledgements::Entity::insert_many(rows.to_vec())
                .on_conflict(first.clone())
                .exec_without_returning(&self.connection())
                .await?;
        }
        Ok(())
    }

    /// Forgets a node's acknowledgements of revisions above `revision`: it has them no more.
    pub async fn take_back_acknowledgements(&self, node: &NodeId, revision: i64) -> Result<(), StoreError> {
        use acknowledgements::Column;
        acknowledgements::Entity::delete_many()
            .filter(Column::NodeId.eq(node.as_str()))
            .filter(Column::Revision.gt(revision))
            .exec(&self.connection())
            .await?;
        Ok(())
    }

    /// Forgets acknowledgements before `before`, and of each of `nodes` all but the latest `most`.
    pub async fn prune_acknowledgements(
        &self,
        before: Timestamp,
        nodes: &[NodeId],
        most: u64,
    ) -> Result<(), StoreError> {
        use acknowledgements::{Column, Entity};
        Entity::delete_many().filter(Column::AppliedAt.lt(before.micros())).exec(&self.connection()).await?;
        for node in nodes {
            let of_node = Entity::find().filter(Column::NodeId.eq(node.as_str()));
            let newest_left_out =
                of_node.order_by_desc(Column::Revision).offset(most).one(&self.connection()).await?;
            if let Some(row) = newest_left_out {
                Entity::delete_many()
                    .filter(Column::NodeId.eq(node.as_str()))
                    .filter(Column::Revision.lte(row.revision))
                    .exec(&self.connection())
                    .await?;
            }
        }
        Ok(())
    }

    /// Removes a node with its acknowledgements; `false` where there was none.
    pub async fn delete_node(&self, id: &NodeId) -> Result<bool, StoreError> {
        let gone = entity::Entity::delete_by_id(id.as_str()).exec(&self.connection()).await?;
        Ok(gone.rows_affected > 0)
    }
}

fn row(node: &Node, held_by: &str) -> Result<entity::ActiveModel, StoreError> {
    Ok(entity::ActiveModel {
        id: Set(node.id.to_string()),
        name: Set(node.name.clone()),
        gateway_group_id: Set(node.gateway_group_id.to_string()),
        token_id: Set(node.token_id.as_ref().map(ToString::to_string)),
        version: Set(node.version.clone()),
        address: Set(node.address.clone()),
        held_by: Set(held_by.to_owned()),
        revision: Set(node.revision),
        applied_at: Set(node.applied_at.micros()),
        last_contact_at: Set(node.last_contact_at.micros()),
        drift: Set(rows::to_json("node drift", &node.drift)?),
        created_at: Set(node.created_at.micros()),
        instance: Set(node.instances.present.clone()),
        former_instances: Set(node.instances.former.join(" ")),
        duplicated_at: Set(node.instances.duplicated_at.map(Timestamp::micros)),
    })
}

/// The row's words: connected where a process holds it, however long ago that process was heard of.
fn node(row: entity::Model) -> Result<Node, StoreError> {
    let connection =
        if row.held_by.is_empty() { NodeConnection::Disconnected } else { NodeConnection::Connected };
    Ok(Node {
        id: NodeId::known(row.id),
        name: row.name,
        gateway_group_id: GatewayGroupId::known(row.gateway_group_id),
        token_id: row.token_id.map(InstanceTokenId::known),
        version: row.version,
        address: row.address,
        connection,
        revision: row.revision,
        applied_at: Timestamp::from_micros(row.applied_at),
        last_contact_at: Timestamp::from_micros(row.last_contact_at),
        drift: rows::from_json("node drift", &row.drift)?,
        created_at: Timestamp::from_micros(row.created_at),
        instances: Instances {
            present: row.instance,
            former: row.former_instances.split_whitespace().map(str::to_owned).collect(),
            duplicated_at: row.duplicated_at.map(Timestamp::from_micros),
        },
    })
}
