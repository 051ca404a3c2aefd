//! Upstreams in bodies and answers: the inline one of a service, and those of its own endpoints.

use forecourt_core::{
    gateway_state::UpstreamNode,
    secrets::PlainSecret,
    services::upstreams::{Upstream, UpstreamInput, UpstreamNodeInput, UpstreamTimeout, settings},
};
use forecourt_http::{bodies::Object, problem::Problem};
use serde_json::{Map, Value, json};

use super::services::extra;
use crate::shapes::{members, non_empty};

/// An upstream as this API shows it.
pub(super) fn shape(upstream: &Upstream) -> Map<String, Value> {
    let mut shape = members([
        ("name", Some(json!(upstream.name))),
        ("scheme", Some(json!(upstream.scheme))),
        ("type", Some(json!(upstream.kind))),
        ("nodes", Some(upstream.nodes.iter().map(node_shape).collect())),
        ("timeout", Some(timeout_shape(upstream.timeout))),
        ("pass_host", Some(json!(upstream.pass_host))),
        ("upstream_host", non_empty(&upstream.upstream_host)),
    ]);
    shape.extend(upstream.extra.clone());
    shape.extend(upstream.settings.given().clone());
    shape
}

fn node_shape(node: &UpstreamNode) -> Value {
    Value::Object(members([
        ("host", Some(json!(node.host))),
        ("port", Some(json!(node.port))),
        ("weight", Some(json!(node.weight))),
        ("priority", (node.priority != 0).then(|| json!(node.priority))),
    ]))
}

/// The limits that were given.
pub(super) fn timeout_shape(timeout: UpstreamTimeout) -> Value {
    let UpstreamTimeout { connect, send, read } = timeout;
    let limits = [("connect", connect), ("send", send), ("read", read)];
    Value::Object(members(limits.map(|(name, limit)| (name, limit.map(seconds)))))
}

/// Whole seconds as whole numbers: typed clients parse nothing else.
fn seconds(limit: f64) -> Value {
    if limit.fract() == 0.0 { json!(limit as i64) } else { json!(limit) }
}

/// What is given of an upstream.
pub(super) fn input(body: &Object) -> Result<UpstreamInput, Problem> {
    const KNOWN: [&str; 11] = [
        "id",
        "service_id",
        "created_at",
        "updated_at",
        "name",
        "scheme",
        "type",
        "nodes",
        "timeout",
        "pass_host",
        "upstream_host",
    ];
    let (mut settings, extra): (Map<_, _>, _) =
        extra(body, &KNOWN).into_iter().partition(|(member, _)| settings::MEMBERS.contains(&member.as_str()));
    Ok(UpstreamInput {
        name: body.text("name")?,
        scheme: body.text("scheme")?,
        kind: body.text("type")?,
        nodes: nodes(body)?,
        timeout: timeout(body)?.unwrap_or_default(),
        pass_host: body.text("pass_host")?,
        upstream_host: body.text("upstream_host")?,
        client_key: client_key(&mut settings)?,
        settings,
        extra,
    })
}

/// Takes `tls.client_key` out of the settings, which are given back: the key never is.
fn client_key(settings: &mut Map<String, Value>) -> Result<Option<PlainSecret>, Problem> {
    let tls = settings.get_mut("tls").and_then(Value::as_object_mut);
    match tls.and_then(|tls| tls.shift_remove("client_key")) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(key)) => {
            Ok(Some(PlainSecret::presented(key)).filter(|key| !key.reveal().is_empty()))
        }
        Some(_) => Err(Problem::bad_request("upstream.tls.client_key must be a string")),
    }
}

/// The member `timeout`, whose limits are checked where they are kept.
pub(super) fn timeout(body: &Object) -> Result<Option<UpstreamTimeout>, Problem> {
    let Some(timeout) = body.object("timeout")? else { return Ok(None) };
    timeout.closed(&["connect", "send", "read"])?;
    Ok(Some(UpstreamTimeout {
        connect: timeout.number("connect")?,
        send: timeout.number("send")?,
        read: timeout.number("read")?,
    }))
}

/// An array of nodes, or a map from `host:port` to weight, as Apache APISIX takes them.
fn nodes(body: &Object) -> Result<Vec<UpstreamNodeInput>, Problem> {
    match body.any("nodes") {
        Some(Value::Object(weights)) => {
            weights.iter().map(|(address, weight)| weighted(address, weight)).collect()
        }
        _ => body.objects("nodes")?.unwrap_or_default().iter().map(node).collect(),
    }
}

fn weighted(address: &str, weight: &Value) -> Result<UpstreamNodeInput, Problem> {
    let parts = address.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse().ok()?)));
    let (Some((host, port)), Some(weight)) = (parts, weight.as_i64()) else {
        let problem = "must be an array of nodes, or an object of whole weights by host:port";
        return Err(Problem::bad_request(format!("upstream.nodes: {address:?} {problem}")));
    };
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    Ok(UpstreamNodeInput { host: host.to_owned(), port, weight, priority: 0 })
}

fn node(given: &Object) -> Result<UpstreamNodeInput, Problem> {
    let required = |member: &str| {
        let number = given.integer(member)?;
        number
            .ok_or_else(|| Problem::bad_request(format!("upstream.nodes: {member} is required on each node")))
    };
    given.closed(&["host", "port", "weight", "priority"])?;
    Ok(UpstreamNodeInput {
        host: given.required_text("host")?,
        port: required("port")?,
        weight: required("weight")?,
        priority: given.integer("priority")?.unwrap_or(0),
    })
}
