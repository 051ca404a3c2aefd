//! Bridges: a small service of the operator's own that makes clients where no registration protocol is spoken. Its JSON
//! is described in `docs/dcr.md`.

use serde_json::{Value, json};
use url::Url;

use super::{
    IssuedSecret, KnownClient, NewClient, Registered, Registrar, RegistrationError, acted, client_id,
    issued_secret, send, unusable,
};
use crate::outgoing::{CallError, Method, Outgoing};

const REGISTRATION: &str = "registration";
const UPDATE: &str = "update of the client";
const REMOVAL: &str = "removal of the client";
const ROTATION: &str = "rotation of the secret";

/// `POST {base_url}/clients`.
pub(super) async fn register(
    registrar: &Registrar,
    outgoing: &Outgoing,
    client: &NewClient,
) -> Result<Registered, RegistrationError> {
    let body = json!({
        "client_name": client.client_name,
        "redirect_uris": client.redirect_uris,
        "application_id": client.application_id,
        "developer_id": client.developer_id,
    });
    let url = address(registrar, REGISTRATION, &[])?;
    let headers = registrar.headers(REGISTRATION)?;
    let answer = send(outgoing, REGISTRATION, Method::POST, &url, headers, Some(&body)).await?;
    let members = acted(REGISTRATION, &answer)?;
    Ok(Registered {
        client_id: client_id(REGISTRATION, &members)?,
        secret: issued_secret(&members),
        management: None,
    })
}

/// `PUT {base_url}/clients/{client_id}`.
pub(super) async fn update(
    registrar: &Registrar,
    outgoing: &Outgoing,
    known: &KnownClient,
    client_name: &str,
    redirect_uris: &[String],
) -> Result<(), RegistrationError> {
    let body: Value = json!({ "client_name": client_name, "redirect_uris": redirect_uris });
    let url = address(registrar, UPDATE, &[&known.client_id])?;
    send(outgoing, UPDATE, Method::PUT, &url, registrar.headers(UPDATE)?, Some(&body)).await.map(|_| ())
}

/// `DELETE {base_url}/clients/{client_id}`.
pub(super) async fn remove(
    registrar: &Registrar,
    outgoing: &Outgoing,
    known: &KnownClient,
) -> Result<(), RegistrationError> {
    let url = address(registrar, REMOVAL, &[&known.client_id])?;
    send(outgoing, REMOVAL, Method::DELETE, &url, registrar.headers(REMOVAL)?, None).await.map(|_| ())
}

/// `POST {base_url}/clients/{client_id}/rotate-secret`.
pub(super) async fn rotate_secret(
    registrar: &Registrar,
    outgoing: &Outgoing,
    known: &KnownClient,
) -> Result<IssuedSecret, RegistrationError> {
    let url = address(registrar, ROTATION, &[&known.client_id, "rotate-secret"])?;
    let answer = send(outgoing, ROTATION, Method::POST, &url, registrar.headers(ROTATION)?, None).await?;
    let members = acted(ROTATION, &answer)?;
    issued_secret(&members).ok_or_else(|| unusable(ROTATION, "the answer has no client_secret"))
}

/// `{base_url}/clients` and these further segments, each escaped: an id is the bridge's own text.
fn address(registrar: &Registrar, call: &'static str, further: &[&str]) -> Result<String, RegistrationError> {
    let refused = || RegistrationError::Call {
        call,
        error: CallError::Address("base_url and the client's id give no address".into()),
    };
    // A segment of dots would lead to another place than it names, escaped or not.
    if further.iter().any(|segment| matches!(*segment, "." | "..")) {
        return Err(refused());
    }
    let mut url = Url::parse(&registrar.base_url).map_err(|_| refused())?;
    url.path_segments_mut().map_err(|()| refused())?.pop_if_empty().push("clients").extend(further);
    Ok(url.into())
}
