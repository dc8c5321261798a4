//! The values that every stand-in takes and gives, so that none of them has to know how requests arrive.
//!
//! The proxy converts between bytes and [`Request`] and [`Response`]; tests can also call a stand-in directly.

use serde_json::Value;
use tokio::sync::mpsc::UnboundedReceiver;

/// A request as the addressed service receives it.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// Upper-case method.
    pub method: String,
    /// Host without port, lower-case.
    pub host: String,
    /// Raw path: still percent-encoded.
    pub path: String,
    /// Decoded query pairs in the order sent.
    pub query: Vec<(String, String)>,
    /// Headers with lower-case names in the order sent.
    pub headers: Vec<(String, String)>,
    /// The whole body.
    pub body: Vec<u8>,
}

impl Request {
    /// First value of a header; `name` in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// First value of a query parameter.
    #[must_use]
    pub fn q(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The body as JSON, if it is JSON.
    #[must_use]
    pub fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }

    /// The bearer token. The scheme is compared without case (RFC 9110).
    #[must_use]
    pub fn bearer(&self) -> Option<&str> {
        let (scheme, token) = self.header("authorization")?.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim_start())
    }
}

/// Content of an answer.
#[derive(Debug)]
pub enum Body {
    /// Everything at once, with a length.
    Bytes(Vec<u8>),
    /// Chunks over time: a watch. It ends when the sender is dropped; the receiver is dropped when the client
    /// disconnects.
    Stream(UnboundedReceiver<Vec<u8>>),
    /// After status 101: messages of a websocket, then its end.
    Socket(Vec<Vec<u8>>),
}

/// One answer.
#[derive(Debug)]
pub struct Response {
    /// Status code.
    pub status: u16,
    /// Headers in order; names may be in any case.
    pub headers: Vec<(String, String)>,
    /// Content.
    pub body: Body,
}

impl Response {
    /// A JSON answer.
    #[must_use]
    pub fn json(status: u16, value: &Value) -> Self {
        Self {
            status,
            headers: vec![("content-type".into(), "application/json; charset=utf-8".into())],
            body: Body::Bytes(value.to_string().into_bytes()),
        }
    }

    /// A plain-text answer.
    #[must_use]
    pub fn text(status: u16, value: &str) -> Self {
        Self {
            status,
            headers: vec![("content-type".into(), "text/plain; charset=utf-8".into())],
            body: Body::Bytes(value.as_bytes().to_vec()),
        }
    }

    /// An answer without content.
    #[must_use]
    pub fn empty(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Body::Bytes(Vec::new()) }
    }

    /// A stream of chunks.
    #[must_use]
    pub fn stream(status: u16, content_type: &str, chunks: UnboundedReceiver<Vec<u8>>) -> Self {
        Self { status, headers: vec![("content-type".into(), content_type.into())], body: Body::Stream(chunks) }
    }

    /// Sets a header, replacing one of the same name.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.retain(|(key, _)| !key.eq_ignore_ascii_case(name));
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// First value of a header, ignoring case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The body's bytes; empty for a stream.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        match &self.body {
            Body::Bytes(bytes) => bytes,
            Body::Stream(_) | Body::Socket(_) => &[],
        }
    }
}

/// Decodes percent-encoding. `+` is kept, since a path is not a form.
#[must_use]
pub fn percent_decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = |i: usize| bytes.get(i).and_then(|b| char::from(*b).to_digit(16)).and_then(|d| u8::try_from(d).ok());
        match (bytes[at], hex(at + 1), hex(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                out.push(high * 16 + low);
                at += 3;
            }
            (byte, _, _) => {
                out.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// Decodes `a=b&c=d` of a query or a form body; here `+` means a space.
#[must_use]
pub fn parse_pairs(text: &str) -> Vec<(String, String)> {
    text.split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (percent_decode(&key.replace('+', " ")), percent_decode(&value.replace('+', " ")))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_decoded_like_a_form() {
        assert_eq!(
            parse_pairs("$filter=principalId+eq+%27a%27&x&api-version=1"),
            vec![
                ("$filter".to_owned(), "principalId eq 'a'".to_owned()),
                ("x".to_owned(), String::new()),
                ("api-version".to_owned(), "1".to_owned())
            ]
        );
    }

    #[test]
    fn a_broken_escape_stays_as_it_is() {
        assert_eq!(percent_decode("a%2"), "a%2");
        assert_eq!(percent_decode("%zz+"), "%zz+");
    }
}
