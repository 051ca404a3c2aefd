//! The sample upstream: a small shop behind the gateway, in this process, on a port of loopback.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::{
    Json, Router,
    extract::{Path, Query, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::get,
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::listeners::{Listener, Serving};

/// Articles: stock keeping unit, name, price in cents, stock.
const ARTICLES: [(&str, &str, u32, u32); 4] = [
    ("mug-blue", "Mug, blue", 950, 120),
    ("mug-white", "Mug, white", 890, 80),
    ("notebook-a5", "Notebook, A5, dotted", 1290, 42),
    ("pen-black", "Pen, black", 240, 700),
];

/// A running upstream.
#[derive(Debug)]
pub struct Upstream {
    /// Where it listens.
    pub address: SocketAddr,
    serving: Serving,
}

/// The orders by number.
type Orders = Arc<Mutex<BTreeMap<u32, Value>>>;

#[derive(Deserialize)]
struct OrdersWanted {
    status: Option<String>,
}

/// The port that the README's walk-through names.
const PORT: u16 = 9180;

/// Starts it on port 9180, or on a free one where that is taken.
///
/// # Errors
/// When no port of loopback is free.
pub fn start() -> std::io::Result<Upstream> {
    let listener = Listener::bind(&format!("127.0.0.1:{PORT}")).or_else(|_| Listener::bind("127.0.0.1:0"))?;
    let address = listener.address();
    // Jobs of its own, of which nobody is told: health is not about samples.
    let serving = listener.serve(router(), None, &Arc::default(), |jobs| &jobs.site_listener);
    Ok(Upstream { address, serving })
}

impl Upstream {
    /// Ends it.
    pub async fn stop(self) {
        self.serving.stop().await;
    }
}

fn router() -> Router {
    let first = json!({ "id": 1001, "sku": "mug-blue", "quantity": 2, "status": "open" });
    let orders = Orders::new(Mutex::new(BTreeMap::from([(1001, first)])));
    Router::new()
        .route("/articles", get(|| async { Json(ARTICLES.map(article)) }))
        .route("/articles/{sku}", get(show_article))
        .route("/orders", get(list_orders).post(place_order))
        .route("/orders/{id}", get(show_order).delete(cancel_order))
        .fallback(|| async { problem(StatusCode::NOT_FOUND, "there is nothing at this path") })
        .with_state(orders)
}

fn article((sku, name, price_cents, in_stock): (&str, &str, u32, u32)) -> Value {
    json!({ "sku": sku, "name": name, "price_cents": price_cents, "in_stock": in_stock })
}

async fn show_article(Path(sku): Path<String>) -> Response {
    match ARTICLES.into_iter().find(|(own, ..)| *own == sku) {
        Some(found) => Json(article(found)).into_response(),
        None => problem(StatusCode::NOT_FOUND, "no such article; GET /articles lists them"),
    }
}

async fn list_orders(State(orders): State<Orders>, Query(wanted): Query<OrdersWanted>) -> Response {
    let orders = lock(&orders);
    let fits = |order: &&Value| wanted.status.as_deref().is_none_or(|status| order["status"] == status);
    Json(orders.values().rev().filter(fits).cloned().collect::<Vec<_>>()).into_response()
}

async fn place_order(State(orders): State<Orders>, body: String) -> Response {
    let given: Value = serde_json::from_str(&body).unwrap_or_default();
    let sku =
        given.get("sku").and_then(Value::as_str).filter(|sku| ARTICLES.iter().any(|(own, ..)| own == sku));
    let quantity =
        given.get("quantity").and_then(Value::as_u64).filter(|quantity| (1..=100).contains(quantity));
    let (Some(sku), Some(quantity)) = (sku, quantity) else {
        let wanted =
            "sku must be an article's and quantity 1 to 100, such as {\"sku\":\"mug-blue\",\"quantity\":2}";
        return problem(StatusCode::BAD_REQUEST, wanted);
    };
    let mut orders = lock(&orders);
    let id = orders.keys().next_back().map_or(1001, |last| last + 1);
    let order = json!({ "id": id, "sku": sku, "quantity": quantity, "status": "open" });
    orders.insert(id, order.clone());
    (StatusCode::CREATED, Json(order)).into_response()
}

async fn show_order(State(orders): State<Orders>, Path(id): Path<u32>) -> Response {
    match lock(&orders).get(&id) {
        Some(order) => Json(order.clone()).into_response(),
        None => problem(StatusCode::NOT_FOUND, "no such order"),
    }
}

async fn cancel_order(State(orders): State<Orders>, Path(id): Path<u32>) -> Response {
    match lock(&orders).get_mut(&id) {
        Some(order) => {
            if let Some(members) = order.as_object_mut() {
                members.insert("status".into(), "cancelled".into());
            }
            Json(order.clone()).into_response()
        }
        None => problem(StatusCode::NOT_FOUND, "no such order"),
    }
}

fn lock(orders: &Orders) -> MutexGuard<'_, BTreeMap<u32, Value>> {
    orders.lock().unwrap_or_else(PoisonError::into_inner)
}

fn problem(status: StatusCode, message: &str) -> Response {
    (status, Json(json!({ "message": message }))).into_response()
}
