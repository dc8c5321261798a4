//! Everything that the commands after connecting say, word for word: how each succeeds, and each way in which it fails.

use harness::Case;
use harness::states::drifted;
use stand_in::knobs::AzState;

const CONNECT: &str = "keyvault my-vault -w deployment/web -n shop --yes";

async fn connected() -> Case {
    let case = Case::on("aks-ready").await;
    case.run(CONNECT).await.ended(0);
    case
}

#[tokio::test(flavor = "multi_thread")]
async fn list() {
    let case = connected().await;
    let said = case.transcript(&["list -n shop", "list -n default", "list -n shop -l x=y", "list -n shop -o xml", "list extra"]).await;
    snapshot::inline!(
        said,
        r#"
        $ kubectl connect list -n shop
        -- stdout
        NAME                SERVICE    TARGET     WORKLOAD         ACCESS   STATUS   AGE
        keyvault-my-vault   keyvault   my-vault   deployment/web   read     Ready    <age>
        -- exit 0
        $ kubectl connect list -n default
        -- stderr
        No connections in namespace default.
        -- exit 0
        $ kubectl connect list -n shop -l x=y
        -- stderr
        No connections in namespace shop.
        -- exit 0
        $ kubectl connect list -n shop -o xml
        -- stderr
        error [KC1016]: --output <FORM> can't be `xml`
          why  must be one of wide, json, yaml, name, short, jsonpath=, custom-columns=
          fix  kubectl connect list --help
        -- exit 2
        $ kubectl connect list extra
        -- stderr
        error [KC1014]: `extra` is one word too many for kubectl connect list
          fix  kubectl connect list --help
        -- exit 2
    "#
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn show() {
    let case = connected().await;
    let said = case.transcript(&["show keyvault-my-vault -n shop", "show nothing -n shop", "show"]).await;
    snapshot::inline!(
        said,
        r#"
        $ kubectl connect show keyvault-my-vault -n shop
        -- stdout
        Name        keyvault-my-vault
        Namespace   shop
        Status      Ready
        Age         <age>
        Service     keyvault
        Target      my-vault (rg-data)
        Workload    deployment/web
        Auth        workload-identity
        Access      read
        Made by     kubectl-connect
        Cluster     aks-ready (rg-shop)
        Identity    id-aks-ready-shop-web-6c82cb70 (rg-shop)
        Client type none
        Client id   <id>
        Variables   AZURE_KEYVAULT_RESOURCEENDPOINT, AZURE_KEYVAULT_SCOPE,
                    AZURE_KEYVAULT_CLIENTID
        Verified    works, <age> ago
        Objects:
          cluster               aks-ready  existed before
          identity              id-aks-ready-shop-web-6c82cb70
                                  created by this connection
          role                  Key Vault Secrets User → my-vault
                                  created by this connection
          federated-credential  shop-web-555bd9dd  created by this connection
          service-account       shop/web  created by this connection
          secret                shop/keyvault-my-vault  created by this connection
          workload              shop/web  existed before
        -- exit 0
        $ kubectl connect show nothing -n shop
        -- stderr
        error [KC1201]: there is no connection `nothing` in namespace `shop`
          fix  this namespace has `keyvault-my-vault`
        -- exit 3
        $ kubectl connect show
        -- stderr
        No connections in namespace default.
        -- exit 0
    "#
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn tree() {
    let case = connected().await;
    let said = case.transcript(&["tree keyvault-my-vault -n shop", "tree nothing -n shop"]).await;
    snapshot::inline!(
        said,
        r#"
        $ kubectl connect tree keyvault-my-vault -n shop
        -- stdout
        connection/keyvault-my-vault (shop) Ready
        ├─ target
        │  └─ keyvault              my-vault  in rg-data
        ├─ azure
        │  ├─ cluster               aks-ready  existed before, done
        │  ├─ identity              id-aks-ready-shop-web-6c82cb70
        │  │                          created by this connection, done
        │  ├─ role                  Key Vault Secrets User → my-vault
        │  │                          created by this connection, done
        │  └─ federated-credential  shop-web-555bd9dd  created by this connection, done
        └─ cluster
           ├─ service-account       shop/web  created by this connection, done
           ├─ secret                shop/keyvault-my-vault
           │                          created by this connection, done
           └─ workload              shop/web  existed before, done
        -- exit 0
        $ kubectl connect tree nothing -n shop
        -- stderr
        error [KC1201]: there is no connection `nothing` in namespace `shop`
          fix  this namespace has `keyvault-my-vault`
        -- exit 3
    "#
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn wait() {
    let case = connected().await;
    let said = case.transcript(&["wait keyvault-my-vault -n shop", "wait nothing -n shop --timeout 1s"]).await;
    snapshot::inline!(
        said,
        r#"
        $ kubectl connect wait keyvault-my-vault -n shop
        -- stdout
        connection/keyvault-my-vault is ready
        -- exit 0
        $ kubectl connect wait nothing -n shop --timeout 1s
        -- stderr
        error [KC6011]: timed out after 1 s: connection nothing is absent
          fix  show its parts: kubectl connect tree nothing -n shop
               or wait longer: --timeout 15m
        -- exit 6
    "#
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn events() {
    let case = connected().await;
    let said = case.transcript(&["events nothing -n shop"]).await;
    snapshot::inline!(
        said,
        r#"
        $ kubectl connect events nothing -n shop
        -- stderr
        error [KC1201]: there is no connection `nothing` in namespace `shop`
          fix  this namespace has `keyvault-my-vault`
        -- exit 3
    "#
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn verify() {
    let case = connected().await;
    let good = case.transcript(&["verify keyvault-my-vault -n shop", "verify nothing -n shop"]).await;
    snapshot::inline!(
        good,
        r#"
        $ kubectl connect verify keyvault-my-vault -n shop
        -- stdout
        keyvault-my-vault (shop, deployment/web → my-vault)
          cluster         ✓ OIDC issuer and workload identity are on:
                            https://westeurope.oic.prod-aks.azure.com/11111111…/44444444…/
                          ✓ the issuer's documents can be read
          webhook         ✓ the webhook is registered and ready: 2 pods ready in
                            kube-system, v1.5.1
          service account ✓ the service account names the identity: shop/web →
                            <id>
          trust           ✓ issuer, subject and audience match: credential
                            shop-web-555bd9dd
          grant           ✓ role Key Vault Secrets User: on my-vault, 0s old
          variables       ✓ secret keyvault-my-vault: AZURE_KEYVAULT_RESOURCEENDPOINT,
                            AZURE_KEYVAULT_SCOPE, AZURE_KEYVAULT_CLIENTID
          workload        ✓ the pod template has the label: deployment/web
          pods            ✓ running pods have token file and variables: 2 pods
          target          ✓ the vault exists: public
          proof           ✓ got a token for service account shop/web
                          ✓ exchange it at Entra for identity
                            <id>: Entra accepted it
                          ✓ with that identity, list the names of secrets at my-vault:
                            allowed
        No problem found.
        -- exit 0
        $ kubectl connect verify nothing -n shop
        -- stderr
        error [KC1201]: there is no connection `nothing` in namespace `shop`
          fix  this namespace has `keyvault-my-vault`
        -- exit 3
    "#
    );
    case.take_roles_away().await;
    let bad = case.transcript(&["verify keyvault-my-vault -n shop"]).await;
    snapshot::inline!(
        bad,
        r#"
        $ kubectl connect verify keyvault-my-vault -n shop
        -- stdout
        keyvault-my-vault (shop, deployment/web → my-vault)
          cluster         ✓ OIDC issuer and workload identity are on:
                            https://westeurope.oic.prod-aks.azure.com/11111111…/44444444…/
                          ✓ the issuer's documents can be read
          webhook         ✓ the webhook is registered and ready: 2 pods ready in
                            kube-system, v1.5.1
          service account ✓ the service account names the identity: shop/web →
                            <id>
          trust           ✓ issuer, subject and audience match: credential
                            shop-web-555bd9dd
          grant           ✗ the identity has no role that gives access to the target
                            KC5400
                            seen     no role at all
                            expected Key Vault Secrets User on my-vault
                            why      Entra issues a token, but the service answers 403
                            fix
            az role assignment create --assignee-object-id <id> --assignee-principal-type ServicePrincipal --role 'Key Vault Secrets User' --scope /subscriptions/22222222-aaaa-4bbb-8ccc-000000000001/resourceGroups/rg-data/providers/Microsoft.KeyVault/vaults/my-vault
                            more     kubectl connect doctor KC5400
          variables       ✓ secret keyvault-my-vault: AZURE_KEYVAULT_RESOURCEENDPOINT,
                            AZURE_KEYVAULT_SCOPE, AZURE_KEYVAULT_CLIENTID
          workload        ✓ the pod template has the label: deployment/web
          pods            ✓ running pods have token file and variables: 2 pods
          target          ✓ the vault exists: public
          proof           ✓ got a token for service account shop/web
                          ✓ exchange it at Entra for identity
                            <id>: Entra accepted it
                          - with that identity, list the names of secrets at my-vault:
                            refused for the reason above, KC5400: HTTP 403
                            ForbiddenByRbac: Caller is not authorized to perform action
                            on resource. If role assignments were changed recently, wait
                            for them to take effect. Caller:
                            appid=<id>;oid=<id>;iss=https://sts.windows.net/11111111…/
                            Action:
                            'Microsoft.KeyVault/vaults/secrets/readMetadata/action'
                            Resource:
                            '/subscriptions/22222222-aaaa-4bbb-8ccc-000000000001/resourcegroups/rg-data/providers/microsoft.keyvault/vaults/my-vault'
                            Assignment: (not found) DenyAssignmentId: null
                            DecisionReason: null Vault: my-vault;location=westeurope
        1 problem, 1 check skipped.
        -- exit 1
    "#
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn doctor() {
    let case = connected().await;
    let said = case
        .transcript(&[
            "doctor deployment/web -n shop",
            "doctor deployment/api -n shop",
            "doctor deployment/nothing -n shop",
            "doctor KC9999",
        ])
        .await;
    snapshot::inline!(
        said,
        r#"
        $ kubectl connect doctor deployment/web -n shop
        -- stdout
        deployment/web
          machine         ✓ az: <sandbox>/bin/az
                          ✓ az is signed in: dev@contoso.example in subscription Sandbox
                          ✓ context aks-ready: aks-ready (rg-shop)
          rights          ✓ you have all permissions for connecting
          cluster         ✓ OIDC issuer and workload identity are on:
                            https://westeurope.oic.prod-aks.azure.com/11111111…/44444444…/
                          ✓ the issuer's documents can be read
          webhook         ✓ the webhook is registered and ready: 2 pods ready in
                            kube-system, v1.5.1
          service account ✓ the service account names the identity: shop/web →
                            <id>
          trust           ✓ issuer, subject and audience match: credential
                            shop-web-555bd9dd
          grant           ✓ role Key Vault Secrets User: on my-vault, 0s old
          variables       ✓ secret keyvault-my-vault: AZURE_KEYVAULT_RESOURCEENDPOINT,
                            AZURE_KEYVAULT_SCOPE, AZURE_KEYVAULT_CLIENTID
          workload        ✓ the pod template has the label: deployment/web
          pods            ✓ running pods have token file and variables: 2 pods
          target          ✓ the vault exists: public
          proof           ✓ got a token for service account shop/web
                          ✓ exchange it at Entra for identity
                            <id>: Entra accepted it
                          ✓ with that identity, list the names of secrets at my-vault:
                            allowed
        No problem found.
        If the application still fails: it must use WorkloadIdentityCredential or DefaultAzureCredential, not
        ManagedIdentityCredential; .NET Azure.Identity 1.9, Go azidentity 1.3, Java 1.9, @azure/identity 3.2, Python 1.13 or newer.
        -- exit 0
        $ kubectl connect doctor deployment/api -n shop
        -- stdout
        deployment/api
          machine         ✓ az: <sandbox>/bin/az
                          ✓ az is signed in: dev@contoso.example in subscription Sandbox
                          ✓ context aks-ready: aks-ready (rg-shop)
          rights          ✓ you have all permissions for connecting
          workload        - deployment/api: uses neither workload identity nor mounted
                            vaults
        No problem found, 1 check skipped.
        Not connected yet: kubectl connect SERVICE NAME -w deployment/api
        -- exit 0
        $ kubectl connect doctor deployment/nothing -n shop
        -- stderr
        error [KC1202]: there is no deployment `nothing` in namespace `shop`
          fix  kubectl get deployments -n shop
        -- exit 3
        $ kubectl connect doctor KC9999
        -- stderr
        error [KC1205]: there is no code KC9999
          fix  kubectl connect doctor --list
        -- exit 3
    "#
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn diff_and_repair() {
    let case = Case::on("aks-ready").await;
    drifted(&case).await;
    let said = case
        .transcript(&[
            "diff keyvault-my-vault -n shop",
            "repair keyvault-my-vault -n shop",
            "repair keyvault-my-vault -n shop --yes",
            "diff keyvault-my-vault -n shop",
            "repair keyvault-my-vault -n shop --yes",
            "diff nothing -n shop",
            "repair nothing -n shop --yes",
        ])
        .await;
    snapshot::inline!(
        said,
        r#"
        $ kubectl connect diff keyvault-my-vault -n shop
        -- stdout
          azure    · managedCluster       aks-ready
          azure    · managedIdentity      id-aks-ready-shop-web-6c82cb70
          azure    + roleAssignment       Key Vault Secrets User → my-vault
                       principal: id-aks-ready-shop-web-6c82cb70
          azure    · federatedCredential  shop-web-555bd9dd
          cluster  + ServiceAccount       shop/web
                       azure.workload.identity/client-id:
                         <id>
                       azure.workload.identity/tenant-id:
                         11111111-aaaa-4bbb-8ccc-000000000001
                       labels: app.kubernetes.io/managed-by=kubectl-connect
          cluster  + Secret               shop/keyvault-my-vault
                       keys: AZURE_KEYVAULT_RESOURCEENDPOINT, AZURE_KEYVAULT_SCOPE,
                         AZURE_KEYVAULT_CLIENTID
                       labels: app.kubernetes.io/managed-by=kubectl-connect,
                         kubectl-connect.dev/connection=keyvault-my-vault
          cluster  · Deployment           shop/web
          cluster  ~ ConfigMap            shop/kubectl-connect.keyvault-my-vault
                       the record of this connection

        Plan: 3 to add, 1 to change, 0 to delete.
        -- exit 1
        $ kubectl connect repair keyvault-my-vault -n shop
        -- stderr
          azure    · managedCluster       aks-ready
          azure    · managedIdentity      id-aks-ready-shop-web-6c82cb70
          azure    + roleAssignment       Key Vault Secrets User → my-vault
                       principal: id-aks-ready-shop-web-6c82cb70
          azure    · federatedCredential  shop-web-555bd9dd
          cluster  + ServiceAccount       shop/web
                       azure.workload.identity/client-id:
                         <id>
                       azure.workload.identity/tenant-id:
                         11111111-aaaa-4bbb-8ccc-000000000001
                       labels: app.kubernetes.io/managed-by=kubectl-connect
          cluster  + Secret               shop/keyvault-my-vault
                       keys: AZURE_KEYVAULT_RESOURCEENDPOINT, AZURE_KEYVAULT_SCOPE,
                         AZURE_KEYVAULT_CLIENTID
                       labels: app.kubernetes.io/managed-by=kubectl-connect,
                         kubectl-connect.dev/connection=keyvault-my-vault
          cluster  · Deployment           shop/web
          cluster  ~ ConfigMap            shop/kubectl-connect.keyvault-my-vault
                       the record of this connection

        Plan: 3 to add, 1 to change, 0 to delete.
        error [KC1007]: --yes is required without a terminal
          why  nobody can confirm the plan above
          fix  run the same command with --yes
        -- exit 2
        $ kubectl connect repair keyvault-my-vault -n shop --yes
        -- stdout
        Repaired connection keyvault-my-vault.
        -- stderr
          azure    · managedCluster       aks-ready
          azure    · managedIdentity      id-aks-ready-shop-web-6c82cb70
          azure    + roleAssignment       Key Vault Secrets User → my-vault
                       principal: id-aks-ready-shop-web-6c82cb70
          azure    · federatedCredential  shop-web-555bd9dd
          cluster  + ServiceAccount       shop/web
                       azure.workload.identity/client-id:
                         <id>
                       azure.workload.identity/tenant-id:
                         11111111-aaaa-4bbb-8ccc-000000000001
                       labels: app.kubernetes.io/managed-by=kubectl-connect
          cluster  + Secret               shop/keyvault-my-vault
                       keys: AZURE_KEYVAULT_RESOURCEENDPOINT, AZURE_KEYVAULT_SCOPE,
                         AZURE_KEYVAULT_CLIENTID
                       labels: app.kubernetes.io/managed-by=kubectl-connect,
                         kubectl-connect.dev/connection=keyvault-my-vault
          cluster  · Deployment           shop/web
          cluster  ~ ConfigMap            shop/kubectl-connect.keyvault-my-vault
                       the record of this connection

        Plan: 3 to add, 1 to change, 0 to delete.
          ✓ Secret shop/keyvault-my-vault created  (<time>)
          ✓ ServiceAccount shop/web created  (<time>)
          ✓ roleAssignment Key Vault Secrets User → my-vault created  (<time>)
        -- exit 0
        $ kubectl connect diff keyvault-my-vault -n shop
        -- stdout
          azure    · managedCluster       aks-ready
          azure    · managedIdentity      id-aks-ready-shop-web-6c82cb70
          azure    · roleAssignment       Key Vault Secrets User → my-vault
          azure    · federatedCredential  shop-web-555bd9dd
          cluster  · ServiceAccount       shop/web
          cluster  · Secret               shop/keyvault-my-vault
          cluster  · Deployment           shop/web
          cluster  · ConfigMap            shop/kubectl-connect.keyvault-my-vault
                       the record of this connection

        Nothing to change: the connection is as it should be.
        -- exit 0
        $ kubectl connect repair keyvault-my-vault -n shop --yes
        -- stdout
        Connection keyvault-my-vault needs no repair.
        -- stderr
          azure    · managedCluster       aks-ready
          azure    · managedIdentity      id-aks-ready-shop-web-6c82cb70
          azure    · roleAssignment       Key Vault Secrets User → my-vault
          azure    · federatedCredential  shop-web-555bd9dd
          cluster  · ServiceAccount       shop/web
          cluster  · Secret               shop/keyvault-my-vault
          cluster  · Deployment           shop/web
          cluster  · ConfigMap            shop/kubectl-connect.keyvault-my-vault
                       the record of this connection

        Nothing to change: the connection is as it should be.
        -- exit 0
        $ kubectl connect diff nothing -n shop
        -- stderr
        error [KC1201]: there is no connection `nothing` in namespace `shop`
          fix  this namespace has `keyvault-my-vault`
        -- exit 3
        $ kubectl connect repair nothing -n shop --yes
        -- stderr
        error [KC1201]: there is no connection `nothing` in namespace `shop`
          fix  this namespace has `keyvault-my-vault`
        -- exit 3
    "#
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn refresh() {
    let case = Case::on("aks-ready").await;
    case.run("blob shopdata --auth secret -w deployment/web -n shop --yes --verify=false").await.ended(0);
    let said = case.transcript(&["refresh storage-blob-shopdata -n shop --yes", "refresh nothing -n shop --yes"]).await;
    snapshot::inline!(
        said,
        r#"
        $ kubectl connect refresh storage-blob-shopdata -n shop --yes
        -- stdout
        Connection storage-blob-shopdata has the current keys: nothing to refresh.
        -- exit 0
        $ kubectl connect refresh nothing -n shop --yes
        -- stderr
        error [KC1201]: there is no connection `nothing` in namespace `shop`
          fix  this namespace has `storage-blob-shopdata`
        -- exit 3
    "#
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn adopt() {
    let case = connected().await;
    let said = case.transcript(&["adopt -n shop", "adopt nothing -n shop --yes"]).await;
    snapshot::inline!(
        said,
        r#"
        $ kubectl connect adopt -n shop
        -- stderr
        Nothing to adopt in namespace shop.
        -- exit 0
        $ kubectl connect adopt nothing -n shop --yes
        -- stderr
        error [KC1206]: there is no set-up `nothing` to adopt in namespace `shop`
          fix  list the set-ups that can be adopted, and why others can't: kubectl connect adopt -n shop
        -- exit 3
    "#
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn delete() {
    let case = connected().await;
    let said = case
        .transcript(&[
            "delete keyvault-my-vault -n shop",
            "delete keyvault-my-vault -n shop --yes",
            "delete keyvault-my-vault -n shop --yes",
            "delete keyvault-my-vault -n shop --yes --ignore-not-found",
        ])
        .await;
    snapshot::inline!(
        said,
        r#"
        $ kubectl connect delete keyvault-my-vault -n shop
        -- stderr
          azure    · managedCluster       aks-ready
                       stays enabled: the issuer can't be disabled, and others may use
                         it
          azure    - managedIdentity      id-aks-ready-shop-web-6c82cb70
          azure    - roleAssignment       Key Vault Secrets User → my-vault
          azure    - federatedCredential  shop-web-555bd9dd
          cluster  - ServiceAccount       shop/web
          cluster  - Secret               shop/keyvault-my-vault
          cluster  ~ Deployment           shop/web
                       remove our label, service account and variables (1 rollout)
          cluster  - ConfigMap            shop/kubectl-connect.keyvault-my-vault
                       the record of this connection

        Plan: 0 to add, 1 to change, 6 to delete.
        error [KC1007]: --yes is required without a terminal
          why  nobody can confirm the plan above
          fix  run the same command with --yes
        -- exit 2
        $ kubectl connect delete keyvault-my-vault -n shop --yes
        -- stdout
        Deleted connection keyvault-my-vault.
        -- stderr
          azure    · managedCluster       aks-ready
                       stays enabled: the issuer can't be disabled, and others may use
                         it
          azure    - managedIdentity      id-aks-ready-shop-web-6c82cb70
          azure    - roleAssignment       Key Vault Secrets User → my-vault
          azure    - federatedCredential  shop-web-555bd9dd
          cluster  - ServiceAccount       shop/web
          cluster  - Secret               shop/keyvault-my-vault
          cluster  ~ Deployment           shop/web
                       remove our label, service account and variables (1 rollout)
          cluster  - ConfigMap            shop/kubectl-connect.keyvault-my-vault
                       the record of this connection

        Plan: 0 to add, 1 to change, 6 to delete.
          ✓ Deployment shop/web updated  (<time>)
          ✓ Secret shop/keyvault-my-vault deleted  (<time>)
          ✓ ServiceAccount shop/web deleted  (<time>)
          ✓ federatedCredential shop-web-555bd9dd deleted  (<time>)
          ✓ managedIdentity id-aks-ready-shop-web-6c82cb70 deleted  (<time>)
          ✓ roleAssignment Key Vault Secrets User → my-vault deleted  (<time>)
        -- exit 0
        $ kubectl connect delete keyvault-my-vault -n shop --yes
        -- stderr
        error [KC1201]: there is no connection `keyvault-my-vault` in namespace `shop`
          fix  kubectl connect list -A
        -- exit 3
        $ kubectl connect delete keyvault-my-vault -n shop --yes --ignore-not-found
        -- exit 0
    "#
    );
}

/// Nobody is signed in: reading the cluster goes on, everything that needs Azure says how to sign in.
#[tokio::test(flavor = "multi_thread")]
async fn signed_out() {
    let case = Case::with("aks-ready", |world| world.knobs.az = AzState::NotSignedIn).await;
    let said = case.transcript(&["list -n shop", "verify nothing -n shop", "doctor deployment/web -n shop", "adopt -n shop"]).await;
    snapshot::inline!(
        said,
        r#"
        $ kubectl connect list -n shop
        -- stderr
        No connections in namespace shop.
        -- exit 0
        $ kubectl connect verify nothing -n shop
        -- stderr
        error [KC1201]: there is no connection `nothing` in namespace `shop`
          fix  kubectl connect list -A
        -- exit 3
        $ kubectl connect doctor deployment/web -n shop
        -- stdout
        deployment/web
          machine         ✓ az: <sandbox>/bin/az
                          ✗ az is not signed in   KC5901
                            seen     nobody is signed in to Azure
                            expected a sign-in
                            why      nothing in Azure can be read or changed
                            fix
            az login --tenant 11111111-aaaa-4bbb-8ccc-000000000001
                            more     kubectl connect doctor KC5901
        1 problem.
        -- exit 1
        $ kubectl connect adopt -n shop
        -- stderr
        error [KC2002]: nobody is signed in to Azure
          fix  az login --tenant 11111111-aaaa-4bbb-8ccc-000000000001
        -- exit 4
    "#
    );
}
