//! Creation of objects by any verb: POST, or PUT and apply of an absent object.

use serde_json::{Value, json};

use super::input::{Options, body, content_type, options};
use super::managers;
use super::pods;
use super::prepare;
use super::resources::Resource;
use super::schema;
use super::shape;
use super::status::{Cause, Failure, Outcome};
use super::store::{Key, metadata, new_uid, now, random_tail, text};
use super::validate;
use super::write::{Written, ignored, writer};
use super::{Call, State};

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

    /// Compares the namespace in the body with that of the path.
    pub(super) fn check_place(&self, call: &Call<'_>, object: &mut Value) -> Outcome<()> {
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

    /// The common second half of every create, by POST, PUT or apply (`applied` has the apply's field ownership).
    pub(super) fn insert(
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
            // In the real server both maps are the same, so labels added to the template appear here as well.
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
            // The names are accepted a moment after the answer to the create.
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
}

fn object_labels(job: &Value) -> Value {
    job["spec"]["template"]["metadata"]["labels"].clone()
}
