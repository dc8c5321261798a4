//! A token and the reason why there is none: what every way of signing in answers with.

use std::fmt;

use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};

use crate::model::Kind;

/// A bearer token. Its `Debug` shows when it expires, never what it is.
#[derive(Clone)]
pub struct Token {
    secret: SecretString,
    expires: Timestamp,
}

impl Token {
    /// A token that is good until `expires`.
    pub fn new(secret: String, expires: Timestamp) -> Token {
        Token { secret: secret.into(), expires }
    }

    /// The token itself: for the `Authorization` header of the host it is for, and nothing else.
    pub fn secret(&self) -> &str {
        self.secret.expose_secret()
    }

    /// When it stops being accepted.
    pub fn expires(&self) -> Timestamp {
        self.expires
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token(until {})", self.expires)
    }
}

/// A problem that can be told more than once.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    pub(crate) kind: Kind,
    pub(crate) code: &'static str,
    pub(crate) what: String,
    pub(crate) why: Option<String>,
    pub(crate) fix: String,
}
