//! The three patch types other than apply: merge patch, strategic merge patch, JSON patch.

use serde_json::{Map, Value, json};

use super::schema;
use super::status::{Failure, Outcome};

/// RFC 7386.
pub fn merge(target: &Value, patch: &Value) -> Value {
    let Some(changes) = patch.as_object() else { return patch.clone() };
    let mut out = target.as_object().cloned().unwrap_or_default();
    for (key, change) in changes {
        if change.is_null() {
            out.shift_remove(key);
        } else {
            let current = out.get(key).cloned().unwrap_or(Value::Null);
            out.insert(key.clone(), merge(&current, change));
        }
    }
    Value::Object(out)
}

/// A strategic merge patch: merges keyed lists by item, and follows directives such as `$patch` and
/// `$setElementOrder`.
pub fn strategic(target: &Value, patch: &Value) -> Value {
    strategic_at(target, patch, "")
}

fn strategic_at(target: &Value, patch: &Value, name: &str) -> Value {
    let Some(changes) = patch.as_object() else { return patch.clone() };
    if changes.get("$patch") == Some(&json!("replace")) {
        let kept: Map<String, Value> = changes.iter().filter(|(k, _)| *k != "$patch").map(pair).collect();
        return Value::Object(kept);
    }
    let mut out = target.as_object().cloned().unwrap_or_default();
    if let Some(keep) = changes.get("$retainKeys").and_then(Value::as_array) {
        out.retain(|key, _| keep.iter().any(|k| k == key));
    }
    for (key, change) in changes {
        if let Some(field) = key.strip_prefix("$deleteFromPrimitiveList/") {
            let gone = change.as_array().cloned().unwrap_or_default();
            if let Some(list) = out.get_mut(field).and_then(Value::as_array_mut) {
                list.retain(|item| !gone.contains(item));
            }
            continue;
        }
        if key.starts_with('$') {
            continue;
        }
        if change.is_null() {
            out.shift_remove(key);
            continue;
        }
        let current = out.get(key).cloned().unwrap_or(Value::Null);
        let next = match change {
            Value::Array(items) => {
                let order = changes.get(&format!("$setElementOrder/{key}")).and_then(Value::as_array);
                strategic_list(&current, items, order, name, key)
            }
            _ => strategic_at(&current, change, key),
        };
        out.insert(key.clone(), next);
    }
    // An order without items still reorders existing items.
    for (key, order) in changes.iter().filter_map(|(k, v)| Some((k.strip_prefix("$setElementOrder/")?, v))) {
        if !changes.contains_key(key)
            && let (Some(current), Some(order)) = (out.get(key).cloned(), order.as_array())
        {
            out.insert(key.to_string(), strategic_list(&current, &[], Some(order), name, key));
        }
    }
    Value::Object(out)
}

fn pair((key, value): (&String, &Value)) -> (String, Value) {
    (key.clone(), value.clone())
}

fn strategic_list(current: &Value, items: &[Value], order: Option<&Vec<Value>>, parent: &str, name: &str) -> Value {
    let Some(key) = schema::strategic_key(parent, name) else {
        if name == "finalizers" {
            let mut out = current.as_array().cloned().unwrap_or_default();
            out.extend(items.iter().filter(|i| !current.as_array().is_some_and(|c| c.contains(i))).cloned());
            return Value::Array(out);
        }
        return Value::Array(items.to_vec());
    };
    let plain = |item: &Value| -> Value {
        match item {
            Value::Object(map) => Value::Object(map.iter().filter(|(k, _)| *k != "$patch").map(pair).collect()),
            other => other.clone(),
        }
    };
    if items.iter().any(|item| item["$patch"] == "replace") {
        return Value::Array(items.iter().filter(|i| i["$patch"] != "replace").map(plain).collect());
    }
    let mut out = current.as_array().cloned().unwrap_or_default();
    for item in items {
        let found = out.iter().position(|old| old[key] == item[key]);
        match (item["$patch"] == "delete", found) {
            (true, _) => out.retain(|old| old[key] != item[key]),
            (false, Some(at)) => out[at] = strategic_at(&out[at].clone(), item, name),
            (false, None) => out.push(strategic_at(&Value::Null, item, name)),
        }
    }
    Value::Array(reorder(out, order.map_or(items, Vec::as_slice), current, key))
}

/// Items named by the patch are in its order, others in the server's order; new items come before those that follow
/// them.
fn reorder(items: Vec<Value>, order: &[Value], before: &Value, key: &str) -> Vec<Value> {
    let rank = |item: &Value| order.iter().position(|o| o[key] == item[key]);
    let place = |item: &Value| before.as_array().and_then(|list| list.iter().position(|o| o[key] == item[key]));
    let (mut named, rest): (Vec<Value>, Vec<Value>) = items.into_iter().partition(|i| rank(i).is_some());
    named.sort_by_key(|item| rank(item));
    let mut out = Vec::new();
    let mut named = named.into_iter().peekable();
    for item in rest {
        while let Some(next) = named.peek() {
            let server_first = matches!((place(&item), place(next)), (Some(a), Some(b)) if a < b);
            if server_first {
                break;
            }
            out.extend(named.next());
        }
        out.push(item);
    }
    out.extend(named);
    out
}

/// The first item of a keyed list in a patch without its key.
pub fn keyless(patch: &Value) -> Option<&Value> {
    fn look<'a>(value: &'a Value, parent: &str, name: &str) -> Option<&'a Value> {
        match value {
            Value::Object(map) => map.iter().filter(|(k, _)| !k.starts_with('$')).find_map(|(k, v)| look(v, name, k)),
            Value::Array(items) => {
                if let Some(key) = schema::strategic_key(parent, name)
                    && let Some(found) = items.iter().find(|i| i.get(key).is_none() && i["$patch"] != "replace")
                {
                    return Some(found);
                }
                items.iter().find_map(|item| look(item, parent, name))
            }
            _ => None,
        }
    }
    look(patch, "", "")
}

/// RFC 6902. All errors get the same answer.
pub fn json_patch(target: &Value, patch: &Value) -> Outcome<Value> {
    let Some(steps) = patch.as_array() else {
        return Err(Failure::bad_request(
            "error decoding patch: json: cannot unmarshal object into Go value of type []handlers.jsonPatchOp",
        ));
    };
    let mut out = target.clone();
    for step in steps {
        let path = step["path"].as_str().ok_or_else(Failure::unprocessable)?;
        let from = step["from"].as_str().unwrap_or_default();
        match step["op"].as_str().unwrap_or_default() {
            "test" => {
                let found = out.pointer(path).cloned().unwrap_or(Value::Null);
                if found != step["value"] {
                    return Err(Failure::unprocessable());
                }
            }
            "remove" => {
                take(&mut out, path)?;
            }
            "add" => put(&mut out, path, step["value"].clone(), true)?,
            "replace" => put(&mut out, path, step["value"].clone(), false)?,
            "move" => {
                let value = take(&mut out, from)?;
                put(&mut out, path, value, true)?;
            }
            "copy" => {
                let value = out.pointer(from).cloned().ok_or_else(Failure::unprocessable)?;
                put(&mut out, path, value, true)?;
            }
            _ => return Err(Failure::unprocessable()),
        }
    }
    Ok(out)
}

fn split(path: &str) -> Outcome<(&str, String)> {
    let (parent, last) = path.rsplit_once('/').ok_or_else(Failure::unprocessable)?;
    Ok((parent, last.replace("~1", "/").replace("~0", "~")))
}

fn take(document: &mut Value, path: &str) -> Outcome<Value> {
    let (parent, last) = split(path)?;
    match document.pointer_mut(parent) {
        Some(Value::Object(map)) => map.shift_remove(&last).ok_or_else(Failure::unprocessable),
        Some(Value::Array(list)) => {
            let at: usize = last.parse().map_err(|_| Failure::unprocessable())?;
            if at < list.len() { Ok(list.remove(at)) } else { Err(Failure::unprocessable()) }
        }
        _ => Err(Failure::unprocessable()),
    }
}

fn put(document: &mut Value, path: &str, value: Value, add: bool) -> Outcome<()> {
    let (parent, last) = split(path)?;
    match document.pointer_mut(parent) {
        Some(Value::Object(map)) => {
            if !add && !map.contains_key(&last) {
                return Err(Failure::unprocessable());
            }
            map.insert(last, value);
            Ok(())
        }
        Some(Value::Array(list)) => {
            let at: usize = if last == "-" { list.len() } else { last.parse().map_err(|_| Failure::unprocessable())? };
            if at > list.len() || (!add && at == list.len()) {
                return Err(Failure::unprocessable());
            }
            if add {
                list.insert(at, value)
            } else {
                list[at] = value
            }
            Ok(())
        }
        _ => Err(Failure::unprocessable()),
    }
}
