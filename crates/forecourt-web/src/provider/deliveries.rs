//! Deliveries: what was sent to whom, one with every attempt, and sending them again.

use serde::Serialize;

use crate::{
    developer::products::Choice,
    display::{Status, When},
    forms::Form,
    links::provider,
    lists::{Chip, Paging},
    samples::{Sample, ago, id},
    templates::View,
};

/// `GET /settings/deliveries`, with the query `state`, `contact_point` and `page`. `GET /settings/deliveries/resend` takes
/// `state`, `contact_point`, `start_at` and `end_at`, and asks; `POST` with the same query answers with a redirect to the
/// list.
#[derive(Clone, Debug, Serialize)]
pub struct DeliveryList {
    /// Filters by how far they are.
    pub states: Vec<Chip>,
    /// The deliveries of this page, the newest first.
    pub deliveries: Vec<DeliveryRow>,
    /// The paging.
    pub paging: Paging,
    /// Whether a filter narrows the list.
    pub filtered: bool,
    /// Sending those of a state again together; `None`: those shown cannot be.
    pub resend: Option<ResendForm>,
}

/// The form that asks for deliveries of a time.
#[derive(Clone, Debug, Serialize)]
pub struct ResendForm {
    /// How far they are.
    pub state: &'static str,
    /// The contact points to choose from.
    pub contact_points: Vec<Choice>,
    /// `contact_point`, `start_at` and `end_at`, the times in UTC and to the minute.
    pub form: Form,
}

/// One delivery.
#[derive(Clone, Debug, Serialize)]
pub struct DeliveryRow {
    /// Its id.
    pub id: String,
    /// What it tells of.
    pub event: &'static str,
    /// How far it is.
    pub status: Status,
    /// The contact point's name; `None`: the developer.
    pub contact_point: Option<String>,
    /// `email` or `webhook`.
    pub kind: &'static str,
    /// The mail address; empty for a webhook.
    pub address: String,
    /// How often it was tried.
    pub attempts: i64,
    /// What the last attempt met, or why there was none; empty: nothing is wrong.
    pub last_error: String,
    /// When it is tried next.
    pub next_attempt_at: Option<When>,
    /// When it was made.
    pub created_at: When,
}

/// `GET /settings/deliveries/{delivery}`. `POST /settings/deliveries/{delivery}/resend` answers with a redirect to it.
#[derive(Clone, Debug, Serialize)]
pub struct DeliveryPage {
    /// The delivery.
    pub delivery: DeliveryRow,
    /// The subject of a mail; empty for a webhook.
    pub subject: String,
    /// The text of a mail without its link, or the body of a call.
    pub content: String,
    /// Every attempt, the first one first.
    pub attempts: Vec<AttemptRow>,
    /// Whether it ended, so that it can be sent again.
    pub ended: bool,
    /// What was wrong with sending it again.
    pub form: Form,
}

/// One attempt.
#[derive(Clone, Debug, Serialize)]
pub struct AttemptRow {
    /// Which, from 1.
    pub number: i64,
    /// When it began.
    pub at: When,
    /// How long it took, milliseconds.
    pub millis: i64,
    /// The status of the answer.
    pub status: Option<u16>,
    /// What went wrong; empty: it was taken.
    pub error: String,
}

fn sample_row(number: u32, status: Status, error: &str) -> DeliveryRow {
    DeliveryRow {
        id: id("dlv", number),
        event: "subscription_approval_created",
        status,
        contact_point: Some("Partner chat".to_owned()),
        kind: "webhook",
        address: String::new(),
        attempts: 3,
        last_error: error.to_owned(),
        next_attempt_at: None,
        created_at: ago(4_000),
    }
}

fn sample_resend(start_at: &str, end_at: &str) -> ResendForm {
    ResendForm {
        state: "dead",
        contact_points: vec![
            Choice::new(id("ctp", 1), "Partner chat"),
            Choice::new(id("ctp", 2), "Operations of the north-western region"),
        ],
        form: Form::new()
            .with("contact_point", id("ctp", 1))
            .with("start_at", start_at)
            .with("end_at", end_at),
    }
}

impl View for DeliveryList {
    const TEMPLATE: &'static str = "provider/deliveries/list.html";

    fn samples() -> Vec<Sample<Self>> {
        let list = provider::deliveries();
        let chip = |text: &str, state: &str, selected| {
            Chip::new(text, list.with_query(&[("state", state)]), selected)
        };
        let page = |n: u64| provider::deliveries().with_query(&[("page", &n.to_string())]);
        let to_developer = DeliveryRow {
            event: "subscription_approval_accepted",
            contact_point: None,
            kind: "email",
            address: "ada@analytical.example".to_owned(),
            ..sample_row(1, Status::Delivered, "")
        };
        let waiting = DeliveryRow {
            next_attempt_at: Some(ago(-40)),
            ..sample_row(2, Status::Waiting, "the webhook answered 503 Service Unavailable")
        };
        let off = DeliveryRow {
            kind: "email",
            address: "ops@nordwind.example".to_owned(),
            attempts: 0,
            ..sample_row(3, Status::Skipped, "no mail is sent: the SMTP server is not enabled")
        };
        let dead = sample_row(4, Status::GivenUp, "the webhook answered 500 Internal Server Error");
        let states = vec![chip("All", "", true), chip("Given up", "dead", false)];
        let full = Self {
            states: states.clone(),
            deliveries: vec![to_developer, waiting, off, dead.clone()],
            paging: Paging::new(1, 20, 4, page),
            filtered: false,
            resend: None,
        };
        let given_up = Self {
            states: vec![chip("All", "", false), chip("Given up", "dead", true)],
            deliveries: vec![dead],
            paging: Paging::new(1, 20, 1, page),
            filtered: true,
            resend: Some(sample_resend("2026-08-06T00:00", "2026-08-07T00:01")),
        };
        let typed = sample_resend("2026-08-06T00:00", "2026-08-05T00:00");
        let form = typed.form.clone().refused("end_at", "This must be later than the beginning.");
        let refused = Self { resend: Some(ResendForm { form, ..typed }), ..given_up.clone() };
        let empty = Self { deliveries: Vec::new(), paging: Paging::new(1, 20, 0, page), ..full.clone() };
        let none = Self { filtered: true, ..empty.clone() };
        vec![
            Sample::provider("full", full),
            Sample::provider("given_up", given_up.clone()),
            Sample::provider("reading", given_up).reading(),
            Sample::provider("resend_refused", refused),
            Sample::provider("empty", empty),
            Sample::provider("none", none),
        ]
    }
}

impl View for DeliveryPage {
    const TEMPLATE: &'static str = "provider/deliveries/page.html";

    fn samples() -> Vec<Sample<Self>> {
        let attempt = |number, status, error: &str| AttemptRow {
            number,
            at: ago(4_000 - number * 60),
            millis: 120,
            status,
            error: error.to_owned(),
        };
        let refused = "the webhook answered 500 Internal Server Error";
        let dead = Self {
            delivery: sample_row(4, Status::GivenUp, refused),
            subject: String::new(),
            content:
                "{\"event\":\"subscription_approval_created\",\"applicant\":\"<script>alert(1)</script>\"}"
                    .to_owned(),
            attempts: vec![
                attempt(1, Some(500), refused),
                attempt(2, None, "no whole answer within 20 s"),
                attempt(3, Some(500), refused),
            ],
            ended: true,
            form: Form::new(),
        };
        let mail = Self {
            delivery: DeliveryRow {
                kind: "email",
                address: "ops@nordwind.example".to_owned(),
                next_attempt_at: Some(ago(-40)),
                ..sample_row(2, Status::Waiting, "")
            },
            subject: "Ada Lovelace asks for a subscription to Orders".to_owned(),
            content: "Ada Lovelace asks for a subscription to Orders. It waits for an approval.\n".to_owned(),
            attempts: Vec::new(),
            ended: false,
            form: Form::new(),
        };
        let late = Self { form: Form::new().failed("The delivery still waits."), ..dead.clone() };
        vec![
            Sample::provider("given_up", dead.clone()),
            Sample::provider("reading", dead).reading(),
            Sample::provider("waiting", mail),
            Sample::provider("refused", late),
        ]
    }
}
