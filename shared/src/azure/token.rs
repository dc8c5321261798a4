//! A token, or the reason for its absence: the result of every way of signing in.

use std::fmt;

use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};

use crate::model::Kind;

/// A bearer token. Its `Debug` output shows only the expiry.
#[derive(Clone)]
pub struct Token {
    secret: SecretString,
    expires: Timestamp,
}

impl Token {
    /// A token that is valid until `expires`.
    pub fn new(secret: String, expires: Timestamp) -> Token {
        Token { secret: secret.into(), expires }
    }

    /// The token itself, only for the `Authorization` header of the host in its scope.
    pub fn secret(&self) -> &str {
        self.secret.expose_secret()
    }

    /// The time of expiry.
    pub fn expires(&self) -> Timestamp {
        self.expires
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token(until {})", self.expires)
    }
}

/// A [`Problem`] that can be reported more than once.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    pub(crate) kind: Kind,
    pub(crate) code: &'static str,
    pub(crate) what: String,
    pub(crate) why: Option<String>,
    pub(crate) fix: String,
}
