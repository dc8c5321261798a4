//! Changes of existing objects: `PUT`, `scale`, and the common final part of every change, whichever verb it uses.

use serde_json::{Value, json};

use super::decode;
use super::input::{JSON_PATCH, Options, body, content_type, options};
use super::managers::{self, Manager};
use super::patch;
use super::prepare;
use super::resources::Resource;
use super::shape;
use super::status::{Cause, Failure, Outcome};
use super::store::{Key, metadata, now, text};
use super::validate;
use super::{Call, State};

/// Result of a write.
pub struct Written {
    pub code: u16,
    pub object: Value,
    pub warnings: Vec<String>,
}

impl Written {
    pub fn new(code: u16, object: Value) -> Self {
        Self { code, object, warnings: Vec::new() }
    }
}

impl State {
    pub fn update(&mut self, call: &Call<'_>) -> Outcome<Written> {
        let resource = call.resource()?;
        let options = options(call, "UpdateOptions", &content_type(call))?;
        let (mut object, mut warnings) = body(call, resource, options.strictness)?;
        warnings.extend(self.prune_custom(resource, &mut object, options.strictness, false)?);
        self.check_place(call, &mut object)?;
        call.check_name(&object)?;
        let Some(old) = self.store.get(resource, &call.namespace, &call.name).cloned() else {
            if resource.plural == "leases" && call.subresource.is_empty() {
                call.check(self, "create")?;
                return self.insert(resource, &call.namespace, object, &options, None);
            }
            return Err(Failure::not_found(resource, &call.name));
        };
        if text(&object, "resourceVersion").is_empty() && (resource.plural == "leases" || resource.custom) {
            let causes = [Cause::invalid("metadata.resourceVersion", "0", "must be specified for an update")];
            return Err(Failure::invalid(&resource.group, &resource.plural, &call.name, &causes));
        }
        let uid = text(&object, "uid");
        if !uid.is_empty() && uid != text(&old, "uid") {
            let why = format!("Precondition failed: UID in precondition: {uid}, UID in object meta: {}", text(&old, "uid"));
            return Err(Failure::conflict(resource, &call.name, &why));
        }
        let mut written = self.replace(call, &old, object, &options, None)?;
        written.warnings.splice(0..0, warnings);
        Ok(written)
    }

    /// The object in the version of this resource.
    pub fn served(&self, resource: &Resource, object: &Value) -> Value {
        let mut out = object.clone();
        if resource.custom {
            out["apiVersion"] = json!(resource.api_version());
        }
        out
    }

    /// The common second half of every update.
    pub(super) fn replace(
        &mut self,
        call: &Call<'_>,
        old: &Value,
        mut object: Value,
        options: &Options,
        applied: Option<managers::Managed>,
    ) -> Outcome<Written> {
        let resource = call.resource()?;
        check_version(resource, &call.name, &object, old)?;
        let mut causes = Vec::new();
        let uid = text(&object, "uid");
        if !uid.is_empty() && uid != text(old, "uid") {
            // The real server checks this twice and reports it twice.
            let cause = Cause::invalid("metadata.uid", &format!("{uid:?}"), "field is immutable");
            causes.extend([cause.clone(), cause]);
        }
        if text(&object, "name") != call.name {
            let name = format!("{:?}", text(&object, "name"));
            causes.push(Cause::invalid("metadata.name", &name, "field is immutable"));
        }
        let forget = object["metadata"]["managedFields"] == json!([{}]);
        let rest = if call.subresource == "status" {
            // Only the status is taken from the body.
            let mut kept = old.clone();
            kept["status"] = object["status"].clone();
            if resource.kind == "Namespace" {
                kept["spec"] = old["spec"].clone();
            }
            kept
        } else {
            if resource.has_status() {
                match old.get("status") {
                    Some(status) => object["status"] = status.clone(),
                    None => {
                        if let Some(map) = object.as_object_mut() {
                            map.shift_remove("status");
                        }
                    }
                }
            }
            object
        };
        object = rest;
        shape::complete(resource, &mut object);
        keep_metadata(old, &mut object);
        let managed = match applied {
            Some(managed) => managed,
            None => {
                let before = if forget { managers::Managed::new() } else { managers::decode(old) };
                let mut live = self.served(resource, old);
                metadata(&mut live).shift_remove("managedFields");
                let mut next = object.clone();
                metadata(&mut next).shift_remove("managedFields");
                let writer = writer(resource, options, false, &call.subresource);
                managers::update(before, &live, &next, writer, ignored(resource, &call.subresource), &now())
            }
        };
        prepare::update(resource, old, &mut object);
        if call.subresource.is_empty() {
            let (change, whole) = (validate::update(resource, old, &object), validate::object(resource, &object));
            let change_first = matches!(resource.kind.as_str(), "Secret" | "ConfigMap");
            let (first, second) = if change_first { (change, whole) } else { (whole, change) };
            causes.extend(first.into_iter().chain(second));
        }
        causes.extend(self.custom_causes(resource, &object));
        if !causes.is_empty() {
            return Err(Failure::invalid(&resource.group, &resource.kind, &call.name, &causes));
        }
        managers::encode(&mut object, &managed);
        let warnings = prepare::hidden_variables(resource, &object);
        metadata(&mut object).insert("resourceVersion".into(), old["metadata"]["resourceVersion"].clone());
        let key = Key::of(resource, &call.namespace, &call.name);
        let storage_version = old["apiVersion"].clone();
        let object = if options.dry_run {
            object
        } else if same(old, &object) {
            self.served(resource, old)
        } else if object["metadata"].get("deletionTimestamp").is_some() && !has_finalizers(&object) {
            self.store.remove(&key).unwrap_or(object)
        } else {
            let mut stored = object;
            stored["apiVersion"] = storage_version;
            let stored = self.store.put(key, stored);
            self.served(resource, &stored)
        };
        Ok(Written { code: 200, object, warnings })
    }

    /// `PUT` or `PATCH` of the scale subresource: only the number of replicas is used.
    pub fn write_scale(&mut self, call: &Call<'_>) -> Outcome<Written> {
        let resource = call.resource()?;
        let patched = call.verb == "patch";
        let options = options(call, if patched { "PatchOptions" } else { "UpdateOptions" }, &content_type(call))?;
        let Some(old) = self.store.get(resource, &call.namespace, &call.name).cloned() else {
            return Err(Failure::not_found(resource, &call.name));
        };
        let sent = decode::parse(&call.request.body).ok_or_else(|| Failure::bad_request("the body is no object"))?;
        let scale = super::read::scale(&old);
        let wanted = match content_type(call).as_str() {
            JSON_PATCH => patch::json_patch(&scale, &sent)?,
            _ if patched => patch::merge(&scale, &sent),
            _ => sent,
        };
        let mut object = old.clone();
        object["spec"]["replicas"] = wanted["spec"]["replicas"].clone();
        metadata(&mut object).insert("resourceVersion".into(), wanted["metadata"]["resourceVersion"].clone());
        let written = self.replace(call, &old, object, &options, None)?;
        Ok(Written::new(200, super::read::scale(&written.object)))
    }
}

pub fn has_finalizers(object: &Value) -> bool {
    object["metadata"]["finalizers"].as_array().is_some_and(|list| !list.is_empty())
}

pub(super) fn writer(resource: &Resource, options: &Options, apply: bool, subresource: &str) -> Manager {
    Manager { name: options.manager.clone(), apply, api_version: resource.api_version(), subresource: subresource.to_string() }
}

/// Fields that an endpoint does not write, so nobody can own them through it.
pub(super) fn ignored(resource: &Resource, subresource: &str) -> &'static [&'static str] {
    match subresource {
        "status" => &["spec", "metadata"],
        _ if resource.has_status() => &["status"],
        _ => &[],
    }
}

pub(super) fn check_version(resource: &Resource, name: &str, sent: &Value, old: &Value) -> Outcome<()> {
    let version = text(sent, "resourceVersion");
    if version.is_empty() {
        return Ok(());
    }
    if version.parse::<u64>().is_err() {
        return Err(Failure::internal(format!("strconv.ParseUint: parsing {version:?}: invalid syntax")));
    }
    if version == text(old, "resourceVersion") { Ok(()) } else { Err(Failure::modified(resource, name)) }
}

/// Restores immutable metadata.
fn keep_metadata(old: &Value, object: &mut Value) {
    let meta = metadata(object);
    for key in ["uid", "creationTimestamp", "generation", "deletionTimestamp", "deletionGracePeriodSeconds", "namespace"] {
        match old["metadata"].get(key) {
            Some(value) => {
                meta.insert(key.into(), value.clone());
            }
            None => {
                meta.shift_remove(key);
            }
        }
    }
}

/// Equality that ignores the times in the managed fields.
fn same(old: &Value, new: &Value) -> bool {
    let strip = |object: &Value| {
        let mut out = object.clone();
        for entry in metadata(&mut out).get_mut("managedFields").and_then(Value::as_array_mut).into_iter().flatten() {
            if let Some(map) = entry.as_object_mut() {
                map.shift_remove("time");
            }
        }
        let fields = metadata(&mut out).get_mut("managedFields").and_then(Value::as_array_mut);
        if let Some(list) = fields {
            list.sort_by_key(Value::to_string);
        }
        out["apiVersion"] = Value::Null;
        out
    };
    strip(old) == strip(new)
}
