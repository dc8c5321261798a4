//! Authentication and authorization: bearer tokens, roles and bindings, and a knob that removes permissions.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::resources::Resource;
use super::status::{Failure, Outcome};
use super::store::Store;

/// A signed-in user.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct UserInfo {
    /// User name.
    pub name: String,
    /// Groups without `system:authenticated`, to which every signed-in user belongs.
    pub groups: Vec<String>,
    /// Set for service accounts.
    pub uid: Option<String>,
    /// `authentication.kubernetes.io/credential-id`, where the kind of credential has one.
    pub credential: Option<String>,
}

impl UserInfo {
    /// A user with groups; a kubeconfig's token stands for such a user.
    #[must_use]
    pub fn new(name: &str, groups: &[&str]) -> Self {
        Self { name: name.into(), groups: groups.iter().map(|g| (*g).to_string()).collect(), ..Self::default() }
    }

    pub(super) fn anonymous() -> Self {
        Self::new("system:anonymous", &["system:unauthenticated"])
    }

    pub(super) fn all_groups(&self) -> Vec<String> {
        let mut groups = self.groups.clone();
        if self.name != "system:anonymous" && !groups.iter().any(|g| g == "system:authenticated") {
            groups.push("system:authenticated".into());
        }
        groups
    }

    pub(super) fn review(&self) -> Value {
        let mut user = json!({"username": self.name});
        if let Some(uid) = &self.uid {
            user["uid"] = json!(uid);
        }
        user["groups"] = json!(self.all_groups());
        if let Some(credential) = &self.credential {
            user["extra"] = json!({"authentication.kubernetes.io/credential-id": [credential]});
        }
        user
    }
}

/// The permission that a request needs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Attributes {
    pub verb: String,
    pub group: String,
    pub resource: String,
    pub subresource: String,
    pub name: String,
    pub namespace: String,
    /// Set for requests without a resource.
    pub path: Option<String>,
}

impl Attributes {
    fn full_resource(&self) -> String {
        if self.subresource.is_empty() { self.resource.clone() } else { format!("{}/{}", self.resource, self.subresource) }
    }
}

/// A permission removed by a test.
#[derive(Clone, Debug)]
pub struct Denial {
    pub user: String,
    pub verb: String,
    pub group: String,
    pub resource: String,
    pub namespace: Option<String>,
}

/// Evaluates the bindings; the text names the binding that allows the request.
pub fn decide(store: &Store, denials: &[Denial], user: &UserInfo, wanted: &Attributes) -> Result<Option<String>, ()> {
    let fits = |pattern: &str, value: &str| pattern == "*" || pattern == value;
    let denied = denials.iter().any(|d| {
        wanted.path.is_none()
            && fits(&d.user, &user.name)
            && fits(&d.verb, &wanted.verb)
            && fits(&d.group, &wanted.group)
            && fits(&d.resource, &wanted.full_resource())
            && d.namespace.as_ref().is_none_or(|n| *n == wanted.namespace)
    });
    if denied {
        return Err(());
    }
    let groups = user.all_groups();
    if groups.iter().any(|g| g == "system:masters") {
        return Ok(None);
    }
    for (rules, text) in granted(store, user, &wanted.namespace) {
        if rules.iter().any(|rule| allows(rule, wanted)) {
            return Ok(Some(text));
        }
    }
    Err(())
}

/// The 403 of a refused request.
pub fn refusal(user: &UserInfo, wanted: &Attributes) -> Box<Failure> {
    if let Some(path) = &wanted.path {
        return Failure::forbidden_path(&user.name, &wanted.verb, path);
    }
    let scope =
        if wanted.namespace.is_empty() { "at the cluster scope".to_string() } else { format!("in the namespace {:?}", wanted.namespace) };
    let why = format!(
        "User {:?} cannot {} resource {:?} in API group {:?} {scope}",
        user.name,
        wanted.verb,
        wanted.full_resource(),
        wanted.group,
    );
    let named = Resource {
        group: wanted.group.clone(),
        version: String::new(),
        plural: wanted.resource.clone(),
        kind: String::new(),
        singular: String::new(),
        short: Vec::new(),
        categories: Vec::new(),
        namespaced: !wanted.namespace.is_empty(),
        subresources: Vec::new(),
        generation: false,
        custom: false,
    };
    Failure::forbidden(&named, &wanted.name, &why)
}

pub fn check(store: &Store, denials: &[Denial], user: &UserInfo, wanted: &Attributes) -> Outcome<()> {
    decide(store, denials, user, wanted).map(|_| ()).map_err(|()| refusal(user, wanted))
}

const RBAC: &str = "rbac.authorization.k8s.io";

/// All rules that apply to a user in a namespace, with the text that names the binding.
fn granted(store: &Store, user: &UserInfo, namespace: &str) -> Vec<(Vec<Value>, String)> {
    let groups = user.all_groups();
    let mut out = Vec::new();
    let cluster = store.list(RBAC, "clusterrolebindings", "");
    let local: Vec<&Value> = if namespace.is_empty() { Vec::new() } else { store.list(RBAC, "rolebindings", namespace).collect() };
    for binding in cluster.chain(local) {
        let home = binding["metadata"]["namespace"].as_str().unwrap_or_default();
        let subject = binding["subjects"].as_array().into_iter().flatten().find(|s| is_subject(s, home, user, &groups));
        let Some(subject) = subject else { continue };
        let role = &binding["roleRef"];
        let (kind, name) = (role["kind"].as_str().unwrap_or_default(), role["name"].as_str().unwrap_or_default());
        let plural = if kind == "Role" { "roles" } else { "clusterroles" };
        let scope = if kind == "Role" { home } else { "" };
        let found = store.list(RBAC, plural, scope).find(|r| r["metadata"]["name"] == name);
        let rules = found.and_then(|r| r["rules"].as_array()).cloned().unwrap_or_default();
        let binding_name = binding["metadata"]["name"].as_str().unwrap_or_default();
        let shown = if home.is_empty() {
            format!("ClusterRoleBinding {binding_name:?}")
        } else {
            format!("RoleBinding {:?}", format!("{binding_name}/{home}"))
        };
        let who = match subject["kind"].as_str().unwrap_or_default() {
            "ServiceAccount" => format!(
                "ServiceAccount {:?}",
                format!("{}/{}", subject["name"].as_str().unwrap_or_default(), subject["namespace"].as_str().unwrap_or(home)),
            ),
            kind => format!("{kind} {:?}", subject["name"].as_str().unwrap_or_default()),
        };
        out.push((rules, format!("RBAC: allowed by {shown} of {kind} {name:?} to {who}")));
    }
    out
}

fn is_subject(subject: &Value, home: &str, user: &UserInfo, groups: &[String]) -> bool {
    let name = subject["name"].as_str().unwrap_or_default();
    match subject["kind"].as_str().unwrap_or_default() {
        "User" => user.name == name,
        "Group" => groups.iter().any(|g| g == name),
        "ServiceAccount" => {
            let namespace = subject["namespace"].as_str().unwrap_or(home);
            user.name == format!("system:serviceaccount:{namespace}:{name}")
        }
        _ => false,
    }
}

fn has(rule: &Value, field: &str, test: impl Fn(&str) -> bool) -> bool {
    rule[field].as_array().into_iter().flatten().filter_map(Value::as_str).any(test)
}

fn allows(rule: &Value, wanted: &Attributes) -> bool {
    if !has(rule, "verbs", |v| v == "*" || v == wanted.verb) {
        return false;
    }
    if let Some(path) = &wanted.path {
        return has(rule, "nonResourceURLs", |url| match url.strip_suffix('*') {
            Some(prefix) => path.starts_with(prefix),
            None => url == path,
        });
    }
    let full = wanted.full_resource();
    let names = rule["resourceNames"].as_array().is_some_and(|list| !list.is_empty());
    has(rule, "apiGroups", |g| g == "*" || g == wanted.group)
        && has(rule, "resources", |r| {
            r == "*" || r == full || r.strip_prefix("*/").is_some_and(|sub| !sub.is_empty() && sub == wanted.subresource)
        })
        && (!names || has(rule, "resourceNames", |n| !wanted.name.is_empty() && n == wanted.name))
}

/// The status of a SelfSubjectRulesReview.
pub fn rules(store: &Store, user: &UserInfo, namespace: &str) -> Value {
    let mut resource = BTreeSet::new();
    let mut other = BTreeSet::new();
    for (rules, _) in granted(store, user, namespace) {
        for rule in rules {
            if rule.get("nonResourceURLs").is_some() {
                let urls: BTreeSet<String> = rule["nonResourceURLs"].as_array().into_iter().flatten().map(|u| u.to_string()).collect();
                let urls = format!("[{}]", urls.into_iter().collect::<Vec<_>>().join(","));
                other.insert(format!("{{\"verbs\":{},\"nonResourceURLs\":{urls}}}", rule["verbs"]));
            } else {
                resource.insert(rule.to_string());
            }
        }
    }
    let list = |set: BTreeSet<String>| -> Vec<Value> { set.iter().filter_map(|text| serde_json::from_str(text).ok()).collect() };
    json!({"resourceRules": list(resource), "nonResourceRules": list(other), "incomplete": false})
}

/// The roles and bindings of every new cluster that matter to clients.
pub fn bootstrap() -> Vec<Value> {
    let role = |name: &str, rules: Value| json!({"apiVersion": format!("{RBAC}/v1"), "kind": "ClusterRole", "metadata": {"name": name}, "rules": rules});
    let bind = |role: &str, groups: &[&str]| {
        let subjects: Vec<Value> = groups.iter().map(|g| json!({"kind": "Group", "apiGroup": RBAC, "name": g})).collect();
        json!({
            "apiVersion": format!("{RBAC}/v1"), "kind": "ClusterRoleBinding", "metadata": {"name": role},
            "subjects": subjects, "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": role},
        })
    };
    let health = json!(["/healthz", "/livez", "/readyz", "/version", "/version/"]);
    let discovery =
        json!(["/api", "/api/*", "/apis", "/apis/*", "/healthz", "/livez", "/openapi", "/openapi/*", "/readyz", "/version", "/version/",]);
    let oidc = json!(["/.well-known/openid-configuration", "/.well-known/openid-configuration/", "/openid/v1/jwks", "/openid/v1/jwks/"]);
    vec![
        role(
            "cluster-admin",
            json!([
                {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]},
                {"verbs": ["*"], "nonResourceURLs": ["*"]},
            ]),
        ),
        role("system:discovery", json!([{"verbs": ["get"], "nonResourceURLs": discovery}])),
        role("system:public-info-viewer", json!([{"verbs": ["get"], "nonResourceURLs": health}])),
        role(
            "system:basic-user",
            json!([
                {"verbs": ["create"], "apiGroups": ["authorization.k8s.io"],
                 "resources": ["selfsubjectaccessreviews", "selfsubjectrulesreviews"]},
                {"verbs": ["create"], "apiGroups": ["authentication.k8s.io"], "resources": ["selfsubjectreviews"]},
            ]),
        ),
        role("system:service-account-issuer-discovery", json!([{"verbs": ["get"], "nonResourceURLs": oidc}])),
        bind("cluster-admin", &["system:masters"]),
        bind("system:discovery", &["system:authenticated"]),
        bind("system:public-info-viewer", &["system:authenticated", "system:unauthenticated"]),
        bind("system:basic-user", &["system:authenticated"]),
        bind("system:service-account-issuer-discovery", &["system:serviceaccounts"]),
    ]
}
