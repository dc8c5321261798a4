//! Protobuf bodies, as sent by kubectl's commands `create`, `auth` and `create token`.
//!
//! Only the messages and fields of these commands are implemented. Answers are JSON, which every client accepts.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

/// Type of a field.
#[derive(Clone, Copy)]
enum Type {
    Text,
    Texts,
    Number,
    Flag,
    /// Map from strings to strings.
    TextMap,
    /// Map from strings to bytes, base64 in JSON.
    BytesMap,
    Message(&'static [Field]),
    Messages(&'static [Field]),
}

/// Number, JSON name, type.
type Field = (u64, &'static str, Type);

use Type::{BytesMap, Flag, Message, Messages, Number, Text, TextMap, Texts};

const META: &[Field] = &[
    (1, "name", Text),
    (2, "generateName", Text),
    (3, "namespace", Text),
    (5, "uid", Text),
    (6, "resourceVersion", Text),
    (11, "labels", TextMap),
    (12, "annotations", TextMap),
    (14, "finalizers", Texts),
];
const SELECTOR: &[Field] = &[(1, "matchLabels", TextMap)];
const PORT: &[Field] = &[(1, "name", Text), (3, "containerPort", Number), (4, "protocol", Text)];
const ENV: &[Field] = &[(1, "name", Text), (2, "value", Text)];
const CONTAINER: &[Field] = &[
    (1, "name", Text),
    (2, "image", Text),
    (3, "command", Texts),
    (4, "args", Texts),
    (5, "workingDir", Text),
    (6, "ports", Messages(PORT)),
    (7, "env", Messages(ENV)),
];
const POD_SPEC: &[Field] = &[(2, "containers", Messages(CONTAINER)), (3, "restartPolicy", Text), (8, "serviceAccountName", Text)];
const TEMPLATE: &[Field] = &[(1, "metadata", Message(META)), (2, "spec", Message(POD_SPEC))];
const DEPLOYMENT_SPEC: &[Field] = &[(1, "replicas", Number), (2, "selector", Message(SELECTOR)), (3, "template", Message(TEMPLATE))];
const JOB_SPEC: &[Field] = &[(1, "parallelism", Number), (2, "completions", Number), (6, "template", Message(TEMPLATE))];
const RESOURCE_ATTRIBUTES: &[Field] = &[
    (1, "namespace", Text),
    (2, "verb", Text),
    (3, "group", Text),
    (4, "version", Text),
    (5, "resource", Text),
    (6, "subresource", Text),
    (7, "name", Text),
];
const ACCESS: &[Field] = &[
    (1, "resourceAttributes", Message(RESOURCE_ATTRIBUTES)),
    (2, "nonResourceAttributes", Message(&[(1, "path", Text), (2, "verb", Text)])),
];
const BOUND: &[Field] = &[(1, "kind", Text), (2, "apiVersion", Text), (3, "name", Text), (4, "uid", Text)];
const TOKEN: &[Field] = &[(1, "audiences", Texts), (3, "boundObjectRef", Message(BOUND)), (4, "expirationSeconds", Number)];
const RULE: &[Field] =
    &[(1, "verbs", Texts), (2, "apiGroups", Texts), (3, "resources", Texts), (4, "resourceNames", Texts), (5, "nonResourceURLs", Texts)];
const SUBJECT: &[Field] = &[(1, "kind", Text), (2, "apiGroup", Text), (3, "name", Text), (4, "namespace", Text)];
const ROLE_REF: &[Field] = &[(1, "apiGroup", Text), (2, "kind", Text), (3, "name", Text)];
const ROLE: &[Field] = &[(1, "metadata", Message(META)), (2, "rules", Messages(RULE))];
const BINDING: &[Field] = &[(1, "metadata", Message(META)), (2, "subjects", Messages(SUBJECT)), (3, "roleRef", Message(ROLE_REF))];

fn message(kind: &str) -> Option<&'static [Field]> {
    Some(match kind {
        "Namespace" | "SelfSubjectReview" => &[(1, "metadata", Message(META))],
        "ServiceAccount" => &[(1, "metadata", Message(META)), (4, "automountServiceAccountToken", Flag)],
        "ConfigMap" => &[(1, "metadata", Message(META)), (2, "data", TextMap), (3, "binaryData", BytesMap), (4, "immutable", Flag)],
        "Secret" => {
            &[(1, "metadata", Message(META)), (2, "data", BytesMap), (3, "type", Text), (4, "stringData", TextMap), (5, "immutable", Flag)]
        }
        "Deployment" => &[(1, "metadata", Message(META)), (2, "spec", Message(DEPLOYMENT_SPEC))],
        "Job" => &[(1, "metadata", Message(META)), (2, "spec", Message(JOB_SPEC))],
        "SelfSubjectAccessReview" => &[(1, "metadata", Message(META)), (2, "spec", Message(ACCESS))],
        "SelfSubjectRulesReview" => &[(1, "metadata", Message(META)), (2, "spec", Message(&[(1, "namespace", Text)]))],
        "TokenRequest" => &[(1, "metadata", Message(META)), (2, "spec", Message(TOKEN))],
        "Role" | "ClusterRole" => ROLE,
        "RoleBinding" | "ClusterRoleBinding" => BINDING,
        "DeleteOptions" => &[
            (1, "gracePeriodSeconds", Number),
            (2, "preconditions", Message(&[(1, "uid", Text), (2, "resourceVersion", Text)])),
            (4, "propagationPolicy", Text),
            (5, "dryRun", Texts),
        ],
        _ => return None,
    })
}

enum Wire<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (first, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(first & 0x7f) << shift;
        if first & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

fn fields(mut bytes: &[u8]) -> Option<Vec<(u64, Wire<'_>)>> {
    let mut out = Vec::new();
    while !bytes.is_empty() {
        let key = varint(&mut bytes)?;
        let wire = match key & 7 {
            0 => Wire::Number(varint(&mut bytes)?),
            2 => {
                let length = usize::try_from(varint(&mut bytes)?).ok()?;
                let (value, rest) = bytes.split_at_checked(length)?;
                bytes = rest;
                Wire::Bytes(value)
            }
            _ => return None,
        };
        out.push((key >> 3, wire));
    }
    Some(out)
}

fn push(out: &mut Map<String, Value>, name: &str, item: Value) {
    if let Some(list) = out.entry(name).or_insert_with(|| json!([])).as_array_mut() {
        list.push(item);
    }
}

fn read(bytes: &[u8], known: &[Field]) -> Option<Value> {
    let mut out = Map::new();
    for (number, wire) in fields(bytes)? {
        let Some((_, name, kind)) = known.iter().find(|(n, _, _)| *n == number) else { continue };
        match (kind, wire) {
            (Number, Wire::Number(value)) => {
                out.insert((*name).into(), json!(value.cast_signed()));
            }
            (Flag, Wire::Number(value)) => {
                out.insert((*name).into(), json!(value != 0));
            }
            (Text, Wire::Bytes(value)) => {
                let text = std::str::from_utf8(value).ok()?;
                // Empty strings are always sent; in JSON they are omitted.
                if !text.is_empty() {
                    out.insert((*name).into(), json!(text));
                }
            }
            (Texts, Wire::Bytes(value)) => push(&mut out, name, json!(std::str::from_utf8(value).ok()?)),
            (Message(inner), Wire::Bytes(value)) => {
                out.insert((*name).into(), read(value, inner)?);
            }
            (Messages(inner), Wire::Bytes(value)) => push(&mut out, name, read(value, inner)?),
            (TextMap | BytesMap, Wire::Bytes(value)) => {
                let (mut key, mut content) = (String::new(), &[][..]);
                for (number, wire) in fields(value)? {
                    match (number, wire) {
                        (1, Wire::Bytes(bytes)) => key = String::from_utf8(bytes.to_vec()).ok()?,
                        (2, Wire::Bytes(bytes)) => content = bytes,
                        _ => {}
                    }
                }
                let shown = match kind {
                    BytesMap => STANDARD.encode(content),
                    _ => String::from_utf8(content.to_vec()).ok()?,
                };
                out.entry(*name).or_insert_with(|| json!({}))[key] = json!(shown);
            }
            _ => return None,
        }
    }
    Some(Value::Object(out))
}

/// The object in the server's protobuf envelope as JSON; `None` for unknown kinds.
pub fn to_json(body: &[u8]) -> Option<Value> {
    const ENVELOPE: &[Field] = &[(1, "type", Message(&[(1, "apiVersion", Text), (2, "kind", Text)]))];
    let rest = body.strip_prefix(b"k8s\0")?;
    let head = read(rest, ENVELOPE)?;
    let raw = fields(rest)?.into_iter().find_map(|(number, wire)| match wire {
        Wire::Bytes(bytes) if number == 2 => Some(bytes),
        _ => None,
    });
    let kind = head["type"]["kind"].as_str()?;
    let mut object = read(raw.unwrap_or_default(), message(kind)?)?;
    object["apiVersion"] = head["type"]["apiVersion"].clone();
    object["kind"] = json!(kind);
    Some(object)
}
