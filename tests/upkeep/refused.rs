//! Refusals: one short case for each code that no other case tests. Each row is a command with its exit code, its
//! code, and words of its fix.

use serde_json::{Value, json};
use stand_in::fault::{Action, Fault};
use stand_in::kube::KubeCluster;
use stand_in::world::{SUBSCRIPTION, World};

use super::handmade::{CLIENT, SUBJECT, account, by_hand, credential, deployment, issuer, plant_identity};
use harness::Case;

/// Columns: command, exit code, code, words.
type Row<'a> = (&'a str, i32, &'a str, &'a str);

const CONNECT: &str = "keyvault my-vault -w deployment/web -n shop --yes --verify=false";

/// A change of the world before the start.
type Plant<'a> = &'a dyn Fn(&mut World);

/// Checks that a refused command writes nothing.
async fn refuses(case: &Case, rows: &[Row<'_>]) {
    let before = case.writes().len();
    for (words, exit, code, remedy) in rows {
        let ran = case.run(words).await;
        assert_eq!(ran.code, *exit, "{words}: {}{}", ran.stdout, ran.stderr);
        assert!(ran.stderr.contains(&format!("[{code}]")) && ran.stderr.contains(remedy), "{words}, {code}, `{remedy}`:\n{}", ran.stderr);
    }
    assert_eq!(case.writes().len(), before, "{:?}", case.writes());
}

fn id_of(name: &str) -> String {
    World::planted().id_of(name).unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn command_lines_that_make_no_sense() {
    let case = Case::on("aks-ready").await;
    let (blob, nowhere) = (id_of("shopdata"), id_of("aks-ready").replace("aks-ready", "aks-nowhere"));
    let at = "-w deployment/web -n shop --yes";
    refuses(
        &case,
        &[
            ("-o json", 2, "KC1000", "--help"),
            ("plan -n shop", 2, "KC1000", "kubectl connect services"),
            (&format!("keyvault /subscriptions/x {at}"), 2, "KC1001", "the target"),
            ("explain nonsense", 2, "KC1004", "kubectl connect services"),
            ("explain openai --kind nonsense", 2, "KC1618", "choose one of"),
            ("explain keyvault --secret-store keyvault:my-vault", 2, "KC1626", "omit it"),
            ("explain blob --secret-store my-vault --auth secret", 2, "KC1627", "keyvault:NAME"),
            ("list -n shop --kubeconfig /", 1, "KC3002", ""),
            (&format!("keyvault my-vault {at} --aks-id {nowhere}"), 3, "KC1102", "az aks list"),
            ("doctor KC9999", 3, "KC1205", "kubectl connect doctor --list"),
            (&format!("keyvault my-vault {at} --subscription nowhere"), 3, "KC1307", "az account list"),
            (&format!("keyvault policy-vault {at} --role Reader"), 2, "KC1314", "--access instead of --role"),
            (&format!("cosmos shop-cosmos {at} --role Reader"), 2, "KC1314", "--access instead of --role"),
            (&format!("pg shop-pg {at}"), 2, "KC1602", "--database"),
            (&format!("pg shop-pg {at} --auth secret --database orders --secret-name u"), 2, "KC1603", "--secret-stdin"),
            (&format!("postgres shop-pg {at}"), 2, "KC1612", "kubectl connect postgres-flexible NAME"),
            (&format!("pg shop-pg {at} --auth secret --database orders --secret-name u --secret-file /nowhere"), 2, "KC1613", ""),
            (&format!("keyvault my-vault {at} --auth service-principal"), 2, "KC1614", "--client-id"),
            (&format!("keyvault {blob} {at}"), 2, "KC1616", "kubectl connect storage-blob"),
            (&format!("cosmos-mongo shop-cosmos {at} --database x"), 2, "KC1617", "kubectl connect cosmos-sql shop-cosmos"),
            (&format!("cosmos shop-graph {at} --database x"), 2, "KC1617", "kubectl connect cosmos-gremlin shop-graph"),
        ],
    )
    .await;
}

/// Cases with changes of the world before the start.
#[tokio::test(flavor = "multi_thread")]
async fn targets_and_identities_that_can_not_be_used() {
    let twin = |w: &mut World| {
        let mut other = w.resource_mut("id-shared").unwrap().clone();
        other["id"] = json!(other["id"].as_str().unwrap().replace("rg-shop", "rg-data"));
        w.resources.push(other);
    };
    let no_tenant = |w: &mut World| w.resource_mut("my-vault").unwrap()["properties"]["tenantId"] = json!("nobody");
    let no_entra =
        |w: &mut World| w.resource_mut("shop-cache").unwrap()["properties"]["redisConfiguration"]["aad-enabled"] = json!("false");
    let keys_alone = |w: &mut World| {
        let search = &mut w.resource_mut("shop-search").unwrap()["properties"];
        search["authOptions"] = Value::Null;
        search["disableLocalAuth"] = json!(false);
    };
    let no_one = |_: &mut World| {};
    let mounted = "keyvault my-vault --secret db-password -w deployment/web -n shop --yes";
    let rows: [(Plant<'_>, Row<'_>); 5] = [
        (&twin, (&format!("{CONNECT} --identity id-shared"), 2, "KC1309", "--identity /subscriptions/")),
        (&no_tenant, (mounted, 1, "KC1318", "az keyvault show --name my-vault")),
        (&no_entra, ("redis shop-cache -w deployment/web -n shop --yes", 1, "KC1606", "redisConfiguration.aad-enabled=true")),
        (&keys_alone, ("search shop-search -w deployment/web -n shop --yes", 1, "KC1607", "--auth-options aadOrApiKey")),
        (&no_one, (mounted.replace("--secret", "--mount-path x --secret").leak(), 2, "KC1623", "--mount-path")),
    ];
    for (plant, row) in rows {
        let mut case = Case::with("aks-ready", |w| {
            *w = std::mem::take(w).with_secrets_provider("aks-ready");
            plant(w);
        })
        .await;
        // An invalid tenant violates every description.
        case.described = row.2 != "KC1318";
        refuses(&case, &[row]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_that_are_somebody_else_s() {
    let case = Case::with("aks-ready", |w| plant_identity(w, Some(credential(&issuer(), SUBJECT, "api://another")))).await;
    let cluster = case.cluster("aks-ready");
    let api = "keyvault my-vault -w deployment/api -n shop --yes --verify=false";
    cluster.apply_object("", deployment(|_| {}));
    cluster.remove_object("ServiceAccount", "shop", "api");
    refuses(&case, &[(api, 3, "KC1204", "kubectl create serviceaccount api -n shop")]).await;
    by_hand(cluster);
    refuses(
        &case,
        &[
            (&format!("{api} --identity id-shared"), 1, "KC1304", &format!("--identity {CLIENT}")),
            (&format!("{api} --service-account other"), 2, "KC1312", "omit --service-account"),
            // The identity already trusts the account, but for tokens that Entra does not accept.
            (api, 1, "KC4602", "az identity federated-credential update --name by-hand"),
        ],
    )
    .await;
    cluster.apply_object("", account(json!({"azure.workload.identity/client-id": "66666666-aaaa-4bbb-8ccc-00000000ffff"})));
    refuses(&case, &[(api, 1, "KC1315", "remove the annotation")]).await;
    let mut unused = account(json!({}));
    unused["metadata"]["name"] = json!("web");
    cluster.apply_object("", unused);
    refuses(&case, &[(CONNECT, 1, "KC1313", "--service-account web")]).await;
    cluster.remove_object("ServiceAccount", "shop", "web");
}

#[tokio::test(flavor = "multi_thread")]
async fn names_that_are_taken() {
    let case = Case::with("aks-ready", |w| plant_identity(w, Some(credential(&issuer(), SUBJECT, "api://AzureADTokenExchange")))).await;
    case.run(&format!("{CONNECT} --client-type springboot")).await.ended(0);
    refuses(
        &case,
        &[
            ("keyvault policy-vault --name keyvault-my-vault -w deployment/web -n shop --yes", 1, "KC1311", "--name NAME"),
            // Spring has only one name for the vault, whatever the connection is called.
            (
                "keyvault policy-vault --client-type springboot -w deployment/web -n shop --yes",
                2,
                "KC1320",
                "kubectl connect delete keyvault-my-vault -n shop",
            ),
        ],
    )
    .await;
    let other = "keyvault policy-vault --client-type springboot -w deployment/web -n shop --yes --verify=false --env-prefix OTHER_";
    case.run(other).await.ended(0);
    by_hand(case.cluster("aks-ready"));
    let vault = id_of("my-vault");
    let assignment = format!("{vault}/providers/Microsoft.Authorization/roleAssignments/77777777-aaaa-4bbb-8ccc-0000000000a1");
    let role =
        format!("/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/4633458b-17de-408a-b874-0445c86b69e6");
    let body =
        json!({"properties": {"roleDefinitionId": role, "principalId": super::handmade::PRINCIPAL, "principalType": "ServicePrincipal"}});
    case.arm("PUT", &assignment, "2022-04-01", Some(body)).await;
    let taken = "adopt keyvault-my-vault --workload deployment/api --name keyvault-my-vault -n shop --yes";
    refuses(&case, &[(taken, 2, "KC1208", "--name NAME")]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn places_that_are_taken() {
    let case = Case::with("aks-ready", |w| *w = std::mem::take(w).with_secrets_provider("aks-ready")).await;
    let cache = till(|d| {
        let pod = &mut d["spec"]["template"]["spec"];
        pod["volumes"] = json!([{"name": "cache", "emptyDir": {}}]);
        pod["containers"][0]["volumeMounts"] = json!([{"name": "cache", "mountPath": "/cache"}]);
    });
    case.cluster("aks-ready").apply_object("", cache);
    let mount = "keyvault my-vault --secret db-password -w deployment/till -n shop --yes --mount-path /cache";
    refuses(&case, &[(mount, 1, "KC1317", "--mount-path")]).await;
    // The vault already has a secret with the name for this connection's key.
    let stored = "blob shopdata --auth secret --secret-store keyvault:my-vault -w deployment/web -n shop";
    let officer = |w: &mut World| {
        let role = "b86a8fe4-44ce-4948-aee5-eccb2c155cd7";
        w.assignments.push((id_of("my-vault"), stand_in::world::USER.into(), "User", role.into()));
        *w = std::mem::take(w).with_secrets_provider("aks-ready");
    };
    let case = Case::with("aks-ready", officer).await;
    let plan = case.run(&format!("plan {stored} -o json")).await.ended(0).json();
    let secret = plan["changes"].as_array().unwrap().iter().find(|c| c["kind"] == "vaultSecret").unwrap_or_else(|| panic!("{plan:#}"));
    let name = secret["name"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
    let case = Case::with("aks-ready", |w| {
        officer(w);
        w.secrets.get_mut("my-vault").unwrap().insert(name, "planted-foreign-value".into());
    })
    .await;
    refuses(&case, &[(&format!("{stored} --yes"), 1, "KC1319", "--name NAME")]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn workloads_and_webhooks_that_stand_still() {
    let connect = "keyvault my-vault -w KIND/till -n shop --yes --verify=false";
    for (kind, object, code, remedy) in [
        ("deployment", till(|d| d["spec"]["paused"] = json!(true)), "KC3603", "kubectl rollout resume deployment/till -n shop"),
        (
            "statefulset",
            till(|d| {
                d["kind"] = json!("StatefulSet");
                d["spec"]["serviceName"] = json!("till");
                d["spec"]["updateStrategy"] = json!({"type": "OnDelete"});
            }),
            "KC3604",
            "kubectl delete pods -l app=till -n shop",
        ),
    ] {
        let case = Case::on("aks-ready").await;
        case.cluster("aks-ready").apply_object("", object);
        case.run(&connect.replace("KIND", kind)).await.ended(1).says(&[code, remedy]);
    }
    let case = Case::on("aks-ready").await;
    case.run("list -n shop").await.ended(0);
    down(case.cluster("aks-ready"));
    refuses(&case, &[(CONNECT, 1, "KC1106", "kubectl get pods -A")]).await;
}

/// A deployment with the default service account.
fn till(change: impl FnOnce(&mut Value)) -> Value {
    let mut object = deployment(|_| {});
    object["metadata"]["name"] = json!("till");
    object["spec"]["selector"]["matchLabels"]["app"] = json!("till");
    object["spec"]["template"]["metadata"]["labels"] = json!({"app": "till"});
    object["spec"]["template"]["spec"].as_object_mut().unwrap().shift_remove("serviceAccountName");
    change(&mut object);
    object
}

/// The webhook's deployment exists, but its pods are gone.
fn down(cluster: &KubeCluster) {
    let name = "azure-wi-webhook-controller-manager";
    let mut found = cluster.objects().into_iter().find(|o| o["kind"] == "Deployment" && o["metadata"]["name"] == name).unwrap();
    cluster.remove_object("Deployment", "kube-system", name);
    found.as_object_mut().unwrap().shift_remove("status");
    let meta = found["metadata"].as_object_mut().unwrap();
    for key in ["managedFields", "resourceVersion", "uid", "creationTimestamp", "generation"] {
        meta.shift_remove(key);
    }
    found["spec"]["replicas"] = json!(0);
    cluster.apply_object("", found);
}

/// Obstacles between this machine and the API server.
#[tokio::test(flavor = "multi_thread")]
async fn clusters_that_can_not_be_reached() {
    let case = Case::on("aks-ready").await;
    let mut past_the_proxy = case.command("list -n shop --server https://kube.invalid");
    past_the_proxy.env("NO_PROXY", "*").env("no_proxy", "*");
    case.finish(past_the_proxy).await.ended(1).says(&["KC3202", "VPN"]);
    case.run("list -n shop --tls-server-name other.example").await.ended(1).says(&["KC3204", "--certificate-authority"]);
    case.control().fail(Fault::new(Action::Reset).host("azmk8s.io").times(20));
    case.run("list -n shop").await.ended(1).says(&["KC3206"]);
    case.control().heal();
    case.control().fail(Fault::new(Action::Hang).host("azmk8s.io").times(20));
    case.run("list -n shop --request-timeout 1s").await.ended(6).says(&["KC3207", "--request-timeout=2m"]);
}

/// Errors of Azure with a code that this tool does not know.
#[tokio::test(flavor = "multi_thread")]
async fn refusals_of_azure_by_status() {
    for (status, word, exit, code) in [
        (400, "SomethingNew", 1, "KC4000"),
        (403, "RequestDisallowedByPolicy", 5, "KC4003"),
        (403, "SomethingNew", 5, "KC4012"),
        (404, "SomethingNew", 3, "KC4013"),
    ] {
        let case = Case::on("aks-ready").await;
        case.control()
            .fail(Fault::status(status, word).host("management.azure.com").method("PUT").path("/userAssignedIdentities/").times(20));
        case.run(CONNECT).await.ended(exit).says(&[code]);
        case.control().heal();
        case.run("delete keyvault-my-vault -n shop --yes --ignore-not-found").await.ended(0);
    }
}

/// The add-on is enabled, but its objects do not appear.
#[tokio::test(flavor = "multi_thread")]
async fn a_driver_that_does_not_come() {
    let case = Case::with("aks-ready", |w| *w = std::mem::take(w).with_secrets_provider("aks-ready")).await;
    case.cluster("aks-ready").remove_object("CustomResourceDefinition", "", "secretproviderclasses.secrets-store.csi.x-k8s.io");
    let mount = "keyvault my-vault --secret db-password -w deployment/web -n shop --yes --verify=false --timeout 2s";
    case.run(mount).await.ended(6).says(&["KC4608", "kubectl get pods -n kube-system"]);
}

/// Pods that never start: the vault has no such secret.
#[tokio::test(flavor = "multi_thread")]
async fn a_rollout_that_misses_its_deadline() {
    let case = Case::with("aks-ready", |w| *w = std::mem::take(w).with_secrets_provider("aks-ready")).await;
    case.cluster("aks-ready").apply_object("", till(|d| d["spec"]["progressDeadlineSeconds"] = json!(1)));
    let mount = "keyvault my-vault --secret not-there -w deployment/till -n shop --yes --verify=false";
    case.run(mount).await.ended(1).says(&["KC3602", "till"]);
}

/// In az the cluster may be named by its Azure name, which needs two flags.
#[tokio::test(flavor = "multi_thread")]
async fn half_a_cluster_s_name() {
    let case = Case::on("aks-ready").await;
    let mut command = case.command("list -n shop --aks-name aks-ready");
    command.env("AZ_CONNECT_TOKEN_ENDPOINT", "http://127.0.0.1:1").env("AZ_CONNECT_TOKEN_KEY", "key");
    let ran = case.finish(command).await.ended(2);
    assert!(format!("{}{}", ran.stdout, ran.stderr).contains("KC1090"), "{ran:?}");
}

/// According to az's files nobody is signed in.
#[tokio::test(flavor = "multi_thread")]
async fn no_subscription_is_active() {
    let case = Case::on("aks-ready").await;
    let empty = tempfile::tempdir().unwrap();
    let mut command = case.command("keyvault my-vault -w deployment/web -n shop --aks-name aks-ready --aks-resource-group rg-shop");
    command.env("AZURE_CONFIG_DIR", empty.path());
    case.finish(command).await.ended(4).says(&["KC2008", "az account set"]);
}
