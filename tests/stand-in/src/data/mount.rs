//! Azure's provider of the secrets store CSI driver: signs in as the class says and reads its objects, by the rules
//! of the directory and the vault. There is no HTTP request, since the node makes the call.

use serde_json::{Value, json};

use crate::azure::Azure;
use crate::azure::lists::under;
use crate::data::{Network, find, network, vault};
use crate::entra::{self, Caller};
use crate::kube::csi::{Mounting, Unmounted};

const IDENTITIES: &str = "Microsoft.ManagedIdentity/userAssignedIdentities";
const NO_IDENTITY: &str = "failed to get credentials, nodePublishSecretRef secret is not set";

/// File names with their contents.
///
/// # Errors
/// The provider's error; or that Azure is locked and the kubelet must retry.
pub(crate) fn mount(azure: &Azure, ask: &Mounting) -> Result<Vec<(String, String)>, Unmounted> {
    // The kubelet holds the lock of its cluster; another task with Azure's lock may be waiting for that cluster.
    let Some(mut store) = azure.try_store() else { return Err(Unmounted::Busy) };
    let refused = |why: String| Unmounted::Refused(why);
    let parameters = &ask.class["spec"]["parameters"];
    let text = |name: &str| parameters[name].as_str().unwrap_or_default().trim().to_owned();
    if text("keyvaultName").is_empty() {
        return Err(refused("keyvaultName is not set".into()));
    }
    let tenant = if text("tenantID").is_empty() { text("tenantId") } else { text("tenantID") };
    if tenant != azure.world.tenant {
        return Err(refused(format!("AADSTS90002: Tenant '{tenant}' not found.")));
    }
    let nodes = text("useVMManagedIdentity") == "true";
    let client = text(if nodes { "userAssignedIdentityID" } else { "clientID" });
    if client.is_empty() {
        return Err(refused(NO_IDENTITY.into()));
    }
    let same = |body: &&Value| body["properties"]["clientId"].as_str().is_some_and(|id| id.eq_ignore_ascii_case(&client));
    let Some(identity) = under(&store, IDENTITIES, "/").find(same).cloned() else {
        return Err(refused(format!("AADSTS700016: Application with identifier '{client}' was not found in the directory.")));
    };
    if !nodes {
        let subject = format!("system:serviceaccount:{}:{}", ask.namespace, ask.account);
        let claims = json!({"iss": ask.issuer, "sub": subject, "aud": ["api://AzureADTokenExchange"]});
        entra::vouching(azure, &mut store, &identity, &claims).map_err(|(number, why)| refused(format!("AADSTS{number}: {why}")))?;
    }
    let id = |name: &str| identity["properties"][name].as_str().unwrap_or_default().to_owned();
    let caller = Caller { oid: id("principalId"), app: client, name: String::new() };
    let name = text("keyvaultName");
    let Some(found) = find(&store, "Microsoft.KeyVault/vaults", "name", &name).cloned() else {
        return Err(refused(format!("dial tcp: lookup {name}.vault.azure.net: no such host")));
    };
    // A node's calls come from the internet unless there is a private endpoint; the sandbox has none.
    match network(&found["properties"]) {
        Network::Open => {}
        Network::Closed => return Err(refused("RESPONSE 403: ForbiddenByConnection".into())),
        Network::Filtered => return Err(refused("RESPONSE 403: ForbiddenByFirewall".into())),
    }
    let objects: Value = serde_saphyr::from_str(parameters["objects"].as_str().unwrap_or_default())
        .map_err(|e| refused(format!("failed to yaml unmarshal objects: {e}")))?;
    let listed = objects["array"].as_array().cloned().unwrap_or_default();
    if listed.is_empty() {
        return Err(refused("objects is not set".into()));
    }
    let mut files: Vec<(String, String)> = Vec::new();
    for one in listed {
        let object: Value = serde_saphyr::from_str(one.as_str().unwrap_or_default())
            .map_err(|e| refused(format!("unmarshal failed for keyVaultObjects: {e}")))?;
        let field = |name: &str| object[name].as_str().unwrap_or_default().to_owned();
        let (object_name, alias) = (field("objectName"), field("objectAlias"));
        let (collection, right) = match field("objectType").as_str() {
            "secret" => ("secrets", "secrets/getSecret/action"),
            "key" => ("keys", "keys/read"),
            "cert" => ("certificates", "certificates/read"),
            other => return Err(refused(format!("invalid objectType: {other}. Should be set to one of: secret, key, or cert"))),
        };
        let get = |why: String| refused(format!("failed to get objectType:{}, objectName:{object_name}: {why}", field("objectType")));
        if let Some(answer) = vault::refuse(azure, &store, &found, &caller, (collection, &object_name), (right, "get")) {
            let crate::http::Body::Bytes(said) = &answer.body else { return Err(get("RESPONSE 403".into())) };
            let said: Value = serde_json::from_slice(said).unwrap_or_default();
            let (code, inner) = (&said["error"]["code"], &said["error"]["innererror"]["code"]);
            return Err(get(format!("RESPONSE 403: ERROR CODE: {code} {inner} {}", said["error"]["message"])));
        }
        let item = store.objects.get(&name, collection, &object_name).filter(|i| !i.deleted);
        let Some(item) = item else { return Err(get("RESPONSE 404: ERROR CODE: SecretNotFound".into())) };
        files.push((if alias.is_empty() { object_name.clone() } else { alias }, item.value.clone()));
    }
    Ok(files)
}
