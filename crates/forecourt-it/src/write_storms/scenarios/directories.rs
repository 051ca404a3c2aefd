//! What directories do by SCIM: accounts of administrators, and of the people of a portal's site.

use http::Method;
use serde_json::{Value, json};

use crate::{
    installations::text,
    write_storms::{
        Step,
        ledgers::{Key, Noun},
        writers::{Call, Face, Writer},
    },
};

const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
const PATCH: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";

impl Writer {
    /// An administrator and a person, each of whom is renamed, switched off and perhaps deleted.
    pub(in crate::write_storms) async fn provision(&mut self) -> Option<()> {
        let administrator = (Noun::Administrator, self.name());
        let name = |given: &str| json!({ "name": { "givenName": given } });
        self.account(administrator, (Face::Directory, "/api/scim/v2/Users"), "first_name", name).await?;
        let person = (Noun::Person, self.name());
        let name = |display: &str| json!({ "displayName": display });
        self.account(person, (Face::PortalDirectory, "/scim/v2/Users"), "name", name).await
    }

    /// One account, whose `column` holds what `naming` says in SCIM's own words.
    async fn account(
        &mut self,
        key: Key,
        (face, users): (Face, &str),
        column: &'static str,
        naming: impl Fn(&str) -> Value,
    ) -> Option<()> {
        let mut user = naming("One");
        user["schemas"] = json!([USER]);
        user["userName"] = json!(key.1);
        let made = self.make(&key, face.clone(), users.into(), user).await?;
        self.holds(&key, column, "One");
        self.holds(&key, "active", "true");
        let item = format!("{users}/{}", text(&made["id"]));
        let mut values = naming("Two");
        values["active"] = json!(false);
        let patch = json!({ "schemas": [PATCH], "Operations": [{ "op": "replace", "value": values }] });
        let steps = vec![
            Step::Change(key.clone(), column, Some("Two".into())),
            Step::Change(key.clone(), "active", Some("false".into())),
        ];
        self.write(Call::new(face.clone(), Method::PATCH, &item).with(patch), steps).await?;
        if self.one_in(2) {
            let call = Call::new(face, Method::DELETE, item);
            self.write(call, vec![Step::Remove(vec![key])]).await?;
        }
        Some(())
    }
}
