//! A Developer Portal site on a database of its own, seeded through the use cases, and browsers that visit it.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::sync::Arc;

use axum::{
    Router,
    body::Body,
    http::{HeaderMap, Request, StatusCode, header},
};
use forecourt_app::{App, Config as AppConfig, portals, products, services, sign_in_options};
use forecourt_core::{
    actors::{Caller, Source},
    gateway_state::{BasicAuthMethod, KeyAuthMethod},
    ids::{GatewayGroupId, PortalId, ProductId, ServiceId},
    portals::{Portal, PortalInput},
    products::{LinkedService, ProductAuth, ProductStatus, ProductType, Visibility, changes::ProductInput},
    services::ServiceInput,
    sign_in_options::{GivenConfig, SignInOptionInput},
    time::Timestamp,
};
use forecourt_store::{Location, Store};
use http_body_util::BodyExt;
use tower::ServiceExt;

pub const PASSWORD: &str = "correct horse battery";

/// Where the site believes its gateway to be.
pub const GATEWAY: &str = "http://gateway.test:9080";

pub struct Site {
    pub app: App,
    pub router: Router,
    pub portal: Portal,
    /// Goes when the site goes.
    _folder: tempfile::TempDir,
}

/// What a product is seeded with.
pub struct Product<'a> {
    pub name: &'a str,
    pub desc: &'a str,
    pub labels: &'a [(&'a str, &'a str)],
    pub prefix: &'a str,
    pub hosts: &'a [&'a str],
    pub document: &'a str,
    pub visibility: Visibility,
    pub auto_approval: bool,
    pub shown_to_all: bool,
}

pub const PAYMENTS: Product<'static> = Product {
    name: "Payments",
    desc: "Take payments.",
    labels: &[("domain", "payments")],
    prefix: "/payments",
    hosts: &[],
    document: r#"{"openapi":"3.1.0","info":{"title":"Payments API","version":"2.4"},"paths":{"/v2/payments/{id}":{"get":{"tags":["Payments"]}},"/v2/payments":{"post":{"summary":"Create a payment"},"get":{"summary":"List payments"}}}}"#,
    visibility: Visibility::Public,
    auto_approval: true,
    shown_to_all: true,
};

impl Site {
    pub async fn open() -> Self {
        let now = Timestamp::from_seconds(1_786_060_800);
        Self::open_at(Arc::new(move || now), GATEWAY).await
    }

    pub async fn open_at(clock: forecourt_app::Clock, gateway: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&Location::Sqlite(folder.path().join("forecourt.db"))).await.unwrap();
        let app = App::open(store, &AppConfig::default(), clock).await.unwrap();
        let context = forecourt_http::Context::new(app.clone(), forecourt_http::Config::default());
        let config =
            forecourt_web::Config { gateway_url: gateway.to_owned(), ..forecourt_web::Config::default() };
        let router = forecourt_web::developer::router(context, config);
        let portal = portals::portal_for_host(&app, "").await.unwrap();
        Self { app, router, portal, _folder: folder }
    }

    pub fn administrator(&self) -> Caller {
        Caller::system(Source::CommandLine, self.app.new_request_id())
    }

    /// Another portal, whose site answers `host`.
    pub async fn portal(&self, name: &str, host: &str) -> Portal {
        let input = PortalInput {
            name: Some(name.to_owned()),
            domain: Some(host.to_owned()),
            ..PortalInput::default()
        };
        portals::create(&self.app, &self.administrator(), input).await.unwrap()
    }

    /// Sets how people register in `portal`.
    pub async fn registration(&self, portal: &PortalId, open: bool, auto_approval: bool) {
        let administrator = self.administrator();
        let option = sign_in_options::of_portal(&self.app, &administrator, portal).await.unwrap();
        let members = serde_json::json!({
            "enable_self_registration": open, "registration_auto_approval": auto_approval,
        });
        let config = members.as_object().cloned().map(|members| GivenConfig { members, whole: false });
        let input = SignInOptionInput { config, ..SignInOptionInput::default() };
        sign_in_options::update(&self.app, &administrator, &option.id, input).await.unwrap();
    }

    pub async fn close_to_guests(&self) {
        portals::set_public_access(&self.app, &self.administrator(), &self.portal.id, false).await.unwrap();
    }

    /// A published gateway product in the portal that is there from the start.
    pub async fn product(&self, product: &Product<'_>) -> ProductId {
        let administrator = self.administrator();
        let group = GatewayGroupId::known("default");
        let service = ServiceId::parse(&format!("svc-{}", product.prefix.trim_matches('/'))).unwrap();
        let input = ServiceInput {
            name: Some(product.name.to_owned()),
            path_prefix: Some(product.prefix.to_owned()),
            hosts: Some(product.hosts.iter().map(|host| (*host).to_owned()).collect()),
            ..ServiceInput::default()
        };
        services::put(&self.app, &administrator, service.clone(), Some(group.clone()), input).await.unwrap();
        if !product.document.is_empty() {
            services::replace_document(&self.app, &administrator, &service, Some(&group), product.document)
                .await
                .unwrap();
        }
        let link = LinkedService { gateway_group_id: group, service_id: service, linked_hosts: Vec::new() };
        let key =
            KeyAuthMethod { header: "apikey".to_owned(), query: "apikey".to_owned(), hide_credentials: true };
        let labels = product.labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        let input = ProductInput {
            product_type: Some(ProductType::Gateway),
            name: Some(product.name.to_owned()),
            desc: Some(product.desc.to_owned()),
            labels: Some(labels.collect()),
            status: Some(ProductStatus::Published),
            visibility: Some(product.visibility),
            auth: Some(ProductAuth {
                key_auth: Some(key),
                basic_auth: Some(BasicAuthMethod { hide_credentials: true }),
                jwt_auth: None,
                dcr: None,
            }),
            subscription_auto_approval: Some(product.auto_approval),
            can_view_unsubscribed: Some(product.shown_to_all),
            services: Some(vec![link]),
            ..ProductInput::default()
        };
        products::create(&self.app, &administrator, &self.portal.id, input).await.unwrap().product.id
    }

    pub fn browser(&self) -> Browser {
        self.browser_at("portal.test")
    }

    pub fn browser_at(&self, host: &str) -> Browser {
        Browser { router: self.router.clone(), host: host.to_owned(), cookies: Vec::new() }
    }

    /// A browser whose person has registered and is active.
    pub async fn member(&self, name: &str) -> Browser {
        self.registration(&self.portal.id, true, true).await;
        let mut browser = self.browser();
        assert_eq!(browser.register(name).await.status, StatusCode::SEE_OTHER);
        browser
    }
}

/// A browser: it keeps cookies and follows nothing by itself.
#[derive(Clone)]
pub struct Browser {
    router: Router,
    host: String,
    pub cookies: Vec<(String, String)>,
}

pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
}

impl Answer {
    pub fn location(&self) -> &str {
        self.headers[header::LOCATION].to_str().unwrap()
    }

    /// The token of the page's forms.
    pub fn csrf(&self) -> &str {
        let (_, rest) = self.text.split_once(r#"name="csrf" value=""#).unwrap();
        rest.split('"').next().unwrap()
    }

    pub fn holds(&self, text: &str) -> bool {
        self.text.contains(text)
    }
}

impl Browser {
    pub async fn register(&mut self, name: &str) -> Answer {
        let email = format!("{}@example.com", name.to_lowercase());
        self.submit("/sign-up", &[("name", name), ("email", &email), ("password", PASSWORD)]).await
    }

    pub async fn get(&mut self, path: &str) -> Answer {
        self.send(Request::get(path), String::new()).await
    }

    /// Opens the form at `path` and sends it with `fields`.
    pub async fn submit(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        self.submit_from(path, path, fields).await
    }

    /// Opens the page at `path` and sends a form of it to `action`.
    pub async fn submit_from(&mut self, path: &str, action: &str, fields: &[(&str, &str)]) -> Answer {
        let page = self.get(path).await;
        assert_eq!(page.status, StatusCode::OK, "{path}: {}", page.text);
        let token = page.csrf().to_owned();
        let fields: Vec<_> = [("csrf", token.as_str())].iter().chain(fields).copied().collect();
        self.post(action, &fields).await
    }

    pub async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let pair = |(name, value): &(&str, &str)| {
            let encode =
                |text| percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC);
            format!("{}={}", encode(name), encode(value))
        };
        let body = fields.iter().map(pair).collect::<Vec<_>>().join("&");
        let request = Request::post(path).header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        self.send(request, body).await
    }

    /// Posts a form with this header.
    pub async fn post_with(&mut self, path: &str, field: (&str, &str), token: &str) -> Answer {
        let request = Request::post(path).header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        self.send(request.header(field.0, field.1), format!("csrf={token}")).await
    }

    async fn send(&mut self, request: axum::http::request::Builder, body: String) -> Answer {
        let mut request = request.header(header::HOST, &self.host);
        for (name, value) in &self.cookies {
            request = request.header(header::COOKIE, format!("{name}={value}"));
        }
        let response = self.router.clone().oneshot(request.body(Body::from(body)).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        for line in parts.headers.get_all(header::SET_COOKIE) {
            let pair = line.to_str().unwrap().split(';').next().unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            self.cookies.retain(|(own, _)| own != name);
            if !value.is_empty() {
                self.cookies.push((name.to_owned(), value.to_owned()));
            }
        }
        let text = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
        // The engine escapes slashes as well; undone, so that the tests read as a browser does.
        Answer { status: parts.status, headers: parts.headers, text: text.replace("&#x2f;", "/") }
    }
}
