//! An administrator's own password: the first one, and a change. Other sessions end with either.

use forecourt_app::{Error, administrators, authentication::KnownAdministrator};
use forecourt_core::{actors::Caller, persons::new_password};

use super::{Answer, Console, Doorstep};
use crate::{
    forms::Form,
    handling::{Failed, Posted, Web},
    links::provider,
    provider::passwords::{FirstPassword, PasswordChange},
};

const FIELDS: &[(&str, &str)] = &[("old_password", "current"), ("new_password", "password")];

pub(super) async fn first_form(door: Doorstep) -> Answer {
    match &door.known {
        Some(known) if known.must_change_password() => door.visit.show(&FirstPassword { form: Form::new() }),
        _ => Ok(door.visit.go(&provider::overview())),
    }
}

pub(super) async fn choose_first(door: Doorstep, posted: Posted) -> Answer {
    let visit = &door.visit;
    let Some(known) = door.known.as_ref().filter(|known| known.must_change_password()) else {
        return Ok(visit.go(&provider::overview()));
    };
    match changed(&visit.web, &door.caller, known, &posted, None).await? {
        None => Ok(visit.done(&provider::overview(), &visit.web.say("flash.password_changed", &[]))),
        Some(form) => visit.show_refused(&FirstPassword { form }),
    }
}

pub(super) async fn form(console: Console) -> Answer {
    console.visit.show(&PasswordChange { form: Form::new() })
}

pub(super) async fn change(console: Console, posted: Posted) -> Answer {
    let visit = &console.visit;
    let old = Some(posted.text("current"));
    match changed(&visit.web, &console.caller, &console.known, &posted, old).await? {
        None => Ok(visit.done(&provider::password(), &console.say("flash.password_changed", &[]))),
        Some(form) => visit.show_refused(&PasswordChange { form }),
    }
}

/// `None`: done; else the form with what was wrong.
async fn changed(
    web: &Web,
    caller: &Caller,
    known: &KnownAdministrator,
    posted: &Posted,
    old: Option<&str>,
) -> Result<Option<Form>, Failed> {
    let new = posted.text("password");
    // The same rule as for people of a portal; the wire contract lets programs choose what they like.
    if let Err(invalid) = new_password("new_password", new, &[&known.administrator.username]) {
        return Ok(Some(posted.refused(Error::from(invalid), FIELDS)?));
    }
    if new != posted.text("again") {
        return Ok(Some(posted.form().refused("again", web.say("error.passwords_differ", &[]))));
    }
    match administrators::change_password(web.app(), caller, known, new, old).await {
        Ok(_) => Ok(None),
        Err(error) if error.code() == "wrong_old_password" => {
            Ok(Some(posted.form().refused("current", web.say("error.wrong_password", &[]))))
        }
        Err(error) => Ok(Some(posted.refused(error, FIELDS)?)),
    }
}
