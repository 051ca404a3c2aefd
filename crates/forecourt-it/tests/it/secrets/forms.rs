//! Secrets that are typed into forms of the console and the site, and those that their pages show once.
//!
//! Each form is sent twice where it can be refused: a page that says what was wrong repeats no secret.

use forecourt_it::{Browser, Client, MailTrouble, Page, PageForm, installations::text};
use serde_json::json;

use super::{
    installations::{Installation, MARK},
    places::Findings,
    planting::{KEY_OF_CONSUMER, PASSWORD_OF_CONSUMER, TOKEN_SECRET_OF_CONSUMER, pair},
    searches::Secrets,
};

/// Nobody expects it there, so it is shown again to whoever typed it, and to nobody else.
const MISPLACED: &str = "secret among plugins";

/// A site in the browser of somebody who is signed in there, with the token of its forms.
struct Site<'a> {
    browser: &'a Browser,
    base: String,
    csrf: String,
}

impl<'a> Site<'a> {
    /// `path` is of any page with a form.
    async fn open(secrets: &mut Secrets, browser: &'a Browser, base: &str, path: &str) -> Self {
        let form = PageForm::on(&browser.opens(&format!("{base}{path}")).await);
        let csrf = form.field("csrf").to_owned();
        secrets.keep("csrf token", &csrf);
        Self { browser, base: base.to_owned(), csrf }
    }

    async fn posted(&self, path: &str, fields: &[(&str, &str)]) -> Page {
        let fields = [[("csrf", self.csrf.as_str())].as_slice(), fields].concat();
        self.browser.posts(&format!("{}{path}", self.base), &fields).await
    }

    /// Posts what is refused: the page repeats nothing but `shown`.
    async fn refused(
        &self,
        path: &str,
        fields: &[(&str, &str)],
        secrets: &Secrets,
        findings: &mut Findings,
        shown: &[&str],
    ) {
        let page = self.posted(path, fields).await;
        assert_eq!(page.status, 422, "{path}: {}", page.text);
        let except = [["csrf token"].as_slice(), shown].concat();
        findings.look(secrets, &format!("refusal of {path}"), page.text.as_bytes(), "<form", &except);
    }

    async fn saved(&self, path: &str, fields: &[(&str, &str)]) -> Page {
        let page = self.posted(path, fields).await;
        assert_eq!(page.status, 303, "{path}: {}", page.text);
        page
    }

    /// Posts what is answered with a fresh secret, and keeps that: the last one of the page.
    async fn issued(
        &self,
        path: &str,
        fields: &[(&str, &str)],
        secrets: &mut Secrets,
        findings: &mut Findings,
        kind: &'static str,
    ) -> String {
        let page = self.posted(path, fields).await;
        assert_eq!(page.status, 200, "{path}: {}", page.text);
        let place = format!("page with a fresh secret at {path}");
        findings.look(secrets, &place, page.text.as_bytes(), "<secret-panel", &["csrf token"]);
        let (_, panel) = page.text.split_once("<secret-panel").unwrap();
        let (_, lines) = panel.split_once("env=\"").unwrap();
        let (lines, _) = lines.split_once('"').unwrap();
        let (_, secret) = lines.trim().lines().next_back().unwrap().split_once('=').unwrap();
        // The rest of an instance token names the authority, which is no secret.
        let secret = secret.split_once('.').map_or(secret, |(secret, _)| secret);
        secrets.keep(kind, secret);
        secret.to_owned()
    }
}

/// The forms of the console, in the browser of the first administrator.
pub(super) async fn of_the_console(
    it: &mut Installation,
    admin: &Client,
    browser: &Browser,
    findings: &mut Findings,
) {
    let base = it.client("admin").base().to_owned();
    let console = Site::open(&mut it.secrets, browser, &base, "/settings/mail").await;
    mail(it, &console, findings).await;
    sign_in_options(it, &console, findings).await;
    providers(it, &console, findings).await;
    gateway_group(it, &console, findings).await;
    passwords(it, &console, findings).await;
    fresh(it, admin, &console, findings).await;
}

async fn mail(it: &mut Installation, console: &Site<'_>, findings: &mut Findings) {
    let (address, password) = (it.mails.address(), it.secrets.given("password of a mail server, typed"));
    let fields = |sender: &'static str| {
        [
            ("enable", "true"),
            ("address", address.as_str()),
            ("username", "mailer"),
            ("password", password.as_str()),
            ("sender_name", MARK),
            ("sender_address", sender),
        ]
    };
    let path = "/settings/mail";
    console.refused(path, &fields("nobody"), &it.secrets, findings, &[]).await;
    console.saved(path, &fields("apis@nordwind.example")).await;
    it.mails.has(MailTrouble::QuotesSignIns);
    let tried = console.saved("/settings/mail/test", &[("to", "me@example.com")]).await;
    it.mails.has(MailTrouble::None);
    // What the server said waits in a cookie for the page that shows it.
    let told = format!("{:?}", tried.headers);
    findings.look(&it.secrets, "trial of a mail server", told.as_bytes(), "set-cookie", &[]);
    let shown = console.browser.opens(&format!("{}{path}", console.base)).await;
    findings.look(&it.secrets, "trial as it is told", shown.text.as_bytes(), "535", &["csrf token"]);
}

async fn sign_in_options(it: &mut Installation, console: &Site<'_>, findings: &mut Findings) {
    let (ours, directory) = (pair("saml.example"), pair("ldap.example"));
    let secrets = &mut it.secrets;
    let client_secret = secrets.given("OidcLogin.client_secret");
    let private_key = secrets.key("SamlLogin.private_key", &ours.signing_key);
    let bind_password = secrets.given("LdapLogin.bind_password");
    let client_key = secrets.key("LdapLogin.client_key", &directory.signing_key);
    let (certificate, client_cert) = (ours.cert.pem(), directory.cert.pem());
    let oidc =
        [("client_id", "forecourt"), ("client_secret", &client_secret), ("request_scopes", "openid email")];
    let saml = [
        ("sp_root_url", "https://admin.example.com"),
        ("certificate", &certificate),
        ("private_key", &private_key),
        ("sign_request", "true"),
    ];
    let ldap = [
        ("host", "127.0.0.1"),
        ("base_dn", "dc=example"),
        ("bind_dn", "cn=admin"),
        ("bind_password", &bind_password),
        ("identifier", "uid"),
        ("timeout", "1"),
        ("client_cert", &client_cert),
        ("client_key", &client_key),
    ];
    for (kind, fields, member, right, wrong) in [
        ("oidc", oidc.as_slice(), "issuer", "https://id.example.com", "nowhere"),
        ("saml", &saml, "idp_metadata_url", "https://id.example.com/metadata", "nowhere"),
        ("ldap", &ldap, "port", "1", "none"),
    ] {
        let (path, name) = (format!("/settings/sign-in/new?kind={kind}"), format!("{MARK} typed {kind}"));
        let named = [("name", name.as_str()), ("enabled", "true")];
        let whole = |value| [named.as_slice(), fields, &[(member, value)]].concat();
        console.refused(&path, &whole(wrong), &it.secrets, findings, &[]).await;
        console.saved(&path, &whole(right)).await;
    }
}

/// Identity providers whose clients we register, with the headers that they are called with.
async fn providers(it: &mut Installation, console: &Site<'_>, findings: &mut Findings) {
    let secrets = &mut it.secrets;
    let (token, key, bare) = (
        secrets.plain("token for a provider, typed"),
        secrets.given("header of a provider, typed"),
        secrets.given("line of headers that is none"),
    );
    let headers = format!("Authorization: Bearer {token}\nX-Tenant-Key: {key}\n");
    let path = "/gateway/oauth-providers/new";
    let name = format!("{MARK} typed");
    let fields = |issuer: &'static str, headers| {
        [("name", name.as_str()), ("provider_type", "oidc"), ("issuer", issuer), ("headers", headers)]
    };
    console.refused(path, &fields("nowhere", &headers), &it.secrets, findings, &[]).await;
    let broken = format!("{headers}{bare}\n");
    console.refused(path, &fields("https://id.example.com", &broken), &it.secrets, findings, &[]).await;
    console.saved(path, &fields("https://id.example.com", &headers)).await;
}

/// Certificates, consumers, and plugins with what does not belong there.
async fn gateway_group(it: &mut Installation, console: &Site<'_>, findings: &mut Findings) {
    let group = "/gateway/groups/default";
    let (own, other) = (pair("typed.example"), pair("other.example"));
    let secrets = &mut it.secrets;
    let (certificate, key) = (own.cert.pem(), secrets.key("CertificateInput.key", &own.signing_key));
    let wrong = secrets.key("CertificateInput.key", &other.signing_key);
    let fields = |key| {
        let names = [("type", "server"), ("snis", "typed.example"), ("enabled", "true")];
        [names.as_slice(), &[("cert", certificate.as_str()), ("secret", key)]].concat()
    };
    let path = format!("{group}/certificates/new");
    console.refused(&path, &fields(&wrong), &it.secrets, findings, &[]).await;
    console.saved(&path, &fields(&key)).await;

    let path = format!("{group}/consumers/batch/credentials/new");
    for (plugin, kind, names, member) in [
        ("key-auth", KEY_OF_CONSUMER, None, "secret"),
        ("basic-auth", PASSWORD_OF_CONSUMER, Some(("username", "typed")), "secret"),
        ("jwt-auth", TOKEN_SECRET_OF_CONSUMER, Some(("key", "typed")), "secret"),
    ] {
        let secret = it.secrets.given(kind);
        let fields = [("kind", plugin), ("name", plugin), (member, secret.as_str())];
        if let Some(names) = names {
            console.refused(&path, &fields, &it.secrets, findings, &[]).await;
            console.saved(&path, &[fields.as_slice(), &[names]].concat()).await;
        } else {
            console.saved(&path, &fields).await;
        }
    }

    let path = format!("{group}/services/key-auth/plugins");
    let whole = json!({ "key-auth": { "key": it.secrets.given(MISPLACED) } }).to_string();
    for typed in [whole.as_str(), &whole[..whole.len() - 1]] {
        console.refused(&path, &[("plugins", typed)], &it.secrets, findings, &[MISPLACED]).await;
    }
}

/// Passwords of the administrator's own, which are refused.
async fn passwords(it: &mut Installation, console: &Site<'_>, findings: &mut Findings) {
    let mut typed = || it.secrets.given("password typed in the console");
    let (current, new, again) = (typed(), typed(), typed());
    for again in [&again, &new] {
        let fields = [("current", current.as_str()), ("password", &new), ("again", again)];
        console.refused("/settings/password", &fields, &it.secrets, findings, &[]).await;
    }
    let page = Browser::new();
    let form = PageForm::on(&page.opens(&format!("{}/sign-in", console.base)).await);
    it.secrets.keep("csrf token", form.field("csrf"));
    let refused = page.posts_form(&form.with("username", "admin").with("password", &current)).await;
    assert_eq!(refused.status, 422);
    findings.look(&it.secrets, "refused sign-in", refused.text.as_bytes(), "<form", &["csrf token"]);
}

/// What the console makes and shows once.
async fn fresh(it: &mut Installation, admin: &Client, console: &Site<'_>, findings: &mut Findings) {
    let portal = text(&admin.get("/api/portals").await.expect(200)["list"][0]["id"]);
    let hook = it.hook.url();
    let (admins, people) = ("/settings/administrators", format!("/portals/{portal}/developers"));
    let contact = [("name", "typed-hook"), ("type", "webhook"), ("url", &hook)];
    let secrets = &mut it.secrets;
    for (path, fields, kind) in [
        ("/settings/contact-points/new", contact.as_slice(), "ContactPoint.signing_secret"),
        (
            "/gateway/tokens/new",
            &[("group", "default")],
            "POST /api/gateway_groups/{id}/instance_token.value.token_plain_text",
        ),
        (
            &format!("/portals/{portal}/tokens/new"),
            &[("name", "typed-token"), ("days", "30")],
            "PortalToken.token",
        ),
        ("/settings/scim/token", &[], "PUT /api/system_settings/scim/token.value.token"),
        (&format!("{admins}/invite"), &[("username", "typed-admin")], "one-time password"),
        (&format!("{people}/invite"), &[("username", "typed-developer")], "one-time password"),
    ] {
        console.issued(path, fields, secrets, findings, kind).await;
    }
    for (list, name, path) in [
        ("/api/users?page_size=100".to_owned(), "typed-admin", admins),
        (format!("/api/developers?portal_id={portal}&page_size=100"), "typed-developer", people.as_str()),
    ] {
        let rows = admin.get(&list).await.expect(200);
        let row = rows["list"].as_array().unwrap().iter().find(|row| row["username"] == name);
        let reset = format!("{path}/{}/password", text(&row.expect("they were invited")["id"]));
        console.issued(&reset, &[], secrets, findings, "one-time password").await;
    }
}

/// Forms of the site, in the browser of a developer: credentials that are made and refused, and a wrong password.
pub(super) async fn of_the_site(it: &mut Installation, browser: &Browser, findings: &mut Findings) {
    let base = it.client("site").base().to_owned();
    let site = Site::open(&mut it.secrets, browser, &base, "/applications/new").await;
    let made = site.saved("/applications/new", &[("name", "typed-application")]).await;
    let path = format!("{}/credentials/new", made.next().expect("it leads to the application").path());
    let kinds = [("key_auth", "Credential.key-auth.key"), ("jwt_auth", "Credential.jwt-auth.secret")];
    for (auth, kind) in kinds {
        let fields = [("kind", auth), ("name", auth)];
        site.issued(&path, &fields, &mut it.secrets, findings, kind).await;
    }
    let typed = it.secrets.given("password of a credential, typed");
    let basic = [("kind", "basic_auth"), ("name", "basic_auth"), ("password", typed.as_str())];
    site.refused(&path, &basic, &it.secrets, findings, &[]).await;
    let shown = site.posted(&path, &[basic.as_slice(), &[("username", "typed")]].concat()).await;
    assert_eq!(shown.status, 200, "{}", shown.text);

    let (current, new) =
        (it.secrets.given("password typed at the site"), it.secrets.given("password typed at the site"));
    let fields = [("current", current.as_str()), ("password", &new), ("again", &new)];
    site.refused("/account/password", &fields, &it.secrets, findings, &[]).await;
}
