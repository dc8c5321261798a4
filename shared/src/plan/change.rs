//! Changes, and the plan they form: values that can be printed, serialised and compared.

use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use super::record::Record;
use super::spec::StepId;
use crate::model::ResourceId;

/// The intended state of a step's object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Goal {
    /// It exists as specified.
    Present,
    /// It does not exist, provided that this tool created it.
    Absent,
}

/// Kind of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Creates an object.
    Create,
    /// Updates an object in place.
    Update,
    /// Deletes an object that this tool created.
    Delete,
    /// No change: the object is as it should be, or this tool may not delete it.
    NoOp,
}

/// The side on which the change happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Layer {
    /// Azure.
    Azure,
    /// The Kubernetes cluster.
    Cluster,
}

/// One attribute of a change, with its old and new value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Detail {
    /// Name of the attribute.
    pub name: String,
    /// Old value, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Attribute>,
    /// New value, if it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<Attribute>,
    /// `false`: another step produces the value, so it is known only after that step.
    #[serde(skip_serializing_if = "Clone::clone")]
    pub known: bool,
}

/// Value of an attribute.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Attribute {
    /// One value.
    Text(String),
    /// Several values.
    List(Vec<String>),
}

impl Attribute {
    /// The value as one text.
    pub fn words(&self) -> String {
        match self {
            Attribute::Text(text) => text.clone(),
            Attribute::List(items) => items.join(", "),
        }
    }
}

/// Stands for a value that another step produces: shown to people; JSON has `"known": false`.
pub const KNOWN_AFTER_APPLY: &str = "(known after apply)";

/// The role or policy that a change grants, and where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Granted {
    /// Name of the role or policy.
    pub role: String,
    /// ARM id, or path on the data plane, that it is granted at.
    pub scope: String,
}

/// The change that a step would make.
#[derive(Clone, Debug, Serialize)]
pub struct Change {
    /// The step.
    pub id: StepId,
    /// Side on which the change happens.
    pub layer: Layer,
    /// Kind of the object: `managedIdentity`, `Deployment`.
    pub kind: &'static str,
    /// Name of the object, with its namespace if it has one; `null` in JSON if another step decides it.
    #[serde(serialize_with = "known_name")]
    pub name: String,
    /// ARM id of the object, if it is in Azure and its id is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    /// The grant that the change is about.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub granted: Option<Granted>,
    /// Kind of change.
    pub action: Action,
    /// Attributes that change.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<Detail>,
    /// Why the object is left unchanged, or what the user should know about the change.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Needs separate consent of the user, since it can't be undone and affects others.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub needs_consent: bool,
}

impl Change {
    /// A change without details.
    pub fn new(id: StepId, layer: Layer, kind: &'static str, name: impl Into<String>, action: Action) -> Self {
        let (resource, granted, details, reason) = (None, None, Vec::new(), None);
        Change { id, layer, kind, name: name.into(), resource, granted, action, details, reason, needs_consent: false }
    }

    /// Adds an attribute with one value.
    #[must_use]
    pub fn detail(mut self, name: &str, from: Option<&str>, to: Option<&str>) -> Self {
        let known = to != Some(KNOWN_AFTER_APPLY);
        let text = |value: &str| Attribute::Text(value.to_owned());
        self.details.push(Detail { name: name.into(), from: from.map(text), to: to.filter(|_| known).map(text), known });
        self
    }

    /// Adds an attribute with several values. `from` is empty if there were none; without new values nothing is added.
    #[must_use]
    pub fn list(mut self, name: &str, from: Vec<String>, to: Vec<String>) -> Self {
        if !to.is_empty() {
            let from = Some(from).filter(|from| !from.is_empty()).map(Attribute::List);
            self.details.push(Detail { name: name.into(), from, to: Some(Attribute::List(to)), known: true });
        }
        self
    }

    /// Adds the ARM id of the object.
    #[must_use]
    pub fn resource(mut self, id: &ResourceId) -> Self {
        self.resource = Some(id.spelled());
        self
    }

    /// Adds the grant that the change is about.
    #[must_use]
    pub fn granted(mut self, role: &str, scope: impl ToString) -> Self {
        self.granted = Some(Granted { role: role.to_owned(), scope: scope.to_string() });
        self
    }

    /// Adds a note for the user.
    #[must_use]
    pub fn reason(mut self, reason: impl Into<String>) -> Self {
        self.reason = Some(reason.into());
        self
    }

    /// Whether the change writes anything.
    pub fn writes(&self) -> bool {
        self.action != Action::NoOp
    }

    /// One word that names the object: `deployment/web` as kubectl takes it, an ARM id as az takes it, else kind and name. A
    /// grant is named by its role and its scope.
    pub fn reference(&self) -> String {
        if let Some(granted) = &self.granted {
            let role = granted.role.to_ascii_lowercase().replace(' ', "-");
            return format!("{}/{role}@{}", self.kind, granted.scope.rsplit('/').next().unwrap_or_default());
        }
        match (&self.resource, self.layer) {
            (Some(id), _) => id.clone(),
            (None, Layer::Cluster) => {
                format!("{}/{}", self.kind.to_ascii_lowercase(), self.name.rsplit('/').next().unwrap_or_default())
            }
            (None, Layer::Azure) if self.name == KNOWN_AFTER_APPLY => format!("{}/{}", self.kind, self.id),
            (None, Layer::Azure) => format!("{}/{}", self.kind, self.name),
        }
    }
}

/// A name that is not known yet becomes `null`.
fn known_name<S: Serializer>(name: &str, serializer: S) -> Result<S::Ok, S::Error> {
    match name == KNOWN_AFTER_APPLY {
        true => serializer.serialize_none(),
        false => serializer.serialize_str(name),
    }
}

/// All changes that a command would make.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Whether a connection is made or undone.
    pub goal: Goal,
    /// Name of the connection.
    pub connection: String,
    /// Namespace.
    pub namespace: String,
    /// The two sides of the connection.
    pub subject: Subject,
    /// The changes, in display order.
    pub changes: Vec<Change>,
}

/// The two sides of a connection: which workload reaches which target from which cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Subject {
    /// Service word.
    pub service: String,
    /// ARM id of the target.
    pub target: String,
    /// ARM id of the cluster.
    pub cluster: String,
    /// The workload, as `deployment/web`.
    pub workload: Option<String>,
}

impl Plan {
    /// A plan for the connection of a record.
    pub fn of(record: &Record, goal: Goal, changes: Vec<Change>) -> Plan {
        let subject = Subject {
            service: record.service.clone(),
            target: record.target.spelled(),
            cluster: record.cluster.spelled(),
            workload: record.workload.clone(),
        };
        Plan { goal, connection: record.name.clone(), namespace: record.namespace.clone(), subject, changes }
    }

    /// Whether applying the plan writes anything.
    pub fn writes(&self) -> bool {
        self.changes.iter().any(Change::writes)
    }

    /// How many objects are added, changed and deleted.
    pub fn summary(&self) -> (usize, usize, usize) {
        let count = |action| self.changes.iter().filter(|c| c.action == action).count();
        (count(Action::Create), count(Action::Update), count(Action::Delete))
    }

    /// The objects that the plan writes, one word each.
    pub fn names(&self) -> Vec<String> {
        self.changes.iter().filter(|change| change.writes()).map(Change::reference).collect()
    }

    /// The plan as JSON. The first number of `formatVersion` rises when a field changes its meaning.
    pub fn to_json(&self) -> Value {
        let (add, change, delete) = self.summary();
        json!({
            "formatVersion": "2.0",
            "goal": self.goal,
            "connection": {"name": self.connection, "namespace": self.namespace},
            "service": self.subject.service,
            "target": self.subject.target,
            "cluster": self.subject.cluster,
            "workload": self.subject.workload,
            "changes": self.changes,
            "summary": {"add": add, "change": change, "delete": delete},
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(layer: Layer, kind: &'static str, name: &str) -> Change {
        Change::new("step".into(), layer, kind, name, Action::Create)
    }

    #[test]
    fn programs_get_lists_as_lists_and_are_told_what_is_not_known_yet() {
        let keys = change(Layer::Cluster, "Secret", "shop/c").list("keys", vec![], vec!["A".into(), "B".into()]);
        assert_eq!(json!(keys)["details"], json!([{"name": "keys", "to": ["A", "B"]}]));
        let unknown = change(Layer::Azure, "federatedCredential", KNOWN_AFTER_APPLY).detail("issuer", None, Some(KNOWN_AFTER_APPLY));
        assert_eq!(json!(unknown)["details"], json!([{"name": "issuer", "known": false}]));
        assert_eq!(json!(unknown)["name"], Value::Null);
        let role =
            change(Layer::Azure, "roleAssignment", "Key Vault Secrets User → v").granted("Key Vault Secrets User", "/subscriptions/s");
        assert_eq!((&json!(role)["role"], &json!(role)["scope"]), (&json!("Key Vault Secrets User"), &json!("/subscriptions/s")));
    }

    #[test]
    fn a_reference_is_one_word() {
        let id: ResourceId = "/subscriptions/11111111-aaaa-4bbb-8ccc-000000000001/resourceGroups/g".parse().unwrap();
        for (change, word) in [
            (change(Layer::Cluster, "Deployment", "shop/web"), "deployment/web"),
            (change(Layer::Azure, "managedIdentity", "id-web").resource(&id), id.as_str()),
            (
                change(Layer::Azure, "roleAssignment", "R → v").granted("Key Vault Secrets User", "/x/v"),
                "roleAssignment/key-vault-secrets-user@v",
            ),
            (change(Layer::Azure, "federatedCredential", KNOWN_AFTER_APPLY), "federatedCredential/step"),
            (change(Layer::Azure, "federatedCredential", "shop-web-1"), "federatedCredential/shop-web-1"),
        ] {
            assert_eq!(change.reference(), word);
        }
    }
}
