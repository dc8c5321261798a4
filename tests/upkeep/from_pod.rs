//! `verify --from-pod`: the addresses to which the workload's own pods resolve the target's host name.

use serde_json::json;
use stand_in::world::{SUBSCRIPTION, World};

use super::handmade::{findings, fix};
use harness::{Case, Ran};

const HOST: &str = "my-vault.vault.azure.net";
const VERIFY: &str = "verify keyvault-my-vault -n shop -o json --from-pod";

/// A vault that is reachable only through its private endpoint. `named`: the endpoint itself lists its addresses, as
/// it does without a DNS zone; otherwise its network interface has them.
fn private(world: &mut World, named: bool) {
    let network = format!("/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-data/providers/Microsoft.Network");
    let (endpoint, card) = (format!("{network}/privateEndpoints/pe-my-vault"), format!("{network}/networkInterfaces/pe-my-vault.nic"));
    let configs = if named { json!([{"fqdn": HOST, "ipAddresses": ["10.224.0.7"]}]) } else { json!([]) };
    world.resources.extend([
        json!({"id": endpoint, "name": "pe-my-vault", "type": "Microsoft.Network/privateEndpoints", "location": "westeurope",
            "properties": {"provisioningState": "Succeeded", "networkInterfaces": [{"id": card}], "customDnsConfigs": configs}}),
        json!({"id": card, "name": "pe-my-vault.nic", "type": "Microsoft.Network/networkInterfaces", "location": "westeurope",
            "properties": {"provisioningState": "Succeeded", "ipConfigurations": [
                {"name": "privateEndpointIpConfig", "properties": {"privateIPAddress": "10.224.0.7", "primary": true}}]}}),
    ]);
    let vault = &mut world.resource_mut("my-vault").unwrap()["properties"];
    vault["publicNetworkAccess"] = json!("Disabled");
    vault["privateEndpointConnections"] = json!([{"id": "/x/privateEndpointConnections/1", "properties": {
        "privateEndpoint": {"id": endpoint}, "privateLinkServiceConnectionState": {"status": "Approved"}}}]);
}

async fn connected(change: impl FnOnce(&mut World)) -> Case {
    let case = Case::with("aks-ready", change).await;
    case.run("keyvault my-vault -w deployment/web -n shop --yes --verify=false").await.ended(0);
    case
}

/// The check about the addresses that pods resolve.
fn told(ran: &Ran) -> serde_json::Value {
    let all = ran.json()["categories"].as_array().unwrap().iter().flat_map(|g| g["checks"].as_array().unwrap().clone()).collect::<Vec<_>>();
    all.into_iter().find(|c| c["code"] == "KC5707").unwrap_or_else(|| panic!("{}", ran.stdout))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_that_goes_to_the_private_endpoint_is_believed() {
    for (named, programs) in [(true, &["getent"][..]), (false, &["nslookup"][..])] {
        let case = connected(|w| private(w, named)).await;
        case.cluster("aks-ready").resolve_to(HOST, &["10.224.0.7"]);
        case.cluster("aks-ready").images_have(programs);
        let ran = case.run(VERIFY).await.ended(0);
        assert_eq!(findings(&ran), Vec::<String>::new(), "{}", ran.stdout);
        let told = told(&ran);
        assert_eq!(
            (told["result"].as_str(), told["description"].as_str()),
            (Some("success"), Some(&*format!("pods resolve {HOST} to its private endpoint")))
        );
        assert!(told["message"].as_str().unwrap().starts_with("10.224.0.7 in pod web-"), "{told}");
        assert!(ran.stdout.contains("its data plane can't be checked from this machine"), "{}", ran.stdout);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_that_goes_elsewhere_is_told() {
    let case = connected(|w| private(w, false)).await;
    let cluster = case.cluster("aks-ready");
    // The public address; another private one, as of a recreated endpoint; a zone without the record.
    for (addresses, seen) in
        [(&["20.61.97.10"][..], "20.61.97.10 in pod web-"), (&["10.224.0.9"][..], "10.224.0.9 in pod web-"), (&[][..], "does not know")]
    {
        cluster.resolve_to(HOST, addresses);
        let ran = case.run(VERIFY).await.ended(1);
        assert_eq!(findings(&ran), ["KC5707"], "{}", ran.stdout);
        let told = told(&ran);
        assert!(told["message"].as_str().unwrap().contains(seen), "{told}");
        assert_eq!(told["expected"], "10.224.0.7");
        let fix = fix(&ran, "KC5707");
        for words in [
            "az network private-dns link vnet create --resource-group rg-data",
            "privatelink.vaultcore.azure.net",
            "--endpoint-name pe-my-vault",
        ] {
            assert!(fix.contains(words), "{words}: {fix}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_without_an_endpoint_needs_a_name_only() {
    let case = connected(|_| {}).await;
    let ran = case.run(VERIFY).await.ended(0);
    assert_eq!(told(&ran)["description"], format!("pods resolve {HOST}"));
    case.cluster("aks-ready").resolve_to(HOST, &[]);
    let ran = case.run(VERIFY).await.ended(1);
    assert_eq!(findings(&ran), ["KC5706"], "{}", ran.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_no_pod_can_be_asked_that_is_said_and_no_failure() {
    let case = connected(|_| {}).await;
    let cluster = case.cluster("aks-ready");
    cluster.images_have(&[]);
    let why = |ran: &Ran| {
        let told = told(ran);
        assert_eq!(told["result"], "skipped", "{told}");
        told["message"].as_str().unwrap().to_owned()
    };
    let distroless = why(&case.run(VERIFY).await.ended(0));
    assert!(
        distroless.starts_with("container app has neither getent nor nslookup; check it yourself: kubectl debug -n shop -it web-"),
        "{distroless}"
    );
    cluster.deny("*", "create", "", "pods/exec", Some("shop"));
    let forbidden = why(&case.run(VERIFY).await.ended(0));
    assert_eq!(forbidden, "you lack the permission to run commands in pods of namespace shop: kubectl auth can-i create pods/exec -n shop");
    cluster.allow_all();
    // Without the flag no pod is asked.
    case.control().clear_log();
    case.run("verify keyvault-my-vault -n shop").await.ended(0);
    assert!(!case.control().log().iter().any(|e| e.path.ends_with("/exec")));
}
