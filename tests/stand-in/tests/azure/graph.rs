//! Resource Graph over HTTP. The query language is tested beside its code.

use std::time::Duration;

use serde_json::{Value, json};
use stand_in::Kind;
use stand_in::world::{OTHER_SUBSCRIPTION, World};

use crate::support::{Answer, Bench};

async fn query(bench: &Bench, body: &Value) -> Answer {
    let url = "https://management.azure.com/providers/Microsoft.ResourceGraph/resources?api-version=2024-04-01";
    bench.send(bench.http.post(url).bearer_auth(&bench.arm_token).json(body)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_is_found_by_its_host() {
    let bench = Bench::start().await;
    let fqdn = World::planted().clusters[0].fqdn.to_uppercase();
    let text = format!(
        "Resources\n| where type =~ 'Microsoft.ContainerService/managedClusters'\n| where properties.fqdn =~ '{fqdn}' or properties.privateFQDN =~ '{fqdn}'\n| project id, name, subscriptionId, resourceGroup, etag = properties.fqdn"
    );
    let answer = query(&bench, &json!({"query": text, "options": {"resultFormat": "objectArray"}})).await;
    let body = answer.json();
    assert_eq!((&body["count"], &body["resultTruncated"]), (&json!(1), &json!("false")), "{}", answer.text);
    assert_eq!((&body["data"][0]["name"], &body["data"][0]["resourceGroup"]), (&json!("aks-shop"), &json!("rg-shop")));
    assert_eq!(bench.sandbox.control().log_of(Kind::Graph).len(), 1);
    assert!(bench.sandbox.control().writes().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_can_be_found_twice_and_subscriptions_narrow_it() {
    let bench = Bench::start().await;
    let text = "resources | where type == 'microsoft.keyvault/vaults' and name == 'dup-vault'";
    assert_eq!(query(&bench, &json!({"query": text})).await.json()["count"], 2);
    let body = query(&bench, &json!({"query": text, "subscriptions": [OTHER_SUBSCRIPTION]})).await.json();
    assert_eq!(body["data"][0]["subscriptionId"], OTHER_SUBSCRIPTION);
    let groups =
        query(&bench, &json!({"query": "resourcecontainers | where type == 'microsoft.resources/subscriptions/resourcegroups' | count"}))
            .await;
    assert_eq!(groups.json()["data"][0]["Count"], 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn children_are_no_rows() {
    let bench = Bench::start().await;
    let body = query(&bench, &json!({"query": "resources | where type contains 'federated' or type endswith '/deployments'"})).await.json();
    assert_eq!(body["count"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn long_answers_come_in_pages() {
    let bench = Bench::start().await;
    let text = "resources | project name | order by name asc";
    let first = query(&bench, &json!({"query": text, "options": {"$top": 5}})).await.json();
    assert_eq!(first["count"], 5);
    let token = first["$skipToken"].as_str().unwrap();
    let second = query(&bench, &json!({"query": text, "options": {"$top": 5, "$skipToken": token}})).await.json();
    assert_ne!(first["data"], second["data"]);
    assert_eq!(first["totalRecords"], second["totalRecords"]);
    let bad = query(&bench, &json!({"query": text, "options": {"$skipToken": "?"}})).await;
    assert_eq!(bad.refusal(), (400, "BadRequest".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_graph_can_lag_and_can_be_closed() {
    let bench = Bench::start().await;
    bench.sandbox.control().knobs(|knobs| knobs.graph.lag = Duration::from_secs(30));
    bench.make_identity("id-web").await;
    let text = json!({"query": "resources | where name == 'id-web'"});
    assert_eq!(query(&bench, &text).await.json()["count"], 0);
    bench.sandbox.control().advance(Duration::from_secs(30));
    assert_eq!(query(&bench, &text).await.json()["count"], 1);
    bench.sandbox.control().knobs(|knobs| knobs.graph.denied = true);
    assert_eq!(query(&bench, &text).await.refusal(), (403, "AuthorizationFailed".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_that_is_not_understood_is_refused() {
    let bench = Bench::start().await;
    for text in ["resources | where name ==", "nothing | take 1", "resources | where nosuchcolumn == 'x'"] {
        assert_eq!(query(&bench, &json!({"query": text})).await.refusal(), (400, "BadRequest".into()), "{text}");
    }
}
