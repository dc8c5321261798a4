//! Templates for the names of created identities, for companies with naming rules.

use super::names::short_hash;

/// The placeholders of a template.
const PLACES: [&str; 6] = ["cluster", "namespace", "service-account", "connection", "service", "hash"];
/// A template needs at least one of these: each service account gets a separate identity, and these placeholders tell
/// the service accounts of a namespace apart.
const APART: [&str; 3] = ["service-account", "connection", "hash"];
/// Allowed length of a user-assigned identity's name (naming rules of `Microsoft.ManagedIdentity`).
const FEWEST: usize = 3;
const MOST: usize = 128;

/// A template such as `id-{cluster}-{namespace}-{service-account}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentityName(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Place(&'static str),
}

/// Values for the placeholders of a template.
#[derive(Clone, Copy, Debug)]
pub struct For<'a> {
    /// Name of the cluster.
    pub cluster: &'a str,
    /// Namespace of the service account.
    pub namespace: &'a str,
    /// The service account.
    pub account: &'a str,
    /// Connection for which the identity is created.
    pub connection: &'a str,
    /// Name of the service in the catalogue.
    pub service: &'a str,
}

impl IdentityName {
    /// Parses a template.
    ///
    /// # Errors
    /// Why the template is not usable.
    pub fn parse(text: &str) -> Result<IdentityName, String> {
        let bad = |why: &str| Err(format!("`{text}` can't name identities: {why}"));
        let (mut parts, mut rest) = (Vec::new(), text);
        while let Some((before, after)) = rest.split_once('{') {
            let Some((word, left)) = after.split_once('}') else { return bad("a `{` is not closed") };
            let Some(place) = PLACES.iter().find(|p| **p == word) else {
                return bad(&format!("{{{word}}} is not a placeholder; the placeholders are {{{}}}", PLACES.join("}, {")));
            };
            parts.extend([Part::Text(before.to_owned()), Part::Place(place)]);
            rest = left;
        }
        parts.push(Part::Text(rest.to_owned()));
        parts.retain(|part| *part != Part::Text(String::new()));
        let texts = || parts.iter().filter_map(|part| if let Part::Text(text) = part { Some(text.as_str()) } else { None });
        if let Some(c) = texts().flat_map(str::chars).find(|c| !is_fit(*c)) {
            return bad(&format!("Azure allows only letters, digits, hyphens and underscores, not `{c}`"));
        }
        if matches!(parts.first(), Some(Part::Text(text)) if text.starts_with(['-', '_'])) {
            return bad("the name must begin with a letter or a digit");
        }
        if !parts.iter().any(|part| matches!(part, Part::Place(place) if APART.contains(place))) {
            return bad(&format!("every service account needs a separate identity: use one of {{{}}}", APART.join("}, {")));
        }
        if texts().map(str::len).sum::<usize>() > MOST {
            return bad(&format!("Azure allows at most {MOST} characters"));
        }
        Ok(IdentityName(parts))
    }

    /// Fills in the placeholders. Characters that Azure does not allow become hyphens.
    ///
    /// # Errors
    /// The resulting name has a length that Azure does not allow.
    pub fn fill(&self, values: For<'_>) -> Result<String, String> {
        let hash = short_hash(&[values.cluster, values.namespace, values.account]);
        let part = |part: &Part| match part {
            Part::Text(text) => text.clone(),
            Part::Place("cluster") => values.cluster.to_owned(),
            Part::Place("namespace") => values.namespace.to_owned(),
            Part::Place("service-account") => values.account.to_owned(),
            Part::Place("connection") => values.connection.to_owned(),
            Part::Place("service") => values.service.to_owned(),
            Part::Place(_) => hash.clone(),
        };
        let name: String = self.0.iter().map(part).collect::<String>().chars().map(|c| if is_fit(c) { c } else { '-' }).collect();
        if (FEWEST..=MOST).contains(&name.len()) {
            return Ok(name);
        }
        Err(format!("`{name}` has {} characters, Azure allows {FEWEST} to {MOST}", name.len()))
    }
}

fn is_fit(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '-' || c == '_'
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn filled(template: &str) -> Result<String, String> {
        let values = For { cluster: "aks", namespace: "shop", account: "web.v2", connection: "keyvault-my-vault", service: "keyvault" };
        IdentityName::parse(template)?.fill(values)
    }

    #[test]
    fn templates_are_filled() {
        for (template, name) in [
            ("{cluster}-{namespace}-{connection}", "aks-shop-keyvault-my-vault"),
            ("id-{service-account}", "id-web-v2"),
            ("uami_{service}_{hash}", &format!("uami_keyvault_{}", short_hash(&["aks", "shop", "web.v2"]))),
        ] {
            assert_eq!(filled(template).as_deref(), Ok(name), "{template}");
        }
    }

    #[test]
    fn a_faulty_template_is_refused_with_the_reason() {
        for (template, why) in [
            ("id-{name}", "{name} is not a placeholder; the placeholders are {cluster}, {namespace}"),
            ("id-{cluster", "not closed"),
            ("id.{hash}", "not `.`"),
            ("-{hash}", "must begin with a letter"),
            ("id-{cluster}-{namespace}", "use one of {service-account}, {connection}, {hash}"),
            ("", "a separate identity"),
            (&format!("{{hash}}{}", "x".repeat(129)), "128"),
        ] {
            let error = IdentityName::parse(template).unwrap_err();
            assert!(error.contains(why), "{template}: {error}");
        }
        assert!(filled(&format!("{{connection}}{}", "x".repeat(120))).unwrap_err().contains("137 characters"));
    }

    proptest! {
        #[test]
        fn a_filled_template_is_a_valid_name_or_an_error(template in "[a-z{}-]{0,30}", account in "[a-z0-9.]{1,200}") {
            let values = For { cluster: "c", namespace: "n", account: &account, connection: "k", service: "s" };
            let Ok(Ok(name)) = IdentityName::parse(&format!("{template}{{service-account}}")).map(|t| t.fill(values)) else { return Ok(()) };
            prop_assert!((3..=128).contains(&name.len()) && name.chars().all(is_fit), "{name}");
        }
    }
}
