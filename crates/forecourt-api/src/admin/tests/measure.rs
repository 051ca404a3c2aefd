//! tmp
use super::stage::Stage;
use serde_json::{Value, json};
#[tokio::test]
async fn measure() {
    let stage = Stage::start().await;
    stage.call("PUT", "/apisix/admin/consumers/ada?gateway_group_id=default", json!({})).await.value();
    let mut t = std::time::Instant::now();
    for n in 0..5000 {
        let body = json!({ "plugins": { "key-auth": { "key": format!("k-{n}") } } });
        stage
            .call("POST", "/apisix/admin/consumers/ada/credentials?gateway_group_id=default", body)
            .await
            .value();
        if n % 1000 == 999 {
            println!("{n}: {:?} for 1000", t.elapsed());
            t = std::time::Instant::now();
        }
    }
    let t = std::time::Instant::now();
    stage.call("DELETE", "/apisix/admin/consumers/ada?gateway_group_id=default", Value::Null).await.value();
    println!("delete {:?}", t.elapsed());
}
