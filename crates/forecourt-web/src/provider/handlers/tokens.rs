//! Portal tokens. The text of a new one is in one answer, and never again.

use axum::extract::Path;
use forecourt_app::portal_tokens;
use forecourt_core::{ids::PortalTokenId, portal_tokens::PortalToken};

use super::{Answer, Console, rows};
use crate::{
    confirm::{Act, Confirm},
    developer::credentials::Secret,
    display::{Status, When},
    errors::FailureKind,
    forms::Form,
    handling::{Failed, Posted},
    links::provider,
    provider::tokens::{NewToken, TokenList, TokenRow, TokenShown},
};

pub(super) async fn list(console: Console) -> Answer {
    let tokens = portal_tokens::list(console.app(), &console.caller, console.portal()?).await?;
    let now = console.app().now();
    let row = |token: PortalToken| TokenRow {
        status: if token.is_live(now) { Status::Active } else { Status::Expired },
        id: token.id.to_string(),
        name: token.name,
        created_at: When::of(token.created_at),
        expires_at: token.expires_at.map(When::of),
    };
    console.visit.show(&TokenList { tokens: tokens.into_iter().map(row).collect() })
}

pub(super) async fn new_form(console: Console) -> Answer {
    console.visit.show(&NewToken { form: Form::new().with("days", "90") })
}

pub(super) async fn create(console: Console, posted: Posted) -> Answer {
    let portal = console.portal()?.clone();
    let days = match posted.text("days") {
        "" => None,
        text => match text.parse::<i64>() {
            Ok(days) if (1..=3_650).contains(&days) => Some(days),
            _ => {
                let sentence = console.say("error.token_days", &[]);
                let form = rows::refused_field(&posted, "days", sentence);
                return console.visit.show_refused(&NewToken { form });
            }
        },
    };
    let end = days.map(|days| console.app().now().plus_seconds(days * 86_400).seconds());
    let name = posted.text("name").trim();
    match portal_tokens::create(console.app(), &console.caller, &portal, name, end).await {
        Ok(issued) => {
            let text = issued.text.reveal();
            let address = &console.visit.web.config.portal_api_url;
            let curl = format!("curl -H 'Authorization: Bearer {text}' {address}/api/api_products");
            console.visit.show(&TokenShown {
                name: issued.token.name,
                secrets: vec![Secret {
                    name: console.say("token.secret", &[]),
                    env: "PORTAL_TOKEN".to_owned(),
                    value: text.to_owned(),
                }],
                curl: (!address.is_empty()).then_some(curl),
            })
        }
        Err(error) => {
            let form = posted.refused(error, &[("name", "name"), ("expires_at", "days")])?;
            console.visit.show_refused(&NewToken { form })
        }
    }
}

async fn question(console: &Console, id: &str) -> Result<(PortalTokenId, Confirm), Failed> {
    let id = PortalTokenId::parse(id).ok_or(FailureKind::NotFound)?;
    let token = portal_tokens::token(console.app(), &console.caller, &id).await?;
    let portal = console.portal()?;
    if token.portal_id != *portal {
        return Err(FailureKind::NotFound.into());
    }
    let question = Confirm {
        act: Act::DeleteToken,
        name: token.name,
        impact: Vec::new(),
        type_name: false,
        action: provider::delete_token(portal.as_str(), id.as_str()),
        back: provider::tokens(portal.as_str()),
        form: Form::new(),
    };
    Ok((id, question))
}

pub(super) async fn ask_delete(console: Console, Path((_, id)): Path<(String, String)>) -> Answer {
    let (_, question) = question(&console, &id).await?;
    console.visit.show(&question)
}

pub(super) async fn delete(
    console: Console,
    Path((_, id)): Path<(String, String)>,
    _posted: Posted,
) -> Answer {
    let (id, question) = question(&console, &id).await?;
    portal_tokens::delete(console.app(), &console.caller, &id).await?;
    let text = console.say("flash.deleted", &[("name", &question.name)]);
    Ok(console.visit.done(&question.back, &text))
}
