//! Tokens with which gateway nodes join their group.

use forecourt_core::{
    actors::Caller,
    events::EventName,
    ids::{GatewayGroupId, InstanceTokenId},
    instance_tokens::{InstanceToken, InstanceTokenFilter, digest_of_text},
    lists::List,
    permissions::{Action, Target},
    secrets::{PlainSecret, TokenKind},
};
use forecourt_store::RuledNoun;
use serde_json::json;

use crate::{App, Error, access, random::OsRandom, sync_authority};

/// A token with its text.
#[derive(Debug)]
pub struct IssuedInstanceToken {
    /// The token.
    pub token: InstanceToken,
    /// Its text, shown this once.
    pub text: PlainSecret,
}

/// The tokens that `filter` wants, without their texts; the holder of an admin key sees those of its own group.
pub async fn list(
    app: &App,
    caller: &Caller,
    filter: InstanceTokenFilter,
) -> Result<List<InstanceToken>, Error> {
    let readable =
        access::readable(app, caller, Action::GetGatewayInstance, RuledNoun::GatewayGroups).await?;
    Ok(app.read().instance_tokens(&InstanceTokenFilter { readable, ..filter }).await?)
}

/// One token.
pub async fn token(app: &App, caller: &Caller, id: &InstanceTokenId) -> Result<InstanceToken, Error> {
    permitted(app, caller, id, Action::GetGatewayInstance).await
}

async fn permitted(
    app: &App,
    caller: &Caller,
    id: &InstanceTokenId,
    action: Action,
) -> Result<InstanceToken, Error> {
    let token = app.read().instance_token(id).await?.ok_or_else(Error::not_found)?;
    access::permits(caller, action, Target::GatewayGroup(Some(&token.gateway_group_id)))?;
    Ok(token)
}

/// How many nodes joined with the token last: they are shut out with it.
pub async fn node_count(app: &App, caller: &Caller, token: &InstanceToken) -> Result<u64, Error> {
    let group = Target::GatewayGroup(Some(&token.gateway_group_id));
    access::permits(caller, Action::GetGatewayInstance, group)?;
    Ok(app.read().nodes_of_token(&token.id).await?)
}

/// Makes a token with which gateway nodes join the group.
pub async fn issue(app: &App, caller: &Caller, group: &GatewayGroupId) -> Result<IssuedInstanceToken, Error> {
    access::permits(caller, Action::CreateGatewayInstance, Target::GatewayGroup(Some(group)))?;
    let mut write = app.begin(caller).await?;
    let group = write.gateway_group(group).await?.ok_or_else(Error::not_found)?;
    let secret = TokenKind::GatewayInstance.issue(&mut OsRandom);
    // The node demands this authority of whoever says to be its control plane.
    let text = PlainSecret::presented(format!("{}.{}", secret.reveal(), sync_authority::digest(app)));
    let token = InstanceToken {
        id: InstanceTokenId::issue(write.now, &mut OsRandom),
        gateway_group_id: group.id.clone(),
        digest: digest_of_text(text.reveal()),
        last_used_at: None,
        created_at: write.now,
    };
    write.insert_instance_token(&token).await?;
    let detail = json!({ "name": group.name, "token_id": token.id });
    write.tell(EventName::InstanceTokenCreated, "gateway_group", group.id.as_str(), None, detail);
    write.commit().await?;
    Ok(IssuedInstanceToken { token, text })
}

/// Deletes a token: the streams of nodes that joined with it end at once, and they are not let in again with it.
pub async fn delete(app: &App, caller: &Caller, id: &InstanceTokenId) -> Result<(), Error> {
    let token = permitted(app, caller, id, Action::DeleteGatewayInstance).await?;
    let mut write = app.begin(caller).await?;
    if !write.delete_instance_token(id).await? {
        return Err(Error::not_found());
    }
    let detail = json!({ "gateway_group_id": token.gateway_group_id });
    write.tell(EventName::InstanceTokenDeleted, "instance_token", id.as_str(), None, detail);
    write.commit().await?;
    app.nodes().something_removed();
    Ok(())
}
