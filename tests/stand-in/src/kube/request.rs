//! Parses requests: their object, their user, and the accepted formats of the answer.

use std::sync::Arc;

use serde_json::Value;

use super::State;
use super::auth::{self, Attributes, UserInfo};
use super::resources::Resource;
use super::select::{self, Selection};
use super::status::{Failure, Outcome};
use super::store::text;
use crate::http::{Request, percent_decode};

/// A parsed request.
pub struct Call<'a> {
    pub request: &'a Request,
    pub user: UserInfo,
    pub verb: &'static str,
    pub group: String,
    pub plural: String,
    pub namespace: String,
    pub name: String,
    pub subresource: String,
    /// The name and namespace that authorization uses.
    pub scope: (String, String),
    pub resource: Option<Arc<Resource>>,
}

impl Call<'_> {
    pub fn resource(&self) -> Outcome<&Resource> {
        self.resource.as_deref().ok_or_else(Failure::no_such_resource)
    }

    pub fn shared_resource(&self) -> Outcome<Arc<Resource>> {
        self.resource.clone().ok_or_else(Failure::no_such_resource)
    }

    /// Compares the name in the body with that of the path, for verbs that send whole objects to a name.
    pub fn check_name(&self, object: &Value) -> Outcome<()> {
        let (sent, name) = (text(object, "name"), &self.name);
        if sent.is_empty() {
            let why = format!("the name of the object ({name} based on URL) was undeterminable: name must be provided");
            return Err(Failure::bad_request(why));
        }
        if sent != name.as_str() {
            let why = format!("the name of the object ({sent}) does not match the name on the URL ({name})");
            return Err(Failure::bad_request(why));
        }
        Ok(())
    }

    pub fn accept(&self) -> &str {
        self.request.header("accept").unwrap_or_default()
    }

    pub fn selection(&self) -> Outcome<Selection> {
        let labels = self.request.q("labelSelector").unwrap_or_default();
        let fields = self.request.q("fieldSelector").unwrap_or_default();
        Selection::parse(self.resource()?, &self.namespace, labels, fields)
    }

    pub fn attributes(&self, verb: &str) -> Attributes {
        Attributes {
            verb: verb.into(),
            group: self.group.clone(),
            resource: self.plural.clone(),
            subresource: self.subresource.clone(),
            name: self.scope.0.clone(),
            namespace: self.scope.1.clone(),
            path: None,
        }
    }

    pub fn check(&self, state: &State, verb: &str) -> Outcome<()> {
        auth::check(&state.store, &state.denials, &self.user, &self.attributes(verb))
    }
}

pub fn acceptable(accept: &str) -> Outcome<()> {
    let fits = accept.is_empty()
        || accept.split(',').any(|one| {
            let kind = one.split(';').next().unwrap_or_default().trim();
            matches!(kind, "application/json" | "*/*" | "application/*" | "application/yaml")
        });
    if fits {
        return Ok(());
    }
    Err(Failure::not_acceptable("application/json, application/yaml, application/vnd.kubernetes.protobuf"))
}

pub fn authenticate(state: &State, request: &Request) -> Outcome<UserInfo> {
    let user = match request.bearer() {
        Some(token) => state.user_of_token(token, &[]).map_err(|_| Failure::unauthorized())?,
        None => UserInfo::anonymous(),
    };
    let Some(name) = request.header("impersonate-user") else { return Ok(user) };
    let wanted = Attributes { verb: "impersonate".into(), resource: "users".into(), name: name.into(), ..Attributes::default() };
    auth::check(&state.store, &state.denials, &user, &wanted)?;
    let groups: Vec<&str> = request.headers.iter().filter(|(k, _)| k == "impersonate-group").map(|(_, v)| v.as_str()).collect();
    Ok(UserInfo::new(name, &groups))
}

/// Parses the path as the server's request-info filter does; `None` for paths without a resource.
pub fn take_apart<'a>(state: &State, request: &'a Request, user: UserInfo) -> Option<Call<'a>> {
    let parts: Vec<String> = request.path.trim_matches('/').split('/').map(percent_decode).collect();
    let (group, version, rest) = match parts.first().map(String::as_str)? {
        "api" if parts.len() >= 3 => (String::new(), parts[1].clone(), &parts[2..]),
        "apis" if parts.len() >= 4 => (parts[1].clone(), parts[2].clone(), &parts[3..]),
        _ => return None,
    };
    let (mut namespace, rest) = match rest {
        [first, namespace, more @ ..]
            if first == "namespaces" && !more.is_empty() && !matches!(more[0].as_str(), "status" | "finalize") =>
        {
            (namespace.clone(), more)
        }
        _ => (String::new(), rest),
    };
    let plural = rest.first()?.clone();
    let name = rest.get(1).cloned().unwrap_or_default();
    let subresource = rest.get(2).cloned().unwrap_or_default();
    let watching = request.q("watch").is_some_and(|w| matches!(w, "1" | "true"));
    let verb = match (request.method.as_str(), name.is_empty()) {
        ("GET", true) if watching => "watch",
        ("GET", true) => "list",
        ("GET", false) => "get",
        ("POST", _) => "create",
        ("PUT", _) => "update",
        ("PATCH", _) => "patch",
        ("DELETE", true) => "deletecollection",
        ("DELETE", false) => "delete",
        _ => "unknown",
    };
    // A list limited to one name counts as a request for that name, for authorization and in messages.
    let pinned = match verb {
        "list" | "watch" | "deletecollection" => select::single_name(request.q("fieldSelector").unwrap_or_default()),
        _ => None,
    };
    let resource = state.store.resource(&group, &version, &plural);
    // A namespace counts as being inside itself, so that a role in it can allow reading it.
    let itself = group.is_empty() && plural == "namespaces";
    let scope = (pinned.unwrap_or(name.clone()), if itself { name.clone() } else { namespace.clone() });
    if resource.as_ref().is_some_and(|r| !r.namespaced) {
        namespace.clear();
    }
    Some(Call { request, user, verb, group, plural, namespace, name, subresource, scope, resource })
}
