//! Everything that the commands around connecting say, word for word: how each succeeds, and each way in which it fails.

use harness::Case;
use stand_in::fault::Fault;
use stand_in::knobs::AzState;

#[tokio::test(flavor = "multi_thread")]
async fn plan() {
    let case = Case::on("aks-ready").await;
    let said = case
        .transcript(&[
            "plan keyvault my-vault -w deployment/web -n shop",
            "plan keyvault my-vault -n shop",
            "plan keyvault no-such-vault -w deployment/web -n shop",
            "plan keyvault my-vault -w deployment/nothing -n shop",
        ])
        .await;
    snapshot::inline!(
        said,
        r#"
        $ kubectl connect plan keyvault my-vault -w deployment/web -n shop
        -- stdout
          azure    · managedCluster       aks-ready
          azure    + managedIdentity      id-aks-ready-shop-web-6c82cb70
                       resourceGroup: rg-shop
                       location: westeurope
                       tags: kubectl-connect.dev=aks-ready/shop/web
                       clientId: (known after apply)
          azure    + roleAssignment       Key Vault Secrets User → my-vault
                       principal: id-aks-ready-shop-web-6c82cb70
          azure    + federatedCredential  shop-web-555bd9dd
                       subject: system:serviceaccount:shop:web
                       issuer:
                         https://westeurope.oic.prod-aks.azure.com/11111111…/44444444…/
                       audiences: api://AzureADTokenExchange
          cluster  + ServiceAccount       shop/web
                       azure.workload.identity/client-id: (known after apply)
                       azure.workload.identity/tenant-id:
                         11111111-aaaa-4bbb-8ccc-000000000001
                       labels: app.kubernetes.io/managed-by=kubectl-connect
          cluster  + Secret               shop/keyvault-my-vault
                       keys: AZURE_KEYVAULT_RESOURCEENDPOINT, AZURE_KEYVAULT_SCOPE,
                         AZURE_KEYVAULT_CLIENTID
                       labels: app.kubernetes.io/managed-by=kubectl-connect,
                         kubectl-connect.dev/connection=keyvault-my-vault
          cluster  ~ Deployment           shop/web
                       azure.workload.identity/use: true
                       serviceAccountName: default → web
                       env: AZURE_KEYVAULT_RESOURCEENDPOINT, AZURE_KEYVAULT_SCOPE,
                         AZURE_KEYVAULT_CLIENTID
                       containers: app, sidecar
                       kubectl-connect.dev/digest.keyvault-my-vault: (known after apply)
                       1 rollout
          cluster  + ConfigMap            shop/kubectl-connect.keyvault-my-vault
                       the record of this connection

        Plan: 6 to add, 1 to change, 0 to delete.
        -- stderr
        Cluster    aks-ready (rg-shop)  context aks-ready
        Target     my-vault (rg-data)
        Namespace  shop

        -- exit 0
        $ kubectl connect plan keyvault my-vault -n shop
        -- stderr
        error [KC1006]: no workload is given
          why  a connection belongs to a workload's service account
          fix  kubectl connect keyvault my-vault --workload deployment/NAME -n shop
               or only prepare a service account: --service-account NAME
        -- exit 2
        $ kubectl connect plan keyvault no-such-vault -w deployment/web -n shop
        -- stderr
        error [KC1301]: there is no vault `no-such-vault` that you can see
          why  there is none of that name in any subscription of this tenant
          fix  list them: az resource list --resource-type Microsoft.KeyVault/vaults -o table
        -- exit 3
        $ kubectl connect plan keyvault my-vault -w deployment/nothing -n shop
        -- stderr
        error [KC1202]: there is no deployment `nothing` in namespace `shop`
          fix  the namespace has deployment/api, deployment/web
        -- exit 3
    "#
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn connect() {
    let case = Case::on("aks-ready").await;
    let said = case
        .transcript(&[
            "keyvault my-vault -w deployment/web -n shop",
            "keyvault my-vault -w deployment/web -n shop --yes --auth password",
            "keyvault my-vault -w deployment/web -n shop --yes --dry-run -q",
        ])
        .await;
    snapshot::inline!(
        said,
        r#"
        $ kubectl connect keyvault my-vault -w deployment/web -n shop
        -- stderr
        Cluster    aks-ready (rg-shop)  context aks-ready
        Target     my-vault (rg-data)
        Namespace  shop

          azure    · managedCluster       aks-ready
          azure    + managedIdentity      id-aks-ready-shop-web-6c82cb70
                       resourceGroup: rg-shop
                       location: westeurope
                       tags: kubectl-connect.dev=aks-ready/shop/web
                       clientId: (known after apply)
          azure    + roleAssignment       Key Vault Secrets User → my-vault
                       principal: id-aks-ready-shop-web-6c82cb70
          azure    + federatedCredential  shop-web-555bd9dd
                       subject: system:serviceaccount:shop:web
                       issuer:
                         https://westeurope.oic.prod-aks.azure.com/11111111…/44444444…/
                       audiences: api://AzureADTokenExchange
          cluster  + ServiceAccount       shop/web
                       azure.workload.identity/client-id: (known after apply)
                       azure.workload.identity/tenant-id:
                         11111111-aaaa-4bbb-8ccc-000000000001
                       labels: app.kubernetes.io/managed-by=kubectl-connect
          cluster  + Secret               shop/keyvault-my-vault
                       keys: AZURE_KEYVAULT_RESOURCEENDPOINT, AZURE_KEYVAULT_SCOPE,
                         AZURE_KEYVAULT_CLIENTID
                       labels: app.kubernetes.io/managed-by=kubectl-connect,
                         kubectl-connect.dev/connection=keyvault-my-vault
          cluster  ~ Deployment           shop/web
                       azure.workload.identity/use: true
                       serviceAccountName: default → web
                       env: AZURE_KEYVAULT_RESOURCEENDPOINT, AZURE_KEYVAULT_SCOPE,
                         AZURE_KEYVAULT_CLIENTID
                       containers: app, sidecar
                       kubectl-connect.dev/digest.keyvault-my-vault: (known after apply)
                       1 rollout
          cluster  + ConfigMap            shop/kubectl-connect.keyvault-my-vault
                       the record of this connection

        Plan: 6 to add, 1 to change, 0 to delete.
        error [KC1007]: --yes is required without a terminal
          why  nobody can confirm the plan above
          fix  run the same command with --yes
        -- exit 2
        $ kubectl connect keyvault my-vault -w deployment/web -n shop --yes --auth password
        -- stderr
        error [KC1601]: `password` is not a way of authentication
          fix  choose one of: workload-identity, secret, service-principal, csi
        -- exit 2
        $ kubectl connect keyvault my-vault -w deployment/web -n shop --yes --dry-run -q
        -- stdout
          azure    · managedCluster       aks-ready
          azure    + managedIdentity      id-aks-ready-shop-web-6c82cb70
                       resourceGroup: rg-shop
                       location: westeurope
                       tags: kubectl-connect.dev=aks-ready/shop/web
                       clientId: (known after apply)
          azure    + roleAssignment       Key Vault Secrets User → my-vault
                       principal: id-aks-ready-shop-web-6c82cb70
          azure    + federatedCredential  shop-web-555bd9dd
                       subject: system:serviceaccount:shop:web
                       issuer:
                         https://westeurope.oic.prod-aks.azure.com/11111111…/44444444…/
                       audiences: api://AzureADTokenExchange
          cluster  + ServiceAccount       shop/web
                       azure.workload.identity/client-id: (known after apply)
                       azure.workload.identity/tenant-id:
                         11111111-aaaa-4bbb-8ccc-000000000001
                       labels: app.kubernetes.io/managed-by=kubectl-connect
          cluster  + Secret               shop/keyvault-my-vault
                       keys: AZURE_KEYVAULT_RESOURCEENDPOINT, AZURE_KEYVAULT_SCOPE,
                         AZURE_KEYVAULT_CLIENTID
                       labels: app.kubernetes.io/managed-by=kubectl-connect,
                         kubectl-connect.dev/connection=keyvault-my-vault
          cluster  ~ Deployment           shop/web
                       azure.workload.identity/use: true
                       serviceAccountName: default → web
                       env: AZURE_KEYVAULT_RESOURCEENDPOINT, AZURE_KEYVAULT_SCOPE,
                         AZURE_KEYVAULT_CLIENTID
                       containers: app, sidecar
                       kubectl-connect.dev/digest.keyvault-my-vault: (known after apply)
                       1 rollout
          cluster  + ConfigMap            shop/kubectl-connect.keyvault-my-vault
                       the record of this connection

        Plan: 6 to add, 1 to change, 0 to delete.
        -- exit 0
    "#
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn connect_signed_out() {
    let case = Case::with("aks-ready", |world| world.knobs.az = AzState::NotSignedIn).await;
    let said = case.transcript(&["keyvault my-vault -w deployment/web -n shop --yes"]).await;
    snapshot::inline!(
        said,
        r#"
        $ kubectl connect keyvault my-vault -w deployment/web -n shop --yes
        -- stderr
        error [KC2002]: nobody is signed in to Azure
          fix  az login --tenant 11111111-aaaa-4bbb-8ccc-000000000001
        -- exit 4
    "#
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn connect_not_permitted() {
    let case = Case::on("aks-ready").await;
    case.control().knobs(|knobs| knobs.deny("Microsoft.ManagedIdentity/userAssignedIdentities/write", "/"));
    let said = case.transcript(&["keyvault my-vault -w deployment/web -n shop --yes -q"]).await;
    snapshot::inline!(
        said,
        r#"
        $ kubectl connect keyvault my-vault -w deployment/web -n shop --yes -q
        -- stderr
        error [KC1501]: you lack the permission Microsoft.ManagedIdentity/userAssignedIdentities/write on `rg-shop`
          why  none of your roles on /subscriptions/22222222-aaaa-4bbb-8ccc-000000000001/resourceGroups/rg-shop includes it
          fix  ask an owner: az role assignment create --assignee dev@contoso.example --role 'Managed Identity Contributor' --scope /subscriptions/22222222-aaaa-4bbb-8ccc-000000000001/resourceGroups/rg-shop
        -- exit 5
    "#
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn connect_while_a_service_fails() {
    let case = Case::on("aks-ready").await;
    case.control().fail(Fault::status(500, "InternalServerError").path("roleAssignments").method("PUT").times(100));
    let said = case.transcript(&["keyvault my-vault -w deployment/web -n shop --yes -q"]).await;
    snapshot::inline!(
        said,
        r#"
        $ kubectl connect keyvault my-vault -w deployment/web -n shop --yes -q
        -- stderr
        error [KC4007]: creating roleAssignment Key Vault Secrets User → my-vault: Azure failed with an internal error (HTTP 500, InternalServerError)
          why  The sandbox was told to answer 500 InternalServerError
          fix  run the same command again: it continues where it stopped
               see https://azure.status.microsoft
               run the same command again to continue; the record of `keyvault-my-vault` has the finished steps
               or undo the finished steps: kubectl connect delete keyvault-my-vault -n shop
          ids  correlation <id>
        -- exit 1
    "#
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn offline() {
    let case = Case::on("aks-ready").await;
    let said = case
        .transcript(&[
            "explain keyvault",
            "explain nothing",
            "services -o name",
            "services -o xml",
            "version",
            "version --short",
            "config view",
            "config list",
            "completion tcsh",
        ])
        .await;
    snapshot::inline!(
        said,
        r#"
        $ kubectl connect explain keyvault
        -- stdout
        VARIABLE                          VALUE         SECRET
        AZURE_KEYVAULT_RESOURCEENDPOINT   <endpoint>
        AZURE_KEYVAULT_SCOPE              <scope>
        AZURE_KEYVAULT_CLIENTID           <client-id>

        Grants  Key Vault Secrets User
        Steps   cluster features, managed identity, federated credential, service account, grant, secret, workload
        See     https://learn.microsoft.com/azure/key-vault/general/rbac-guide
        -- exit 0
        $ kubectl connect explain nothing
        -- stderr
        error [KC1004]: there is no service `nothing`
          fix  kubectl connect services
        -- exit 2
        $ kubectl connect services -o name
        -- stdout
        keyvault
        storage-blob
        storage-queue
        storage-table
        storage-file
        cognitiveservices
        search
        appconfig
        servicebus
        eventhub
        signalr
        webpubsub
        redis
        redis-enterprise
        cosmos-sql
        cosmos-mongo
        cosmos-table
        cosmos-gremlin
        cosmos-cassandra
        postgres-flexible
        mysql-flexible
        sql
        fabric-sql
        app-insights
        confluent-cloud
        neon-postgres
        mongodb-atlas
        resource
        -- exit 0
        $ kubectl connect services -o xml
        -- stderr
        error [KC1016]: --output <FORM> can't be `xml`
          why  must be one of wide, json, yaml, name, short, jsonpath=, custom-columns=
          fix  kubectl connect services --help
        -- exit 2
        $ kubectl connect version
        -- stdout
        kubectl connect 0.1.0 (<platform>)
        -- exit 0
        $ kubectl connect version --short
        -- stderr
        error [KC1014]: kubectl connect version has no flag `--short`
          fix  kubectl connect version --help
        -- exit 2
        $ kubectl connect config view
        -- stdout
        SETTING           VALUE    FROM
        access            <none>   default
        client-type       none     default
        patch             auto     default
        verify            true     default
        env-prefix        <none>   default
        identity-group    <none>   default
        identity-name     <none>   default
        tags              <none>   default
        timeout           15m      default
        request-timeout   <none>   default
        color             auto     default
        progress          auto     default
        -- exit 0
        $ kubectl connect config list
        -- stderr
        error [KC1015]: kubectl connect config has no command `list`
          fix  kubectl connect config --help
        -- exit 2
        $ kubectl connect completion tcsh
        -- stderr
        error [KC1016]: <SHELL|install> can't be `tcsh`
          fix  use one of: bash, zsh, fish, powershell, install
        -- exit 2
    "#
    );
}
