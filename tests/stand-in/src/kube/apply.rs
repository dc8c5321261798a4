//! `PATCH`: the three patches, and server-side apply.

use serde_json::{Value, json};

use super::decode::{self, Strictness};
use super::input::{APPLY, JSON_PATCH, MERGE, Options, STRATEGIC, bad_data, content_type, go_map, options};
use super::managers;
use super::patch;
use super::schema;
use super::status::{Cause, Failure, Outcome};
use super::store::{metadata, now, text};
use super::write::{Written, check_version, ignored, writer};
use super::{Call, State};

impl State {
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
        call.check_name(&config)?;
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
}
