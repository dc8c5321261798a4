//! Tokens and reviews: TokenRequest, TokenReview, access reviews, SelfSubjectReview, and the issuer's documents.

use serde_json::{Value, json};

use super::auth::{self, Attributes, UserInfo};
use super::managers::{self, Managed, Manager};
use super::status::{Cause, Failure, Outcome};
use super::store::{new_uid, text};
use super::{Call, State};
use crate::keys;

impl State {
    /// The discovery document of the issuer.
    pub fn issuer_document(&self) -> Value {
        json!({
            "issuer": self.issuer,
            "jwks_uri": format!("{}/openid/v1/jwks", self.issuer.trim_end_matches('/')),
            "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
        })
    }

    /// Answers `POST serviceaccounts/NAME/token`.
    pub fn mint(&mut self, call: &Call<'_>) -> Outcome<Value> {
        let resource = call.resource()?;
        let namespaces = self.store.known("", "namespaces").ok_or_else(Failure::no_such_resource)?;
        if self.store.get(&namespaces, "", &call.namespace).is_none() {
            return Err(Failure::not_found(&namespaces, &call.namespace));
        }
        let Some(account) = self.store.get(resource, &call.namespace, &call.name).cloned() else {
            return Err(Failure::not_found(resource, &call.name));
        };
        let sent = call.request.json().unwrap_or(Value::Null);
        let spec = &sent["spec"];
        let seconds = spec["expirationSeconds"].as_i64().unwrap_or(3600);
        let fault = if seconds < 600 {
            Some("may not specify a duration less than 10 minutes")
        } else if seconds > 1 << 32 {
            Some("may not specify a duration larger than 2^32 seconds")
        } else {
            None
        };
        if let Some(why) = fault {
            let cause = Cause::invalid("spec.expirationSeconds", &seconds.to_string(), why);
            return Err(Failure::invalid("authentication.k8s.io", "TokenRequest", "", &[cause]));
        }
        let audiences = match spec["audiences"].as_array() {
            Some(list) if !list.is_empty() => json!(list),
            _ => json!([self.issuer]),
        };
        let issued = super::store::clock().as_second();
        let uid = text(&account, "uid");
        let mut inner = json!({"namespace": call.namespace, "serviceaccount": {"name": call.name, "uid": uid}});
        let bound = &spec["boundObjectRef"];
        if bound["kind"] == "Pod" {
            let pods = self.store.known("", "pods").ok_or_else(Failure::no_such_resource)?;
            let name = bound["name"].as_str().unwrap_or_default();
            let Some(pod) = self.store.get(&pods, &call.namespace, name) else {
                return Err(Failure::not_found(&pods, name));
            };
            inner["pod"] = json!({"name": name, "uid": pod["metadata"]["uid"]});
        }
        let claims = json!({
            "aud": audiences, "exp": issued + seconds, "iat": issued, "iss": self.issuer, "jti": new_uid(),
            "kubernetes.io": inner, "nbf": issued,
            "sub": format!("system:serviceaccount:{}:{}", call.namespace, call.name),
        });
        let end = jiff::Timestamp::from_second(issued + seconds).unwrap_or(jiff::Timestamp::MAX);
        let mut answer = json!({
            "kind": "TokenRequest", "apiVersion": "authentication.k8s.io/v1",
            "metadata": {
                "name": call.name, "namespace": call.namespace, "uid": uid,
                "creationTimestamp": super::store::now(),
            },
            "spec": {"audiences": audiences, "expirationSeconds": seconds, "boundObjectRef": bound},
            "status": {
                "token": self.key.sign_jwt(&claims),
                "expirationTimestamp": end.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            },
        });
        let agent = call.request.header("user-agent").unwrap_or("unknown");
        let writer = Manager {
            name: call.request.q("fieldManager").unwrap_or(agent.split('/').next().unwrap_or_default()).to_string(),
            apply: false,
            api_version: "authentication.k8s.io/v1".into(),
            subresource: "token".into(),
        };
        let empty = json!({"metadata": {}, "spec": {"audiences": null, "expirationSeconds": null, "boundObjectRef": null}});
        let mut asked = json!({"metadata": {}, "spec": spec});
        if !spec.is_object() {
            asked["spec"] = json!({});
        }
        asked["spec"]["expirationSeconds"] = json!(seconds);
        for key in ["audiences", "boundObjectRef"] {
            asked["spec"][key] = spec[key].clone();
        }
        let managed = managers::update(Managed::new(), &empty, &asked, writer, &[], &super::store::now());
        managers::encode(&mut answer, &managed);
        Ok(answer)
    }

    /// The user of a token. Empty `audiences` means the server's own. The error is that of a TokenReview.
    pub fn user_of_token(&self, token: &str, audiences: &[String]) -> Result<UserInfo, String> {
        if let Some(user) = self.tokens.get(token) {
            return Ok(user.clone());
        }
        let claims = keys::verify_jwt(&self.key.jwks(), token).map_err(|_| "invalid bearer token".to_string())?;
        let late = claims["exp"].as_i64().is_none_or(|exp| exp <= super::store::clock().as_second());
        if late || claims["iss"] != self.issuer.as_str() {
            return Err("[invalid bearer token, service account token has expired]".into());
        }
        let own = [self.issuer.clone()];
        let wanted = if audiences.is_empty() { &own[..] } else { audiences };
        let list: Vec<&str> = claims["aud"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        if !list.iter().any(|a| wanted.iter().any(|w| w == a)) {
            let show = |items: &[String]| json!(items).to_string().replace("\",\"", "\" \"");
            let has: Vec<String> = list.iter().map(|a| (*a).to_string()).collect();
            return Err(format!(
                "[invalid bearer token, token audiences {} is invalid for the target audiences {}]",
                show(&has),
                show(wanted)
            ));
        }
        let inner = &claims["kubernetes.io"];
        let namespace = inner["namespace"].as_str().unwrap_or_default();
        let name = inner["serviceaccount"]["name"].as_str().unwrap_or_default();
        let found = self.store.known("", "serviceaccounts").and_then(|r| self.store.get(&r, namespace, name));
        let Some(account) = found.filter(|a| a["metadata"]["uid"] == inner["serviceaccount"]["uid"]) else {
            return Err(format!("[invalid bearer token, serviceaccounts {name:?} not found]"));
        };
        Ok(UserInfo {
            name: format!("system:serviceaccount:{namespace}:{name}"),
            groups: vec!["system:serviceaccounts".into(), format!("system:serviceaccounts:{namespace}")],
            uid: Some(text(account, "uid").to_string()),
            credential: Some(format!("JTI={}", claims["jti"].as_str().unwrap_or_default())),
        })
    }

    /// The reviews: answered, never stored.
    pub fn review(&mut self, call: &Call<'_>, user: &UserInfo) -> Outcome<Value> {
        let resource = call.resource()?;
        let sent = call.request.json().unwrap_or(json!({}));
        let spec = sent["spec"].clone();
        let head = |shown: Value, status: Value| {
            let mut answer = json!({
                "kind": resource.kind, "apiVersion": resource.api_version(), "metadata": {}, "spec": shown,
                "status": status,
            });
            let agent = call.request.header("user-agent").unwrap_or("unknown");
            let writer = Manager {
                name: call.request.q("fieldManager").unwrap_or(agent.split('/').next().unwrap_or_default()).to_string(),
                apply: false,
                api_version: resource.api_version(),
                subresource: String::new(),
            };
            if resource.plural != "selfsubjectrulesreviews" {
                let empty = json!({"metadata": {}, "spec": {}});
                let sent = json!({"metadata": {}, "spec": spec});
                let managed = managers::update(Managed::new(), &empty, &sent, writer, &[], &super::store::now());
                managers::encode(&mut answer, &managed);
            }
            answer
        };
        match resource.plural.as_str() {
            "selfsubjectreviews" => Ok(json!({
                "kind": resource.kind, "apiVersion": resource.api_version(),
                "metadata": {"creationTimestamp": super::store::now()}, "status": {"userInfo": user.review()},
            })),
            "tokenreviews" => {
                let audiences: Vec<String> =
                    spec["audiences"].as_array().into_iter().flatten().filter_map(|a| a.as_str().map(str::to_string)).collect();
                let status = match self.user_of_token(spec["token"].as_str().unwrap_or_default(), &audiences) {
                    Ok(user) => json!({"authenticated": true, "user": user.review(), "audiences": audiences}),
                    Err(error) => json!({"user": {}, "error": error}),
                };
                Ok(head(spec.clone(), status))
            }
            "selfsubjectrulesreviews" => {
                let namespace = spec["namespace"].as_str().unwrap_or_default();
                if namespace.is_empty() {
                    return Err(Failure::bad_request("no namespace on request"));
                }
                Ok(head(json!({}), auth::rules(&self.store, user, namespace)))
            }
            _ => {
                let who = match spec["user"].as_str() {
                    Some(name) => {
                        let groups: Vec<&str> = spec["groups"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
                        UserInfo::new(name, &groups)
                    }
                    None => user.clone(),
                };
                let Some(wanted) = attributes(&spec) else {
                    let why = "exactly one of nonResourceAttributes or resourceAttributes must be specified";
                    let cause = Cause::invalid("spec.resourceAttributes", "null", why);
                    return Err(Failure::invalid("authorization.k8s.io", "", "", &[cause]));
                };
                let status = match auth::decide(&self.store, &self.denials, &who, &wanted) {
                    Ok(Some(reason)) => json!({"allowed": true, "reason": reason}),
                    Ok(None) => json!({"allowed": true}),
                    Err(()) => json!({"allowed": false}),
                };
                Ok(head(spec.clone(), status))
            }
        }
    }
}

fn attributes(spec: &Value) -> Option<Attributes> {
    let of = |from: &Value, key: &str| from[key].as_str().unwrap_or_default().to_string();
    let (resource, path) = (&spec["resourceAttributes"], &spec["nonResourceAttributes"]);
    match (resource.is_object(), path.is_object()) {
        (true, false) => Some(Attributes {
            verb: of(resource, "verb"),
            group: of(resource, "group"),
            resource: of(resource, "resource"),
            subresource: of(resource, "subresource"),
            name: of(resource, "name"),
            namespace: of(resource, "namespace"),
            path: None,
        }),
        (false, true) => Some(Attributes { verb: of(path, "verb"), path: Some(of(path, "path")), ..Attributes::default() }),
        _ => None,
    }
}
