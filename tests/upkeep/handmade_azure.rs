//! Faults in Azure: cluster, trust, grant and target, each with its finding and remedy (known problems 9, 12, 14, 15,
//! 18 to 20 and 27).

use serde_json::json;
use stand_in::fault::{Action, Fault};
use stand_in::world::World;

use super::handmade::{PRINCIPAL, SUBJECT, by_hand, credential, findings, fix, healthy, issuer, plant_identity};
use harness::{Case, Ran};

const DOCTOR: &str = "doctor deployment/api -n shop -o json";
const AUDIENCE: &str = "api://AzureADTokenExchange";
const VAULTS: &str = "2025-05-01";
const CONTRIBUTOR: &str = "b24988ac-6180-42a0-ab88-20f7382dd24c";
const SECRETS_USER: &str = "4633458b-17de-408a-b874-0445c86b69e6";

fn id_of(name: &str) -> String {
    World::planted().id_of(name).unwrap().to_owned()
}

/// Connects deployment/web to a vault with the planted identity.
async fn connected(vault: &str, change: impl FnOnce(&mut World)) -> Case {
    let case = Case::with("aks-ready", |world| {
        plant_identity(world, None);
        change(world);
    })
    .await;
    case.run(&format!("keyvault {vault} --identity id-api -w deployment/web -n shop --yes --verify=false")).await.ended(0);
    case
}

async fn verified(case: &Case, name: &str) -> Ran {
    case.run(&format!("verify {name} -n shop -o json")).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_lacks_a_feature_is_told() {
    let case = Case::with("aks-shop", |w| plant_identity(w, None)).await;
    by_hand(case.cluster("aks-shop"));
    let ran = case.run(DOCTOR).await.ended(1);
    assert!(findings(&ran).contains(&"KC5110".to_owned()), "{}", ran.stdout);
    let remedy = "az aks update --name aks-shop --resource-group rg-shop --enable-oidc-issuer --enable-workload-identity";
    assert_eq!(fix(&ran, "KC5110"), remedy);

    let case = healthy(|w| {
        plant_identity(w, Some(credential(&issuer(), SUBJECT, AUDIENCE)));
        w.resource_mut("aks-ready").unwrap()["properties"]["securityProfile"] = json!({});
    })
    .await;
    let ran = case.run(DOCTOR).await.ended(1);
    assert!(findings(&ran).contains(&"KC5111".to_owned()), "{}", ran.stdout);
    assert_eq!(fix(&ran, "KC5111"), "az aks update --name aks-ready --resource-group rg-shop --enable-workload-identity");
}

/// The API server still signs with its former issuer (known problem 21).
#[tokio::test(flavor = "multi_thread")]
async fn tokens_of_another_issuer_are_told() {
    let case = healthy(|w| plant_identity(w, Some(credential(&issuer(), SUBJECT, AUDIENCE)))).await;
    case.cluster("aks-ready").set_issuer("https://kubernetes.default.svc.cluster.local");
    let ran = case.run(DOCTOR).await.ended(1);
    assert!(findings(&ran).contains(&"KC5113".to_owned()), "{}", ran.stdout);
    assert!(ran.stdout.contains("https://kubernetes.default.svc.cluster.local"), "{}", ran.stdout);
    assert!(fix(&ran, "KC5113").contains("kubectl rollout restart deployment/api -n shop"), "{}", ran.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_identity_that_is_nearly_full_is_told() {
    let case = healthy(|w| {
        plant_identity(w, Some(credential(&issuer(), SUBJECT, AUDIENCE)));
        for number in 0..18 {
            let mut one = credential(&issuer(), &format!("system:serviceaccount:old:app-{number}"), AUDIENCE);
            let id = one["id"].as_str().unwrap().replace("by-hand", &format!("old-{number}"));
            one["id"] = json!(id);
            one["name"] = json!(format!("old-{number}"));
            w.resources.push(one);
        }
    })
    .await;
    let ran = case.run(DOCTOR).await.ended(0);
    assert_eq!(findings(&ran), ["KC5307"], "{}", ran.stdout);
    assert!(ran.stdout.contains("19 of 20"), "{}", ran.stdout);
    assert!(fix(&ran, "KC5307").contains("az identity federated-credential list --identity-name id-api --resource-group rg-shop"));
}

/// Faults that only Entra can report are recognised by their numbers.
#[tokio::test(flavor = "multi_thread")]
async fn numbers_of_entra_have_their_remedy() {
    let case = Case::on("aks-ready").await;
    for (number, code, remedy) in [
        ("AADSTS700027", "KC5321", "kubectl rollout restart"),
        ("AADSTS500011", "KC5322", "/.default"),
        ("AADSTS90002", "KC5323", "azure.workload.identity/tenant-id="),
        ("AADSTS70011", "KC5324", "<resource>/.default"),
        ("AADSTS53003", "KC5325", "az login"),
        ("AADSTS700222", "KC5326", "AZURE_FEDERATED_TOKEN_FILE"),
    ] {
        let told = case.run(&format!("doctor {number}")).await.ended(0).stdout;
        assert!(told.starts_with(code) && told.contains(remedy), "{number}: {told}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn management_roles_are_told_from_data_roles() {
    let case = connected("my-vault", |w| {
        let vault = w.id_of("my-vault").unwrap().to_owned();
        w.assignments.push((vault, PRINCIPAL.into(), "ServicePrincipal", CONTRIBUTOR.into()));
    })
    .await;
    case.take_roles_away().await;
    let ran = verified(&case, "keyvault-my-vault").await.ended(1);
    assert_eq!(findings(&ran), ["KC5401"], "{}", ran.stdout);
    assert!(ran.stdout.contains("Contributor"), "{}", ran.stdout);
    assert!(fix(&ran, "KC5401").contains(&format!("--assignee-object-id {PRINCIPAL}")), "{}", ran.stdout);
    assert!(fix(&ran, "KC5401").contains("--role 'Key Vault Secrets User'"), "{}", ran.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_of_the_wrong_kind_is_told() {
    for (vault, roles, code, remedy) in [
        ("my-vault", false, "KC5403", "az keyvault set-policy --name my-vault"),
        ("policy-vault", true, "KC5404", "az role assignment create"),
    ] {
        let case = connected(vault, |_| {}).await;
        let change = json!({"properties": {"enableRbacAuthorization": roles}});
        case.arm("PATCH", &id_of(vault), VAULTS, Some(change)).await;
        let ran = verified(&case, &format!("keyvault-{vault}")).await.ended(1);
        assert!(findings(&ran).contains(&code.to_owned()), "{}", ran.stdout);
        let fix = fix(&ran, code);
        assert!(fix.contains(remedy) && fix.contains(PRINCIPAL), "{code}: {fix}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_access_policy_that_was_lost_is_told() {
    let case = connected("policy-vault", |_| {}).await;
    let vault = id_of("policy-vault");
    let body = case.arm("GET", &vault, VAULTS, None).await;
    let all = body["properties"]["accessPolicies"].as_array().unwrap();
    let others: Vec<_> = all.iter().filter(|p| p["objectId"] != PRINCIPAL).cloned().collect();
    assert!(others.len() < all.len(), "{body:#}");
    let replaced = json!({"properties": {"accessPolicies": others}});
    case.arm("PATCH", &vault, VAULTS, Some(replaced)).await;
    let ran = verified(&case, "keyvault-policy-vault").await.ended(1);
    assert_eq!(findings(&ran), ["KC5405"], "{}", ran.stdout);
    let fix = fix(&ran, "KC5405");
    assert!(fix.starts_with(&format!("az keyvault set-policy --name policy-vault --object-id {PRINCIPAL} --secret-permissions")), "{fix}");
}

/// The grant is old, but the vault refuses: because of a deny assignment or a condition.
#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_in_spite_of_an_old_grant_is_told() {
    let mut case = connected("my-vault", |w| {
        let vault = w.id_of("my-vault").unwrap().to_owned();
        w.assignments.push((vault, PRINCIPAL.into(), "ServicePrincipal", SECRETS_USER.into()));
    })
    .await;
    case.described = false;
    case.control().fail(Fault::status(403, "Forbidden").host("my-vault.vault.azure.net").times(20));
    let ran = verified(&case, "keyvault-my-vault").await.ended(1);
    assert_eq!(findings(&ran), ["KC5406"], "{}", ran.stdout);
    assert!(fix(&ran, "KC5406").starts_with(&format!("az role assignment list --assignee {PRINCIPAL}")), "{}", ran.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_is_gone_or_silent_is_told() {
    let case = connected("my-vault", |_| {}).await;
    case.control().fail(Fault::status(404, "ResourceNotFound").host("management.azure.com").path("/vaults/my-vault").times(50));
    let ran = verified(&case, "keyvault-my-vault").await.ended(1);
    assert!(findings(&ran).contains(&"KC5700".to_owned()), "{}", ran.stdout);
    assert_eq!(fix(&ran, "KC5700"), "kubectl connect delete keyvault-my-vault -n shop");

    let case = connected("my-vault", |_| {}).await;
    case.control().fail(Fault::new(Action::Reset).host("my-vault.vault.azure.net").times(50));
    let ran = verified(&case, "keyvault-my-vault").await.ended(1);
    assert_eq!(findings(&ran), ["KC5706"], "{}", ran.stdout);
    assert!(fix(&ran, "KC5706").ends_with("nslookup my-vault.vault.azure.net"), "{}", ran.stdout);
}

/// The account was recreated without a subdomain (known problem 27).
#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_takes_no_tokens_is_told() {
    let mut case = Case::on("aks-ready").await;
    // No operation removes a subdomain: only a new account has none.
    case.described = false;
    case.run("openai shop-openai -w deployment/web -n shop --yes --verify=false").await.ended(0);
    let name = case.run("list -n shop -o name").await.stdout.trim().replace("connection/", "");
    let change = json!({"properties": {"customSubDomainName": null}});
    case.arm("PATCH", &id_of("shop-openai"), "2025-06-01", Some(change)).await;
    let ran = verified(&case, &name).await.ended(1);
    assert!(findings(&ran).contains(&"KC5705".to_owned()), "{}", ran.stdout);
    assert!(fix(&ran, "KC5705").contains("--custom-domain shop-openai"), "{}", ran.stdout);
}
