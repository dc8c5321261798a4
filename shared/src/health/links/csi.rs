//! Mounted vaults: driver, SecretProviderClass, synced Secrets, and the kubelet's messages about failed mounts. The
//! API server accepts any class, so mistakes show only here or in a pod's events.

use serde_json::Value;

use crate::health::check::{Check, found};
use crate::health::evidence::gather::{FactSheet, uses_node};
use crate::health::evidence::seen::Evidence;
use crate::health::findings::of_aadsts;
use crate::model::TOKEN_EXCHANGE_AUDIENCE;
use crate::plan::record::Record;

const GROUP: &str = "csi";

pub(crate) fn judge(e: &Evidence) -> Vec<Check> {
    if !e.uses_csi() {
        return vec![];
    }
    let facts = match &e.cluster {
        Some(id) => e.facts().with("cluster", id.name()).with("group", id.resource_group()),
        None => e.facts(),
    };
    let mut checks = Vec::new();
    let by_identity = e.classes.iter().any(|(_, c)| c.as_ref().is_some_and(|c| !uses_node(c)));
    match &e.driver {
        Some(None) => checks.push(found("KC5802", "no CSIDriver secrets-store.csi.k8s.io", "the add-on", &facts.pairs())),
        Some(Some(driver)) => {
            let asks =
                driver["spec"]["tokenRequests"].as_array().is_some_and(|t| t.iter().any(|r| r["audience"] == TOKEN_EXCHANGE_AUDIENCE));
            if by_identity && !asks {
                checks.push(found("KC5803", "tokenRequests lacks it", TOKEN_EXCHANGE_AUDIENCE, &facts.pairs()));
            }
        }
        None => {}
    }
    checks.extend(addon(e, &facts));
    for (name, class) in &e.classes {
        match class {
            None => checks.push(found("KC5800", format!("none called {name}"), "it exists", &facts.pairs())),
            Some(class) => checks.extend(lint(e, name, class)),
        }
    }
    if checks.is_empty() {
        checks.extend(mounting(e));
    }
    if checks.is_empty() {
        let names: Vec<&str> = e.classes.iter().map(|(n, _)| n.as_str()).collect();
        checks.push(Check::ok("KC5800", GROUP, "driver and SecretProviderClass", names.join(", ")));
    }
    checks
}

/// Checks the add-on on which the connection relies, its pods, and the connection's volume.
fn addon(e: &Evidence, facts: &FactSheet) -> Vec<Check> {
    let mut checks = Vec::new();
    let profile = e.cluster_body.as_ref().map(|c| &c["properties"]["addonProfiles"]["azureKeyvaultSecretsProvider"]["enabled"]);
    if e.record.as_ref().is_some_and(|r| r.class().is_some()) && profile.is_some_and(|on| on != &Value::Bool(true)) {
        checks.push(found("KC5808", "azureKeyvaultSecretsProvider is off", "on", &facts.pairs()));
    }
    let count = |set: &Value, key: &str| set["status"][key].as_u64().unwrap_or(0);
    for set in &e.driver_pods {
        let (ready, wanted) = (count(set, "numberReady"), count(set, "desiredNumberScheduled"));
        if ready < wanted {
            let name = set["metadata"]["name"].as_str().unwrap_or_default();
            checks.push(found("KC5809", format!("{ready} of {wanted} pods of {name} are ready"), "all", &facts.pairs()));
        }
    }
    let step = e.record.as_ref().and_then(Record::patched).and_then(|step| Some((step, step.mount.as_ref()?)));
    if let (Some((step, mount)), Some(workload)) = (step, &e.workload) {
        let mounts = |c: &&String| workload.mounts_of(c).contains(&(mount.class.name.as_str(), mount.path.as_str()));
        let without: Vec<&str> = step.containers.iter().filter(|c| !mounts(c)).map(String::as_str).collect();
        if !without.is_empty() {
            let seen = format!("container {}", without.join(", "));
            checks.push(found("KC5810", seen, format!("{} at {}", mount.class.name, mount.path), &facts.pairs()));
        }
    }
    checks
}

fn lint(e: &Evidence, name: &str, class: &Value) -> Vec<Check> {
    let parameters = &class["spec"]["parameters"];
    let set = |key: &str| parameters[key].as_str().is_some_and(|v| !v.trim().is_empty());
    let facts = || e.facts().with("class", name);
    let mut checks = Vec::new();
    if !uses_node(class) && !set("clientID") && nodes_secret(e, name).is_none() {
        let near = parameters.as_object().and_then(|p| p.keys().find(|k| k.to_ascii_lowercase().replace(['_', '-'], "") == "clientid"));
        checks.push(found(
            "KC5801",
            near.map_or_else(|| format!("{name} has no clientID"), |k| format!("{name} has {k}")),
            "clientID",
            &facts().pairs(),
        ));
    }
    for (parameter, there) in
        [("keyvaultName", set("keyvaultName")), ("tenantID", set("tenantID") || set("tenantId")), ("objects", set("objects"))]
    {
        if !there {
            checks.push(found("KC5804", format!("{name} has no {parameter}"), parameter, &facts().with("parameter", parameter).pairs()));
        }
    }
    let known = fetched(parameters["objects"].as_str().unwrap_or_default());
    for synced in class["spec"]["secretObjects"].as_array().into_iter().flatten() {
        for item in synced["data"].as_array().into_iter().flatten() {
            let object = item["objectName"].as_str().unwrap_or_default();
            if !known.is_empty() && !known.iter().any(|k| k == object) {
                checks.push(found("KC5806", object, known.join(", "), &facts().with("known", known.join(", ")).pairs()));
            }
        }
        let secret = synced["secretName"].as_str().unwrap_or_default();
        if let Some(container) = reads_without_mount(e, name, secret) {
            checks.push(found(
                "KC5805",
                format!("container {container} reads {secret}"),
                "the volume is mounted",
                &facts().with("secret", secret).pairs(),
            ));
        }
    }
    checks
}

/// The Secret named by a mount that uses a service principal.
fn nodes_secret<'a>(e: &'a Evidence, class: &str) -> Option<&'a str> {
    let volumes = e.workload.as_ref()?.pod_spec()["volumes"].as_array()?;
    let volume = volumes.iter().find(|v| v["csi"]["volumeAttributes"]["secretProviderClass"] == class)?;
    volume["csi"]["nodePublishSecretRef"]["name"].as_str()
}

/// Aliases (or names, without an alias) of the objects that a class fetches. The text is YAML within YAML; the two
/// relevant keys are read line by line.
fn fetched(objects: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let value = |line: &str, key: &str| {
        let at = line.find(key)?;
        let rest = line[at + key.len()..].trim_start().strip_prefix(':')?;
        Some(rest.trim().trim_matches(['"', '\'']).to_owned()).filter(|v| !v.is_empty())
    };
    for line in objects.lines() {
        if let Some(name) = value(line, "objectName") {
            found.push(name);
        } else if let (Some(alias), Some(last)) = (value(line, "objectAlias"), found.last_mut()) {
            *last = alias;
        }
    }
    found
}

/// A container that reads the synced Secret although no container of the pod mounts the class.
fn reads_without_mount(e: &Evidence, class: &str, secret: &str) -> Option<String> {
    let workload = e.workload.as_ref()?;
    let volumes = workload.pod_spec()["volumes"].as_array()?;
    let volume = volumes.iter().find(|v| v["csi"]["volumeAttributes"]["secretProviderClass"] == class)?["name"].as_str()?;
    if workload.containers().iter().any(|c| workload.mounts_of(c).iter().any(|(name, _)| *name == volume)) {
        return None;
    }
    let reads = |c: &&&str| workload.env_of(c).iter().any(|(_, _, from)| from.is_some_and(|f| f["secretKeyRef"]["name"] == secret));
    workload.containers().iter().find(reads).map(|c| (*c).to_owned())
}

/// The kubelet's messages about mounts of the workload's pods.
fn mounting(e: &Evidence) -> Vec<Check> {
    let names: Vec<&str> = e.pods.iter().flatten().filter_map(|p| p["metadata"]["name"].as_str()).collect();
    let about =
        |event: &&Value| event["reason"] == "FailedMount" && event["involvedObject"]["name"].as_str().is_some_and(|n| names.contains(&n));
    let Some(event) = e.events.iter().rfind(about) else { return vec![] };
    let message = event["message"].as_str().unwrap_or_default();
    let pod = event["involvedObject"]["name"].as_str().unwrap_or_default();
    let facts = e.facts().with("pod", pod).with("class", e.classes.first().map_or("", |(n, _)| n.as_str()));
    let code = if message.contains("nodePublishSecretRef secret is not set") {
        "KC5801"
    } else if message.contains("not found in the list of registered CSI drivers") {
        "KC5802"
    } else if message.contains("ForbiddenByRbac") {
        "KC5400"
    } else if message.contains("ForbiddenByPolicy") {
        "KC5405"
    } else if message.contains("ForbiddenByFirewall") {
        "KC5702"
    } else if message.contains("ForbiddenByConnection") {
        "KC5701"
    } else {
        aadsts(message).and_then(of_aadsts).map_or("KC5807", |f| f.code)
    };
    vec![found(code, message, "the vault is mounted", &facts.pairs())]
}

/// The first Entra error number in a text.
fn aadsts(text: &str) -> Option<u32> {
    let rest = &text[text.find("AADSTS")? + "AADSTS".len()..];
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::health::check::Outcome::{Error, Success};
    use crate::health::links::testing::{CLIENT, fault, fix, judged, seen, workload_step};
    use crate::model::vault::CsiIdentity;
    use crate::plan::spec::{Mount, SecretProviderClass, StepSpec};
    use crate::plan::testing::TENANT;

    const OBJECTS: &str = "array:\n  - |\n    objectName: db-password\n    objectType: secret\n    objectAlias: DB\n";

    fn class() -> Value {
        let parameters = json!({"clientID": CLIENT, "keyvaultName": "vault", "tenantID": TENANT, "objects": OBJECTS});
        json!({"spec": {"parameters": parameters, "secretObjects": [{"secretName": "synced", "data": [{"objectName": "DB", "key": "DB"}]}]}})
    }

    /// Adds a mounted class and its driver, both in order.
    fn mounted(e: &mut Evidence) {
        e.classes = vec![("vault".into(), Some(class()))];
        e.driver = Some(Some(json!({"spec": {"tokenRequests": [{"audience": TOKEN_EXCHANGE_AUDIENCE}]}})));
        e.driver_pods = vec![json!({"metadata": {"name": "aks-secrets-store"}, "status": {"numberReady": 2, "desiredNumberScheduled": 2}})];
        let spec = &mut e.workload.as_mut().unwrap().object["spec"]["template"]["spec"];
        spec["volumes"] = json!([{"name": "files", "csi": {"volumeAttributes": {"secretProviderClass": "vault"}}}]);
        spec["containers"][0]["volumeMounts"] = json!([{"name": "files", "mountPath": "/mnt/secrets-store"}]);
    }

    /// The finding about a mounted vault after a change.
    fn about(change: impl FnOnce(&mut Evidence)) -> Check {
        fault(judge, |e| {
            mounted(e);
            change(e);
        })
    }

    fn of_class(e: &mut Evidence) -> &mut Value {
        &mut e.classes[0].1.as_mut().unwrap()["spec"]
    }

    #[test]
    fn a_mounted_vault_in_order_is_sound() {
        assert_eq!(judged(judge, |_| {}), [], "nothing is mounted");
        assert_eq!(judged(judge, mounted), [("KC5800", Success)]);
    }

    #[test]
    fn driver_and_class_must_be_there() {
        assert_eq!(about(|e| e.classes[0].1 = None).code, "KC5800");
        assert_eq!(about(|e| e.driver = Some(None)).code, "KC5802");
        assert_eq!(about(|e| e.driver = Some(Some(json!({})))).code, "KC5803");
        let few = about(|e| e.driver_pods[0]["status"]["numberReady"] = json!(1));
        assert_eq!((few.code, seen(&few)), ("KC5809", "1 of 2 pods of aks-secrets-store are ready"));
    }

    #[test]
    fn mistakes_that_the_api_server_accepts_are_found() {
        let misspelt = about(|e| {
            let parameters = of_class(e)["parameters"].as_object_mut().unwrap();
            let id = parameters.remove("clientID").unwrap();
            parameters.insert("clientId".into(), id);
        });
        assert_eq!((misspelt.code, seen(&misspelt)), ("KC5801", "vault has clientId"));
        let no_tenant = about(|e| of_class(e)["parameters"]["tenantID"] = json!(" "));
        assert_eq!((no_tenant.code, seen(&no_tenant)), ("KC5804", "vault has no tenantID"));
        let by_name = about(|e| of_class(e)["secretObjects"][0]["data"][0]["objectName"] = json!("db-password"));
        assert_eq!((by_name.code, seen(&by_name), by_name.expected.as_deref()), ("KC5806", "db-password", Some("DB")));
        let unmounted = about(|e| {
            let container = &mut e.workload.as_mut().unwrap().object["spec"]["template"]["spec"]["containers"][0];
            container["volumeMounts"] = json!([]);
            container["env"][0]["valueFrom"]["secretKeyRef"]["name"] = json!("synced");
        });
        assert_eq!((unmounted.code, seen(&unmounted)), ("KC5805", "container app reads synced"));
    }

    #[test]
    fn a_connection_that_mounts_needs_the_add_on_and_its_volume() {
        let connected = |path: &str| {
            let class = SecretProviderClass {
                namespace: "shop".into(),
                name: "files".into(),
                vault: "vault".into(),
                tenant: TENANT.into(),
                cloud: None,
                identity: CsiIdentity::Workload,
                objects: vec![],
            };
            let mount = Mount { path: path.into(), class: class.clone() };
            let steps = vec![StepSpec::SecretProviderClass(class), workload_step(Some(mount))];
            move |e: &mut Evidence| {
                e.record.as_mut().unwrap().steps = steps;
                e.cluster_body.as_mut().unwrap()["properties"]["addonProfiles"] =
                    json!({"azureKeyvaultSecretsProvider": {"enabled": true}});
            }
        };
        let elsewhere = about(connected("/mnt/other"));
        assert_eq!(
            (elsewhere.code, seen(&elsewhere), elsewhere.expected.as_deref()),
            ("KC5810", "container app", Some("files at /mnt/other"))
        );
        let off = about(|e| {
            connected("/mnt/secrets-store")(e);
            e.cluster_body.as_mut().unwrap()["properties"]["addonProfiles"] = json!({});
        });
        assert_eq!(off.code, "KC5808");
        assert!(fix(&off).contains("--name aks --resource-group shop-rg"), "{}", fix(&off));
    }

    #[test]
    fn a_failed_mount_is_explained_by_the_message_of_the_kubelet() {
        let failed = |message: &str, pod: &str| {
            judged(judge, |e| {
                mounted(e);
                e.events = vec![json!({"reason": "FailedMount", "involvedObject": {"name": pod}, "message": message})];
            })
        };
        for (message, code) in [
            ("nodePublishSecretRef secret is not set", "KC5801"),
            ("403 ForbiddenByRbac", "KC5400"),
            ("403 ForbiddenByPolicy", "KC5405"),
            ("403 ForbiddenByFirewall", "KC5702"),
            ("AADSTS700213: no match", "KC5304"),
            ("SecretNotFound", "KC5807"),
        ] {
            assert_eq!(failed(message, "web-1"), [(code, Error)], "{message}");
        }
        assert_eq!(failed("403 ForbiddenByRbac", "another"), [("KC5800", Success)], "that pod is not the workload's");
    }

    #[test]
    fn objects_are_identified_by_their_alias() {
        let text =
            "array:\n  - |\n    objectName: db-password\n    objectType: secret\n    objectAlias: DB\n  - |\n    objectName: \"key\"\n";
        assert_eq!(fetched(text), ["DB", "key"]);
        assert_eq!(aadsts("failed: AADSTS700213: no match"), Some(700_213));
    }
}
