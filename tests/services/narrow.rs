//! Options that limit or rename: parts of a resource, access levels, names of variables, several connections of a
//! kind.

use std::collections::BTreeSet;

use connect_core::model::Auth;
use serde_json::{Value, json};
use stand_in::world::SUBSCRIPTION;

use super::samples::{all, one};
use super::walk::secret;
use harness::{Case, same};

/// Azure's grants to identities, including those of the account's own lists, as `ROLE at SCOPE` below the resource.
fn grants(case: &Case, target: &str) -> BTreeSet<String> {
    let state = case.control().state();
    let below = |scope: &str| scope.split_once(&format!("/{target}")).map(|(_, rest)| rest.to_owned());
    let roles = state["roleAssignments"].as_object().unwrap().values();
    let azure = roles.filter_map(|one| Some(format!("{} at {}", one["role"].as_str()?, below(one["scope"].as_str()?)?)));
    let resources = state["resources"].as_object().unwrap();
    let own = resources.values().filter_map(|one| {
        let properties = &one["properties"];
        match one["type"].as_str()? {
            "Microsoft.DocumentDB/databaseAccounts/sqlRoleAssignments" => {
                let role = &resources[&properties["roleDefinitionId"].as_str()?.to_ascii_lowercase()];
                Some(format!("{} at {}", role["properties"]["roleName"].as_str()?, below(properties["scope"].as_str()?)?))
            }
            "Microsoft.Cache/Redis/accessPolicyAssignments" => {
                Some(format!("{} at {}", properties["accessPolicyName"].as_str()?, below(one["id"].as_str()?)?.split('/').next()?))
            }
            _ => None,
        }
    });
    azure.chain(own).collect()
}

fn set(all: &[&str]) -> BTreeSet<String> {
    all.iter().map(|one| (*one).to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scope_is_a_narrow_grant_and_goes_with_the_connection() {
    const BUS: [&str; 2] = ["Azure Service Bus Data Receiver", "Azure Service Bus Data Sender"];
    const HUBS: [&str; 2] = ["Azure Event Hubs Data Receiver", "Azure Event Hubs Data Sender"];
    let cases: [(&str, &str, &str, &[&str]); 10] = [
        ("storage-blob", "container=images", "/blobServices/default/containers/images", &["Storage Blob Data Contributor"]),
        ("storage-queue", "queue=orders", "/queueServices/default/queues/orders", &["Storage Queue Data Contributor"]),
        ("storage-table", "table=carts", "/tableServices/default/tables/carts", &["Storage Table Data Contributor"]),
        ("servicebus", "queue=orders", "/queues/orders", &BUS),
        ("servicebus", "topic=events", "/topics/events", &BUS),
        ("eventhub", "hub=clicks", "/eventhubs/clicks", &HUBS),
        ("search", "index=products", "/indexes/products", &["Search Index Data Reader"]),
        ("keyvault", "secret=db-password", "/secrets/db-password", &["Key Vault Secrets User"]),
        ("cosmos-sql", "database=orders", "/dbs/orders", &["Cosmos DB Built-in Data Contributor"]),
        ("cosmos-sql", "container=orders/items", "/dbs/orders/colls/items", &["Cosmos DB Built-in Data Contributor"]),
    ];
    let scoped: BTreeSet<(&str, &str)> = cases.iter().map(|(name, scope, _, _)| (*name, scope.split('=').next().unwrap())).collect();
    let known: BTreeSet<(&str, &str)> = all().iter().flat_map(|e| e.service.scopes.iter().map(|s| (e.service.name, s.word))).collect();
    assert_eq!(scoped, known, "every scope of the catalogue has its line here");
    let case = Case::on("aks-ready").await;
    let before = case.everything();
    for (name, scope, path, roles) in cases {
        let (entry, what) = (one(name), format!("{name} --scope {scope}"));
        entry.connect(&case, Auth::WorkloadIdentity, &format!("--name it --scope {scope}")).await.ended(0);
        let wanted: BTreeSet<String> = roles.iter().map(|role| format!("{role} at {path}")).collect();
        assert_eq!(grants(&case, &entry.target()), wanted, "{what}");
        let verified = case.run("verify it -n shop -o json").await.ended(0).json();
        assert_eq!(verified["success"], true, "{what}: {verified:#}");
        case.run("delete it -n shop --yes").await.ended(0);
        same(&before, &case.everything(), &format!("{what}: something was left"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scope_that_cant_be_is_refused_with_those_that_can() {
    let case = Case::on("aks-ready").await;
    for (name, scope, word) in [
        ("storage-blob", "queue=orders", "--scope container=NAME"),
        ("storage-blob", "container=a/b", "--scope container=NAME"),
        ("cosmos-sql", "container=items", "--scope database=NAME or --scope container=PARENT/NAME"),
        ("redis", "database=0", "omit --scope"),
        ("appconfig", "key=a", "omit --scope"),
    ] {
        one(name).connect(&case, Auth::WorkloadIdentity, &format!("--scope {scope}")).await.ended(2).says(&["KC1608", word]);
    }
    // The kind of grant depends on the vault and is known only after reading it.
    case.run("keyvault policy-vault --scope secret=a -w deployment/web -n shop --yes").await.ended(2).says(&["KC1608"]);
    assert!(case.writes().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_level_of_access_is_its_grant() {
    let case = Case::on("aks-ready").await;
    let before = case.everything();
    for (name, level, wanted) in [
        ("redis", "read", "Data Reader at "),
        ("redis", "admin", "Data Owner at "),
        ("cosmos-sql", "read", "Cosmos DB Built-in Data Reader at "),
        ("storage-table", "read", "Storage Table Data Reader at "),
        ("servicebus", "admin", "Azure Service Bus Data Owner at "),
        ("signalr", "read", "SignalR REST API Reader at "),
        ("appconfig", "readwrite", "App Configuration Data Owner at "),
    ] {
        let entry = one(name);
        let more = format!("--name it --access {level}");
        entry.connect(&case, Auth::WorkloadIdentity, &more).await.ended(0);
        assert_eq!(grants(&case, &entry.target()), set(&[wanted]), "{name} {level}");
        // Another level replaces the former one, of which nothing remains.
        entry.connect(&case, Auth::WorkloadIdentity, "--name it").await.ended(0);
        assert!(!grants(&case, &entry.target()).contains(wanted), "{name} {level} stayed: {:?}", grants(&case, &entry.target()));
        case.run("delete it -n shop --yes").await.ended(0);
        same(&before, &case.everything(), &format!("{name} {level}: something was left"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_level_of_access_is_its_key() {
    let case = Case::on("aks-ready").await;
    for (name, level, key) in [
        ("appconfig", "read", "planted-key-value-shop-config-read-1="),
        ("appconfig", "readwrite", "planted-key-value-shop-config-1="),
        ("search", "read", "planted-key-value-shop-search-query="),
        ("search", "readwrite", "planted-key-value-shop-search-1="),
        ("cosmos-sql", "read", "planted-key-value-shop-cosmos-read-1="),
    ] {
        one(name).connect(&case, Auth::Secret, &format!("--name it --access {level} --verify=false")).await.ended(0);
        let held = secret(&case, "it");
        assert!(held.values().any(|value| value.contains(key)), "{name} {level}: {held:?}");
        case.run("delete it -n shop --yes").await.ended(0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_connection_of_a_kind_has_its_name_in_its_variables() {
    let case = Case::with("aks-ready", |world| {
        let mut second = world.resource_mut("shopdata").unwrap().clone();
        let text = second.to_string().replace("shopdata", "shopmore");
        second = serde_json::from_str(&text).unwrap();
        world.resources.push(second);
    })
    .await;
    let before = case.everything();
    case.run("blob shopdata -w deployment/web -n shop --yes").await.ended(0);
    case.run("blob shopmore --name second-one -w deployment/web -n shop --yes").await.ended(0);
    assert!(secret(&case, "storage-blob-shopdata").contains_key("AZURE_STORAGEBLOB_RESOURCEENDPOINT"));
    let held = secret(&case, "second-one");
    assert_eq!(held["AZURE_STORAGEBLOB_SECOND_ONE_RESOURCEENDPOINT"], "https://shopmore.blob.core.windows.net/");
    assert!(held.keys().all(|name| name.starts_with("AZURE_STORAGEBLOB_SECOND_ONE_")), "{held:?}");
    let names: Vec<String> = environment(&case, "app").into_iter().collect();
    let different: BTreeSet<&String> = names.iter().collect();
    assert_eq!((names.len(), different.len()), (4, 4), "both are in the pod: {names:?}");
    // If the first connection is deleted, the second keeps the names that its application reads.
    case.run("delete storage-blob-shopdata -n shop --yes").await.ended(0);
    case.run("blob shopmore --name second-one -w deployment/web -n shop --yes").await.ended(0);
    assert!(secret(&case, "second-one").contains_key("AZURE_STORAGEBLOB_SECOND_ONE_CLIENTID"));
    case.run("delete second-one -n shop --yes").await.ended(0);
    same(&before, &case.everything(), "something was left");
}

/// Names of the variables of one container of deployment/web.
fn environment(case: &Case, container: &str) -> Vec<String> {
    let objects = case.cluster("aks-ready").objects();
    let web = objects.iter().find(|o| o["kind"] == "Deployment" && o["metadata"]["name"] == "web").unwrap();
    let containers = web["spec"]["template"]["spec"]["containers"].as_array().unwrap();
    let found = containers.iter().find(|c| c["name"] == container).unwrap();
    found["env"].as_array().into_iter().flatten().map(|e| e["name"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn variables_are_called_as_the_user_wants() {
    let case = Case::on("aks-ready").await;
    let connect = "redis shop-cache -w deployment/web -n shop --yes --name it --verify=false";
    case.run(&format!("{connect} --map AZURE_REDIS_HOST=REDIS_HOST --env-prefix CACHE_")).await.ended(0);
    assert_eq!(secret(&case, "it").into_keys().collect::<Vec<_>>(), ["CACHE_AZURE_REDIS_CLIENTID", "REDIS_HOST"]);
    let names: BTreeSet<String> = environment(&case, "app").into_iter().collect();
    assert_eq!(names, set(&["CACHE_AZURE_REDIS_CLIENTID", "REDIS_HOST"]));
    case.run(&format!("{connect} --map AZURE_REDIS_PORT=P")).await.ended(2).says(&["KC1609", "AZURE_REDIS_HOST"]);
    case.run(&format!("{connect} --map AZURE_REDIS_HOST=AZURE_REDIS_CLIENTID")).await.ended(2).says(&["KC1610"]);
    case.run(&format!("{connect} --env-prefix 1")).await.ended(2).says(&["KC1610"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn any_resource_takes_any_role() {
    let case = Case::on("aks-ready").await;
    let before = case.everything();
    let id = format!("/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-data/providers/Microsoft.ServiceBus/namespaces/shop-bus");
    let workload = "-w deployment/web -n shop --yes --name it";
    case.run(&format!("resource {id} --role 090c5cfd-751d-490a-894a-3ce6f1109419 {workload}")).await.ended(0);
    assert_eq!(grants(&case, "shop-bus"), set(&["Azure Service Bus Data Owner at "]));
    assert_eq!(secret(&case, "it")["AZURE_RESOURCE_ID"], id);
    case.run("delete it -n shop --yes").await.ended(0);
    same(&before, &case.everything(), "something was left");
    case.run(&format!("resource {id} {workload}")).await.ended(2).says(&["KC1604", "--role"]);
    case.run(&format!("resource shop-bus --role Reader {workload}")).await.ended(2).says(&["KC1604"]);
    case.run(&format!("resource {id} --role Nobody {workload}")).await.ended(3).says(&["KC1310"]);
    case.run(&format!("resource {id}x --role Reader {workload}")).await.ended(3).says(&["KC1301"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn databases_get_everything_but_the_user_and_say_so() {
    let case = Case::on("aks-ready").await;
    for name in ["postgres-flexible", "mysql-flexible", "sql"] {
        let entry = one(name);
        let made = entry.connect(&case, Auth::WorkloadIdentity, "--name it -o json").await.ended(0).says(&["aad_it", "database user"]);
        let proof = made.json();
        assert!(!proof.to_string().contains("grant at"), "{name} claims a grant: {proof:#}");
        let plan = case.run("verify it -n shop").await.ended(0);
        assert!(plan.stdout.contains("not checked (run the SQL of"), "{name}: {}", plan.stdout);
        case.run("delete it -n shop --yes").await.ended(0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn retired_services_name_their_successors() {
    let case = Case::on("aks-ready").await;
    for (word, next) in [("postgres", "postgres-flexible"), ("postgresql", "postgres-flexible"), ("mysql", "mysql-flexible")] {
        for words in [format!("{word} old -w deployment/web -n shop --yes"), format!("plan {word} old"), format!("explain {word}")] {
            let ran = case.run(&words).await.ended(2).says(&["retired", next]);
            assert!(ran.stdout.is_empty(), "{words}");
        }
    }
}

/// An id for az's target often names a child resource, which replaces a flag.
#[tokio::test(flavor = "multi_thread")]
async fn the_id_of_a_child_names_the_database() {
    let case = Case::on("aks-ready").await;
    let id = format!("/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-data/providers/Microsoft.Sql/servers/shop-sql/databases/orders");
    case.run(&format!("sql {id} -w deployment/web -n shop --yes --name it --verify=false")).await.ended(0);
    assert!(secret(&case, "it").values().any(|value| value.contains("orders")), "{:?}", secret(&case, "it"));
}

/// A removed grant is found, reported and restored; a grant whose identity is gone is deleted.
#[tokio::test(flavor = "multi_thread")]
async fn grants_on_data_planes_are_judged_repaired_and_cleared_away() {
    for (name, version) in [("cosmos-sql", "2025-04-15"), ("redis", "2024-11-01")] {
        let case = Case::on("aks-ready").await;
        let (entry, before) = (one(name), case.everything());
        let made = entry.connect(&case, Auth::WorkloadIdentity, "--name it -o json").await.ended(0).json();
        let shown = case.run("show it -n shop -o json").await.ended(0).json();
        let receipts = shown["status"]["receipts"].as_object().unwrap();
        let grant = receipts.iter().find(|(step, _)| step.starts_with("cosmos-role") || *step == "redis-policy").unwrap().1;
        case.arm_delete(grant["id"].as_str().unwrap(), version).await;
        let found = case.run("verify it -n shop -o json").await.ended(1).json();
        assert!(codes(&found).contains("KC5407"), "{name}: {found:#}");
        case.run("repair it -n shop --yes").await.ended(0);
        assert_eq!(case.run("verify it -n shop -o json").await.ended(0).json()["success"], true, "{name}");
        case.arm_delete(made["status"]["identity"].as_str().unwrap(), "2024-11-30").await;
        case.run("delete it -n shop --yes").await.ended(0);
        same(&before, &case.everything(), &format!("{name}: something was left"));
    }
}

/// Codes of what is wrong.
fn codes(found: &Value) -> BTreeSet<&str> {
    let categories = found["categories"].as_array().unwrap().iter();
    let checks = categories.flat_map(|c| c["checks"].as_array().unwrap());
    checks.filter(|c| c["result"] == json!("error")).map(|c| c["code"].as_str().unwrap()).collect()
}

/// A new identity takes a while to be known to a Cosmos DB account; the service has no code for that.
#[tokio::test(flavor = "multi_thread")]
async fn a_young_identity_is_waited_for() {
    let case = Case::on("aks-ready").await;
    case.control().knobs(|knobs| knobs.identity_replication = std::time::Duration::from_millis(1500));
    one("cosmos-sql").connect(&case, Auth::WorkloadIdentity, "--name it").await.ended(0);
    assert_eq!(grants(&case, "shop-cosmos"), set(&["Cosmos DB Built-in Data Contributor at "]));
}
