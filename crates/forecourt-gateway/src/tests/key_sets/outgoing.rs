//! Where a gateway goes for a provider's keys: only where the operator lets it (`security.ssrf_protection`).

use forecourt_core::addresses::{Destination, OutgoingRules};

use super::{Provider, ask};
use crate::{Config, tests::signing::Signer};

fn inside_only(allowed: &[&str]) -> Config {
    let allow_list = allowed.iter().map(|text| Destination::parse(text).unwrap()).collect();
    Config { outgoing: OutgoingRules { enable: true, allow_list, ..Default::default() }, ..Config::default() }
}

#[tokio::test]
async fn a_provider_inside_the_network_is_asked_for_keys_only_where_the_operator_allows_it() {
    let signer = Signer::fresh("ES256");
    let provider = Provider::with(&[signer.jwk("one")]).await;
    let token = provider.token(&signer, "one");
    let refusing = provider.stage_with(inside_only(&[])).await;
    assert_eq!(ask(&refusing, &token).await, 401);
    assert_eq!(provider.count(), 0);
    let allowing = provider.stage_with(inside_only(&["127.0.0.1"])).await;
    assert_eq!(ask(&allowing, &token).await, 200);
    assert_eq!(provider.count(), 1);
}
