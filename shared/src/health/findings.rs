//! The table of all findings of `verify` and `doctor`. Checks take code, reason and remedy from it, `doctor --list`
//! prints it, and `docs/findings.md` is generated from it.

/// Path of the findings page, relative to the repository's root.
pub const PAGE: &str = "docs/findings.md";

/// A fault that can be found.
pub struct Finding {
    /// Stable code.
    pub code: &'static str,
    /// The link of the chain.
    pub group: &'static str,
    /// The fault in a few words.
    pub title: &'static str,
    /// Why it matters.
    pub why: &'static str,
    /// How to fix it; words in braces are placeholders.
    pub remedy: &'static str,
    /// Whether the chain works nevertheless.
    pub warning: bool,
}

/// Values for the placeholders of a remedy: name and value.
pub type Facts<'a> = &'a [(&'a str, &'a str)];

impl Finding {
    /// The remedy with its placeholders filled in. Unknown values appear as capitals.
    pub fn remedy(&self, facts: Facts<'_>) -> String {
        let (mut out, mut rest) = (String::new(), self.remedy);
        while let Some((before, after)) = rest.split_once('{') {
            out.push_str(before);
            let word = after.split('}').next().unwrap_or_default();
            // Other braces belong to JSON in a command.
            if word.is_empty() || !word.bytes().all(|b| b.is_ascii_lowercase() || b == b'_') {
                out.push('{');
                rest = after;
                continue;
            }
            match facts.iter().find(|(name, _)| *name == word) {
                Some((_, value)) => out.push_str(value),
                None => out.push_str(&word.to_ascii_uppercase()),
            }
            rest = after.get(word.len() + 1..).unwrap_or_default();
        }
        out + rest
    }

    /// Link to the finding's section on the page.
    pub fn anchor(&self) -> String {
        format!("{PAGE}#{}", self.code.to_ascii_lowercase())
    }
}

/// The finding with this code.
pub fn find(code: &str) -> Option<&'static Finding> {
    FINDINGS.iter().find(|f| f.code.eq_ignore_ascii_case(code))
}

/// The finding for an error number of Entra. Numbers decide, since texts change.
pub fn of_aadsts(number: u32) -> Option<&'static Finding> {
    find(match number {
        70025 => "KC5300",
        70021 | 700_211 => "KC5301",
        700_212 => "KC5305",
        700_213 => "KC5304",
        7_002_138 => "KC5303",
        700_024 => "KC5320",
        700_016 => "KC5206",
        700_027 | 50027 => "KC5321",
        90061 | 50166 | 5_000_224 => "KC5112",
        500_011 => "KC5322",
        90002 | 900_023 => "KC5323",
        70011 | 28002 => "KC5324",
        53003 | 50005 => "KC5325",
        700_222 | 700_226 | 700_227 => "KC5326",
        // New numbers of this range mean that no credential matches.
        n if n / 100 == 7002 || n / 1000 == 7002 => "KC5301",
        _ => return None,
    })
}

/// The Markdown page of all findings.
pub fn page() -> String {
    let mut text = String::from(
        "# Findings\n\nProblems that `kubectl connect verify` and `kubectl connect doctor` find. This page is generated \
         from\n`shared/src/health/findings.rs`; `kubectl connect doctor --list` prints the same table.\n",
    );
    let mut group = "";
    for finding in FINDINGS {
        if finding.group != group {
            group = finding.group;
            text.push_str(&format!("\n## {group}\n"));
        }
        let level = if finding.warning { " (warning)" } else { "" };
        text.push_str(&format!(
            "\n### {}\n\n**{}**{level}\n\nWhy it matters: {}.\n\n```sh\n{}\n```\n",
            finding.code,
            finding.title,
            finding.why,
            finding.remedy(&[])
        ));
    }
    text
}

const fn bad(code: &'static str, group: &'static str, title: &'static str, why: &'static str, remedy: &'static str) -> Finding {
    Finding { code, group, title, why, remedy, warning: false }
}

const fn odd(code: &'static str, group: &'static str, title: &'static str, why: &'static str, remedy: &'static str) -> Finding {
    Finding { code, group, title, why, remedy, warning: true }
}

/// All findings, in the order of the chain.
#[rustfmt::skip]
pub static FINDINGS: &[Finding] = &[
    bad("KC5110", "cluster", "the cluster has no OIDC issuer", "Entra checks service account tokens with keys that only the issuer publishes",
        "az aks update --name {cluster} --resource-group {group} --enable-oidc-issuer --enable-workload-identity"),
    bad("KC5111", "cluster", "workload identity is disabled", "no webhook runs, so pods get neither a token file nor AZURE_ variables",
        "az aks update --name {cluster} --resource-group {group} --enable-workload-identity"),
    bad("KC5112", "cluster", "the issuer's documents can't be fetched", "Entra reads the signing keys from them, and refuses every token \
        while it can't (AADSTS90061, AADSTS50166)",
        "az aks update --name {cluster} --resource-group {group}   # reconciles; then open {issuer}.well-known/openid-configuration"),
    bad("KC5113", "cluster", "tokens have another issuer than the one that the cluster publishes", "credentials for the published issuer do not match \
        such a token, and pods keep their old token until they are recreated",
        "kubectl rollout restart {workload} -n {namespace}   # and wait until the cluster's update has ended"),
    odd("KC5115", "cluster", "pods may not be able to reach Entra", "every token exchange goes to Entra's public address, for which there is no private endpoint",
        "allow {authority} (TCP 443) in the firewall or route table of the cluster's subnet, or use identity bindings"),
    bad("KC5120", "webhook", "the workload identity webhook is not registered", "pods with the label start, but without token file and \
        AZURE_ variables",
        "az aks update --name {cluster} --resource-group {group} --enable-workload-identity"),
    bad("KC5121", "webhook", "no pod of the workload identity webhook is ready", "pods with its label can't be created until it answers",
        "kubectl get pods,events -n {webhook_namespace} -l azure-workload-identity.io/system=true   # capacity, taints, network policies"),
    bad("KC5122", "webhook", "two workload identity webhooks are installed", "the add-on and the chart overwrite the same configuration, \
        and pods fail or get the older settings",
        "helm uninstall workload-identity-webhook -n azure-workload-identity-system   # the add-on in kube-system stays"),
    odd("KC5124", "webhook", "the webhook's failure policy is Ignore", "while the webhook is down, pods start without an identity and \
        remain without it",
        "kubectl patch mutatingwebhookconfiguration {webhook} --type json -p '[{\"op\":\"replace\",\"path\":\"/webhooks/0/failurePolicy\",\"value\":\"Fail\"}]'"),
    bad("KC5200", "service account", "the service account does not exist", "the API server refuses pods that name it",
        "kubectl create serviceaccount {account} -n {namespace}"),
    bad("KC5201", "service account", "the service account names no identity", "the webhook then does not set AZURE_CLIENT_ID, and the \
        application can't sign in",
        "kubectl annotate serviceaccount {account} -n {namespace} azure.workload.identity/client-id={client_id}"),
    bad("KC5202", "service account", "an annotation of the service account is misspelt", "the webhook reads only the exact keys and \
        silently ignores all others",
        "kubectl annotate serviceaccount {account} -n {namespace} {wrong}- {right}={value}"),
    bad("KC5203", "service account", "the identity is named on the wrong object", "the webhook reads client-id only from the service account",
        "kubectl annotate serviceaccount {account} -n {namespace} azure.workload.identity/client-id={client_id}"),
    bad("KC5204", "service account", "client-id is not a client id", "Entra requires the identity's client id, a GUID; it refuses names and \
        resource ids as unknown applications (AADSTS700016)",
        "kubectl annotate serviceaccount {account} -n {namespace} --overwrite azure.workload.identity/client-id={client_id}"),
    bad("KC5205", "service account", "client-id is the identity's object id", "Entra looks up applications by client id and knows no \
        application with this id (AADSTS700016)",
        "kubectl annotate serviceaccount {account} -n {namespace} --overwrite azure.workload.identity/client-id={client_id}"),
    bad("KC5206", "service account", "no identity has this client id", "the identity was deleted, recreated with a new id, or belongs to \
        another tenant (AADSTS700016)",
        "az identity list --query \"[].{name:name,clientId:clientId}\" -o table   # then annotate {account} in {namespace} with the right one"),
    bad("KC5207", "service account", "the service account uses another identity than the connection's", "roles and trust belong to the connection's identity, so the workload is refused",
        "kubectl connect repair {connection} -n {namespace}"),
    bad("KC5208", "service account", "the tenant annotation is empty", "an empty annotation overrides the webhook's default, so \
        AZURE_TENANT_ID is not set",
        "kubectl annotate serviceaccount {account} -n {namespace} azure.workload.identity/tenant-id-   # or --overwrite …/tenant-id={tenant}"),
    bad("KC5209", "service account", "the tenant annotation names another tenant than the identity's", "the token is requested from a tenant \
        that does not know the identity (AADSTS700016, AADSTS90002)",
        "kubectl annotate serviceaccount {account} -n {namespace} --overwrite azure.workload.identity/tenant-id={tenant}"),
    bad("KC5210", "service account", "the token's lifetime is out of range", "the webhook refuses the pod: 3600 to 86400 seconds are allowed",
        "kubectl annotate serviceaccount {account} -n {namespace} --overwrite azure.workload.identity/service-account-token-expiration=3600"),
    bad("KC5211", "service account", "the workload runs as another service account", "tokens are issued for the service account that the \
        pods use, whatever others are annotated with",
        "kubectl set serviceaccount {workload} {account} -n {namespace}"),
    bad("KC5212", "service account", "the service account is in another namespace", "pods can use only service accounts of their own \
        namespace, and the namespace is part of the trusted subject",
        "kubectl create serviceaccount {account} -n {namespace}   # annotate it, and add a federated credential for {namespace}"),
    bad("KC5300", "trust", "the identity has no federated credential", "without one, Entra refuses every Kubernetes token (AADSTS70025)",
        "az identity federated-credential create --name {credential} --identity-name {identity} --resource-group {group} --issuer {issuer} --subject {subject} --audiences api://AzureADTokenExchange"),
    bad("KC5301", "trust", "no federated credential has the cluster's issuer", "issuer, subject and audience must equal the token's byte for byte (AADSTS70021, AADSTS700211)",
        "az identity federated-credential create --name {credential} --identity-name {identity} --resource-group {group} --issuer {issuer} --subject {subject} --audiences api://AzureADTokenExchange"),
    bad("KC5302", "trust", "the credential's issuer differs from the token's by the slash at its end", "Entra compares byte for byte, although \
        some services accepted it for a while (AADSTS700211)",
        "az identity federated-credential update --name {credential} --identity-name {identity} --resource-group {group} --issuer {issuer} --subject {subject} --audiences api://AzureADTokenExchange"),
    bad("KC5303", "trust", "the credential's subject differs in letter case", "since August 2024 Entra compares subjects \
        case-sensitively (AADSTS7002138)",
        "az identity federated-credential update --name {credential} --identity-name {identity} --resource-group {group} --issuer {issuer} --subject {subject} --audiences api://AzureADTokenExchange"),
    bad("KC5304", "trust", "no federated credential has this service account as its subject", "the credential is for another namespace \
        or service account, often `default` (AADSTS700213)",
        "az identity federated-credential create --name {credential} --identity-name {identity} --resource-group {group} --issuer {issuer} --subject {subject} --audiences api://AzureADTokenExchange"),
    bad("KC5305", "trust", "the credential is for another audience", "the token's audience is api://AzureADTokenExchange, and Entra \
        accepts no other (AADSTS700212)",
        "az identity federated-credential update --name {credential} --identity-name {identity} --resource-group {group} --issuer {issuer} --subject {subject} --audiences api://AzureADTokenExchange"),
    bad("KC5306", "trust", "the credential is for another cluster", "a recreated cluster has a new issuer, so its old \
        credentials no longer match (AADSTS700211)",
        "az identity federated-credential create --name {credential} --identity-name {identity} --resource-group {group} --issuer {issuer} --subject {subject} --audiences api://AzureADTokenExchange"),
    odd("KC5307", "trust", "the identity has almost reached its limit of federated credentials", "an identity can have 20; further \
        service accounts will be refused",
        "az identity federated-credential list --identity-name {identity} --resource-group {group} -o table   # delete those of deleted \
         clusters"),
    bad("KC5308", "trust", "the credential has blanks around its issuer or subject", "blanks are part of the text, so no token matches",
        "az identity federated-credential update --name {credential} --identity-name {identity} --resource-group {group} --issuer {issuer} --subject {subject} --audiences api://AzureADTokenExchange"),
    bad("KC5320", "trust", "the Kubernetes token has expired", "the application read the token file only at its start, but the file is \
        renewed every hour (AADSTS700024)",
        "use an SDK that reads AZURE_FEDERATED_TOKEN_FILE for every request; until then: kubectl annotate serviceaccount {account} -n \
         {namespace} azure.workload.identity/service-account-token-expiration=86400"),
    bad("KC5321", "trust", "Entra can't verify the token's signature", "the issuer's keys were rotated, or the cluster was recreated \
        (AADSTS700027, AADSTS50027)",
        "kubectl rollout restart {workload} -n {namespace}"),
    bad("KC5322", "trust", "the tenant does not know the service that the token is for", "the scope or the tenant is wrong (AADSTS500011)",
        "use the scope of the service followed by /.default, and the tenant of the target"),
    bad("KC5323", "trust", "the tenant does not exist", "AZURE_TENANT_ID or the cloud is wrong (AADSTS90002, AADSTS900023)",
        "kubectl annotate serviceaccount {account} -n {namespace} --overwrite azure.workload.identity/tenant-id={tenant}"),
    bad("KC5324", "trust", "the scope is malformed", "the token endpoint accepts only a resource followed by /.default (AADSTS70011, \
        AADSTS28002)",
        "request the scope <resource>/.default"),
    bad("KC5325", "trust", "Conditional Access blocked a sign-in", "this is your own sign-in, not the workload's (AADSTS53003, AADSTS50005)",
        "az login"),
    bad("KC5326", "trust", "an Entra token was sent in place of the Kubernetes token", "the application used another token, \
        usually that of the node's identity (AADSTS700222)",
        "use WorkloadIdentityCredential or DefaultAzureCredential, and read the token from AZURE_FEDERATED_TOKEN_FILE"),
    bad("KC5400", "grant", "the identity has no role that gives access to the target", "Entra issues a token, but the service answers 403",
        "az role assignment create --assignee-object-id {principal} --assignee-principal-type ServicePrincipal --role '{role}' --scope {scope}"),
    bad("KC5401", "grant", "the identity has only management roles", "Owner, Contributor and Reader manage the resource; access to its \
        data needs a data role",
        "az role assignment create --assignee-object-id {principal} --assignee-principal-type ServicePrincipal --role '{role}' --scope {scope}"),
    bad("KC5402", "grant", "the grant is new and has not taken effect yet", "role assignments take up to ten minutes to reach every \
        data plane",
        "kubectl connect verify {connection} -n {namespace} --wait"),
    bad("KC5403", "grant", "a role is assigned on a vault that uses access policies", "the role has no effect there, and Azure \
        gives no warning",
        "az keyvault set-policy --name {target} --object-id {principal} --secret-permissions get list"),
    bad("KC5404", "grant", "an access policy is set on a vault that uses roles", "the policy has no effect there, and Azure gives \
        no warning",
        "az role assignment create --assignee-object-id {principal} --assignee-principal-type ServicePrincipal --role '{role}' --scope {scope}"),
    bad("KC5405", "grant", "the vault's access policies give the identity no access", "the vault answers 403 ForbiddenByPolicy",
        "az keyvault set-policy --name {target} --object-id {principal} {permissions}"),
    bad("KC5406", "grant", "the service refuses access although the grant exists and is old enough", "a deny assignment, a condition on the \
        role, or a token cached before the grant may be the reason",
        "az role assignment list --assignee {principal} --scope {scope} --include-inherited --query \"[].{role:roleDefinitionName,condition:condition}\" -o table"),
    bad("KC5407", "grant", "the target's own grants give the identity no access", "its data plane uses these grants and not \
        Azure roles",
        "kubectl connect repair {connection} -n {namespace}"),
    bad("KC5500", "variables", "the Secret with the variables does not exist", "new pods stay in CreateContainerConfigError until it exists again",
        "kubectl connect repair {connection} -n {namespace}"),
    bad("KC5501", "variables", "the Secret has other variables than the connection's", "the application gets a wrong address or a \
        wrong identity",
        "kubectl connect repair {connection} -n {namespace}"),
    bad("KC5508", "variables", "containers of the workload do not read the connection's variables", "an apply, replace or rollout undo removed them",
        "kubectl connect repair {connection} -n {namespace}"),
    bad("KC5502", "workload", "the pod template lacks the label azure.workload.identity/use", "the webhook changes only pods that have \
        it with the value \"true\"",
        "kubectl patch {workload} -n {namespace} --type merge -p '{patch}'"),
    bad("KC5503", "workload", "the label is on the workload, not on its pods", "pods get only the labels of the pod template",
        "kubectl patch {workload} -n {namespace} --type merge -p '{patch}'"),
    bad("KC5504", "workload", "the label is on the service account", "since version 1.0 of the webhook it has no effect there",
        "kubectl patch {workload} -n {namespace} --type merge -p '{patch}'"),
    bad("KC5505", "workload", "the label is set as an annotation", "the webhook selects by label; an annotation of that name has no \
        effect",
        "kubectl patch {workload} -n {namespace} --type merge -p '{patch}'"),
    bad("KC5506", "workload", "the label's value is not \"true\"", "the webhook selects only this exact value",
        "kubectl patch {workload} -n {namespace} --type merge -p '{patch}'"),
    bad("KC5507", "workload", "the manifest itself sets an identity variable", "the webhook does not change an existing variable, even \
        if it is wrong",
        "kubectl set env {workload} -n {namespace} -c {container} {variable}-"),
    bad("KC5509", "workload", "the workload runs in kube-system", "AKS excludes its own namespaces from webhooks, so pods there never \
        get an identity",
        "move {workload} to another namespace"),
    odd("KC5510", "workload", "inject-proxy-sidecar is set to false", "the annotation enables the sidecar whatever its value is",
        "remove the annotation azure.workload.identity/inject-proxy-sidecar from the pod template of {workload}"),
    odd("KC5511", "workload", "every container is skipped", "the webhook gives skipped containers no token and no variables",
        "remove the annotation azure.workload.identity/skip-containers from the pod template of {workload}"),
    bad("KC5512", "workload", "identity binding is requested, but the webhook does not support it", "webhooks before 1.6 ignore the \
        annotation and provide an ordinary token",
        "az aks upgrade --name {cluster} --resource-group {group}   # or remove azure.workload.identity/use-identity-binding"),
    bad("KC5600", "pods", "no pod of the workload is running", "nothing uses the connection at the moment",
        "kubectl describe pods -n {namespace} -l {selector}"),
    bad("KC5601", "pods", "pods are older than the change", "the webhook acts when a pod is created; running pods keep their settings",
        "kubectl rollout restart {workload} -n {namespace}"),
    bad("KC5602", "pods", "pods were created without an identity although label and annotation are set", "the webhook did not process them: it \
        was down, or the namespace is excluded",
        "kubectl rollout restart {workload} -n {namespace}"),
    bad("KC5603", "pods", "pods use another identity than the one that the service account names", "the annotation or the manifest was changed \
        after the pods were created",
        "kubectl rollout restart {workload} -n {namespace}"),
    bad("KC5604", "pods", "AZURE_FEDERATED_TOKEN_FILE points to a path without a token", "the application finds no file there and tries other \
        ways to sign in",
        "remove AZURE_FEDERATED_TOKEN_FILE from the manifest of {workload}: the webhook sets it"),
    bad("KC5606", "pods", "the API server refuses new pods because the webhook does not answer", "rollouts and rescheduled pods hang \
        until it answers again",
        "kubectl get pods,events -n kube-system -l azure-workload-identity.io/system=true   # capacity, taints, network policies"),
    bad("KC5607", "pods", "the webhook refuses new pods", "an annotation has a value that the webhook does not accept",
        "kubectl describe {workload} -n {namespace}"),
    bad("KC5700", "target", "the target does not exist", "the connection can't work without it",
        "kubectl connect delete {connection} -n {namespace}"),
    bad("KC5701", "target", "public access is disabled, and there is no private endpoint", "pods use the public address and are refused; \
        AKS is not a trusted service, and network rules apply only while public access is enabled",
        "az network private-endpoint create --name pe-{target} --resource-group {group} --subnet {subnet} --private-connection-resource-id {scope} --group-id {link} --connection-name {target}   # and link the zone {zone} to the cluster's network"),
    bad("KC5702", "target", "the target's firewall does not allow the caller", "the target answers 403 to addresses outside its rules",
        "{firewall}"),
    bad("KC5703", "target", "the private endpoint is waiting for approval", "no traffic passes until the owner of the target approves it",
        "az network private-endpoint-connection approve --id {endpoint}"),
    odd("KC5704", "target", "the target has only private access, so its data plane can't be checked from this machine", "pods may have access: resolve the name \
        inside the cluster and expect a private address",
        "kubectl connect verify {connection} -n {namespace} --from-pod"),
    bad("KC5705", "target", "the target is configured to refuse Entra tokens", "every token is refused, whatever roles are assigned",
        "{fix}"),
    bad("KC5706", "target", "the target's host does not answer", "its name can't be resolved on this machine, or the connection is refused",
        "kubectl run -n {namespace} --rm -it --restart Never --image busybox:1.36 look -- nslookup {host}"),
    bad("KC5707", "target", "pods do not resolve the target's name to its private endpoint", "pods use the public address, which refuses \
        them if public access is disabled: the private DNS zone lacks the record, or is not linked to the network whose DNS the \
        pods use",
        "az network private-dns link vnet create --resource-group {group} --zone-name {zone} --name {cluster} --virtual-network {network} --registration-enabled false   # and the record: az network private-endpoint dns-zone-group create --resource-group {group} --endpoint-name {endpoint} --name default --private-dns-zone {zone} --zone-name {zone}"),
    bad("KC5800", "csi", "the SecretProviderClass does not exist", "pods that mount it stay in ContainerCreating",
        "kubectl get secretproviderclass -n {namespace}"),
    bad("KC5801", "csi", "the SecretProviderClass names no identity", "the provider then requires a Secret and reports \
        `nodePublishSecretRef secret is not set`",
        "set spec.parameters.clientID of {class} to the client id of the service account's identity"),
    bad("KC5802", "csi", "the secrets store driver is not installed", "pods stay in ContainerCreating: the driver is not in the list of registered CSI drivers",
        "az aks enable-addons --name {cluster} --resource-group {group} --addons azure-keyvault-secrets-provider"),
    bad("KC5803", "csi", "the driver requests no service account token", "workload identity needs this token; the provider reports \
        `nodePublishSecretRef secret is not set`",
        "kubectl patch csidriver secrets-store.csi.k8s.io --type merge -p '{\"spec\":{\"tokenRequests\":[{\"audience\":\"api://AzureADTokenExchange\"}]}}'"),
    bad("KC5804", "csi", "the SecretProviderClass lacks a parameter", "the API server accepts any class; the mistake shows only when a \
        pod mounts it",
        "set spec.parameters.{parameter} of {class}"),
    bad("KC5805", "csi", "a synced Secret is read, but the volume that creates it is not mounted", "the Secret is created at the first \
        mount, so the container stays in CreateContainerConfigError",
        "mount the volume of {class} in every container that reads secret {secret}"),
    bad("KC5806", "csi", "a synced Secret names an object that is not fetched", "`objectName` must be the object's alias if it has one",
        "set objectName in spec.secretObjects of {class} to one of: {known}"),
    bad("KC5807", "csi", "the volume can't be mounted", "the pod waits in ContainerCreating; only its events show the reason",
        "kubectl describe pod {pod} -n {namespace}"),
    bad("KC5808", "csi", "the cluster's Key Vault add-on is disabled", "without the add-on, AKS does not install and maintain the driver that \
        mounts the vault",
        "az aks enable-addons --name {cluster} --resource-group {group} --addons azure-keyvault-secrets-provider"),
    bad("KC5809", "csi", "pods of the driver or its provider are not ready", "no volume can be mounted on the nodes where they are missing",
        "kubectl get pods -n kube-system -l 'app in (secrets-store-csi-driver, secrets-store-provider-azure)' -o wide"),
    bad("KC5810", "csi", "the vault is not mounted as recorded", "the files are not where the workload expects them",
        "kubectl connect repair {connection} -n {namespace}"),
    bad("KC5900", "machine", "az is not installed", "this tool signs in to Azure only through az",
        "install it: https://learn.microsoft.com/cli/azure/install-azure-cli"),
    bad("KC5901", "machine", "az is not signed in", "nothing in Azure can be read or changed",
        "az login"),
    bad("KC5902", "machine", "kubelogin is missing", "the kubeconfig's user signs in with it",
        "az aks install-cli"),
    bad("KC5903", "machine", "the program kubelogin is not Azure's", "the kubeconfig needs Azure/kubelogin; int128/kubelogin has the same \
        name but other commands",
        "az aks install-cli --kubelogin-install-location {place}   # or put Azure/kubelogin first on PATH; found: {seen}"),
    odd("KC5904", "machine", "kubectl is not on PATH", "the suggested fixes use it",
        "az aks install-cli"),
    odd("KC5905", "machine", "several kubectl-connect programs are on PATH", "kubectl runs the first one, which may be an older copy",
        "remove all but one: {paths}"),
    odd("KC5906", "machine", "another plugin hides a command of this one", "kubectl prefers the longest name, so `kubectl connect {word}` runs that file",
        "remove {path}"),
    bad("KC5907", "machine", "the cluster can't be reached", "nothing can be checked in it",
        "{fix}"),
    bad("KC5908", "machine", "the context is not an AKS cluster that you can see", "its issuer and its region can't be read from Azure",
        "{fix}"),
    odd("KC5909", "rights", "you lack a permission in the namespace", "connecting would stop before its first write",
        "ask the cluster's administrator for it, then check: kubectl auth can-i {access}"),
    odd("KC5910", "rights", "you lack a permission in Azure", "connecting would stop before its first write",
        "az role assignment create --assignee {user} --role '{role}' --scope {scope}"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_grouped() {
        let mut seen = std::collections::HashSet::new();
        for finding in FINDINGS {
            assert!(seen.insert(finding.code), "{} stands there twice", finding.code);
            assert!(!finding.remedy.is_empty() && !finding.why.ends_with('.') && !finding.title.ends_with('.'), "{}", finding.code);
        }
    }

    #[test]
    fn unknown_values_of_a_remedy_stay_visible() {
        let finding = find("KC5200").unwrap();
        assert_eq!(finding.remedy(&[("account", "web"), ("namespace", "shop")]), "kubectl create serviceaccount web -n shop");
        assert_eq!(finding.remedy(&[]), "kubectl create serviceaccount ACCOUNT -n NAMESPACE");
    }

    #[test]
    fn the_page_is_generated_from_the_table() {
        snapshot::file(PAGE, &page());
    }

    #[test]
    fn entra_numbers_lead_to_findings() {
        for number in [
            70021, 700_211, 700_212, 700_213, 7_002_138, 700_024, 700_016, 700_027, 90061, 50166, 500_011, 90002, 70011, 53003, 700_222,
            700_299,
        ] {
            assert!(of_aadsts(number).is_some(), "{number}");
        }
        assert!(of_aadsts(1).is_none());
    }
}
