//! `/api/gateway_groups/{id}/deployment/docker`: a shell script that starts a gateway node of the group.
//!
//! Invariant: nothing of the query reaches the script but through [`quoted`], and only after it was checked. What the
//! script does with it stands in `deployment.sh`.

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use forecourt_app::{access, gateway_groups, instance_tokens, settings};
use forecourt_core::permissions::{Action, Target};
use forecourt_core::{
    actors::{Caller, Source},
    ids::GatewayGroupId,
    text::has_control,
};
use forecourt_http::{Context, callers::AdminCaller, problem::Problem, queries::Query};
use http::header;

use super::{operations, segments::Segments, segments::gateway_group, table::Table};
use crate::openapi::schemas;

/// What the script does, once its variables are set.
const BODY: &str = include_str!("deployment.sh");

/// The port of a control plane whose address names none.
const SYNC_PORT: u16 = 7943;

pub(super) fn endpoints(table: Table) -> Table {
    table.about("Gateway groups").get(
        "/api/gateway_groups/{id}/deployment/docker",
        script,
        operations::of_group(operations::bare("Get a script that starts a gateway node"))
            .notes("A shell script with a fresh instance token in it.")
            .query("name", schemas::text().long(1, 100).with("pattern", "^[A-Za-z0-9_.-]+$".into()))
            .query("image", schemas::text())
            .query("http_port", schemas::integer().from(1).up_to(65_535).or(9080))
            .query("https_port", schemas::integer().from(1).up_to(65_535).or(9443))
            .query(
                "dp_manager_address",
                schemas::array(schemas::text()).about("HOST:PORT or https://HOST:PORT."),
            )
            .query("extra_args", schemas::array(schemas::text()))
            .answers_as(&["text/plain"], schemas::text()),
    )
}

async fn script(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    segments: Segments,
    query: Result<Query, Problem>,
) -> Result<Response, Problem> {
    let id = segments.id(GatewayGroupId::parse)?;
    access::permits(&caller, Action::CreateGatewayInstance, Target::GatewayGroup(Some(&id)))?;
    let group = gateway_groups::existing(&context.app, &id).await?;
    let query = query?;
    if gateway_group(&query)?.is_some_and(|asked| asked != group.id) {
        return Err(Problem::not_found());
    }
    let mut deployment = Deployment::read(&query, context.config.version)?;
    if deployment.control_planes.is_empty() {
        deployment.control_planes = known_control_planes(&context).await?;
    }
    let issued = instance_tokens::issue(&context.app, &caller, &group.id).await?;
    let text = deployment.script(group.id.as_str(), issued.text.reveal());
    Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response())
}

/// Where nodes find this control plane: as an administrator has set it, else where this process listens.
async fn known_control_planes(context: &Context) -> Result<Vec<String>, Problem> {
    let system = Caller::system(Source::AdminApi, context.app.new_request_id());
    let mut addresses = settings::system(&context.app, &system).await?.dp_manager_address;
    if addresses.is_empty() && !context.config.sync_url.is_empty() {
        addresses.push(context.config.sync_url.clone());
    }
    if addresses.is_empty() {
        return Err(Problem::bad_request(
            "dp_manager_address is required: this process does not listen for gateway nodes (sync.listen is off), and the system settings name no other",
        ));
    }
    addresses.iter().map(|address| control_plane(address)).collect()
}

/// What a script is asked for, checked.
#[derive(Debug)]
struct Deployment {
    name: String,
    image: String,
    http_port: u16,
    https_port: u16,
    /// Whether TLS was asked for by its port, so that a taken port is an error.
    is_https_asked: bool,
    control_planes: Vec<String>,
    extra_args: Vec<String>,
}

impl Deployment {
    fn read(query: &Query, version: &str) -> Result<Self, Problem> {
        let name = query.text("name").unwrap_or("forecourt-gateway");
        if name.len() > 100 || !made_of(name, "_.-") {
            return Err(Problem::bad_request("name must be 1 to 100 characters of A-Z a-z 0-9 _ . -"));
        }
        let (http_port, https_port) = (port(query, "http_port", 9080)?, port(query, "https_port", 9443)?);
        if http_port == https_port {
            return Err(Problem::bad_request("http_port and https_port must differ"));
        }
        let control_planes = query.texts("dp_manager_address").into_iter().flat_map(|text| text.split(','));
        let extra_args = query.texts("extra_args");
        if extra_args.len() > 50 || extra_args.iter().any(|text| text.len() > 1_024 || has_control(text)) {
            return Err(Problem::bad_request(
                "extra_args must be at most 50 texts of at most 1024 bytes, without control characters",
            ));
        }
        Ok(Self {
            name: name.to_owned(),
            image: image(query.text("image"), version)?,
            http_port,
            https_port,
            is_https_asked: query.text("https_port").is_some(),
            control_planes: control_planes.map(control_plane).collect::<Result<_, _>>()?,
            extra_args: extra_args.into_iter().map(str::to_owned).collect(),
        })
    }

    fn script(&self, group: &str, token: &str) -> String {
        let extra_args: String = self.extra_args.iter().map(|text| format!(" {}", quoted(text))).collect();
        format!(
            "#!/bin/sh\n\
             # Starts a Forecourt gateway node. It carries a token that lets a gateway join: keep it to yourself.\n\
             name={}\ngroup={}\nhttp_port={}\nhttps_port={}\nhttps_asked={}\ncontrol_plane={}\nimage={}\n\
             token={}\nset --{extra_args}\n{BODY}",
            quoted(&self.name),
            quoted(group),
            self.http_port,
            self.https_port,
            if self.is_https_asked { "yes" } else { "no" },
            quoted(&self.control_planes.join(",")),
            quoted(&self.image),
            quoted(token),
        )
    }
}

/// `text` as one word of a shell, whatever it holds.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

fn made_of(text: &str, marks: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || marks.contains(c))
}

fn port(query: &Query, name: &str, otherwise: u16) -> Result<u16, Problem> {
    let Some(text) = query.text(name) else { return Ok(otherwise) };
    let number = Some(text).filter(|text| text.bytes().all(|b| b.is_ascii_digit()));
    let number = number.and_then(|text| text.parse::<u16>().ok()).filter(|number| *number > 0);
    number
        .ok_or_else(|| Problem::bad_request(format!("{name} must be a port: a whole number from 1 to 65535")))
}

/// The image to run: the one asked for where its name is `forecourt`, else the one of this version.
fn image(asked: Option<&str>, version: &str) -> Result<String, Problem> {
    let own = || format!("forecourt:{}", if version.is_empty() { "latest" } else { version });
    let Some(asked) = asked else { return Ok(own()) };
    if asked.len() > 500 || asked.starts_with('-') || !made_of(asked, "._/:@-") {
        return Err(Problem::bad_request(
            "image must be the name of a container image: at most 500 characters of A-Z a-z 0-9 . _ / : @ -",
        ));
    }
    let last = asked.rsplit('/').next().unwrap_or_default();
    let bare = last.split(['@', ':']).next().unwrap_or_default();
    Ok(if bare == "forecourt" { asked.to_owned() } else { own() })
}

/// A control plane's address as `https://HOST:PORT`.
fn control_plane(text: &str) -> Result<String, Problem> {
    let wrong = || {
        Problem::bad_request(
            "dp_manager_address must be HOST:PORT or https://HOST:PORT, several separated by commas",
        )
    };
    let text = text.trim();
    let authority = text.strip_prefix("https://").unwrap_or(text).trim_end_matches('/');
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (address, rest) = rest.split_once(']').ok_or_else(wrong)?;
            address.parse::<std::net::Ipv6Addr>().map_err(|_| wrong())?;
            let port = if rest.is_empty() { None } else { Some(rest.strip_prefix(':').ok_or_else(wrong)?) };
            (format!("[{address}]"), port)
        }
        None => {
            let (host, port) = match authority.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (authority, None),
            };
            if host.len() > 253 || host.starts_with('-') || !made_of(host, ".-_") {
                return Err(wrong());
            }
            (host.to_owned(), port)
        }
    };
    let port = match port {
        None => SYNC_PORT,
        Some(port) if port.bytes().all(|b| b.is_ascii_digit()) => {
            port.parse::<u16>().ok().filter(|port| *port > 0).ok_or_else(wrong)?
        }
        Some(_) => return Err(wrong()),
    };
    Ok(format!("https://{host}:{port}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quoted_text_is_one_word_for_a_shell_whatever_it_holds() {
        for text in ["", "a b", "$(reboot)", "`x`", "it's", "';rm -rf /;'", "\\", "\"", "*", "é"] {
            let script = format!("printf %s {}", quoted(text));
            let told = std::process::Command::new("sh").args(["-c", &script]).output().unwrap();
            assert_eq!(String::from_utf8(told.stdout).unwrap(), text, "{script}");
        }
    }

    #[test]
    fn a_control_plane_is_a_host_and_a_port_and_nothing_else() {
        for (text, wanted) in [
            ("cp.example", "https://cp.example:7943"),
            ("10.0.0.1:8000", "https://10.0.0.1:8000"),
            ("https://cp.example:1/", "https://cp.example:1"),
            ("[::1]:7943", "https://[::1]:7943"),
            ("https://[::1]", "https://[::1]:7943"),
        ] {
            assert_eq!(control_plane(text).unwrap(), wanted);
        }
        for text in
            ["", "http://cp", "cp:0", "cp:99999", "cp:", "a b", "cp/x", "-cp", "[x]:1", "$(id):1", "cp:+1"]
        {
            assert!(control_plane(text).is_err(), "{text}");
        }
    }

    #[test]
    fn only_an_image_called_forecourt_is_run() {
        for (asked, wanted) in [
            (None, "forecourt:1.2.3"),
            (Some("api7/api7-ee-3-gateway:3.2"), "forecourt:1.2.3"),
            (Some("forecourt.evil/x"), "forecourt:1.2.3"),
            (Some("registry.example:5000/team/forecourt:9"), "registry.example:5000/team/forecourt:9"),
            (Some("forecourt@sha256:00"), "forecourt@sha256:00"),
        ] {
            assert_eq!(image(asked, "1.2.3").unwrap(), wanted, "{asked:?}");
        }
        for asked in ["--privileged", "a b", "x;y", "$(id)"] {
            assert!(image(Some(asked), "1").is_err(), "{asked}");
        }
    }
}
