//! A real SAML identity provider, as a process of node.

use std::{
    collections::BTreeMap,
    io::Write,
    process::{Child, Stdio},
};

use rcgen::{CertificateParams, DnType, KeyPair};
use serde_json::{Value, json};

use crate::{HeldPort, MovedClock, node_peers};

/// The identity provider; it ends with its owner. Whoever comes to it is signed in at once, see `peers/saml-idp.mjs`.
#[derive(Debug)]
pub struct IdentityProvider {
    port: HeldPort,
    child: Child,
    keys: BTreeMap<String, String>,
    certificates: BTreeMap<String, String>,
}

impl IdentityProvider {
    /// Starts one on a free port, with the time of `clock`. Blocks its thread until it is ready.
    ///
    /// # Panics
    /// When its packages are not installed, or it does not start.
    pub fn start(clock: &MovedClock) -> Self {
        let port = HeldPort::free();
        let mut command = node_peers::command("saml-idp.mjs", "samlp");
        command.arg(port.number().to_string()).arg(clock.now().millis().to_string()).stdin(Stdio::piped());
        let (mut child, mut said) = node_peers::start(&mut command);
        let keys: BTreeMap<String, String> = serde_json::from_str(&node_peers::heard(&mut said)).unwrap();
        let certificates: BTreeMap<_, _> =
            keys.iter().map(|(name, key)| (name.clone(), certificate(name, key))).collect();
        let stdin = child.stdin.as_mut().unwrap();
        writeln!(stdin, "{}", json!(certificates)).unwrap();
        node_peers::ready("the identity provider", &mut said);
        Self { port, child, keys, certificates }
    }

    /// Where it describes itself.
    pub fn metadata_url(&self) -> String {
        format!("http://127.0.0.1:{}/metadata", self.port.number())
    }

    /// Ends the process; the port answers nobody then.
    pub fn stop(&mut self) {
        self.child.kill().ok();
        self.child.wait().unwrap();
    }

    /// Settings with which requests are signed in a way that it verifies.
    pub fn signing_settings(&self) -> Value {
        json!({
            "sign_request": true, "private_key": self.keys["client"], "certificate": self.certificates["client"],
        })
    }

    /// A private key of ours that it does not know, in PEM.
    pub fn unknown_key(&self) -> &str {
        &self.keys["other"]
    }
}

impl Drop for IdentityProvider {
    fn drop(&mut self) {
        self.stop();
    }
}

fn certificate(name: &str, key: &str) -> String {
    let key = KeyPair::from_pem(key).unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params.self_signed(&key).unwrap().pem()
}
