//! Create, update, patch and apply.

use serde_json::{Value, json};

use super::decode::{self, Strictness};
use super::input::{APPLY, JSON_PATCH, MERGE, Options, STRATEGIC, bad_data, body, content_type, go_map, options};
use super::managers::{self, Manager};
use super::patch;
use super::pods;
use super::prepare;
use super::resources::Resource;
use super::schema;
use super::shape;
use super::status::{Cause, Failure, Outcome};
use super::store::{Key, metadata, new_uid, now, random_tail, text};
use super::validate;
use super::{Call, State};

/// What a write answers.
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
    pub fn create(&mut self, call: &Call<'_>) -> Outcome<Written> {
        let resource = call.resource()?;
        let options = options(call, "CreateOptions", &content_type(call))?;
        let (mut object, mut warnings) = body(call, resource, options.strictness)?;
        warnings.extend(self.prune_custom(resource, &mut object, options.strictness, false)?);
        self.check_place(call, &mut object)?;
        let mut written = self.insert(resource, &call.namespace, object, &options, None)?;
        written.warnings.splice(0..0, warnings);
        Ok(written)
    }

    /// Namespace of the body against that of the path.
    fn check_place(&self, call: &Call<'_>, object: &mut Value) -> Outcome<()> {
        let resource = call.resource()?;
        let sent = text(object, "namespace").to_string();
        if resource.namespaced {
            if !sent.is_empty() && sent != call.namespace {
                return Err(Failure::bad_request("the namespace of the provided object does not match the namespace sent on the request"));
            }
            metadata(object).insert("namespace".into(), json!(call.namespace));
        } else {
            metadata(object).shift_remove("namespace");
        }
        Ok(())
    }

    fn check_namespace(&self, resource: &Resource, namespace: &str, name: &str) -> Outcome<()> {
        if !resource.namespaced {
            return Ok(());
        }
        let Some(namespaces) = self.store.known("", "namespaces") else { return Ok(()) };
        match self.store.get(&namespaces, "", namespace) {
            None => Err(Failure::not_found(&namespaces, namespace)),
            Some(found) if found["metadata"].get("deletionTimestamp").is_some() => {
                let why = format!("unable to create new content in namespace {namespace} because it is being terminated");
                let mut details = resource.details(name);
                details["causes"] = json!([{
                    "reason": "NamespaceTerminating",
                    "message": format!("namespace {namespace} is being terminated"),
                    "field": "metadata.namespace",
                }]);
                Err(Failure::forbidden(resource, name, &why).with(details))
            }
            Some(_) => Ok(()),
        }
    }

    /// The second half of every create, by POST, PUT or apply (`applied` brings what the apply has already booked).
    fn insert(
        &mut self,
        resource: &Resource,
        namespace: &str,
        mut object: Value,
        options: &Options,
        applied: Option<managers::Managed>,
    ) -> Outcome<Written> {
        if let Some(prefix) = object["metadata"]["generateName"].as_str().map(str::to_string)
            && text(&object, "name").is_empty()
        {
            metadata(&mut object).insert("name".into(), json!(format!("{prefix}{}", random_tail(5))));
        }
        let name = text(&object, "name").to_string();
        self.check_namespace(resource, namespace, &name)?;
        let from_events_group = resource.group == "events.k8s.io";
        if from_events_group {
            super::events::to_core(&mut object)?;
        }
        let unlabelled = resource.kind == "Job" && object["metadata"].get("labels").is_none();
        if unlabelled && object["spec"]["template"]["metadata"]["labels"].is_object() {
            let labels = object_labels(&object);
            metadata(&mut object).insert("labels".into(), labels);
        }
        shape::complete(resource, &mut object);
        if from_events_group {
            object["apiVersion"] = json!("v1");
        }
        let managed = match applied {
            Some(managed) => managed,
            None => {
                let empty = if resource.custom { json!({"metadata": {}}) } else { schema::empty_object(&resource.kind) };
                let writer = writer(resource, options, false, "");
                let ignored = ignored(resource, "");
                if from_events_group {
                    let sent = super::events::from_core(&object);
                    let empty = super::events::from_core(&empty);
                    managers::update(managers::Managed::new(), &empty, &sent, writer, ignored, &now())
                } else {
                    managers::update(managers::Managed::new(), &empty, &object, writer, ignored, &now())
                }
            }
        };
        let uid = new_uid();
        {
            let meta = metadata(&mut object);
            for gone in ["resourceVersion", "selfLink", "deletionTimestamp", "generation", "managedFields"] {
                meta.shift_remove(gone);
            }
            meta.insert("uid".into(), json!(uid));
            meta.insert("creationTimestamp".into(), json!(now()));
            if resource.generation {
                meta.insert("generation".into(), json!(1));
            }
        }
        let mut warnings = Vec::new();
        self.admit_create(resource, namespace, &mut object, options.dry_run)?;
        prepare::create(resource, &mut object, &uid);
        if unlabelled {
            // The two maps are one in the real server, so the labels added to the template show here as well.
            let labels = object_labels(&object);
            metadata(&mut object).insert("labels".into(), labels);
        }
        if let Some(warning) = prepare::create_warning(resource, &object) {
            warnings.push(warning);
        }
        let mut causes = validate::object(resource, &object);
        causes.extend(self.custom_causes(resource, &object));
        if from_events_group && object["eventTime"].is_null() {
            causes.push(Cause::required("eventTime"));
        }
        if !causes.is_empty() {
            let group = if from_events_group { "" } else { &resource.group };
            return Err(Failure::invalid(group, &resource.kind, &name, &causes));
        }
        if self.store.get(resource, namespace, &name).is_some() {
            return Err(Failure::already_exists(resource, &name));
        }
        managers::encode(&mut object, &managed);
        warnings.extend(prepare::hidden_variables(resource, &object));
        let stored = if options.dry_run { object } else { self.store.put(Key::of(resource, namespace, &name), object) };
        if resource.kind == "CustomResourceDefinition" && !options.dry_run {
            // The names are accepted a moment after the create has been answered.
            let mut accepted = stored.clone();
            super::custom::accept(&mut accepted);
            self.store.put(Key::of(resource, namespace, &name), accepted);
        }
        Ok(Written { code: 201, object: stored, warnings })
    }

    fn admit_create(&mut self, resource: &Resource, namespace: &str, object: &mut Value, _dry: bool) -> Outcome<()> {
        if resource.kind == "Pod" {
            pods::admit(self, resource, namespace, object)?;
        }
        if resource.kind == "Namespace" {
            object["spec"] = json!({"finalizers": ["kubernetes"]});
            object["status"] = json!({"phase": "Active"});
        }
        Ok(())
    }

    pub fn update(&mut self, call: &Call<'_>) -> Outcome<Written> {
        let resource = call.resource()?;
        let options = options(call, "UpdateOptions", &content_type(call))?;
        let (mut object, mut warnings) = body(call, resource, options.strictness)?;
        warnings.extend(self.prune_custom(resource, &mut object, options.strictness, false)?);
        self.check_place(call, &mut object)?;
        let sent = text(&object, "name").to_string();
        if sent.is_empty() {
            return Err(Failure::bad_request(format!(
                "the name of the object ({} based on URL) was undeterminable: name must be provided",
                call.name
            )));
        }
        if sent != call.name {
            return Err(Failure::bad_request(format!(
                "the name of the object ({sent}) does not match the name on the URL ({})",
                call.name
            )));
        }
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

    pub fn patch(&mut self, call: &Call<'_>) -> Outcome<Written> {
        let resource = call.resource()?;
        let kind = content_type(call);
        if resource.custom && kind == STRATEGIC {
            let text = "the body of the request was in an unknown format - accepted media types include: \
                        application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml";
            return Err(Failure::new(415, Some("UnsupportedMediaType"), text));
        }
        if ![APPLY, MERGE, STRATEGIC, JSON_PATCH].contains(&kind.as_str()) {
            return Err(Failure::unsupported_media_type("415: Unsupported Media Type".into()));
        }
        let options = options(call, "PatchOptions", &kind)?;
        if kind == APPLY {
            return self.apply(call, &options);
        }
        let patch: Value =
            serde_json::from_slice(&call.request.body).map_err(|e| Failure::bad_request(format!("error decoding patch: {e}")))?;
        let Some(old) = self.store.get(resource, &call.namespace, &call.name).cloned() else {
            return Err(Failure::not_found(resource, &call.name));
        };
        let base = self.served(resource, &old);
        let mut new = match kind.as_str() {
            MERGE => patch::merge(&base, &patch),
            STRATEGIC => {
                if let Some(item) = patch::keyless(&patch) {
                    let text = format!("map: {} does not contain declared merge key: name", go_map(item));
                    return Err(Failure::internal(text));
                }
                patch::strategic(&base, &patch)
            }
            _ => patch::json_patch(&base, &patch)?,
        };
        let shown = if kind == STRATEGIC { go_map(&patch) } else { base.to_string() };
        let refuse = |why: &str| {
            let cause = Cause::invalid("patch", &format!("{shown:?}"), why);
            Failure::invalid("", "", "", &[cause])
        };
        if let Some(why) = bad_data(resource, &new) {
            return Err(refuse(&why));
        }
        let unknown = decode::drop_unknown(resource, &mut new).map_err(|why| refuse(&why))?;
        let mut warnings: Vec<String> = unknown.iter().map(|path| format!("unknown field {path:?}")).collect();
        warnings.extend(self.prune_custom(resource, &mut new, options.strictness, true)?);
        if options.strictness == Strictness::Strict && !warnings.is_empty() {
            return Err(refuse(&format!("strict decoding error: {}", warnings.join(", "))));
        }
        if options.strictness == Strictness::Ignore {
            warnings.clear();
        }
        let mut written = self.replace(call, &old, new, &options, None)?;
        written.warnings.splice(0..0, warnings);
        Ok(written)
    }

    fn apply(&mut self, call: &Call<'_>, options: &Options) -> Outcome<Written> {
        let resource = call.resource()?;
        let Some(mut config) = decode::parse(&call.request.body).filter(Value::is_object) else {
            return Err(Failure::bad_request("error decoding YAML: the body is no object"));
        };
        let (version, kind) = (config["apiVersion"].as_str().unwrap_or_default(), config["kind"].as_str().unwrap_or_default());
        if version != resource.api_version() || kind != resource.kind {
            let shown = if version.contains('/') { version.to_string() } else { format!("/{version}") };
            return Err(Failure::bad_request(format!("invalid object type: {shown}, Kind={kind}")));
        }
        let sent = text(&config, "name").to_string();
        if sent.is_empty() {
            return Err(Failure::bad_request(format!(
                "the name of the object ({} based on URL) was undeterminable: name must be provided",
                call.name
            )));
        }
        if sent != call.name {
            return Err(Failure::bad_request(format!(
                "the name of the object ({sent}) does not match the name on the URL ({})",
                call.name
            )));
        }
        self.check_place(call, &mut config)?;
        if config["metadata"]["managedFields"].as_array().is_some_and(|m| !m.is_empty()) {
            return Err(Failure::bad_request("metadata.managedFields must be nil"));
        }
        decode::check_applied(resource, &call.namespace, &call.name, &config)?;
        self.check_custom_applied(resource, &call.namespace, &call.name, &config)?;
        let old = self.store.get(resource, &call.namespace, &call.name).cloned();
        let writer = writer(resource, options, true, &call.subresource);
        let ignored = ignored(resource, &call.subresource);
        let Some(old) = old else {
            if !call.subresource.is_empty() {
                return Err(Failure::not_found(resource, &call.name));
            }
            let uid = text(&config, "uid");
            if !uid.is_empty() {
                let why = format!("uid mismatch: the provided object specified uid {uid}, and no existing object was found");
                return Err(Failure::conflict(resource, &call.name, &why));
            }
            call.check(self, "create")?;
            let empty = if resource.custom { json!({"metadata": {}}) } else { schema::empty_object(&resource.kind) };
            let (object, managed) = managers::apply(managers::Managed::new(), &empty, &config, &writer, ignored, options.force, &now())?;
            return self.insert(resource, &call.namespace, object, options, Some(managed));
        };
        let live = self.served(resource, &old);
        check_version(resource, &call.name, &config, &old)?;
        let managed = managers::decode(&old);
        let mut bare = live;
        metadata(&mut bare).shift_remove("managedFields");
        let (object, managed) = managers::apply(managed, &bare, &config, &writer, ignored, options.force, &now())?;
        self.replace(call, &old, object, options, Some(managed))
    }

    /// The object in the version of this resource.
    pub fn served(&self, resource: &Resource, object: &Value) -> Value {
        let mut out = object.clone();
        if resource.custom {
            out["apiVersion"] = json!(resource.api_version());
        }
        out
    }

    /// The second half of every update.
    fn replace(
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
            // The real server checks twice and says it twice.
            let cause = Cause::invalid("metadata.uid", &format!("{uid:?}"), "field is immutable");
            causes.extend([cause.clone(), cause]);
        }
        if text(&object, "name") != call.name {
            let name = format!("{:?}", text(&object, "name"));
            causes.push(Cause::invalid("metadata.name", &name, "field is immutable"));
        }
        let forget = object["metadata"]["managedFields"] == json!([{}]);
        let rest = if call.subresource == "status" {
            // Only the status is taken from what was sent.
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

    /// `PUT` or `PATCH` of the scale subresource: only the replicas count.
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

fn object_labels(job: &Value) -> Value {
    job["spec"]["template"]["metadata"]["labels"].clone()
}

pub fn has_finalizers(object: &Value) -> bool {
    object["metadata"]["finalizers"].as_array().is_some_and(|list| !list.is_empty())
}

fn writer(resource: &Resource, options: &Options, apply: bool, subresource: &str) -> Manager {
    Manager { name: options.manager.clone(), apply, api_version: resource.api_version(), subresource: subresource.to_string() }
}

/// What an endpoint does not write, and so nobody owns through it.
fn ignored(resource: &Resource, subresource: &str) -> &'static [&'static str] {
    match subresource {
        "status" => &["spec", "metadata"],
        _ if resource.has_status() => &["status"],
        _ => &[],
    }
}

fn check_version(resource: &Resource, name: &str, sent: &Value, old: &Value) -> Outcome<()> {
    let version = text(sent, "resourceVersion");
    if version.is_empty() {
        return Ok(());
    }
    if version.parse::<u64>().is_err() {
        return Err(Failure::internal(format!("strconv.ParseUint: parsing {version:?}: invalid syntax")));
    }
    if version == text(old, "resourceVersion") { Ok(()) } else { Err(Failure::modified(resource, name)) }
}

/// What no writer can change.
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

/// Equal but for the times in the managed fields.
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
