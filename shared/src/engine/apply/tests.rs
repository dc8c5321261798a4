use serde_json::json;

use super::*;
use crate::kube::testing::{Answer, Server, status};

fn record() -> Record {
    let id = |kind: &str| format!("/subscriptions/s/resourceGroups/g/providers/{kind}/x");
    serde_json::from_value(json!({
        "version": 1, "name": "c", "namespace": "shop", "service": "keyvault", "target": id("Microsoft.KeyVault/vaults"),
        "workload": "deployment/web", "cluster": id("Microsoft.ContainerService/managedClusters"), "tenant": "t", "access": "read",
        "client": "none", "phase": "Applying", "created": "", "steps": [], "receipts": {},
    }))
    .unwrap()
}

#[tokio::test]
async fn a_record_that_can_not_be_opened_leaves_nobody_writing() {
    let refused = || Answer::Json(403, status(403, "Forbidden", "not allowed"));
    let server = Server::start(vec![refused(), refused()]).await;
    let stop = Stop::default();
    assert!(open(&stop, &server.cluster().await, record(), None).await.is_err());
    assert!(!stop.is_writing());

    let lease = json!({"metadata": {"resourceVersion": "1"}});
    let server = Server::start(vec![Answer::Json(201, lease.clone()), Answer::Json(201, lease)]).await;
    let (writing, ledger) = open(&stop, &server.cluster().await, record(), None).await.unwrap();
    assert!(stop.is_writing());
    drop((writing, ledger));
    assert!(!stop.is_writing());
}
