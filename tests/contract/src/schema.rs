//! Validates bodies against schemas: JSON Schema draft 4 with Swagger's additions.
//!
//! The schema language can't express three rules: read-only properties are not sent, properties without a schema are
//! not sent, and a discriminator selects the schema. A walk over schema and body checks these.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use jsonschema::{Draft, ValidationError, Validator, error::ValidationErrorKind};
use serde_json::{Map, Value, json};

/// The author of a body, and how strictly it is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reading {
    /// By the client: required properties may be missing if they are read-only.
    Request,
    /// By the service, exactly as the schema language says, without subtypes.
    Strict,
    /// By the service, which writes null for missing values (examples-known-mismatch.json) and does not return the
    /// secrets that it got.
    Lenient,
}

/// A place in a body: property names and positions.
pub type Place = Vec<String>;

/// Result of the walk over a body.
#[derive(Debug, Default)]
pub struct Findings {
    /// Properties that only the service sets.
    pub read_only: Vec<Place>,
    /// Properties without a schema.
    pub unknown: Vec<Place>,
    /// Violations of the schemas.
    pub invalid: Vec<String>,
}

/// A compiled schema, or the reason why it can't be compiled.
type Compiled = Arc<Result<Validator, String>>;

/// One official description with its validators.
pub struct Document {
    source: Value,
    validators: Mutex<HashMap<(String, Reading), Compiled>>,
}

/// The rules for an object's members from all schemas that apply to it.
#[derive(Default)]
struct Shape<'d> {
    named: BTreeMap<&'d str, Vec<&'d Value>>,
    required: HashSet<&'d str>,
    others: Vec<&'d Value>,
    closed: bool,
    free: bool,
    items: Vec<&'d Value>,
    subtype: Option<String>,
    strange: Option<String>,
}

impl Document {
    /// A description, exactly as in its file.
    #[must_use]
    pub fn new(source: Value) -> Self {
        Self { source, validators: Mutex::default() }
    }

    /// All findings about a body.
    #[must_use]
    pub fn findings(&self, pointer: &str, body: &Value, reading: Reading) -> Findings {
        let mut findings = Findings::default();
        let Some(schema) = self.at(pointer) else {
            findings.invalid.push(format!("the description has no schema at {pointer}"));
            return findings;
        };
        let pruned;
        let body = if reading == Reading::Lenient {
            pruned = self.prune(&[schema], body);
            &pruned
        } else {
            body
        };
        findings.invalid.extend(self.invalid(pointer, body, reading));
        self.walk(&[schema], body, &mut Place::new(), reading, &mut findings);
        findings
    }

    fn at(&self, pointer: &str) -> Option<&Value> {
        self.source.pointer(pointer.strip_prefix('#')?)
    }

    /// Findings of the schema language itself.
    fn invalid(&self, pointer: &str, body: &Value, reading: Reading) -> Vec<String> {
        let key = (pointer.to_owned(), reading);
        let mut validators = self.validators.lock().unwrap_or_else(PoisonError::into_inner);
        let validator = Arc::clone(validators.entry(key).or_insert_with(|| Arc::new(self.compile(pointer, reading))));
        drop(validators);
        match validator.as_ref() {
            Ok(validator) => validator.iter_errors(body).map(|error| told(&error)).collect(),
            Err(fault) => vec![format!("the schema at {pointer} is not understood: {fault}")],
        }
    }

    fn compile(&self, pointer: &str, reading: Reading) -> Result<Validator, String> {
        let mut definitions = self.source["definitions"].clone();
        translate(&mut definitions, reading);
        let mut schema = self.at(pointer).cloned().unwrap_or_default();
        translate(&mut schema, reading);
        let root = json!({"definitions": definitions, "allOf": [schema]});
        jsonschema::options().with_draft(Draft::Draft4).should_validate_formats(true).build(&root).map_err(|error| error.to_string())
    }

    fn walk(&self, schemas: &[&Value], body: &Value, at: &mut Place, reading: Reading, findings: &mut Findings) {
        let shape = self.shape(schemas, body);
        if let (Some(strange), false) = (&shape.strange, reading == Reading::Strict) {
            findings.invalid.push(format!("{}: {strange}", join(at)));
        }
        if let (Some(subtype), false) = (&shape.subtype, reading == Reading::Strict) {
            let more = self.invalid(subtype, body, reading);
            findings.invalid.extend(more.into_iter().map(|fault| format!("{} as {subtype}: {fault}", join(at))));
        }
        match body {
            Value::Object(members) => {
                for (name, member) in members {
                    at.push(name.clone());
                    if let Some(schemas) = shape.named.get(name.as_str()) {
                        if schemas.iter().any(|schema| self.is_read_only(schema)) {
                            findings.read_only.push(at.clone());
                        }
                        self.walk(schemas, member, at, reading, findings);
                    } else if !shape.others.is_empty() {
                        self.walk(&shape.others, member, at, reading, findings);
                    } else if !shape.free && shape.closed {
                        findings.unknown.push(at.clone());
                    }
                    at.pop();
                }
            }
            Value::Array(items) => {
                for (position, item) in items.iter().enumerate() {
                    at.push(position.to_string());
                    self.walk(&shape.items, item, at, reading, findings);
                    at.pop();
                }
            }
            _ => {}
        }
    }

    /// The body without null members that are optional.
    fn prune(&self, schemas: &[&Value], body: &Value) -> Value {
        let shape = self.shape(schemas, body);
        match body {
            Value::Object(members) => {
                let kept = members.iter().filter(|(name, member)| !member.is_null() || shape.required.contains(name.as_str()));
                Value::Object(
                    kept.map(|(name, member)| {
                        let schemas = shape.named.get(name.as_str()).unwrap_or(&shape.others);
                        (name.clone(), self.prune(schemas, member))
                    })
                    .collect(),
                )
            }
            Value::Array(items) => items.iter().map(|item| self.prune(&shape.items, item)).collect(),
            other => other.clone(),
        }
    }

    fn is_read_only(&self, schema: &Value) -> bool {
        schema["readOnly"] == true || schema["$ref"].as_str().and_then(|to| self.at(to)).is_some_and(|schema| self.is_read_only(schema))
    }

    fn shape<'d>(&'d self, schemas: &[&'d Value], body: &Value) -> Shape<'d> {
        let mut shape = Shape::default();
        let mut seen = HashSet::new();
        for schema in schemas {
            self.gather(schema, body, &mut shape, &mut seen);
        }
        shape
    }

    fn gather<'d>(&'d self, schema: &'d Value, body: &Value, shape: &mut Shape<'d>, seen: &mut HashSet<String>) {
        let mut base = None;
        let mut schema = schema;
        while let Some(to) = schema["$ref"].as_str() {
            if !seen.insert(to.to_owned()) {
                return;
            }
            base = Some(to);
            let Some(next) = self.at(to) else { return };
            schema = next;
        }
        for part in schema["allOf"].as_array().into_iter().flatten() {
            self.gather(part, body, shape, seen);
        }
        if let Some(properties) = schema["properties"].as_object() {
            shape.closed = true;
            for (name, schema) in properties {
                shape.named.entry(name).or_default().push(schema);
            }
        }
        shape.required.extend(schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str));
        match &schema["additionalProperties"] {
            Value::Object(_) => shape.others.push(&schema["additionalProperties"]),
            Value::Bool(true) => shape.free = true,
            Value::Bool(false) => shape.closed = true,
            _ => {}
        }
        if schema["items"].is_object() {
            shape.items.push(&schema["items"]);
        }
        if let (Some(word), Some(base)) = (schema["discriminator"].as_str(), base) {
            self.discriminate(word, base, body, shape, seen);
        }
    }

    /// Continues with the subtype that the body names.
    fn discriminate<'d>(&'d self, word: &str, base: &str, body: &Value, shape: &mut Shape<'d>, seen: &mut HashSet<String>) {
        let Some(chosen) = body[word].as_str() else { return };
        let base_name = base.rsplit('/').next().unwrap_or_default();
        let found = self.source["definitions"].as_object().into_iter().flatten().find(|(name, schema)| {
            schema["x-ms-discriminator-value"].as_str().unwrap_or(name) == chosen && self.is_below(schema, base, &mut HashSet::new())
        });
        match found {
            Some((name, schema)) => {
                shape.subtype = Some(format!("#/definitions/{name}"));
                self.gather(schema, body, shape, seen);
            }
            None if chosen == base_name => {}
            None => shape.strange = Some(format!("'{chosen}' is no kind of {base_name}")),
        }
    }

    fn is_below(&self, schema: &Value, base: &str, seen: &mut HashSet<String>) -> bool {
        schema["allOf"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|part| part["$ref"].as_str())
            .any(|to| to == base || (seen.insert(to.to_owned()) && self.at(to).is_some_and(|schema| self.is_below(schema, base, seen))))
    }
}

/// Checks a single value (of a path or query) against its parameter's description.
#[must_use]
pub fn value_faults(parameter: &Value, text: &str) -> Vec<String> {
    let known = ["type", "pattern", "minLength", "maxLength", "enum", "minimum", "maximum", "x-ms-enum", "x-nullable"];
    let mut schema: Map<String, Value> = known.iter().filter_map(|key| Some(((*key).to_owned(), parameter.get(*key)?.clone()))).collect();
    if schema.get("type").is_some_and(|kind| kind == "array") {
        return Vec::new();
    }
    let value = match schema.get("type").and_then(Value::as_str) {
        Some("integer" | "number" | "boolean") => serde_json::from_str(text).unwrap_or_else(|_| json!(text)),
        _ => json!(text),
    };
    if parameter["format"] == "uuid" && uuid::Uuid::try_parse(text).is_err() {
        return vec![format!("'{text}' is no UUID")];
    }
    schema.shift_remove("format");
    let mut schema = Value::Object(schema);
    translate(&mut schema, Reading::Request);
    match jsonschema::options().with_draft(Draft::Draft4).build(&schema) {
        Ok(validator) => validator.iter_errors(&value).map(|error| error.to_string()).collect(),
        Err(_) => Vec::new(),
    }
}

/// Translates Swagger's additions into draft 4.
fn translate(schema: &mut Value, reading: Reading) {
    match schema {
        Value::Object(members) => {
            members.values_mut().for_each(|member| translate(member, reading));
            if members.get("x-ms-enum").is_some_and(|names| names["modelAsString"] == true) {
                members.shift_remove("enum");
            }
            if let (Some(properties), Some(Value::Array(required))) = (members.get("properties").cloned(), members.get_mut("required")) {
                required.retain(|name| {
                    let property = &properties[name.as_str().unwrap_or_default()];
                    match reading {
                        Reading::Request => property["readOnly"] != true,
                        Reading::Strict => true,
                        Reading::Lenient => property["x-ms-secret"] != true && property["format"] != "password",
                    }
                });
            }
            // Draft 4 requires at least one name there.
            if members.get("required").and_then(Value::as_array).is_some_and(Vec::is_empty) {
                members.shift_remove("required");
            }
            if members.get("x-nullable") == Some(&json!(true)) {
                admit_null(members);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| translate(item, reading)),
        _ => {}
    }
}

fn admit_null(members: &mut Map<String, Value>) {
    let inner = Value::Object(std::mem::take(members));
    members.insert("anyOf".into(), json!([inner, {"type": "null"}]));
}

fn told(error: &ValidationError<'_>) -> String {
    // Of an alternative added for null, only the first branch is informative.
    if let ValidationErrorKind::AnyOf { context } = error.kind()
        && let Some(inner) = context.first().and_then(|branch| branch.first())
    {
        return told(inner);
    }
    // Without the value: bodies are long, and some contain secrets.
    format!("{}: {}", error.instance_path(), error.masked())
}

fn join(place: &[String]) -> String {
    if place.is_empty() { "the body".into() } else { place.join(".") }
}
