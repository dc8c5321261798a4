//! Keeps secrets out of everything that is shown or logged.
//!
//! Tokens and keys reach texts by ways nobody planned: a parser quotes what it did not understand, a service repeats what
//! it was sent. So whatever came from outside passes here before people see it.

use serde_json::Value;

const HIDDEN: &str = "***";

/// A header, or a field of a form, fit for the log.
pub(crate) fn header(name: &str, value: &str) -> String {
    // `client_assertion_type` is a constant of the protocol.
    let secret = is_secret_name(name) && name != "client_assertion_type";
    format!("{name}: {}", if secret { HIDDEN.to_owned() } else { tokens(value) })
}

/// `text` with everything that looks like a JSON web token replaced.
pub(crate) fn tokens(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("eyJ") {
        let end =
            rest[at..].find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '='))).map_or(rest.len(), |n| at + n);
        out.push_str(&rest[..at]);
        // A JWT's header alone has more than 20 characters; shorter words are nobody's secret.
        out.push_str(if end - at > 20 { HIDDEN } else { &rest[at..end] });
        rest = &rest[end..];
    }
    out.push_str(rest);
    out
}

/// Whether a field or header with this name may hold a secret.
pub(crate) fn is_secret_name(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["token", "assertion", "authorization", "password", "secret", "connectionstring", "key", "kubeconfig", "cookie", "sas"]
        .iter()
        .any(|word| name.contains(word))
        && !["keyvault", "keyvaultproperties", "identifier"].iter().any(|word| name.contains(word))
}

/// A JSON value fit for the log: fields with telling names hidden, token-like words hidden everywhere.
pub(crate) fn json(value: &Value) -> Value {
    match value {
        Value::Object(fields) => Value::Object(
            fields
                .iter()
                .map(|(name, value)| {
                    let hide = is_secret_name(name) && !matches!(value, Value::Bool(_) | Value::Null);
                    (name.clone(), if hide { HIDDEN.into() } else { json(value) })
                })
                .collect(),
        ),
        Value::Array(items) => Value::Array(items.iter().map(json).collect()),
        Value::String(text) => Value::String(tokens(text)),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json as j;

    #[test]
    fn hides_tokens_wherever_they_stand() {
        let text = "invalid type: string \"eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2ln\", expected i64; see eyJx";
        assert_eq!(tokens(text), "invalid type: string \"***\", expected i64; see eyJx");
        assert_eq!(tokens("nothing here"), "nothing here");
    }

    #[test]
    fn hides_fields_by_name() {
        let shown = json(&j!({"access_token": "x", "properties": {"primaryKey": "k", "issuer": "i", "keyVaultUri": "u"}, "keys": [1]}));
        assert_eq!(
            shown,
            j!({"access_token": "***", "properties": {"primaryKey": "***", "issuer": "i", "keyVaultUri": "u"}, "keys": "***"})
        );
    }
}
