//! Administrators' sign-in through CAS.
//!
//! Invariant: the server sends people, with the ticket that signs them in, to the service that we name; so its address is
//! the operator's word (`admin.public_url`), or this machine itself, and never a host that a caller names.

use std::net::{Ipv4Addr, Ipv6Addr};

use forecourt_core::{
    actors::Caller,
    ids::SignInOptionId,
    sign_in_options::{SignInConfig, SignInOption, SignInType, configs::CasSignIn},
};
use forecourt_identity::sign_ins::{SignInFault, cas};
use serde_json::json;

use super::{Arrival, Departure, Round, enabled, finish, limit_begun, take, warn};
use crate::{App, Error};

/// The cookie by which a sign-in is found where the server is not told of a service, and so brings no state back.
pub const COOKIE_WITHOUT_STATE: &str = "sign_in_cas";

/// Sends a browser, which says that it reached us at `site`, to the server of an option; `next` is the page of ours that
/// it goes on to in the end. `from_elsewhere`: whether the browser says that a page of another origin sent it here.
///
/// # Errors
/// Unauthenticated where another origin begins what a server ends that brings no state back; an identity provider's where
/// it is not known at which address we are reached.
pub async fn depart(
    app: &App,
    caller: &Caller,
    id: &SignInOptionId,
    site: &str,
    next: &str,
    from_elsewhere: bool,
) -> Result<Departure, Error> {
    let option = enabled(app, id, SignInType::Cas).await?;
    limit_begun(app, caller)?;
    let settings = settings(&option)?;
    if from_elsewhere && !settings.send_service {
        // Its cookie is the same for all sign-ins: another site could end with a ticket of its own what it began here.
        return Err(Error::unauthenticated_because("begin at the sign-in page of the console"));
    }
    let root = root(app.public_url(), site).inspect_err(|fault| warn(caller, &option, fault))?;
    let round = Round::new(app);
    let callback = format!("{}/api/cas/{id}/callback", root.trim_end_matches('/'));
    // What the server knows by heart instead has no place for a state: the browser brings it, as its own secret.
    let (round, service) = match settings.send_service {
        true => {
            let service = format!("{callback}?state={}", round.state.reveal());
            (round, service)
        }
        false => (Round { state: round.browser.clone(), ..round }, callback),
    };
    let location = cas::login_url(settings, &service)?;
    let memo = json!({ "service": service });
    let mut departure = round.begin(app, caller, &option, location, &memo, next).await?;
    if !settings.send_service {
        COOKIE_WITHOUT_STATE.clone_into(&mut departure.binding.cookie);
    }
    Ok(departure)
}

/// Signs in whoever came back with `ticket` in the browser that shows `browser`.
pub async fn arrive(
    app: &App,
    caller: &Caller,
    id: &SignInOptionId,
    state: &str,
    browser: Option<&str>,
    ticket: &str,
    user_agent: &str,
) -> Result<Arrival, Error> {
    enabled(app, id, SignInType::Cas).await?;
    let returned = take(app, caller, SignInType::Cas, state, browser).await?;
    if returned.option.id != *id {
        return Err(Error::unauthenticated_because("the sign-in was begun with another option; begin again"));
    }
    let settings = settings(&returned.option)?;
    let service = returned.memo.get("service").and_then(serde_json::Value::as_str).unwrap_or_default();
    let outgoing = app.outgoing().verifying(settings.ssl_verify);
    let person = cas::validate(settings, &outgoing, service, ticket).await;
    let signed_in = finish(app, caller, &returned.option, None, person, user_agent).await?;
    Ok(Arrival { signed_in, next: returned.next })
}

/// Where the server is to send people: as the operator said, else `site`, where that is this machine itself.
fn root<'a>(public_url: Option<&'a str>, site: &'a str) -> Result<&'a str, SignInFault> {
    let own = public_url.or_else(|| Some(site).filter(|site| is_loopback(site)));
    own.ok_or_else(|| {
        let why = "CAS needs the setting admin.public_url: without it the console is served on this machine alone, and \
                   the browser asked for another host";
        SignInFault::Misconfigured(why.into())
    })
}

/// Whether nothing but this machine is meant by this origin.
fn is_loopback(site: &str) -> bool {
    let Some(authority) = site.strip_prefix("http://").or_else(|| site.strip_prefix("https://")) else {
        return false;
    };
    let is_port = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<u16>().is_ok();
    let host =
        authority.rsplit_once(':').filter(|(_, port)| is_port(port)).map_or(authority, |(host, _)| host);
    let v6 = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<Ipv4Addr>().is_ok_and(|address| address.is_loopback())
        || v6.is_some_and(|host| host.parse::<Ipv6Addr>().is_ok_and(|address| address.is_loopback()))
}

fn settings(option: &SignInOption) -> Result<&CasSignIn, Error> {
    match &option.config {
        SignInConfig::Cas(settings) => Ok(settings),
        _ => Err(Error::not_found()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tickets_come_where_the_operator_says_or_to_this_machine_and_nowhere_else() {
        for site in [
            "http://localhost",
            "https://LOCALHOST:7443",
            "http://127.0.0.1:7080",
            "http://127.9.9.9",
            "http://[::1]:7080",
            "http://[::1]",
        ] {
            assert_eq!(root(None, site).unwrap(), site);
        }
        for site in [
            "http://eve.example",
            "http://localhost.eve.example",
            "http://localhost:7080@eve.example",
            "http://eve.example/#localhost",
            "http://127.0.0.1.eve.example",
            "http://localhost:+80",
            "http://localhost:",
            "http://10.0.0.1",
            "http://[::2]",
            "http://::1",
            "http://",
            "localhost",
        ] {
            let Err(SignInFault::Misconfigured(why)) = root(None, site) else { panic!("{site}") };
            assert!(why.contains("admin.public_url"), "{why}");
            assert_eq!(root(Some("https://a.example"), site).unwrap(), "https://a.example");
        }
    }
}
