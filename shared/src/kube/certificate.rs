//! Expiry of client certificates. The API server answers an expired one with a plain 401, so the certificate is
//! checked here.

use base64::Engine;
use jiff::Timestamp;
use kube::config::AuthInfo;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

const SEQUENCE: u8 = 0x30;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// Expiry of a user's client certificate; `None` if there is none or it can't be read.
pub(crate) fn end(user: &AuthInfo) -> Option<Timestamp> {
    let pem = match (&user.client_certificate_data, &user.client_certificate) {
        (Some(data), _) => base64::engine::general_purpose::STANDARD.decode(data).ok()?,
        (None, Some(file)) => std::fs::read(file).ok()?,
        (None, None) => return None,
    };
    not_after(CertificateDer::from_pem_slice(&pem).ok()?.as_ref())
}

/// Reads `notAfter` (RFC 5280, 4.1): Certificate { tbs { [0] version?, serial, algorithm, issuer, validity { from, to }, … } … }.
fn not_after(der: &[u8]) -> Option<Timestamp> {
    let (tag, certificate, _) = element(der)?;
    let (_, tbs, _) = element(certificate)?;
    let (first, _, after_first) = element(tbs)?;
    // Certificates of version 1 have no version field.
    let mut rest = if first == 0xa0 { element(after_first)?.2 } else { after_first };
    for _ in 0..2 {
        rest = element(rest)?.2;
    }
    let (validity_tag, validity, _) = element(rest)?;
    let (kind, text, _) = element(element(validity)?.2)?;
    let text = std::str::from_utf8(text).ok()?.strip_suffix('Z')?;
    let (year, rest) = match kind {
        UTC_TIME => {
            let (year, rest) = text.split_at_checked(2)?;
            // Two digits stand for the years 1950 to 2049.
            (format!("{}{year}", if year < "50" { "20" } else { "19" }), rest)
        }
        GENERALIZED_TIME => text.split_at_checked(4).map(|(year, rest)| (year.to_owned(), rest))?,
        _ => return None,
    };
    if tag != SEQUENCE || validity_tag != SEQUENCE || rest.len() != 10 {
        return None;
    }
    format!("{year}-{}-{}T{}:{}:{}Z", rest.get(..2)?, rest.get(2..4)?, rest.get(4..6)?, rest.get(6..8)?, rest.get(8..)?).parse().ok()
}

/// The first DER element of `bytes`: tag, content, and the bytes after it.
fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = bytes.split_first()?;
    let (&first, mut rest) = rest.split_first()?;
    let mut length = usize::from(first);
    if first & 0x80 != 0 {
        let digits = usize::from(first & 0x7f);
        if digits > 4 {
            return None;
        }
        let (bytes, after) = rest.split_at_checked(digits)?;
        length = bytes.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte));
        rest = after;
    }
    let (content, after) = rest.split_at_checked(length)?;
    Some((tag, content, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Created for this test; its private key was discarded.
    const PEM: &str = "\
-----BEGIN CERTIFICATE-----\n\
MIIBmjCCAT+gAwIBAgIUZmr9G2YDjg1FPVU/kKB5KeDVIuMwCgYIKoZIzj0EAwIw\n\
GDEWMBQGA1UEAwwNb3RoZXIuZXhhbXBsZTAeFw0yNjExMjIxNzI0MTVaFw0zNjEx\n\
MTkxNzI0MTVaMBgxFjAUBgNVBAMMDW90aGVyLmV4YW1wbGUwWTATBgcqhkjOPQIB\n\
BggqhkjOPQMBBwNCAAQtxFUBBju9tLTDww2ecJueAxUe3ujCUg8zf7TpaPkLCxy0\n\
pWYcFIq16KwqFlwrW7GRCvR0XZWAoRXcjMV/xzyjo2cwZTAYBgNVHREEETAPgg1v\n\
dGhlci5leGFtcGxlMAkGA1UdEwQCMAAwHQYDVR0OBBYEFERPr2YCVMWyDEWRfqcX\n\
A/HKTdVPMB8GA1UdIwQYMBaAFAN9T7P+AVpVqukQN9KHsGIRy1ZoMAoGCCqGSM49\n\
BAMCA0kAMEYCIQC8KP+2lbvUF0zCr7o+v/9Ux8QpDJ05iB77rQjPFS0S7QIhAMSo\n\
R8BAZZ4M9INx2ALOmYyugAFSu9gdfK4yl1vQV30/\n\
-----END CERTIFICATE-----\n\
";

    #[test]
    fn the_end_of_a_certificate_is_read() {
        let data = base64::engine::general_purpose::STANDARD.encode(PEM);
        let user = AuthInfo { client_certificate_data: Some(data), ..AuthInfo::default() };
        assert_eq!(end(&user).map(|end| end.to_string()).as_deref(), Some("2036-11-19T17:24:15Z"));
        assert_eq!(end(&AuthInfo::default()), None);
    }

    #[test]
    fn anything_else_is_no_certificate() {
        let whole = CertificateDer::from_pem_slice(PEM.as_bytes()).unwrap().to_vec();
        for cut in 0..160 {
            // Truncated or damaged input must never cause a panic.
            assert_eq!(not_after(&whole[..cut]), None);
            let mut broken = whole.clone();
            broken[cut] ^= 0xff;
            let _ = not_after(&broken);
        }
    }
}
