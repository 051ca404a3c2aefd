//! What callers see of plans, over real connections.

use forecourt_core::{
    gateway_state::{GrantState, PlanLimit, PlanState, ProductState},
    ids::PlanId,
};

use super::{
    plugin_rows::{cors, with_cors, with_plugins},
    rows::{credential, grant, key, product, put, route},
    stage::{Stage, body, echo, protected_by, status},
};
use crate::Config;

pub(crate) fn plan(id: &str, limits: &[(u64, u32)], default: bool) -> PlanState {
    let limits = limits.iter().map(|&(count, window_seconds)| PlanLimit { count, window_seconds }).collect();
    PlanState { id: PlanId::known(id), name: id.to_uppercase(), limits, default }
}

/// The product of [`Stage::protected`] with these plans.
pub(crate) fn offering(plans: &[PlanState]) -> ProductState {
    ProductState { plans: plans.to_vec(), ..product("prd", &["s"]) }
}

fn on(plan: &str) -> GrantState {
    GrantState { plan_id: Some(PlanId::known(plan)), ..grant("app", "prd") }
}

/// As [`Stage::protected`], with these plans; the clock stands at a whole hour.
async fn stage(plans: &[PlanState]) -> Stage {
    let stage = Stage::with(Config::default(), protected_by(echo().await)).await;
    stage.set_clock(3_600_000);
    stage.apply(vec![put(2, offering(plans))]);
    stage
}

async fn call(stage: &Stage) -> String {
    stage.ask("/s/x", &["apikey: k"]).await
}

fn field<'a>(answer: &'a str, name: &str) -> Option<&'a str> {
    let lines = answer.lines().take_while(|line| !line.is_empty());
    let mut fields = lines.filter_map(|line| line.split_once(": "));
    fields.find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

#[tokio::test]
async fn a_call_beyond_the_plan_is_429_and_every_answer_says_how_it_stands() {
    let stage = stage(&[plan("pln_b", &[(2, 60), (3, 86_400)], true)]).await;
    let policy = r#""pln_b-60";q=2;w=60, "pln_b-86400";q=3;w=86400"#;
    let first = call(&stage).await;
    assert_eq!(status(&first), 200);
    assert_eq!(field(&first, "ratelimit-policy"), Some(policy));
    assert_eq!(field(&first, "ratelimit"), Some(r#""pln_b-60";r=1;t=64"#), "the tightest: {first}");
    assert_eq!(status(&call(&stage).await), 200);
    let refused = call(&stage).await;
    assert_eq!(status(&refused), 429, "{refused}");
    assert_eq!(body(&refused), r#"{"message":"Rate limit exceeded: at most 2 requests in 60 seconds"}"#);
    assert_eq!(field(&refused, "retry-after"), Some("64"));
    assert_eq!(field(&refused, "ratelimit"), Some(r#""pln_b-60";r=0;t=64"#));
    assert_eq!(field(&refused, "ratelimit-policy"), Some(policy));

    // Who waits as told finds room, and then the quota is what is tight: until midnight UTC.
    stage.set_clock(3_600_000 + 64);
    let last = call(&stage).await;
    assert_eq!((status(&last), field(&last, "ratelimit").unwrap()), (200, r#""pln_b-86400";r=0;t=28736"#));
    let refused = call(&stage).await;
    assert_eq!((status(&refused), field(&refused, "retry-after").unwrap()), (429, "28736"));

    // All of them came from somebody who may call, so all of them count; the reasons are told apart.
    assert_eq!(stage.gateway.take_usage().iter().map(|count| count.totals.calls).sum::<u64>(), 5);
    assert_eq!(stage.gateway.rejected().find(|(label, _)| *label == "over_limit").unwrap().1, 2);
}

#[tokio::test]
async fn all_credentials_of_an_application_share_its_room_and_strangers_take_none() {
    let stage = stage(&[plan("pln_b", &[(2, 60)], true)]).await;
    stage.apply(vec![put(3, credential("crd-other", "app", &[key("other")]))]);
    for _ in 0..5 {
        let refused = stage.ask("/s/x", &["apikey: wrong"]).await;
        assert_eq!((status(&refused), field(&refused, "ratelimit")), (401, None));
    }
    assert_eq!(status(&stage.ask("/s/x", &["apikey: other"]).await), 200);
    assert_eq!(status(&stage.ask("/s/x", &["Authorization: Basic YWRhOnB3"]).await), 200);
    assert_eq!(status(&call(&stage).await), 429);
    let open = stage.ask("/open/x", &["apikey: k"]).await;
    assert_eq!((status(&open), field(&open, "ratelimit-policy")), (200, None));
}

#[tokio::test]
async fn another_plan_counts_from_the_next_call_on_and_the_tables_may_be_built_anew() {
    let (bronze, gold) = (plan("pln_b", &[(1, 60)], true), plan("pln_g", &[(3, 60)], false));
    let stage = stage(&[bronze.clone(), gold.clone()]).await;
    assert_eq!(status(&call(&stage).await), 200);
    assert_eq!(status(&call(&stage).await), 429);
    stage.apply(vec![put(4, on("pln_g"))]);
    let better = call(&stage).await;
    assert_eq!((status(&better), field(&better, "ratelimit").unwrap()), (200, r#""pln_g-60";r=1;t=64"#));
    // The plan itself changes: what was counted stays counted.
    stage.apply(vec![put(5, offering(&[bronze.clone(), plan("pln_g", &[(2, 60)], false)]))]);
    assert_eq!(status(&call(&stage).await), 429);
    // A plan without limits limits nothing and says nothing.
    stage.apply(vec![put(6, offering(&[bronze.clone(), plan("pln_g", &[], false)]))]);
    let free = call(&stage).await;
    assert_eq!((status(&free), field(&free, "ratelimit-policy")), (200, None));
    // A plan that is not there is the default one, never no limit.
    stage.apply(vec![put(7, offering(std::slice::from_ref(&bronze)))]);
    assert_eq!(status(&call(&stage).await), 429);
    stage.apply(vec![put(8, offering(&[]))]);
    assert_eq!(status(&call(&stage).await), 200);
}

#[tokio::test]
async fn scripts_of_other_origins_may_read_how_a_call_stands() {
    let stage = stage(&[plan("pln_b", &[(1, 60)], true)]).await;
    stage.apply(vec![put(3, with_plugins(route("r-s", "s", "/s/*"), with_cors(cors())))]);
    for expected in [200, 429] {
        let answer = stage.ask("/s/x", &["apikey: k", "Origin: https://a.example"]).await;
        assert_eq!(status(&answer), expected);
        let exposed: Vec<_> =
            answer.lines().filter_map(|line| line.strip_prefix("access-control-expose-headers: ")).collect();
        assert!(exposed.contains(&"RateLimit, RateLimit-Policy, Retry-After"), "{exposed:?} in {answer}");
    }
    let same_origin_only = Stage::with(Config::default(), protected_by(echo().await)).await;
    same_origin_only.apply(vec![put(2, offering(&[plan("pln_b", &[(1, 60)], true)]))]);
    assert!(!call(&same_origin_only).await.to_lowercase().contains("access-control-"));
}
