//! What a gateway group holds: services with their upstreams and routes, consumers with their credentials, certificates,
//! global rules. Each is written under the name that its writer gives it.

use http::Method;
use rcgen::generate_simple_self_signed;
use serde_json::{Value, json};

use crate::write_storms::{
    Step,
    ledgers::{Key, Noun},
    writers::{Call, Face, Writer},
};

/// A path of the Admin API in the default group.
fn at(object: &str) -> String {
    format!("/apisix/admin/{object}?gateway_group_id=default")
}

/// An upstream with one node.
fn upstream(name: &str, host: &str) -> Value {
    json!({ "name": name, "nodes": [{ "host": host, "port": 80, "weight": 1 }] })
}

impl Writer {
    /// A service with a further upstream, a route to it and a stream route, all of which are changed and perhaps deleted.
    pub(in crate::write_storms) async fn connect(&mut self) -> Option<()> {
        let service = (Noun::Service, self.name());
        let item = at(&format!("services/{}", service.1));
        let body = |desc: &str| {
            let upstream = upstream("default", "upstream.example");
            json!({
                "name": service.1, "desc": desc, "path_prefix": format!("/{}", service.1), "upstream": upstream,
            })
        };
        self.put(&service, item.clone(), body("one")).await?;
        self.holds(&service, "desc", "one");

        let further = (Noun::Upstream, self.name());
        let (one, two) = (format!("one.{}.example", further.1), format!("two.{}.example", further.1));
        let of_further = at(&format!("services/{}/upstreams/{}", service.1, further.1));
        self.put(&further, of_further.clone(), upstream("further", &one)).await?;
        self.holds(&further, "upstreams", one);

        let route = (Noun::Route, self.name());
        let of_route = at(&format!("routes/{}", route.1));
        let body_of_route = |path: &str| json!({ "name": route.1, "service_id": service.1, "paths": [path] });
        let mut first = body_of_route("/one/*");
        first["upstream_id"] = json!(further.1);
        self.put(&route, of_route.clone(), first).await?;
        self.holds(&route, "paths", json!(["/one/*"]).to_string());

        let stream = (Noun::StreamRoute, self.name());
        let of_stream = at(&format!("stream_routes/{}", stream.1));
        let body_of_stream =
            json!({ "name": stream.1, "service_id": service.1, "labels": { "round": "one" } });
        self.put(&stream, of_stream.clone(), body_of_stream).await?;
        self.holds(&stream, "labels", json!({ "round": "one" }).to_string());

        self.change(&further, of_further.clone(), upstream("further", &two), &[("upstreams", two.clone())])
            .await?;
        let paths = json!(["/two/*"]).to_string();
        self.change(&route, of_route.clone(), body_of_route("/two/*"), &[("paths", paths)]).await?;
        self.change(&service, item.clone(), body("two"), &[("desc", "two".into())]).await?;
        // No route names it any more.
        self.perhaps_remove(further.clone(), of_further).await?;
        self.perhaps_remove(route.clone(), of_route).await?;
        self.perhaps_remove(stream.clone(), of_stream).await?;
        if self.one_in(2) {
            let call = Call::new(Face::Admin, Method::DELETE, item);
            self.write(call, vec![Step::Remove(vec![service, further, route, stream])]).await?;
        }
        Some(())
    }

    /// A consumer with a key and a credential of its own, both of which are changed and perhaps deleted.
    pub(in crate::write_storms) async fn admit(&mut self) -> Option<()> {
        let consumer = (Noun::Consumer, self.name());
        let item = at(&format!("consumers/{}", consumer.1));
        let body = |desc: &str| {
            let key = format!("{}-{desc}", consumer.1);
            json!({ "desc": desc, "plugins": { "key-auth": { "key": key } } })
        };
        self.put(&consumer, item.clone(), body("one")).await?;
        self.holds(&consumer, "desc", "one");

        let credential = (Noun::ConsumerCredential, self.name());
        let of_credential = at(&format!("consumers/{}/credentials/{}", consumer.1, credential.1));
        let secret = |round: &str| {
            let secret = format!("a secret of {} in round {round}", credential.1);
            let plugins = json!({ "jwt-auth": { "key": credential.1, "secret": secret } });
            json!({ "name": credential.1, "labels": { "round": round }, "plugins": plugins })
        };
        let label = |round: &str| json!({ "round": round }).to_string();
        self.put(&credential, of_credential.clone(), secret("one")).await?;
        self.holds(&credential, "labels", label("one"));
        self.change(&credential, of_credential.clone(), secret("two"), &[("labels", label("two"))]).await?;
        self.change(&consumer, item.clone(), body("two"), &[("desc", "two".into())]).await?;
        self.perhaps_remove(credential.clone(), of_credential).await?;
        if self.one_in(2) {
            let call = Call::new(Face::Admin, Method::DELETE, item);
            self.write(call, vec![Step::Remove(vec![consumer, credential])]).await?;
        }
        Some(())
    }

    /// A certificate that is replaced and switched off, and a global rule that is changed; perhaps deleted.
    pub(in crate::write_storms) async fn certify(&mut self) -> Option<()> {
        let certificate = (Noun::Certificate, self.name());
        let item = at(&format!("ssls/{}", certificate.1));
        let host = |round: &str| format!("{round}.{}.example", certificate.1);
        let names = |round: &str| json!([host(round)]).to_string();
        self.put(&certificate, item.clone(), pair(&host("one"), 1)).await?;
        self.holds(&certificate, "snis", names("one"));
        self.holds(&certificate, "enabled", "true");
        let off = [("snis", names("two")), ("enabled", "false".into())];
        self.change(&certificate, item.clone(), pair(&host("two"), 0), &off).await?;
        self.perhaps_remove(certificate, item).await?;

        let rule = (Noun::GlobalRule, self.name());
        let item = at(&format!("global_rules/{}", rule.1));
        let origin = |round: &str| format!("https://{round}.{}.example", rule.1);
        // Callers who are no browsers do not notice it.
        let body = |round: &str| json!({ "plugins": { "cors": { "allow_origins": origin(round) } } });
        self.put(&rule, item.clone(), body("one")).await?;
        self.holds(&rule, "plugins", origin("one"));
        self.change(&rule, item.clone(), body("two"), &[("plugins", origin("two"))]).await?;
        self.remove(rule, item).await
    }

    /// Makes something under its own name.
    async fn put(&mut self, key: &Key, path: String, body: Value) -> Option<Value> {
        let call = Call::new(Face::Admin, Method::PUT, path).with(body);
        self.write(call, vec![Step::Make(vec![key.clone()])]).await
    }

    /// Replaces it, whereby these columns become these.
    async fn change(
        &mut self,
        key: &Key,
        path: String,
        body: Value,
        columns: &[(&'static str, String)],
    ) -> Option<Value> {
        let change =
            |(column, value): &(&'static str, String)| Step::Change(key.clone(), column, Some(value.clone()));
        let call = Call::new(Face::Admin, Method::PUT, path).with(body);
        self.write(call, columns.iter().map(change).collect()).await
    }
}

/// A fresh certificate of this host with its key, of status 1 or 0.
fn pair(host: &str, status: u8) -> Value {
    let pair = generate_simple_self_signed(vec![host.to_owned()]).unwrap();
    json!({ "cert": pair.cert.pem(), "key": pair.signing_key.serialize_pem(), "status": status })
}
