//! The person's own account.

use axum::{extract::Path, response::Response};
use forecourt_app::{person_links, persons};
use forecourt_core::secrets::SecretDigest;

use super::{sign_in::changed, visitors::Resident};
use crate::{
    developer::account::{Account, PasswordChange, SessionRow, Sessions},
    display::When,
    errors::FailureKind,
    forms::Form,
    handling::{Failed, Posted},
    links::developer,
};

/// How use cases call the fields of both password forms.
pub(super) const PASSWORD_FIELDS: &[(&str, &str)] =
    &[("new_password", "password"), ("new password", "password"), ("current password", "current")];

/// `GET /account`.
pub(super) async fn show(resident: Resident) -> Result<Response, Failed> {
    let person = &resident.person.person;
    let verifies = person_links::are_offered(resident.visit.web.app(), &person.portal_id).await?;
    resident.visit.show(&Account {
        name: person.name.clone(),
        email: person.email.clone(),
        email_verified: person.email_verified,
        verifies,
        username: person.username.clone(),
        created_at: When::of(person.created_at),
        has_password: true,
    })
}

/// `GET /account/password`.
pub(super) async fn ask_password(resident: Resident) -> Result<Response, Failed> {
    resident.visit.show(&PasswordChange { form: Form::new(), has_password: true })
}

/// `POST /account/password`.
pub(super) async fn change_password(resident: Resident, posted: Posted) -> Result<Response, Failed> {
    let Resident { visit, person, caller } = resident;
    let form = match changed(&visit, &posted) {
        Err(form) => form,
        Ok(new) => {
            let current = Some(posted.text("current"));
            match persons::change_password(visit.web.app(), &caller, &person, new, current).await {
                Ok(()) => {
                    return Ok(visit.done(&developer::password(), &visit.web.say("password.done", &[])));
                }
                Err(error) => posted.refused(error, PASSWORD_FIELDS)?,
            }
        }
    };
    visit.show_refused(&PasswordChange { form, has_password: true })
}

/// `GET /account/sessions`.
pub(super) async fn sessions(resident: Resident) -> Result<Response, Failed> {
    let Resident { visit, person, .. } = resident;
    let now = visit.web.app().now();
    let found = persons::sessions(visit.web.app(), &person).await?;
    let unknown = visit.web.say("session.unknown", &[]);
    let mut rows: Vec<SessionRow> = found
        .into_iter()
        .filter(|session| now < session.expires_at)
        .map(|session| SessionRow {
            id: session.digest.to_hex(),
            agent: agent(&session.user_agent).unwrap_or_else(|| unknown.clone()),
            address: if session.address.is_empty() { unknown.clone() } else { session.address },
            created_at: When::of(session.created_at),
            expires_at: When::of(session.expires_at),
            current: session.digest == person.session,
        })
        .collect();
    rows.sort_by_key(|row| !row.current);
    visit.show(&Sessions { sessions: rows, has_password: true })
}

/// Browser and system of a `User-Agent`, as far as it says; names that contain others come first.
fn agent(told: &str) -> Option<String> {
    const BROWSERS: [(&str, &str); 7] = [
        ("Edg", "Edge"),
        ("OPR/", "Opera"),
        ("Firefox/", "Firefox"),
        ("Chrome/", "Chrome"),
        ("Safari/", "Safari"),
        ("curl/", "curl"),
        ("Mozilla/", "Browser"),
    ];
    const SYSTEMS: [(&str, &str); 6] = [
        ("Android", "Android"),
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Windows", "Windows"),
        ("Mac OS X", "macOS"),
        ("Linux", "Linux"),
    ];
    let known = |list: &[(&str, &'static str)]| {
        list.iter().find(|(mark, _)| told.contains(mark)).map(|(_, name)| *name)
    };
    let browser = known(&BROWSERS)?;
    Some(known(&SYSTEMS).map_or_else(|| browser.to_owned(), |system| format!("{browser} on {system}")))
}

/// `POST /account/sessions/{session}/end`.
pub(super) async fn end_session(
    resident: Resident,
    Path(session): Path<String>,
    _posted: Posted,
) -> Result<Response, Failed> {
    let Resident { visit, person, caller } = resident;
    let digest = SecretDigest::from_hex(&session).ok_or(FailureKind::NotFound)?;
    persons::end_session(visit.web.app(), &caller, &person, &digest).await?;
    Ok(visit.done(&developer::sessions(), &visit.web.say("session.ended", &[])))
}

#[cfg(test)]
mod tests {
    use super::agent;

    #[test]
    fn a_browser_is_called_by_its_name_and_system() {
        let chrome = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36";
        assert_eq!(agent(chrome).as_deref(), Some("Chrome on Linux"));
        let safari = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1 Version/18.0 Safari/604.1";
        assert_eq!(agent(safari).as_deref(), Some("Safari on iPhone"));
        assert_eq!(agent("curl/8.5.0").as_deref(), Some("curl"));
        assert_eq!(agent(""), None);
    }
}
