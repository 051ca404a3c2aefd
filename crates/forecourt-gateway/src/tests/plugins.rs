//! Compiled plugins: shared while nothing changes, and nothing where nothing is configured.

use std::sync::Arc;

use forecourt_core::gateway_state::{Kind, PluginsState};
use http::{HeaderMap, Method};
use tracing::Level;

use super::{Plugins, over};
use crate::{
    state::State,
    tests::{
        logs::Log,
        plugin_rows::{basic_auth, consumer, cors, guarded, its_key, key_auth, with_cors, with_plugins},
        rows::{batch, delete, head, product, put, route, service},
    },
};

fn plugins(state: &State) -> Option<Arc<Plugins>> {
    state.consistently(|table| {
        let (method, fields) = (Method::GET, HeaderMap::new());
        table.routing.find(&head("any", "/x", &method, &fields)).and_then(|route| route.plugins.clone())
    })
}

#[test]
fn a_route_without_plugins_has_nothing_compiled() {
    assert!(Plugins::compile(PluginsState::default(), None).is_none());
    let state = State::empty([3, 5]);
    state.apply(&batch(vec![put(1, service("s")), put(1, guarded(PluginsState::default()))]));
    assert!(plugins(&state).is_none());
}

#[test]
fn what_is_more_specific_replaces_the_same_plugin_whole() {
    let mut above = key_auth();
    above.key_auth.as_mut().unwrap().header = "x-key".into();
    let both = over(&over(&key_auth(), &basic_auth()), &above);
    assert_eq!(both, PluginsState { key_auth: above.key_auth, ..basic_auth() });
}

#[test]
fn changes_elsewhere_leave_compiled_plugins_consumers_and_routes_as_they_are() {
    let state = State::empty([3, 5]);
    let mut with_own = service("s");
    with_own.plugins = with_cors(cors());
    state.apply(&batch(vec![
        put(1, with_own.clone()),
        put(1, guarded(key_auth())),
        put(1, service("other")),
        put(1, consumer("ada", &[its_key("c", "k")])),
    ]));
    let tables = || {
        let table = state.table.load_full();
        (Arc::clone(&table.routing), Arc::clone(&table.consumers))
    };
    let ((routing, consumers), compiled) = (tables(), plugins(&state).unwrap());

    state.apply(&batch(vec![put(2, consumer("bob", &[its_key("c", "b")]))]));
    assert!(Arc::ptr_eq(&tables().0, &routing), "a consumer changes no route");
    assert!(!Arc::ptr_eq(&tables().1, &consumers));

    let consumers = tables().1;
    state.apply(&batch(vec![delete(3, Kind::Service, "other")]));
    assert!(Arc::ptr_eq(&tables().1, &consumers), "a service changes no consumer");
    assert!(Arc::ptr_eq(&plugins(&state).unwrap(), &compiled), "and no other route's plugins");

    with_own.plugins.cors.as_mut().unwrap().max_age = 6;
    state.apply(&batch(vec![put(4, with_own)]));
    assert!(!Arc::ptr_eq(&plugins(&state).unwrap(), &compiled));
}

#[test]
fn a_mixture_of_product_and_consumers_is_an_error_in_the_log_once_per_table() {
    let log = Log::of(Level::ERROR);
    let logged = || log.take();
    tracing::subscriber::with_default(log.clone(), || {
        let state = State::empty([3, 5]);
        let another = with_plugins(route("r2", "s", "/two"), basic_auth());
        state.apply(&batch(vec![put(1, service("s")), put(1, guarded(key_auth())), put(1, another)]));
        assert!(logged().is_empty());
        state.apply(&batch(vec![put(2, product("prd", &["s"]))]));
        let [mixture] = logged().try_into().unwrap();
        assert!(mixture.contains("routes=2") && mixture.contains("both are demanded"), "{mixture}");
        state.apply(&batch(vec![put(3, consumer("ada", &[its_key("c", "k")]))]));
        assert!(logged().is_empty(), "a consumer compiles no routes");
        let harmless = with_plugins(route("r2", "s", "/two"), with_cors(cors()));
        state.apply(&batch(vec![delete(4, Kind::Route, "r"), put(4, harmless)]));
        assert!(logged().is_empty(), "cors authenticates nobody");
    });
}
