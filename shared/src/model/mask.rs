//! Keeps secrets out of everything that is shown or logged.
//!
//! Tokens and keys get into messages in unplanned ways: a parser quotes input that it could not read, a service
//! repeats what it was sent. Every text from outside is therefore masked here before it is shown.

use serde_json::Value;

const HIDDEN: &str = "***";

/// A header or form field, masked for the log.
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
        // The header of a JWT alone is longer than 20 characters, so shorter words are no tokens.
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

/// A JSON value masked for the log: fields with secret-sounding names are hidden, and token-like words everywhere.
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
    fn hides_tokens_anywhere_in_a_text() {
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
