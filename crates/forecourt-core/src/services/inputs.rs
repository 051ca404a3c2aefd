//! A service as the input that would make it again: what changes a part of it starts from here, so that everything
//! else stays. The key of a certificate that upstreams are shown is not part of it; it stays where none is given.

use super::{Service, ServiceInput, upstreams::Upstream};
use crate::services::upstreams::{UpstreamInput, UpstreamNodeInput};

impl Service {
    /// What makes this service as it is, but for its document and its further upstreams, which stay by themselves.
    pub fn to_input(&self) -> ServiceInput {
        ServiceInput {
            name: Some(self.name.clone()),
            desc: Some(self.desc.clone()),
            labels: Some(self.labels.pairs().clone()),
            kind: Some(if self.stream { "stream" } else { "http" }.into()),
            status: Some(i64::from(self.enabled)),
            hosts: Some(self.hosts.clone()),
            path_prefix: self.path_prefix.clone(),
            strip_path_prefix: Some(self.strip_path_prefix),
            plugins: Some(self.plugins.given().clone()),
            upstream: self.upstream.as_ref().map(Upstream::to_input),
            extra: self.extra.clone(),
        }
    }
}

impl Upstream {
    /// What makes this upstream as it is.
    pub fn to_input(&self) -> UpstreamInput {
        let node = |node: &crate::gateway_state::UpstreamNode| UpstreamNodeInput {
            host: node.host.clone(),
            port: node.port.into(),
            weight: node.weight.into(),
            priority: node.priority,
        };
        UpstreamInput {
            name: Some(self.name.clone()),
            scheme: Some(self.scheme.clone()),
            kind: Some(self.kind.clone()),
            nodes: self.nodes.iter().map(node).collect(),
            timeout: self.timeout,
            pass_host: Some(self.pass_host.clone()),
            upstream_host: Some(self.upstream_host.clone()).filter(|host| !host.is_empty()),
            settings: self.settings.given().clone(),
            client_key: None,
            extra: self.extra.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        ids::{GatewayGroupId, ServiceId},
        time::Timestamp,
    };

    #[test]
    fn a_service_made_again_of_its_own_input_is_the_same() {
        let make = |input| {
            let now = Timestamp::default();
            Service::new(ServiceId::known("s"), GatewayGroupId::default_group(), input, now, now).unwrap()
        };
        let object = |value: serde_json::Value| value.as_object().unwrap().clone();
        let input = ServiceInput {
            name: Some("Orders".into()),
            desc: Some("All of them".into()),
            labels: Some([("team".to_owned(), "shop".to_owned())].into()),
            status: Some(0),
            hosts: Some(vec!["a.example".into()]),
            path_prefix: Some("/orders".into()),
            strip_path_prefix: Some(false),
            plugins: Some(object(json!({ "cors": {} }))),
            upstream: Some(UpstreamInput {
                scheme: Some("https".into()),
                kind: Some("chash".into()),
                nodes: vec![UpstreamNodeInput { host: "b".into(), port: 81, weight: 2, priority: -1 }],
                pass_host: Some("rewrite".into()),
                upstream_host: Some("c".into()),
                settings: object(json!({ "retries": 1, "tls": { "verify": false } })),
                extra: object(json!({ "x": 1 })),
                ..Default::default()
            }),
            extra: object(json!({ "y": 2 })),
            ..Default::default()
        };
        let service = make(input);
        assert_eq!(make(service.to_input()), service);
    }
}
