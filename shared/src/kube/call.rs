//! One HTTP request to the API server, before it is sent.

use http::Method;
use serde_json::Value;

use super::error::Doing;
use super::resources::{Resource, encode};

/// One HTTP request to the API server.
pub(crate) struct Call {
    pub method: Method,
    pub path: String,
    pub body: Option<Value>,
    pub content_type: &'static str,
    pub accept: &'static str,
    pub doing: Doing,
    /// Whether the request may be sent again.
    pub again: bool,
}

impl Call {
    pub(crate) fn read(verb: &'static str, kind: &Resource, namespace: Option<&str>, name: Option<&str>) -> Call {
        let doing = Doing { verb, kind: *kind, namespace: namespace.map(Into::into), name: name.map(Into::into) };
        let path = kind.path(namespace, name);
        Call { method: Method::GET, path, body: None, content_type: "application/json", accept: "application/json", doing, again: true }
    }

    pub(crate) fn write(
        verb: &'static str,
        method: Method,
        kind: &Resource,
        namespace: Option<&str>,
        name: Option<&str>,
        body: Value,
    ) -> Call {
        let mut call = Call::read(verb, kind, namespace, name);
        call.method = method;
        call.body = Some(body);
        call.again = false;
        call
    }

    pub(crate) fn query(mut self, pairs: &[(&str, &str)]) -> Call {
        for (key, value) in pairs {
            self.path.push(if self.path.contains('?') { '&' } else { '?' });
            self.path.push_str(key);
            self.path.push('=');
            self.path.push_str(&encode(value));
        }
        self
    }
}
