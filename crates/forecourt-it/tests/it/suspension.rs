//! Taking a whole application or developer out of service.

use forecourt_core::{
    actors::{Actor, Caller, Receipt, Source},
    audit_logs::Journal,
    ids::{AdministratorId, ApplicationId},
    permissions::Authority,
};
use forecourt_it::Forecourt;

/// An administrator who may do everything.
pub(crate) fn administrator(f: &Forecourt) -> Caller {
    Caller {
        actor: Actor::Administrator {
            id: AdministratorId::known("usr_1"),
            username: "ann".into(),
            authority: Authority::everything(),
        },
        source: Source::Console,
        request_id: f.app().new_request_id(),
        address: None,
        receipt: Receipt::default(),
        preview: None,
        journal: Journal::default(),
    }
}

#[tokio::test]
async fn a_suspended_application_is_refused_at_the_gateway_until_it_is_resumed() {
    let f = Forecourt::start().await;
    let orders = f.product("Orders").await;
    let ada = f.developer("ada").await;
    let application = ada.application("demo").await.subscribe(&orders).await;
    let bystander = ada.application("other").await.subscribe(&orders).await.key("prod").await;
    let (first, second) = (application.key("first").await, application.key("second").await);
    f.call(&orders, &first).await.expect(200);

    let (app, caller) = (f.app(), administrator(&f));
    let id = ApplicationId::known(application.id.as_str());
    forecourt_app::applications::suspend(&app, &caller, &id, "too many calls").await.unwrap();
    f.call(&orders, &first).await.expect(401);
    f.call(&orders, &second).await.expect(401);
    f.call(&orders, &bystander).await.expect(200);

    forecourt_app::applications::resume(&app, &caller, &id, "talked it over").await.unwrap();
    f.call(&orders, &first).await.expect(200);
    f.call(&orders, &second).await.expect(200);
}

#[tokio::test]
async fn a_deleted_developer_is_refused_at_the_gateway_with_everything_it_owned() {
    let f = Forecourt::start().await;
    let orders = f.product("Orders").await;
    let ada = f.developer("ada").await;
    let keys = [
        ada.application("one").await.subscribe(&orders).await.key("prod").await,
        ada.application("two").await.subscribe(&orders).await.key("prod").await,
    ];
    for key in &keys {
        f.call(&orders, key).await.expect(200);
    }
    f.portal_api().await.delete("/api/developers/ada").await.expect(204);
    for key in &keys {
        f.call(&orders, key).await.expect(401);
    }
    ada.api.get("/api/applications").await.refused(401, "unknown developer");
    // The name is free again, and its new holder inherits nothing.
    let again = f.developer("ada").await;
    assert_eq!(again.api.get("/api/applications").await.expect(200)["total"], 0);
}
