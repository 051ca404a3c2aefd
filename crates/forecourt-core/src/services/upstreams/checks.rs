//! Health checks of an upstream, in the shape that Apache APISIX gave them; defaults are its own too.
//!
//! Without active probes nobody asks a node that callers' requests have ruled out; the gateway tries it again after
//! a while (section 10 of `docs/gateway.md`).

use crate::{
    gateway_state::{ActiveCheck, CheckKind, HealthyWhen, PassiveCheck, UnhealthyWhen},
    members::Members,
    text::{self, Invalid},
};

const ACTIVE: [&str; 10] = [
    "type",
    "timeout",
    "concurrency",
    "host",
    "port",
    "http_path",
    "https_verify_certificate",
    "req_headers",
    "healthy",
    "unhealthy",
];

const HEALTHY: [&str; 3] = ["interval", "http_statuses", "successes"];
const UNHEALTHY: [&str; 5] = ["interval", "http_statuses", "http_failures", "tcp_failures", "timeouts"];

/// The statuses that stand for a working node where callers' requests tell.
const FINE: [u16; 19] =
    [200, 201, 202, 203, 204, 205, 206, 207, 208, 226, 300, 301, 302, 303, 304, 305, 306, 307, 308];

struct Defaults {
    healthy: &'static [u16],
    successes: i64,
    unhealthy: &'static [u16],
    http_failures: i64,
    timeouts: i64,
}

const PROBES: Defaults = Defaults {
    healthy: &[200, 302],
    successes: 2,
    unhealthy: &[429, 404, 500, 501, 502, 503, 504, 505],
    http_failures: 5,
    timeouts: 3,
};

const CALLS: Defaults =
    Defaults { healthy: &FINE, successes: 5, unhealthy: &[429, 500, 503], http_failures: 5, timeouts: 7 };

/// The member `checks` of an upstream.
pub(super) fn parse(upstream: &Members<'_>) -> Result<(Option<ActiveCheck>, Option<PassiveCheck>), Invalid> {
    let Some(checks) = upstream.object("checks", &["active", "passive"])? else { return Ok((None, None)) };
    let active = checks.object("active", &ACTIVE)?.map(|active| probes(&active)).transpose()?;
    let passive = checks.object("passive", &["type", "healthy", "unhealthy"])?;
    let passive = passive.map(|passive| calls(&passive)).transpose()?;
    if active.is_none() && passive.is_none() {
        return Err(upstream.invalid("checks", "needs active, passive or both"));
    }
    Ok((active, passive))
}

fn kind(check: &Members<'_>) -> Result<CheckKind, Invalid> {
    match check.text("type")?.as_deref() {
        None | Some("http") => Ok(CheckKind::Http),
        Some("https") => Ok(CheckKind::Https),
        Some("tcp") => Ok(CheckKind::Tcp),
        Some(_) => Err(check.invalid("type", "must be http, https or tcp")),
    }
}

fn probes(active: &Members<'_>) -> Result<ActiveCheck, Invalid> {
    // Read for its type alone: each node is probed on its own, so nothing queues up that could be limited.
    active.integer("concurrency", 1..=1_000)?;
    let host = active.text("host")?;
    let bad = |host: &String| host.is_empty() || host.contains(|c: char| !c.is_ascii_graphic() || c == '/');
    if host.as_ref().is_some_and(bad) {
        return Err(active.invalid("host", "must be a host name, maybe with a port"));
    }
    let port = active.integer("port", 1..=65_535)?.and_then(|port| u16::try_from(port).ok());
    let path = active.text("http_path")?.unwrap_or_else(|| "/".into());
    if !path.starts_with('/')
        || path.len() > 4_096
        || !path.bytes().all(|b| b.is_ascii_graphic() && b != b'#')
    {
        return Err(active.invalid("http_path", "must start with / and hold neither white space nor #"));
    }
    Ok(ActiveCheck {
        kind: kind(active)?,
        path,
        host,
        port,
        timeout_ms: active.seconds("timeout", 0.01..=3_600.0)?.unwrap_or(1_000),
        verify: active.bool("https_verify_certificate")?.unwrap_or(true),
        headers: headers(active)?,
        healthy_interval_ms: interval(active, "healthy", &HEALTHY)?,
        unhealthy_interval_ms: interval(active, "unhealthy", &UNHEALTHY)?,
        healthy: healthy(active, &PROBES, &HEALTHY)?,
        unhealthy: unhealthy(active, &PROBES, &UNHEALTHY)?,
    })
}

fn calls(passive: &Members<'_>) -> Result<PassiveCheck, Invalid> {
    // Without probes there is no interval between them.
    let [_, healthy_members @ ..] = &HEALTHY;
    let [_, unhealthy_members @ ..] = &UNHEALTHY;
    let healthy = healthy(passive, &CALLS, healthy_members)?;
    let mut unhealthy = unhealthy(passive, &CALLS, unhealthy_members)?;
    if kind(passive)? == CheckKind::Tcp {
        // Only connections count then, whatever is answered over them.
        unhealthy.http_failures = 0;
    }
    Ok(PassiveCheck { healthy, unhealthy })
}

fn interval(check: &Members<'_>, state: &str, known: &[&str]) -> Result<u64, Invalid> {
    match check.object(state, known)? {
        Some(rule) => Ok(rule.seconds("interval", 0.05..=86_400.0)?.unwrap_or(1_000)),
        None => Ok(1_000),
    }
}

fn healthy(check: &Members<'_>, defaults: &Defaults, known: &[&str]) -> Result<HealthyWhen, Invalid> {
    let Some(rule) = check.object("healthy", known)? else {
        return Ok(HealthyWhen { statuses: defaults.healthy.to_vec(), successes: small(defaults.successes) });
    };
    Ok(HealthyWhen {
        statuses: statuses(&rule, defaults.healthy)?,
        successes: times(&rule, "successes", defaults.successes)?,
    })
}

fn unhealthy(check: &Members<'_>, defaults: &Defaults, known: &[&str]) -> Result<UnhealthyWhen, Invalid> {
    let Some(rule) = check.object("unhealthy", known)? else {
        return Ok(UnhealthyWhen {
            statuses: defaults.unhealthy.to_vec(),
            http_failures: small(defaults.http_failures),
            tcp_failures: 2,
            timeouts: small(defaults.timeouts),
        });
    };
    Ok(UnhealthyWhen {
        statuses: statuses(&rule, defaults.unhealthy)?,
        http_failures: times(&rule, "http_failures", defaults.http_failures)?,
        tcp_failures: times(&rule, "tcp_failures", 2)?,
        timeouts: times(&rule, "timeouts", defaults.timeouts)?,
    })
}

fn statuses(rule: &Members<'_>, default: &[u16]) -> Result<Vec<u16>, Invalid> {
    let Some(given) = rule.integers("http_statuses", 200..=599)? else { return Ok(default.to_vec()) };
    if given.is_empty() {
        return Err(rule.invalid("http_statuses", "must hold at least one status"));
    }
    Ok(given.into_iter().filter_map(|status| u16::try_from(status).ok()).collect())
}

fn times(rule: &Members<'_>, member: &str, default: i64) -> Result<u32, Invalid> {
    Ok(small(rule.integer(member, 0..=254)?.unwrap_or(default)))
}

fn small(number: i64) -> u32 {
    u32::try_from(number).unwrap_or(0)
}

/// `Name: value` each, as they are sent.
fn headers(active: &Members<'_>) -> Result<Vec<(String, String)>, Invalid> {
    let lines = active.texts("req_headers")?.unwrap_or_default();
    let header = |(index, line): (usize, &String)| {
        let parts = line.split_once(':').map(|(name, value)| (name.trim(), value.trim()));
        let fits = parts.filter(|(name, value)| {
            crate::plugins::is_field_name(name) && !text::has_control(value) && !is_ours(name)
        });
        fits.map(|(name, value)| (name.to_owned(), value.to_owned())).ok_or_else(|| {
            let problem = "must be `Name: value`; Host has a member of its own, and framing is the gateway's";
            active.invalid(&format!("req_headers[{index}]"), problem)
        })
    };
    lines.iter().enumerate().map(header).collect()
}

fn is_ours(name: &str) -> bool {
    let ours = ["host", "connection", "content-length", "transfer-encoding", "upgrade", "te"];
    ours.iter().any(|own| name.eq_ignore_ascii_case(own))
}

#[cfg(test)]
mod tests;
