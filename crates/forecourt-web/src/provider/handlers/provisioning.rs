//! SCIM. The text of a new token is in one answer, and never again.

use forecourt_app::provisioning;
use forecourt_http::addresses::ReachedAt;

use super::{Answer, Console};
use crate::{
    confirm::{Act, Confirm},
    developer::credentials::Secret,
    forms::Form,
    handling::Posted,
    links::provider,
    provider::provisioning::{ScimSettings, ScimTokenShown},
};

pub(super) async fn settings(console: Console, reached: ReachedAt) -> Answer {
    let settings = provisioning::settings(console.app(), &console.caller).await?;
    let form = if settings.enable { Form::new().with("enable", "true") } else { Form::new() };
    let has_token = settings.token.is_some();
    console.visit.show(&ScimSettings { form, endpoint: endpoint(&reached), has_token })
}

pub(super) async fn save(console: Console, posted: Posted) -> Answer {
    provisioning::enable(console.app(), &console.caller, posted.ticked("enable")).await?;
    Ok(console.visit.done(&provider::scim(), &console.say("flash.saved", &[])))
}

pub(super) async fn ask_token(console: Console) -> Answer {
    provisioning::settings(console.app(), &console.caller).await?;
    console.visit.show(&Confirm {
        act: Act::IssueScimToken,
        name: console.say("scim.title", &[]),
        impact: Vec::new(),
        type_name: false,
        action: provider::scim_token(),
        back: provider::scim(),
        form: Form::new(),
    })
}

pub(super) async fn issue_token(console: Console, reached: ReachedAt, _posted: Posted) -> Answer {
    let token = provisioning::issue_token(console.app(), &console.caller).await?;
    let secret = Secret {
        name: console.say("scim.token", &[]),
        env: "SCIM_TOKEN".to_owned(),
        value: token.reveal().to_owned(),
    };
    console.visit.show(&ScimTokenShown { endpoint: endpoint(&reached), secrets: vec![secret] })
}

/// The console and the Admin API share an origin.
fn endpoint(ReachedAt(origin): &ReachedAt) -> String {
    format!("{origin}/api/scim/v2")
}
