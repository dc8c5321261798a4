//! The trust: a federated credential whose issuer, subject and audience equal the token's, byte for byte.

use serde_json::Value;

use super::compare::rows;
use crate::health::check::Check;
use crate::health::check::found;
use crate::health::evidence::seen::{Evidence, TokenSays};
use crate::model::{TOKEN_EXCHANGE_AUDIENCE, names, words};

const GROUP: &str = "trust";
/// Number of credentials from which a warning is given; an identity can have 20.
const MANY: usize = 18;

struct Credential<'a> {
    name: &'a str,
    issuer: &'a str,
    subject: &'a str,
    audiences: Vec<&'a str>,
}

impl<'a> Credential<'a> {
    fn of(value: &'a Value) -> Self {
        let text = |key: &str| value["properties"][key].as_str().unwrap_or_default();
        let audiences = value["properties"]["audiences"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        Credential { name: value["name"].as_str().unwrap_or_default(), issuer: text("issuer"), subject: text("subject"), audiences }
    }

    fn takes(&self, audience: &str) -> bool {
        self.audiences.contains(&audience)
    }

    fn rows(&self, token: &TokenSays) -> Vec<String> {
        let audience = if self.takes(&token.audience) { token.audience.clone() } else { self.audiences.join(",") };
        [
            ("issuer", &token.issuer, self.issuer),
            ("subject", &token.subject, self.subject),
            ("audience", &token.audience, audience.as_str()),
        ]
        .into_iter()
        .flat_map(|(field, token, own)| rows(field, token, own))
        .collect()
    }
}

/// The claims of the service account's token, or those expected.
fn token(e: &Evidence) -> Option<TokenSays> {
    // The published issuer counts; a token of an older issuer is a separate finding.
    let issuer = e.issuer().map(str::to_owned).or_else(|| e.token.as_ref().map(|t| t.issuer.clone()))?;
    let subject = e.token.as_ref().map_or_else(|| e.subject(), |t| t.subject.clone());
    let audience = e.token.as_ref().map_or_else(|| TOKEN_EXCHANGE_AUDIENCE.to_owned(), |t| t.audience.clone());
    Some(TokenSays { issuer, subject, audience })
}

pub(crate) fn judge(e: &Evidence) -> Vec<Check> {
    // Nodes sign in without a token of the service account.
    if e.record.is_some() && !e.needs_trust() {
        return vec![];
    }
    let (Some(token), Some(listed)) = (token(e), &e.credentials) else {
        return match e.identity_id() {
            Some(_) => vec![Check::skipped("KC5301", GROUP, "the federated credential", "the identity's credentials can't be read")],
            None => vec![],
        };
    };
    let all: Vec<Credential<'_>> = listed.iter().map(Credential::of).collect();
    let mut checks = vec![mismatch(e, &token, &all)];
    if all.len() >= MANY {
        checks.push(found("KC5307", format!("{} of 20", all.len()), format!("less than {MANY}"), &e.facts().pairs()));
    }
    checks
}

/// The comparison of the token with the credential that is most similar.
pub(crate) fn comparison(e: &Evidence) -> Vec<String> {
    let (Some(token), Some(listed)) = (token(e), &e.credentials) else { return Vec::new() };
    let all: Vec<Credential<'_>> = listed.iter().map(Credential::of).collect();
    nearest(&token, &all).map(|c| c.rows(&token)).unwrap_or_default()
}

fn nearest<'a, 'b>(token: &TokenSays, all: &'a [Credential<'b>]) -> Option<&'a Credential<'b>> {
    all.iter().min_by_key(|c| strsim::levenshtein(c.subject, &token.subject) * 2 + strsim::levenshtein(c.issuer, &token.issuer))
}

fn mismatch(e: &Evidence, token: &TokenSays, all: &[Credential<'_>]) -> Check {
    let own_name = names::federated_credential(&token.issuer, &e.namespace, &e.account_name);
    let finding = |code: &'static str, about: Option<&Credential<'_>>, seen: String, expected: &str| {
        let named = about.filter(|_| !matches!(code, "KC5304" | "KC5301")).map_or(own_name.as_str(), |c| c.name);
        // The credential of a former cluster is kept; a new one is created beside it.
        let named = if code == "KC5306" { own_name.as_str() } else { named };
        let facts = e.facts().with("credential", named).with("issuer", &token.issuer).with("subject", &token.subject);
        found(code, seen, expected, &facts.pairs()).details(about.map(|c| c.rows(token)).unwrap_or_default())
    };
    let first = |fits: &dyn Fn(&Credential<'_>) -> bool| all.iter().find(|c| fits(c));
    let right = |c: &Credential<'_>| c.issuer == token.issuer && c.subject == token.subject;
    let slash = |c: &Credential<'_>| c.issuer.trim_end_matches('/') == token.issuer.trim_end_matches('/');
    let blanks = |c: &Credential<'_>| c.issuer.trim() == token.issuer && c.subject.trim() == token.subject;
    if let Some(c) = first(&|c| right(c) && c.takes(&token.audience)) {
        return Check::ok("KC5301", GROUP, "issuer, subject and audience match", format!("credential {}", c.name));
    }
    if all.is_empty() {
        return finding("KC5300", None, "no federated credential".into(), "one for this service account");
    }
    if let Some(c) = first(&|c| right(c)) {
        return finding("KC5305", Some(c), c.audiences.join(","), &token.audience);
    }
    if let Some(c) = first(&|c| blanks(c)) {
        return finding("KC5308", Some(c), format!("`{}`, `{}`", c.issuer, c.subject), "no blanks");
    }
    if let Some(c) = first(&|c| slash(c) && c.subject == token.subject) {
        return finding("KC5302", Some(c), c.issuer.into(), &token.issuer);
    }
    if let Some(c) = first(&|c| c.issuer == token.issuer && c.subject.eq_ignore_ascii_case(&token.subject)) {
        return finding("KC5303", Some(c), c.subject.into(), &token.subject);
    }
    if let Some(c) = first(&|c| c.subject == token.subject) {
        let of_aks = |issuer: &str| issuer.contains(".oic.prod-aks.azure.com/") || issuer.contains("oidc.prod-aks.azure.com/");
        let code = if of_aks(c.issuer) && of_aks(&token.issuer) { "KC5306" } else { "KC5301" };
        return finding(code, Some(c), c.issuer.into(), &token.issuer);
    }
    if let Some(c) = nearest(token, all).filter(|c| c.issuer == token.issuer).or_else(|| first(&|c| c.issuer == token.issuer)) {
        return finding("KC5304", Some(c), c.subject.into(), &token.subject);
    }
    let seen = format!("{}, none for this issuer", words::count(all.len(), "credential"));
    finding("KC5301", nearest(token, all), seen, &token.issuer)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::health::check::Outcome::{Skipped, Success};
    use crate::health::links::testing::{ISSUER, SUBJECT, credential, fault, fix, judged, seen, sound};

    /// The finding about an identity with these credentials only.
    fn with(credentials: Vec<Value>) -> Check {
        fault(judge, |e| e.credentials = Some(credentials))
    }

    #[test]
    fn a_credential_that_equals_the_token_is_sound() {
        assert_eq!(judged(judge, |_| {}), [("KC5301", Success)]);
        assert_eq!(judged(judge, |e| e.credentials = None), [("KC5301", Skipped)]);
        // Without a token, its claims follow from the cluster and the service account.
        assert_eq!(judged(judge, |e| e.token = None), [("KC5301", Success)]);
    }

    #[test]
    fn an_identity_that_trusts_nobody_gets_a_whole_command() {
        let none = with(vec![]);
        assert_eq!(none.code, "KC5300");
        let name = names::federated_credential(ISSUER, "shop", "web");
        for word in [name.as_str(), "--identity-name id-web", "--resource-group shop-rg", ISSUER, SUBJECT] {
            assert!(fix(&none).contains(word), "{word}: {}", fix(&none));
        }
    }

    #[test]
    fn each_difference_has_a_finding_of_its_own() {
        let bare = ISSUER.trim_end_matches('/');
        let former = "https://westeurope.oic.prod-aks.azure.com/t/old/";
        for (issuer, subject, code, shown) in [
            (bare, SUBJECT, "KC5302", bare),
            (ISSUER, "system:serviceaccount:shop:Web", "KC5303", "system:serviceaccount:shop:Web"),
            (ISSUER, "system:serviceaccount:shop:worker", "KC5304", "system:serviceaccount:shop:worker"),
            (former, SUBJECT, "KC5306", former),
            ("https://other/", SUBJECT, "KC5301", "https://other/"),
        ] {
            let found = with(vec![credential("own", issuer, subject)]);
            assert_eq!((found.code, seen(&found)), (code, shown));
            assert!(!found.details.is_empty(), "{code} is shown side by side");
        }
        let blank = with(vec![credential("own", &format!("{ISSUER} "), SUBJECT)]);
        assert_eq!(blank.code, "KC5308");
        let mut audience = credential("own", ISSUER, SUBJECT);
        audience["properties"]["audiences"] = json!(["api://other"]);
        let audience = with(vec![audience]);
        assert_eq!(
            (audience.code, seen(&audience), audience.expected.as_deref()),
            ("KC5305", "api://other", Some(TOKEN_EXCHANGE_AUDIENCE))
        );
        assert!(fix(&audience).contains("--name own"), "{}", fix(&audience));
    }

    #[test]
    fn the_limit_of_credentials_is_announced() {
        let many = fault(judge, |e| e.credentials.as_mut().unwrap().extend((1..MANY).map(|n| credential(&n.to_string(), ISSUER, "s"))));
        assert_eq!((many.code, seen(&many)), ("KC5307", "18 of 20"));
    }

    #[test]
    fn the_comparison_takes_the_most_similar_credential() {
        let mut e = sound();
        e.credentials = Some(vec![credential("far", "https://other/", "x"), credential("near", ISSUER, "system:serviceaccount:shop:Web")]);
        let lines = comparison(&e);
        assert_eq!(lines[0], format!("issuer   =  {ISSUER}"));
        assert!(lines[2].ends_with("system:serviceaccount:shop:Web"), "{lines:?}");
    }
}
