//! The records of connections, read from the cluster.

use serde_json::{Map, Value};

use crate::kube::{Access, Cluster, Failure, Watched, resources};
use crate::model::{Kind, Problem, Result, words};
use crate::plan::record::{RECORD_VERSION, Record};

/// A record as stored in the cluster.
#[derive(Clone, Debug)]
pub struct Stored {
    /// The record.
    pub record: Record,
    /// Version for the next write.
    pub resource_version: String,
    /// Labels; those of users are kept.
    pub labels: Map<String, Value>,
}

/// The records of all namespaces if the user may list them, else of this namespace.
///
/// # Errors
/// Errors of the API server, except that listing all namespaces is forbidden.
pub async fn list(kube: &Cluster, namespace: &str) -> Result<Vec<Stored>> {
    let selector = Record::selector();
    let listed = match kube.list(&resources::CONFIG_MAP, None, Some(&selector)).await {
        Err(failure) if failure.is_forbidden() => kube.list(&resources::CONFIG_MAP, Some(namespace), Some(&selector)).await?,
        other => other?,
    };
    listed.iter().map(parse).collect()
}

/// The records of one namespace.
///
/// # Errors
/// Errors of the API server.
pub async fn list_in(kube: &Cluster, namespace: &str) -> Result<Vec<Stored>> {
    kube.list(&resources::CONFIG_MAP, Some(namespace), Some(&Record::selector())).await?.iter().map(parse).collect()
}

/// The records with matching labels in a namespace (`None`: in all), with the version from which a watch can start.
///
/// # Errors
/// Errors of the API server, also if the user may not list all namespaces.
pub async fn select(kube: &Cluster, namespace: Option<&str>, labels: Option<&str>) -> Result<(Vec<Stored>, String)> {
    let listed = kube.list_at(&resources::CONFIG_MAP, namespace, Some(&selector(labels))).await;
    let (listed, version) = match (listed, labels) {
        (Err(failure), Some(labels)) if failure.status() == Some(400) => {
            return Err(Problem::new(Kind::Usage, "KC1209", format!("`{labels}` is not a valid label selector"))
                .why(failure.to_string())
                .fix("use kubectl's syntax: -l team=shop,stage!=test"));
        }
        (listed, _) => listed?,
    };
    Ok((listed.iter().map(parse).collect::<Result<_>>()?, version))
}

/// Watches the records with matching labels in a namespace (`None`: in all), from a version on.
///
/// # Errors
/// Errors of the API server. A version that is too old may also be reported as an item of the stream.
pub async fn watch(kube: &Cluster, namespace: Option<&str>, labels: Option<&str>, from: &str) -> Result<Watched, Failure> {
    kube.watch_all(&resources::CONFIG_MAP, namespace, &selector(labels), from, WATCH).await
}

pub(crate) fn selector(labels: Option<&str>) -> String {
    labels.map_or_else(Record::selector, |more| format!("{},{more}", Record::selector()))
}

/// The record within an object.
///
/// # Errors
/// If the record can't be parsed.
pub fn record_in(object: &Value) -> Result<Record> {
    Ok(parse(object)?.record)
}

/// The record of one connection.
///
/// # Errors
/// Errors of the API server except an absent record; also if the record can't be parsed.
pub async fn load(kube: &Cluster, namespace: &str, connection: &str) -> Result<Option<Stored>> {
    let found = kube.get(&resources::CONFIG_MAP, Some(namespace), &Record::object_name(connection)).await?;
    found.as_ref().map(parse).transpose()
}

pub(crate) fn parse(object: &Value) -> Result<Stored> {
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    let broken = |why: String| {
        let namespace = object["metadata"]["namespace"].as_str().unwrap_or_default();
        Problem::new(Kind::Failed, "KC6002", format!("the record {namespace}/{name} can't be read"))
            .why(why)
            .fix(format!("look at it: kubectl get configmap {name} -n {namespace} -o yaml"))
    };
    let text = object["data"]["record"].as_str().ok_or_else(|| broken("it has no key `record`".into()))?;
    let version = serde_json::from_str::<Value>(text).ok().and_then(|v| v["version"].as_u64()).unwrap_or_default();
    if version > u64::from(RECORD_VERSION) {
        return Err(broken(format!("a newer version of this tool wrote it (format {version})")).fix("kubectl krew upgrade connect"));
    }
    let record = serde_json::from_str(text).map_err(|e| broken(e.to_string()))?;
    let resource_version = object["metadata"]["resourceVersion"].as_str().unwrap_or_default().to_owned();
    Ok(Stored { record, resource_version, labels: object["metadata"]["labels"].as_object().cloned().unwrap_or_default() })
}

/// Duration of one watch in seconds; the next one starts where it ended.
pub(crate) const WATCH: u32 = 300;

/// The error for an unknown connection name.
pub fn no_such_connection(records: &[Stored], namespace: &str, connection: &str) -> Problem {
    let problem = Problem::new(Kind::NotFound, "KC1201", format!("there is no connection `{connection}` in namespace `{namespace}`"));
    let elsewhere = records.iter().find(|s| s.record.name == connection);
    if let Some(elsewhere) = elsewhere {
        return problem.fix(format!("there is one in namespace `{0}`: add -n {0}", elsewhere.record.namespace));
    }
    let mut names: Vec<&str> = records.iter().filter(|s| s.record.namespace == namespace).map(|s| s.record.name.as_str()).collect();
    names.sort_by_key(|n| strsim::damerau_levenshtein(n, connection));
    match names.first() {
        Some(_) => {
            problem.fix(format!("this namespace has {}", words::nearest(&names.iter().map(|n| format!("`{n}`")).collect::<Vec<_>>())))
        }
        None => problem.fix("kubectl connect list -A"),
    }
}

/// A connection that was found by its name, and the others around it.
pub struct Known {
    /// The record of the connection.
    pub former: Stored,
    /// The other records that the user can see.
    pub others: Vec<Record>,
}

/// The connection of this name in the current namespace.
///
/// # Errors
/// If there is none; names the existing ones.
pub async fn known(kube: &Cluster, connection: &str) -> Result<Known> {
    let namespace = kube.namespace();
    let records = list(kube, namespace).await?;
    let is_it = |s: &&Stored| s.record.name == connection && s.record.namespace == namespace;
    let former = records.iter().find(is_it).cloned().ok_or_else(|| no_such_connection(&records, namespace, connection))?;
    let others = records.iter().filter(|s| !is_it(s)).map(|s| s.record.clone()).collect();
    Ok(Known { former, others })
}

/// What a run does with the record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writing {
    /// Creates the record, and changes it later.
    New,
    /// Changes a record that exists.
    Change,
    /// Changes the record while things are undone, and deletes it at the end.
    Remove,
}

/// The rights that keeping a record needs, the lease that guards it included: taking over and renewing a lease is an update.
pub fn record_rights(namespace: &str, writing: Writing) -> Vec<Access> {
    let on_record: &[&str] = match writing {
        Writing::New => &["create", "update"],
        Writing::Change => &["update"],
        Writing::Remove => &["update", "delete"],
    };
    let record = on_record.iter().map(|verb| Access::to(verb, &resources::CONFIG_MAP, Some(namespace)));
    let lease = ["create", "update", "delete"].map(|verb| Access::to(verb, &resources::LEASE, Some(namespace)));
    record.chain(lease).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_writing_may_take_over_the_lease_that_guards_it() {
        let rights = |writing| record_rights("shop", writing).iter().map(ToString::to_string).collect::<Vec<_>>();
        let verbs = |writing| -> Vec<String> {
            let on_record = record_rights("shop", writing).into_iter().filter(|access| access.resource == "configmaps");
            on_record.map(|access| access.verb).collect()
        };
        for (writing, wanted) in
            [(Writing::New, vec!["create", "update"]), (Writing::Change, vec!["update"]), (Writing::Remove, vec!["update", "delete"])]
        {
            assert_eq!(verbs(writing), wanted, "{writing:?}");
            for verb in ["create", "update", "delete"] {
                let lease = format!("{verb} leases.coordination.k8s.io -n shop");
                assert!(rights(writing).contains(&lease), "{writing:?}: {lease}");
            }
        }
    }
}
