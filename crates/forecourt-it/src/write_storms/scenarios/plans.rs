//! Plans of a product, and which of them a subscription has.

use http::Method;
use serde_json::json;

use crate::{
    installations::text,
    write_storms::{
        Step,
        ledgers::{Key, Noun},
        writers::{Call, Face, Writer},
    },
};

impl Writer {
    /// A product with two plans: one is taken, changed for the other, changed itself, and perhaps all of them deleted.
    pub(in crate::write_storms) async fn plan(&mut self) -> Option<()> {
        let product = (Noun::Product, self.name());
        let path = format!("/api/api_products?portal_id={}", self.ground.portal);
        let body = json!({
            "type": "gateway", "name": product.1, "status": "published", "auth": { "key-auth": {} },
            "subscription_auto_approval": true,
        });
        let made = self.make(&product, Face::Admin, path, body).await?;
        let id = text(&made["value"]["id"]);
        let limits = |count: u32| json!([{ "count": count, "window_seconds": 60 }]);
        let (mut keys, mut ids) = (Vec::new(), Vec::new());
        for (count, default) in [(5, "true"), (7, "false")] {
            let plan = (Noun::Plan, self.name());
            let body = json!({ "api_product_id": id, "name": plan.1, "limits": limits(count) });
            let made = self.make(&plan, Face::Admin, "/api/forecourt/plans".into(), body).await?;
            self.holds(&plan, "limits", limits(count).to_string());
            self.holds(&plan, "desc", "");
            self.holds(&plan, "is_default", default);
            ids.push(text(&made["value"]["id"]));
            keys.push(plan);
        }
        let [first, second]: [Key; 2] = keys.try_into().ok()?;
        let owned = self.application(false).await?;
        let subscription = owned.subscription(&product.1);
        let body = json!({ "applications": [owned.id], "api_products": [id], "plan_id": ids[1] });
        let call = Call::new(owned.face.clone(), Method::POST, "/api/subscriptions").with(body);
        self.write(call, vec![Step::Make(vec![subscription.clone()])]).await?;
        self.holds(&subscription, "plan_id", ids[1].clone());

        let list = format!("/api/subscriptions?application_id={}", owned.id);
        let found = self.read(owned.face.clone(), &list).await?;
        let path = format!("/api/forecourt/subscriptions/{}/plan", text(&found["list"][0]["id"]));
        let call = Call::new(owned.face, Method::PUT, path).with(json!({ "plan_id": ids[0] }));
        self.write(call, vec![Step::Change(subscription.clone(), "plan_id", Some(ids[0].clone()))]).await?;

        let of_second = format!("/api/forecourt/plans/{}", ids[1]);
        let steps = vec![
            Step::Change(second.clone(), "limits", Some(limits(9).to_string())),
            Step::Change(second.clone(), "desc", Some("changed".into())),
        ];
        let body = json!({ "limits": limits(9), "desc": "changed" });
        self.write(Call::new(Face::Admin, Method::PUT, &of_second).with(body), steps).await?;
        // Nobody has it any more.
        self.perhaps_remove(second.clone(), of_second).await?;
        if self.one_in(2) {
            let item = format!("/api/api_products/{id}");
            let call = Call::new(Face::Admin, Method::PUT, &item).with(json!({ "status": "draft" }));
            let draft = Step::Change(product.clone(), "status", Some("draft".into()));
            self.write(call, vec![draft, Step::Remove(vec![subscription])]).await?;
            let call = Call::new(Face::Admin, Method::DELETE, item);
            self.write(call, vec![Step::Remove(vec![product, first, second])]).await?;
        }
        Some(())
    }
}
