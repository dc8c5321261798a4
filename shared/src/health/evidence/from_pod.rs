//! The addresses to which a running pod resolves the target's host name, read over exec.

use std::net::IpAddr;

use futures::future::{join, join_all};
use serde_json::Value;

use super::seen::{Evidence, Inside, Seen};
use crate::catalogue::Service;
use crate::kube::Ended;
use crate::lookup::session::Session;
use crate::model::target::Target;
use crate::model::{Cloud, ResourceId};
use crate::plan::record::Record;

/// Host of the service's data plane in the current cloud; empty if the catalogue does not know it.
pub(crate) fn host(service: &Service, target: &Target, cloud: &Cloud) -> String {
    if let Ok(probe) = (service.probe)(target, cloud) {
        return probe.url.split('/').nth(2).unwrap_or_default().to_owned();
    }
    let texts = (service.texts)(target, cloud);
    let named = texts.into_iter().find(|(key, _)| *key == "host").map(|(_, host)| host).unwrap_or_default();
    if named.contains('.') { named } else { String::new() }
}

/// Asks a pod and Azure concurrently. `None` if the host name is unknown.
pub(crate) async fn look(session: &Session, e: &Evidence) -> Option<Inside> {
    let target = e.target.as_ref().filter(|_| !e.host.is_empty())?;
    let Some((pod, container)) = e.pods.as_ref().and_then(|pods| choose(pods, e)) else {
        let why = "no pod of the workload is running and ready";
        return Some(Inside { pod: String::new(), seen: Seen::NotTried(why.into()), endpoints: Vec::new() });
    };
    let (seen, endpoints) = join(resolve(session, e, &pod, &container), endpoint_addresses(session, e, target)).await;
    Some(Inside { pod, seen, endpoints })
}

/// Private endpoints with an approved connection to the target.
pub(crate) fn private_endpoints(target: Option<&Target>) -> Vec<ResourceId> {
    let listed = target.and_then(|t| t.properties["privateEndpointConnections"].as_array());
    let approved = |c: &&Value| c["properties"]["privateLinkServiceConnectionState"]["status"] == "Approved";
    let id = |c: &Value| c["properties"]["privateEndpoint"]["id"].as_str()?.parse().ok();
    listed.into_iter().flatten().filter(approved).filter_map(id).collect()
}

/// A running, ready pod, and its connected container.
pub(crate) fn choose(pods: &[Value], e: &Evidence) -> Option<(String, String)> {
    let ready = |p: &&Value| {
        let conditions = p["status"]["conditions"].as_array();
        p["status"]["phase"] == "Running" && conditions.into_iter().flatten().any(|c| c["type"] == "Ready" && c["status"] == "True")
    };
    let pod = pods.iter().find(ready)?;
    let names: Vec<&str> = pod["spec"]["containers"].as_array()?.iter().filter_map(|c| c["name"].as_str()).collect();
    let step = e.record.as_ref().and_then(Record::patched);
    let connected = step.and_then(|step| step.containers.iter().find(|c| names.contains(&c.as_str())));
    let container = connected.map(String::as_str).or_else(|| names.first().copied())?;
    Some((pod["metadata"]["name"].as_str()?.to_owned(), container.to_owned()))
}

/// Resolves the name in the container, with the first resolver program that the image has.
pub(crate) async fn resolve(session: &Session, e: &Evidence, pod: &str, container: &str) -> Seen {
    let host = e.host.as_str();
    let programs = [(vec!["getent", "hosts", host], getent as fn(i64, &str) -> Seen), (vec!["nslookup", host], nslookup)];
    for (command, read) in programs {
        match session.kube.run_in(&e.namespace, pod, container, &command).await {
            Ok(Ended::Ran { code, said }) => return read(code, &said),
            Ok(Ended::NoSuchProgram) => {}
            Ok(Ended::NotRun(why)) => return Seen::NotTried(format!("container {container} of pod {pod} could not run a command: {why}")),
            Err(failure) if failure.status() == Some(403) => {
                let namespace = &e.namespace;
                let why = format!(
                    "you lack the permission to run commands in pods of namespace {namespace}: kubectl auth can-i create pods/exec -n \
                     {namespace}"
                );
                return Seen::NotTried(why);
            }
            Err(failure) => return Seen::NotTried(failure.to_string()),
        }
    }
    Seen::NotTried(format!(
        "container {container} has neither getent nor nslookup; check it yourself: kubectl debug -n {} -it {pod} --image busybox:1.36 -- \
         nslookup {host}",
        e.namespace
    ))
}

/// Output of getent: each line begins with an address; exit code 2 means that the name was not found (getent(1)).
pub(crate) fn getent(code: i64, said: &str) -> Seen {
    let all: Vec<IpAddr> = said.lines().filter_map(|line| line.split_whitespace().next()?.parse().ok()).collect();
    match (code, all.is_empty()) {
        (0, false) => Seen::Addresses(all),
        (2, _) => Seen::Unknown,
        _ => Seen::NotTried(format!("getent ended with {code}: {}", said.trim())),
    }
}

/// Output of nslookup: the address of the DNS server comes first, the answers follow the name.
pub(crate) fn nslookup(code: i64, said: &str) -> Seen {
    let answers = said.lines().skip_while(|line| !line.trim_start().starts_with("Name:"));
    let all: Vec<IpAddr> = answers.flat_map(str::split_whitespace).filter_map(|word| word.parse().ok()).collect();
    let unknown = ["NXDOMAIN", "can't find", "can't resolve", "Non-existent domain"];
    match all.is_empty() {
        false => Seen::Addresses(all),
        true if unknown.iter().any(|words| said.contains(words)) => Seen::Unknown,
        true => Seen::NotTried(format!("nslookup ended with {code}: {}", said.trim())),
    }
}

/// Addresses of the private endpoints: from their DNS configuration, or else from their network interfaces. Empty if
/// the user may not read them.
pub(crate) async fn endpoint_addresses(session: &Session, e: &Evidence, target: &Target) -> Vec<IpAddr> {
    let arm = match &e.record {
        Some(record) => session.arm.with_tenant(&record.tenant),
        None => session.arm.clone(),
    };
    let one = |id: ResourceId| {
        let (arm, host) = (arm.clone(), &e.host);
        async move {
            let Some(body) = arm.read(id.as_str(), crate::azure::api_versions::NETWORK, &[]).await.ok().flatten() else {
                return Vec::new();
            };
            let configs = body["properties"]["customDnsConfigs"].as_array();
            let of_host = configs.into_iter().flatten().find(|c| c["fqdn"].as_str().is_some_and(|f| f.eq_ignore_ascii_case(host)));
            if let Some(config) = of_host {
                return addresses(config["ipAddresses"].as_array().into_iter().flatten());
            }
            let cards = body["properties"]["networkInterfaces"].as_array().cloned().unwrap_or_default();
            let cards = cards.iter().filter_map(|card| card["id"].as_str()?.parse::<ResourceId>().ok()).map(|card| {
                let arm = arm.clone();
                async move { arm.read(card.as_str(), crate::azure::api_versions::NETWORK, &[]).await.ok().flatten() }
            });
            let cards: Vec<Value> = join_all(cards).await.into_iter().flatten().collect();
            let configured = cards.iter().flat_map(|card| card["properties"]["ipConfigurations"].as_array().into_iter().flatten());
            addresses(configured.map(|c| &c["properties"]["privateIPAddress"]))
        }
    };
    join_all(private_endpoints(Some(target)).into_iter().map(one)).await.concat()
}

pub(crate) fn addresses<'a>(texts: impl Iterator<Item = &'a Value>) -> Vec<IpAddr> {
    texts.filter_map(|text| text.as_str()?.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::catalogue;

    fn seen(all: &[&str]) -> Seen {
        Seen::Addresses(all.iter().map(|a| a.parse().unwrap()).collect())
    }

    #[test]
    fn output_of_getent_and_nslookup_is_parsed() {
        let glibc = "10.224.0.7      v.privatelink.vaultcore.azure.net v.vault.azure.net\n";
        assert_eq!(getent(0, glibc), seen(&["10.224.0.7"]));
        assert_eq!(getent(2, ""), Seen::Unknown);
        assert!(matches!(getent(1, "Unknown database: hosts"), Seen::NotTried(_)));
        let busybox = "Server:\t\t10.0.0.10\nAddress:\t10.0.0.10:53\n\nName:\tv.vault.azure.net\nAddress: 20.61.97.10\n";
        assert_eq!(nslookup(0, busybox), seen(&["20.61.97.10"]));
        let old_busybox = "Server:    10.0.0.10\nAddress 1: 10.0.0.10 kube-dns\n\nName:      v\nAddress 1: 10.224.0.7 v\n";
        assert_eq!(nslookup(0, old_busybox), seen(&["10.224.0.7"]));
        let windows = "Server:  dns\nAddress:  10.0.0.10\n\nNon-authoritative answer:\nName:    v\nAddresses:  fd00::7\n\t  10.224.0.7\n";
        assert_eq!(nslookup(0, windows), seen(&["fd00::7", "10.224.0.7"]));
        assert_eq!(nslookup(1, "** server can't find v.vault.azure.net: NXDOMAIN\n"), Seen::Unknown);
        assert!(matches!(nslookup(1, ";; connection timed out; no servers could be reached"), Seen::NotTried(_)));
    }

    #[test]
    fn hosts_belong_to_the_current_cloud() {
        let id = |kind: &str, name: &str| ResourceId::resource("s", "g", kind, name);
        let of = |service: &str, name: &str, cloud: &Cloud| {
            let service = catalogue::find(service).unwrap();
            host(service, &Target::from_arm(id(service.arm_type, name), &json!({})), cloud)
        };
        assert_eq!(of("keyvault", "v", &Cloud::public()), "v.vault.azure.net");
        assert_eq!(of("keyvault", "v", &Cloud::us_government()), "v.vault.usgovcloudapi.net");
        assert_eq!(of("storage-blob", "a", &Cloud::china()), "a.blob.core.chinacloudapi.cn");
        assert_eq!(of("postgres-flexible", "p", &Cloud::us_government()), "p.postgres.database.usgovcloudapi.net");
        assert_eq!(of("resource", "r", &Cloud::public()), "");
    }
}
