//! Certificates that upstreams demand of the gateway: given inline, or named by the id of a certificate of the group.

use std::sync::Arc;

use forecourt_core::gateway_state::Scope;
use forecourt_core::ids::GatewayGroupId;
use forecourt_it::{Forecourt, Upstream, databases::logged};
use forecourt_store::Store;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{RootCertStore, ServerConfig, pki_types::PrivateKeyDer, server::WebPkiClientVerifier};
use serde_json::{Value, json};

use crate::services::{admin_path, node, put_service};

struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// A certificate and its key, both PEM.
    fn issue(&self, name: &str) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let shown = CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &self.0).unwrap();
        (shown.pem(), key.serialize_pem())
    }

    /// A server for `127.0.0.1` that answers nobody without a certificate of this authority.
    async fn demanding_upstream(&self) -> Upstream {
        let key = KeyPair::generate().unwrap();
        let shown =
            CertificateParams::new(vec!["127.0.0.1".into()]).unwrap().signed_by(&key, &self.0).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone()).unwrap();
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
        let config =
            ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let config = config.with_client_cert_verifier(verifier.build().unwrap());
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        Upstream::start_tls(config.with_single_cert(vec![shown.der().clone()], key).unwrap()).await
    }

    /// An upstream to `at` with these members of `tls`.
    fn settings(&self, at: &Upstream, tls: Value) -> Value {
        let mut settings = json!({ "ca": self.0.pem() });
        settings.as_object_mut().unwrap().extend(tls.as_object().unwrap().clone());
        json!({ "name": "default", "scheme": "https", "tls": settings, "nodes": [node(at.address())] })
    }
}

async fn call(f: &Forecourt) -> u16 {
    f.gateway().get("/shop/a").await.status.as_u16()
}

#[tokio::test]
async fn an_upstream_is_shown_the_pair_that_was_given_with_it_and_nobody_gets_its_key_back() {
    let mut f = Forecourt::start().await;
    let authority = Authority::new();
    let upstream = authority.demanding_upstream().await;
    let (chain, key) = authority.issue("gateway.example");
    put_service(&f, "shop", json!({ "upstream": authority.settings(&upstream, json!({})) })).await;
    assert_eq!(call(&f).await, 502, "without a certificate the upstream answers nobody");
    let with_key = authority.settings(&upstream, json!({ "client_cert": chain, "client_key": key }));
    put_service(&f, "shop", json!({ "upstream": with_key })).await;
    assert_eq!(call(&f).await, 200);
    // Neither a replacement nor a patch has to bring the key again.
    let again = authority.settings(&upstream, json!({ "client_cert": chain }));
    put_service(&f, "shop", json!({ "upstream": again })).await;
    assert_eq!(call(&f).await, 200);
    let (admin, path) = (f.admin().await, admin_path("services/shop"));
    let mut texts = vec![
        admin.patch(&path, json!({ "desc": "Shop" })).await.text(),
        admin.get(&path).await.text(),
        admin.get("/apisix/admin/services/shop/upstreams").await.text(),
        admin.put("/apisix/admin/services/shop/upstreams/blue", with_key).await.text(),
    ];
    for text in &texts {
        assert!(text.contains("BEGIN CERTIFICATE") && !text.contains("PRIVATE KEY"), "{text}");
    }
    assert_eq!(call(&f).await, 200);
    f.restart().await;
    assert_eq!(call(&f).await, 200);
    let store = Store::open(&crate::store::location(f.database())).await.unwrap();
    let scope = Scope::GatewayGroup(GatewayGroupId::default_group());
    let logged = logged(&store, &[scope], 0).await;
    texts.extend(logged.iter().map(|change| serde_json::to_string(&change.resource).unwrap()));
    assert!(texts.iter().any(|text| text.contains("sealed")), "gateways hear of it");
    if !f.database().is_postgres() {
        for file in ["forecourt.db", "forecourt.db-wal"] {
            let bytes = std::fs::read(f.database().folder().join(file)).unwrap_or_default();
            texts.push(String::from_utf8_lossy(&bytes).into_owned());
        }
    }
    let secret = key.lines().nth(1).unwrap();
    assert!(!texts.iter().any(|text| text.contains(secret)), "the key lies in clear");
    let none = authority.settings(&upstream, json!({}));
    put_service(&f, "shop", json!({ "upstream": none })).await;
    assert_eq!(call(&f).await, 502, "it is shown no longer than it is configured");
}

#[tokio::test]
async fn a_certificate_that_upstreams_name_reaches_their_next_connection_when_it_changes() {
    let mut f = Forecourt::start().await;
    let (authority, stranger) = (Authority::new(), Authority::new());
    let upstream = authority.demanding_upstream().await;
    let ssl = async |f: &Forecourt, (cert, key): (String, String), more: Value| {
        let mut body = json!({ "type": "client", "cert": cert, "key": key });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        f.admin().await.put(&admin_path("ssls/own"), body).await
    };
    ssl(&f, stranger.issue("gateway.example"), json!({})).await.expect(200);
    let named = authority.settings(&upstream, json!({ "client_cert_id": "own" }));
    put_service(&f, "shop", json!({ "upstream": named })).await;
    assert_eq!(call(&f).await, 502, "the upstream does not know this authority");
    ssl(&f, authority.issue("gateway.example"), json!({})).await.expect(200);
    assert_eq!(call(&f).await, 200);
    f.restart().await;
    assert_eq!(call(&f).await, 200);
    ssl(&f, authority.issue("gateway.example"), json!({ "status": 0 })).await.refused(400, "shop");
    f.admin().await.delete(&admin_path("ssls/own")).await.refused(400, "shop");
    ssl(&f, stranger.issue("gateway.example"), json!({ "type": "server" })).await.expect(200);
    assert_eq!(call(&f).await, 502, "what was shown before is not shown again");
    put_service(&f, "shop", json!({})).await;
    f.admin().await.delete(&admin_path("ssls/own")).await.expect(200);
}
