//! The form of a plan; plans are listed on the page of their product. Delete is `confirm.rs`.

use serde::Serialize;

use crate::{
    display::Reference,
    forms::Form,
    links::{Link, provider},
    samples::{Sample, id},
    templates::View,
};

/// `GET` and `POST` `/portals/{portal}/products/{product}/plans/new` and `…/plans/{plan}/edit`. Fields: `name`,
/// `desc`, `limits` (one a line, such as `100 per minute`), `default` (`true`).
#[derive(Clone, Debug, Serialize)]
pub struct PlanForm {
    /// The product.
    pub product: Reference,
    /// The plan that is edited; `None` for a new one.
    pub plan: Option<String>,
    /// Whether it is the default, or will be as the first one.
    pub is_default: bool,
    /// What was typed.
    pub form: Form,
    /// Where the form posts to.
    pub action: Link,
}

impl View for PlanForm {
    const TEMPLATE: &'static str = "provider/plans/form.html";

    fn samples() -> Vec<Sample<Self>> {
        let product = id("prd", 1);
        let new = Self {
            product: Reference::new("Payments", provider::product("default", &product)),
            plan: None,
            is_default: false,
            form: Form::new(),
            action: provider::new_plan("default", &product),
        };
        let edit = Self {
            plan: Some("Bronze".to_owned()),
            is_default: true,
            form: Form::new().with("name", "Bronze").with("limits", "60 per minute\n10000 per day"),
            action: provider::edit_plan("default", &product, &id("pln", 1)),
            ..new.clone()
        };
        let refused = Form::new()
            .with("limits", "many per day")
            .refused("name", "This is required.")
            .refused("limits", "“many per day” cannot be read.");
        vec![
            Sample::provider("new", new.clone()),
            Sample::provider("edit", edit),
            Sample::provider("refused", Self { form: refused, ..new }),
        ]
    }
}
