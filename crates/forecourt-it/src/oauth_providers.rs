//! A real OpenID provider with dynamic registration, as a process of node that a story starts, stops and starts again.

use std::{path::PathBuf, process::Child};

use base64::{Engine, engine::general_purpose::STANDARD};
use http::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{Answer, Client, HeldPort, MovedClock, node_peers};

/// What the provider asks for before it registers anybody.
pub const INITIAL_ACCESS_TOKEN: &str = "an-initial-access-token";

/// The provider; it ends with its owner. Its clients and keys outlive a stop.
#[derive(Debug)]
pub struct OauthProvider {
    folder: TempDir,
    port: HeldPort,
    clock: MovedClock,
    child: Option<Child>,
}

impl OauthProvider {
    /// Starts one on a free port, with the time of `clock`. Blocks its thread until it is ready.
    pub fn start(clock: &MovedClock) -> Self {
        let (folder, port) = (TempDir::new().unwrap(), HeldPort::free());
        let mut provider = Self { folder, port, clock: clock.clone(), child: None };
        provider.resume();
        provider
    }

    /// Ends the process; the port answers nobody then.
    pub fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().ok();
            child.wait().unwrap();
        }
    }

    /// Starts it again, on the same port with what it knew.
    ///
    /// # Panics
    /// When its packages are not installed, or it does not start.
    pub fn resume(&mut self) {
        let mut command = node_peers::command("oidc-provider.mjs", "oidc-provider");
        command
            .arg(self.port.number().to_string())
            .arg(self.file())
            .arg(self.clock.now().millis().to_string());
        let (child, mut said) = node_peers::start(&mut command);
        self.child = Some(child);
        node_peers::ready("the provider", &mut said);
    }

    /// Its issuer.
    pub fn issuer(&self) -> String {
        format!("http://127.0.0.1:{}", self.port.number())
    }

    /// What it answers to a client that asks for a token of its own.
    pub async fn ask_token(&self, client_id: &str, secret: &str, scope: &str) -> Answer {
        let basic = STANDARD.encode(format!("{client_id}:{secret}"));
        let body = format!("grant_type=client_credentials&scope={scope}").into_bytes();
        let form = ("application/x-www-form-urlencoded".to_owned(), body);
        let client = Client::new(self.issuer()).with("authorization", &format!("Basic {basic}"));
        client.send_bytes(Method::POST, "/token", Some(form)).await
    }

    /// Has browsers signed in as the person with these claims, `sub` among them.
    pub async fn signs_in(&self, person: Value) {
        Client::new(self.issuer()).post("/story/person", person).await.empty(204);
    }

    /// Registers a client for the sign-in of people: its id and its secret.
    pub async fn sign_in_client(&self, redirect_uri: &str, method: &str) -> (String, String) {
        let client = json!({
            "redirect_uris": [redirect_uri], "grant_types": ["authorization_code"], "response_types": ["code"],
            "token_endpoint_auth_method": method, "application_type": "web",
        });
        let registrar = Client::new(self.issuer()).with_bearer(INITIAL_ACCESS_TOKEN);
        let made = registrar.post("/reg", client).await.expect(201);
        let text = |name: &str| made[name].as_str().unwrap().to_owned();
        (text("client_id"), text("client_secret"))
    }

    /// The clients that it knows, as it keeps them.
    pub fn clients(&self) -> Vec<Value> {
        self.rows("Client/").into_iter().map(|(_, client)| client).collect()
    }

    /// The tokens with which its clients are changed.
    pub fn registration_tokens(&self) -> Vec<String> {
        self.rows("RegistrationAccessToken/").into_iter().map(|(token, _)| token).collect()
    }

    /// What it gave for the codes of people: objects of `code_verifier`, `access_token` and `id_token`.
    pub fn exchanges(&self) -> Vec<Value> {
        self.state()["exchanges"].as_array().cloned().unwrap_or_default()
    }

    /// What it keeps of one kind, by id.
    fn rows(&self, kind: &str) -> Vec<(String, Value)> {
        let state = self.state();
        let rows = state["rows"].as_object().unwrap().iter();
        rows.filter_map(|(place, row)| Some((place.strip_prefix(kind)?.to_owned(), row.clone()))).collect()
    }

    fn state(&self) -> Value {
        serde_json::from_str(&std::fs::read_to_string(self.file()).unwrap()).unwrap()
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("provider.json")
    }
}

impl Drop for OauthProvider {
    fn drop(&mut self) {
        self.stop();
    }
}
