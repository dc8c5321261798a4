//! RSA keys and RS256 tokens. The sandbox really signs and verifies, so forged, expired or foreign tokens fail here
//! too.

use std::sync::{Arc, OnceLock};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{self, RsaKeyPair, RsaPublicKeyComponents};
use rsa::pkcs8::EncodePrivateKey as _;
use rsa::traits::PublicKeyParts as _;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// Number of keys shared within a process: the directory's and one per cluster.
const POOL: usize = 3;

/// A signing key with its public key.
pub struct RsaKey {
    pair: RsaKeyPair,
    modulus: Vec<u8>,
    exponent: Vec<u8>,
    kid: String,
}

impl std::fmt::Debug for RsaKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RsaKey").field("kid", &self.kid).finish_non_exhaustive()
    }
}

impl RsaKey {
    /// Makes a new 2048-bit key.
    ///
    /// # Panics
    /// If the machine has no randomness.
    #[must_use]
    #[expect(clippy::expect_used, reason = "a key that was just made is well formed; without randomness nothing works")]
    pub fn generate() -> Self {
        let private = rsa::RsaPrivateKey::new(&mut rsa::rand_core::OsRng, 2048).expect("randomness");
        let der = private.to_pkcs8_der().expect("a fresh key has a PKCS#8 form");
        let pair = RsaKeyPair::from_pkcs8(der.as_bytes()).expect("a fresh key is accepted");
        let modulus = private.n().to_bytes_be();
        let exponent = private.e().to_bytes_be();
        let kid = URL_SAFE_NO_PAD.encode(Sha256::digest(&modulus));
        Self { pair, modulus, exponent, kid }
    }

    /// One of the process's shared keys: creating a key takes up to a second, and a test process starts many
    /// sandboxes.
    #[must_use]
    pub fn pooled(index: usize) -> Arc<Self> {
        static KEYS: [OnceLock<Arc<RsaKey>>; POOL] = [const { OnceLock::new() }; POOL];
        Arc::clone(KEYS[index % POOL].get_or_init(|| Arc::new(Self::generate())))
    }

    /// The key's id in token headers and key sets.
    #[must_use]
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// Signs claims as a compact RS256 token with this key's id.
    ///
    /// # Panics
    /// If the machine has no randomness.
    #[must_use]
    #[expect(clippy::expect_used, reason = "signing fails only without randomness or memory")]
    pub fn sign_jwt(&self, claims: &Value) -> String {
        let header = json!({"alg": "RS256", "kid": self.kid, "typ": "JWT"});
        let input = format!("{}.{}", URL_SAFE_NO_PAD.encode(header.to_string()), URL_SAFE_NO_PAD.encode(claims.to_string()));
        let mut signed = vec![0; self.pair.public().modulus_len()];
        self.pair.sign(&signature::RSA_PKCS1_SHA256, &SystemRandom::new(), input.as_bytes(), &mut signed).expect("randomness");
        format!("{input}.{}", URL_SAFE_NO_PAD.encode(signed))
    }

    /// The published key set.
    #[must_use]
    pub fn jwks(&self) -> Value {
        json!({"keys": [{
            "use": "sig",
            "kty": "RSA",
            "kid": self.kid,
            "alg": "RS256",
            "n": URL_SAFE_NO_PAD.encode(&self.modulus),
            "e": URL_SAFE_NO_PAD.encode(&self.exponent),
        }]})
    }
}

/// The claims without verification, to find out whose key is needed.
///
/// # Errors
/// If the text is not a compact token.
pub fn peek_claims(token: &str) -> Result<Value, String> {
    let mut parts = token.split('.');
    let (Some(_), Some(claims), Some(_), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
        return Err("not a compact token of three parts".into());
    };
    decode_part(claims)
}

/// Verifies the signature with a key set and returns the claims. Expiry, audience and issuer are checked by the
/// caller.
///
/// # Errors
/// Which check failed.
pub fn verify_jwt(jwks: &Value, token: &str) -> Result<Value, String> {
    let (input, signed) = token.rsplit_once('.').ok_or("not a compact token")?;
    let (header, claims) = input.split_once('.').ok_or("not a compact token")?;
    let header = decode_part(header)?;
    if header["alg"] != "RS256" {
        return Err(format!("algorithm {} is not RS256", header["alg"]));
    }
    let key = jwks["keys"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|key| key["kid"] == header["kid"])
        .ok_or_else(|| format!("no key {} in the key set", header["kid"]))?;
    let part =
        |name: &str| key[name].as_str().and_then(|text| URL_SAFE_NO_PAD.decode(text).ok()).ok_or_else(|| format!("key without {name}"));
    let signed = URL_SAFE_NO_PAD.decode(signed).map_err(|_| "signature is not base64url")?;
    RsaPublicKeyComponents { n: part("n")?, e: part("e")? }
        .verify(&signature::RSA_PKCS1_2048_8192_SHA256, input.as_bytes(), &signed)
        .map_err(|_| "signature does not match".to_owned())?;
    decode_part(claims)
}

fn decode_part(part: &str) -> Result<Value, String> {
    let bytes = URL_SAFE_NO_PAD.decode(part).map_err(|_| "part is not base64url")?;
    serde_json::from_slice(&bytes).map_err(|_| "part is not JSON".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_verifies_against_its_own_key_only() {
        let (mine, other) = (RsaKey::pooled(0), RsaKey::pooled(1));
        let token = mine.sign_jwt(&json!({"sub": "a"}));
        assert_eq!(verify_jwt(&mine.jwks(), &token), Ok(json!({"sub": "a"})));
        assert!(verify_jwt(&other.jwks(), &token).is_err());
    }

    #[test]
    fn changed_claims_break_the_signature() {
        let key = RsaKey::pooled(0);
        let token = key.sign_jwt(&json!({"sub": "a"}));
        let parts: Vec<&str> = token.split('.').collect();
        let forged = format!("{}.{}.{}", parts[0], URL_SAFE_NO_PAD.encode(r#"{"sub":"b"}"#), parts[2]);
        assert_eq!(verify_jwt(&key.jwks(), &forged), Err("signature does not match".to_owned()));
    }

    #[test]
    fn an_unsigned_token_is_refused() {
        let none = format!("{}.{}.", URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#), URL_SAFE_NO_PAD.encode("{}"));
        assert!(verify_jwt(&RsaKey::pooled(0).jwks(), &none).is_err());
    }
}
