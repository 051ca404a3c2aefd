//! One-time passwords: of an invitation, and of a reset. Each is in one answer, and never again.

use axum::extract::Path;
use forecourt_app::administrators;
use forecourt_core::{
    administrators::Administrator,
    permissions::{Action, Target},
};

use super::{
    super::{Answer, Console, developers::one_time_password, rows},
    known, reference,
};
use crate::{
    confirm::{Act, Confirm},
    developer::credentials::Secret,
    forms::Form,
    handling::Posted,
    links::provider,
    provider::administrators::{InviteAdministrator, OneTimePassword},
};

pub(in super::super) async fn form(console: Console) -> Answer {
    console.visit.show(&InviteAdministrator { form: Form::new() })
}

pub(in super::super) async fn invite(console: Console, posted: Posted) -> Answer {
    let password = one_time_password(&console);
    let username = posted.text("username").trim();
    match administrators::invite(console.app(), &console.caller, username, &password).await {
        Ok(invited) => shown(&console, &invited, &password, false),
        Err(error) => {
            let form = posted.refused(error, &[("username", "username")])?;
            console.visit.show_refused(&InviteAdministrator { form })
        }
    }
}

fn shown(console: &Console, administrator: &Administrator, password: &str, reset: bool) -> Answer {
    let secret =
        |name: String, env: &str, value: &str| Secret { name, env: env.to_owned(), value: value.to_owned() };
    let id = &administrator.id;
    let assigns = !reset && console.may(Action::UpdateUserRole, Target::User(Some(id)));
    console.visit.show(&OneTimePassword {
        administrator: reference(administrator),
        reset,
        secrets: vec![
            secret(console.say("administrator.username", &[]), "CONSOLE_USERNAME", &administrator.username),
            secret(console.say("administrator.one_time_password", &[]), "CONSOLE_PASSWORD", password),
        ],
        next: assigns.then(|| provider::assign_roles(id.as_str())),
    })
}

fn question(administrator: &Administrator) -> Confirm {
    let id = administrator.id.as_str();
    Confirm {
        act: Act::ResetPassword,
        name: administrator.username.clone(),
        type_name: false,
        impact: Vec::new(),
        action: provider::reset_password(id),
        back: provider::administrator(id),
        form: Form::new(),
    }
}

pub(in super::super) async fn ask_reset(console: Console, Path(id): Path<String>) -> Answer {
    console.visit.show(&question(&known(&console, &id).await?))
}

pub(in super::super) async fn reset(console: Console, Path(id): Path<String>, posted: Posted) -> Answer {
    let administrator = known(&console, &id).await?;
    let password = one_time_password(&console);
    match administrators::reset_password(console.app(), &console.caller, &administrator.id, &password).await {
        Ok(reset) => shown(&console, &reset, &password, true),
        Err(error) => {
            console.visit.show_refused(&rows::refused_act(&question(&administrator), &posted, error)?)
        }
    }
}
