//! Product cards, and the page of one product: what it is, how to get in, what it can do.
//!
//! The operation list is rendered here on the server from the linked documents: it is the accessible way to
//! read a reference, and what a reader without script has.

use serde::Serialize;

use crate::{
    display::{Label, Reference, Status},
    forms::Form,
    links::{Link, developer},
    lists::Paging,
    plans::{PlanShown, sample_plans},
    samples::{Sample, id},
    templates::View,
};

/// A product in a grid.
#[derive(Clone, Debug, Serialize)]
pub struct ProductCard {
    /// Its name.
    pub name: String,
    /// Its description; may be empty.
    pub description: String,
    /// Its kind.
    pub kind: ProductKind,
    /// Its labels.
    pub labels: Vec<Label>,
    /// How callers prove themselves; empty where nobody has to.
    pub authentication: Vec<AuthKind>,
    /// How many operations its documents have.
    pub operations: u64,
    /// The viewer's strongest subscription.
    pub subscription: Option<Status>,
    /// Its page.
    pub href: Link,
}

/// Whether a product runs through our gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ProductKind {
    /// Through the gateway.
    Gateway,
    /// Elsewhere; documented only.
    External,
}

/// A way to prove oneself; texts are `auth.KIND.*` in the catalogue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AuthKind {
    /// An API key.
    KeyAuth,
    /// Username and password.
    BasicAuth,
    /// OAuth by dynamic client registration.
    Oauth,
    /// Signed tokens.
    JwtAuth,
}

/// `GET /products/{product}`.
#[derive(Clone, Debug, Serialize)]
pub struct ProductPage {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its description; may be empty.
    pub description: String,
    /// Its kind.
    pub kind: ProductKind,
    /// Its labels.
    pub labels: Vec<Label>,
    /// The base URLs that callers use.
    pub servers: Vec<String>,
    /// How callers prove themselves.
    pub authentication: Vec<AuthMethod>,
    /// Its plans, the oldest first.
    pub plans: Vec<PlanShown>,
    /// What the viewer can do about access.
    pub access: Access,
    /// The viewer's subscriptions to it.
    pub subscriptions: Vec<OwnSubscription>,
    /// Whether only subscribers see the documents, and the viewer is none.
    pub for_subscribers: bool,
    /// Its documents.
    pub documents: Vec<Document>,
}

/// One accepted way to prove oneself.
#[derive(Clone, Debug, Serialize)]
pub struct AuthMethod {
    /// The kind.
    pub kind: AuthKind,
    /// The header that carries it, if any.
    pub header: Option<String>,
    /// The query parameter that may carry it, if any.
    pub query: Option<String>,
}

/// What the subscribe panel offers.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Access {
    /// No subscription is needed or possible.
    Open,
    /// A guest: sign in first.
    Guest {
        /// Sign-in that comes back here.
        sign_in: Link,
        /// Sign-up that comes back here.
        sign_up: Link,
    },
    /// The viewer still waits for approval.
    Pending,
    /// The viewer has no application yet.
    NoApplication {
        /// The form of a new application with this product chosen.
        create: Link,
    },
    /// The form, which posts `application` to `/products/{product}/subscribe`.
    Choose {
        /// Applications without a subscription to this product.
        applications: Vec<Choice>,
        /// Whether an administrator decides.
        needs_approval: bool,
        /// What was chosen before.
        form: Form,
    },
    /// Each of the viewer's applications has a subscription.
    AllSubscribed,
}

/// Something to choose in a form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Choice {
    /// What the form sends.
    pub value: String,
    /// What it is called.
    pub text: String,
    /// A line under it.
    pub hint: Option<String>,
}

impl Choice {
    /// A choice without a hint.
    pub fn new(value: impl Into<String>, text: impl Into<String>) -> Self {
        Self { value: value.into(), text: text.into(), hint: None }
    }

    /// The same with a line under it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// A subscription of the viewer to the product shown.
#[derive(Clone, Debug, Serialize)]
pub struct OwnSubscription {
    /// The application.
    pub application: Reference,
    /// Its state.
    pub status: Status,
    /// Its plan's name, where it has one.
    pub plan: Option<String>,
}

/// One document of a product.
#[derive(Clone, Debug, Serialize)]
pub struct Document {
    /// Its title.
    pub name: String,
    /// Its version; may be empty.
    pub version: String,
    /// Where the document itself is.
    pub download: Link,
    /// Where there are more operations than a page holds, the pages.
    pub paging: Option<Paging>,
    /// The operations of this page by tag.
    pub groups: Vec<OperationGroup>,
}

/// The operations of one tag.
#[derive(Clone, Debug, Serialize)]
pub struct OperationGroup {
    /// The tag; empty for operations without one.
    pub tag: String,
    /// The operations in the document's order.
    pub operations: Vec<Operation>,
}

/// One operation.
#[derive(Clone, Debug, Serialize)]
pub struct Operation {
    /// The method in lower case.
    pub method: String,
    /// The path template.
    pub path: String,
    /// Its summary; may be empty.
    pub summary: String,
    /// The first tag; may be empty.
    pub tag: String,
    /// Whether it is deprecated.
    pub deprecated: bool,
}

impl OperationGroup {
    /// Groups `operations` by tag, tags in the order of their first operation.
    pub fn by_tag(operations: Vec<Operation>) -> Vec<Self> {
        let mut groups: Vec<Self> = Vec::new();
        for operation in operations {
            match groups.iter_mut().find(|group| group.tag == operation.tag) {
                Some(group) => group.operations.push(operation),
                None => groups.push(Self { tag: operation.tag.clone(), operations: vec![operation] }),
            }
        }
        groups
    }
}

impl View for ProductPage {
    const TEMPLATE: &'static str = "developer/products/page.html";

    fn samples() -> Vec<Sample<Self>> {
        let full = sample_page();
        let sign_in = developer::sign_in().with_query(&[("next", "/products/prd_1")]);
        let sign_up = developer::sign_up().with_query(&[("next", "/products/prd_1")]);
        let closed =
            Self { for_subscribers: true, documents: Vec::new(), subscriptions: Vec::new(), ..sample_page() };
        let mut many = sample_page();
        for document in &mut many.documents {
            let own = developer::product(&id("prd", 1));
            document.paging =
                Some(Paging::new(3, 200, 4812, |page| own.with_query(&[("page", &page.to_string())])));
        }
        let with = |access| Self { access, subscriptions: Vec::new(), ..sample_page() };
        let external = Self {
            kind: ProductKind::External,
            authentication: Vec::new(),
            plans: Vec::new(),
            access: Access::Open,
            subscriptions: Vec::new(),
            documents: Vec::new(),
            description: String::new(),
            labels: Vec::new(),
            name: "An extraordinarily long product name that nobody would choose but somebody will: Customs_declaration_and_tariff_classification".to_owned(),
            ..sample_page()
        };
        vec![
            Sample::developer("full", full),
            Sample::developer("guest", with(Access::Guest { sign_in, sign_up })).guest(),
            Sample::developer("pending", with(Access::Pending)).pending(),
            Sample::developer(
                "no_application",
                with(Access::NoApplication { create: developer::new_application() }),
            ),
            Sample::developer("all_subscribed", with(Access::AllSubscribed)),
            Sample::developer("external", external),
            Sample::developer("for_subscribers", closed),
            Sample::developer("many_operations", many),
        ]
    }
}

fn sample_operations() -> Vec<Operation> {
    let operation = |tag: &str, method: &str, path: &str, summary: &str| Operation {
        method: method.to_owned(),
        path: path.to_owned(),
        summary: summary.to_owned(),
        tag: tag.to_owned(),
        deprecated: path.contains("legacy"),
    };
    vec![
        operation("Payments", "get", "/v2/payments", "List payments"),
        operation("Payments", "post", "/v2/payments", "Create a payment"),
        operation("Payments", "get", "/v2/payments/{payment_id}", "Retrieve a payment"),
        operation("Refunds", "post", "/v2/payments/{payment_id}/refunds", "Refund a payment"),
        operation("Refunds", "delete", "/v2/refunds/{refund_id}", "Cancel a refund"),
        operation(
            "Settlement",
            "patch",
            "/legacy/settlement-accounts/{account_id}/instructions/{instruction_id}",
            "",
        ),
    ]
}

fn sample_page() -> ProductPage {
    ProductPage {
        id: id("prd", 1),
        name: "Payments".to_owned(),
        description: "Take card and bank payments, refund them, and settle to any account in the euro area. \
                      Idempotent by design, with webhooks for every change of state."
            .to_owned(),
        kind: ProductKind::Gateway,
        labels: vec![Label::new("domain", "payments"), Label::new("stage", "general availability")],
        servers: vec!["https://gateway.nordwind.example/payments".to_owned()],
        authentication: vec![
            AuthMethod {
                kind: AuthKind::KeyAuth,
                header: Some("apikey".to_owned()),
                query: Some("apikey".to_owned()),
            },
            AuthMethod { kind: AuthKind::BasicAuth, header: Some("Authorization".to_owned()), query: None },
        ],
        plans: sample_plans(),
        access: Access::Choose {
            applications: vec![
                Choice::new(id("app", 2), "Warehouse sync"),
                Choice::new(id("app", 3), "Month-end reconciliation"),
            ],
            needs_approval: true,
            form: Form::new(),
        },
        subscriptions: vec![OwnSubscription {
            application: Reference::new("Checkout frontend", developer::application(&id("app", 1))),
            status: Status::Subscribed,
            plan: Some("Bronze".to_owned()),
        }],
        for_subscribers: false,
        documents: vec![Document {
            name: "Payments API".to_owned(),
            version: "2.4.1".to_owned(),
            download: developer::document(&id("prd", 1), "1"),
            paging: None,
            groups: OperationGroup::by_tag(sample_operations()),
        }],
    }
}

/// Six cards with real-looking data.
pub(crate) fn sample_cards() -> Vec<ProductCard> {
    use AuthKind::{BasicAuth, KeyAuth, Oauth};
    let payments = "Take card and bank payments, refund them, and settle to any account in the euro area.";
    let rows = [
        ("Payments", payments, &[KeyAuth, BasicAuth][..], 24, Some(Status::Subscribed), "payments"),
        (
            "Shipment tracking",
            "Where a parcel is, where it was, and when it will arrive. Push or poll.",
            &[KeyAuth],
            9,
            None,
            "logistics",
        ),
        (
            "Customs and tariff classification for cross-border consignments",
            "HS codes, duties and restricted goods for 40 countries. Answers within 80 ms; the tariff data is renewed nightly from the customs authorities, and each answer names the legal source it relies upon.",
            &[Oauth],
            131,
            Some(Status::WaitForApproval),
            "customs",
        ),
        ("Address validation", "Checks and completes postal addresses.", &[KeyAuth], 2, None, "logistics"),
        ("Exchange rates", "", &[], 3, None, "reference data"),
        (
            "Invoices",
            "Create, send and archive e-invoices (XRechnung, Peppol).",
            &[KeyAuth, Oauth],
            41,
            None,
            "payments",
        ),
    ];
    let cards = rows.into_iter().zip(1..).map(
        |((name, description, authentication, operations, subscription, domain), number)| ProductCard {
            name: name.to_owned(),
            description: description.to_owned(),
            kind: if authentication.is_empty() { ProductKind::External } else { ProductKind::Gateway },
            labels: vec![Label::new("domain", domain)],
            authentication: authentication.to_vec(),
            operations,
            subscription,
            href: developer::product(&id("prd", number)),
        },
    );
    cards.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_are_grouped_by_tag_in_the_order_of_the_document() {
        let operation = |tag: &str| Operation {
            method: "get".to_owned(),
            path: "/".to_owned(),
            summary: String::new(),
            tag: tag.to_owned(),
            deprecated: false,
        };
        let groups = OperationGroup::by_tag(vec![operation("b"), operation("a"), operation("b")]);
        let shape: Vec<_> = groups.iter().map(|g| (g.tag.as_str(), g.operations.len())).collect();
        assert_eq!(shape, [("b", 2), ("a", 1)]);
    }
}
