//! Text output of checks: grouped by the part of the chain, one line for each successful check, and all details of
//! the others.

use std::fmt::Write;

use super::page::{Page, is_command};
use crate::model::words::{count, short_addresses};

/// Column of a check's details.
const ROW: usize = 20;

/// Result of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sign {
    /// Success.
    Well,
    /// Not checked.
    Skipped,
    /// Works, but should be changed.
    Warning,
    /// Failed.
    Bad,
}

impl Sign {
    fn mark(self) -> &'static str {
        match self {
            Sign::Well => "✓",
            Sign::Skipped => "-",
            Sign::Warning => "!",
            Sign::Bad => "✗",
        }
    }
}

/// A check as shown to the user.
#[derive(Clone, Copy, Debug)]
pub struct Shown<'a> {
    /// The part of the chain.
    pub group: &'a str,
    /// Result.
    pub sign: Sign,
    /// What was checked, or what is wrong.
    pub description: &'a str,
    /// Stable code.
    pub code: &'a str,
    /// What was observed.
    pub seen: Option<&'a str>,
    /// What was expected.
    pub expected: Option<&'a str>,
    /// Why it matters.
    pub why: Option<&'a str>,
    /// Lines that show the difference.
    pub details: &'a [String],
    /// How to fix it.
    pub fix: Option<&'a str>,
    /// Link to the documentation.
    pub more: Option<&'a str>,
}

/// All checks under a title, with the number of problems at the end; `short` omits successful checks.
pub(super) fn render(title: &str, checks: &[Shown<'_>], short: bool, width: usize) -> String {
    let mut page = Page::new(width);
    page.hanging("", 2, title);
    let mut groups: Vec<&str> = Vec::new();
    for check in checks {
        if !groups.contains(&check.group) {
            groups.push(check.group);
        }
    }
    for group in groups {
        let mut head = group;
        for check in checks.iter().filter(|c| c.group == group && !(short && c.sign < Sign::Warning)) {
            row(&mut page, &format!("  {head:16}"), check);
            head = "";
        }
    }
    page.push(&summary(checks));
    page.into_text()
}

fn summary(checks: &[Shown<'_>]) -> String {
    let of = |sign: Sign| checks.iter().filter(|c| c.sign == sign).count();
    let mut text = match (of(Sign::Bad), of(Sign::Warning)) {
        (0, 0) => "No problem found".to_owned(),
        (0, warnings) => count(warnings, "warning"),
        (problems, 0) => count(problems, "problem"),
        (problems, warnings) => format!("{}, {}", count(problems, "problem"), count(warnings, "warning")),
    };
    if of(Sign::Skipped) > 0 {
        let _ = write!(text, ", {} skipped", count(of(Sign::Skipped), "check"));
    }
    text + "."
}

fn row(page: &mut Page, lead: &str, check: &Shown<'_>) {
    let lead = format!("{lead}{} ", check.sign.mark());
    if check.sign < Sign::Warning {
        let seen = check.seen.map_or_else(String::new, |seen| format!(": {}", short_addresses(seen)));
        return page.hanging(&lead, ROW, &format!("{}{seen}", check.description));
    }
    page.hanging(&lead, ROW, &format!("{}   {}", check.description, check.code));
    let indent = " ".repeat(ROW);
    let tell = |page: &mut Page, key: &str, value: Option<&str>| {
        if let Some(value) = value {
            advice(page, &format!("{indent}{key:9}"), value);
        }
    };
    for (key, value) in [("seen", check.seen), ("expected", check.expected), ("why", check.why)] {
        tell(page, key, value);
    }
    // Compared values are aligned letter below letter.
    check.details.iter().for_each(|detail| page.push(&format!("    {detail}")));
    for (key, value) in [("fix", check.fix), ("more", check.more)] {
        tell(page, key, value);
    }
}

fn advice(page: &mut Page, lead: &str, text: &str) {
    if is_command(text) { page.command(lead, text) } else { page.line(lead, text) }
}

/// The checks of a proof, printed besides another result.
pub(super) fn render_proof(checks: &[Shown<'_>], width: usize) -> String {
    let mut page = Page::new(width);
    for check in checks {
        let bad = check.sign >= Sign::Warning;
        let seen = check.seen.map_or_else(String::new, |seen| format!(": {}", if bad { seen.to_owned() } else { short_addresses(seen) }));
        let code = if bad { format!("   {}", check.code) } else { String::new() };
        let mark = if bad { Sign::Bad.mark() } else { check.sign.mark() };
        page.line(&format!("  {mark} "), &format!("{}{seen}{code}", check.description));
        if let Some(fix) = check.fix {
            advice(&mut page, "      fix  ", fix);
        }
    }
    page.into_text()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ISSUER: &str =
        "https://westeurope.oic.prod-aks.azure.com/11111111-aaaa-4bbb-8ccc-000000000001/44444444-aaaa-4bbb-8ccc-000000000001/";

    fn check(group: &'static str, sign: Sign, description: &'static str, seen: Option<&'static str>) -> Shown<'static> {
        let (expected, why, fix, more) = (None, None, None, None);
        Shown { group, sign, description, code: "CODE", seen, expected, why, details: &[], fix, more }
    }

    fn checks() -> Vec<Shown<'static>> {
        vec![
            check("cluster", Sign::Well, "OIDC issuer and workload identity are on", Some(ISSUER)),
            check("cluster", Sign::Well, "the webhook is registered and ready", None),
            Shown {
                expected: Some("system:serviceaccount:shop:web"),
                why: Some("the credential is for another namespace or account, often `default` (AADSTS700213)"),
                fix: Some("az identity federated-credential create --name shop-web --identity-name id-web --resource-group rg-shop"),
                more: Some("kubectl connect doctor CODE"),
                ..check(
                    "trust",
                    Sign::Bad,
                    "no federated credential has this service account as its subject",
                    Some("system:serviceaccount:default:web"),
                )
            },
            check("proof", Sign::Skipped, "exchange it at Entra", None),
        ]
    }

    #[test]
    fn at_80_columns_no_word_is_broken() {
        snapshot::inline!(
            render("keyvault-my-vault (shop, deployment/web → my-vault)", &checks(), false, 80),
            r#"
        keyvault-my-vault (shop, deployment/web → my-vault)
          cluster         ✓ OIDC issuer and workload identity are on:
                            https://westeurope.oic.prod-aks.azure.com/11111111…/44444444…/
                          ✓ the webhook is registered and ready
          trust           ✗ no federated credential has this service account as its
                            subject   CODE
                            seen     system:serviceaccount:default:web
                            expected system:serviceaccount:shop:web
                            why      the credential is for another namespace or account,
                                     often `default` (AADSTS700213)
                            fix
            az identity federated-credential create --name shop-web --identity-name id-web --resource-group rg-shop
                            more     kubectl connect doctor CODE
          proof           - exchange it at Entra
        1 problem, 1 check skipped.
        "#
        );
    }

    #[test]
    fn at_120_columns_a_check_that_fits_is_on_one_line() {
        snapshot::inline!(
            render("keyvault-my-vault (shop, deployment/web → my-vault)", &checks(), true, 120),
            r#"
        keyvault-my-vault (shop, deployment/web → my-vault)
          trust           ✗ no federated credential has this service account as its subject   CODE
                            seen     system:serviceaccount:default:web
                            expected system:serviceaccount:shop:web
                            why      the credential is for another namespace or account, often `default` (AADSTS700213)
                            fix
            az identity federated-credential create --name shop-web --identity-name id-web --resource-group rg-shop
                            more     kubectl connect doctor CODE
        1 problem, 1 check skipped.
        "#
        );
    }

    #[test]
    fn a_proof_is_brief() {
        snapshot::inline!(
            render_proof(&checks()[2..], 80),
            r#"
        ✗ no federated credential has this service account as its subject:
          system:serviceaccount:default:web   CODE
            fix
          az identity federated-credential create --name shop-web --identity-name id-web --resource-group rg-shop
        - exchange it at Entra
        "#
        );
    }

    #[test]
    fn problems_are_counted() {
        let of = |signs: &[Sign]| summary(&signs.iter().map(|sign| check("g", *sign, "d", None)).collect::<Vec<_>>());
        assert_eq!(of(&[Sign::Well]), "No problem found.");
        assert_eq!(of(&[Sign::Well, Sign::Skipped]), "No problem found, 1 check skipped.");
        assert_eq!(of(&[Sign::Bad, Sign::Warning, Sign::Warning]), "1 problem, 2 warnings.");
    }
}
