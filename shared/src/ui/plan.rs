//! Text output of a plan: one line per object if it fits, otherwise the object on one line and each detail on a line
//! below it. The symbol at the start shows the action. Changes that can't be undone have a separate, marked line.

use anstyle::{AnsiColor, Style};

use super::page::{Page, columns};
use crate::model::words::{count, short_addresses};
use crate::plan::change::{Action, Attribute, Change, Detail, Goal, KNOWN_AFTER_APPLY, Layer, Plan};

/// Column of an object's kind.
const KIND: usize = 13;
/// Column of an object's details.
const DETAIL: usize = KIND + 2;

pub(super) fn symbol(action: Action) -> (&'static str, Style) {
    let colour = |c: AnsiColor| Style::new().fg_color(Some(c.into()));
    match action {
        Action::Create => ("+", colour(AnsiColor::Green)),
        Action::Update => ("~", colour(AnsiColor::Yellow)),
        Action::Delete => ("-", colour(AnsiColor::Red)),
        Action::NoOp => ("·", Style::new().dimmed()),
    }
}

/// The plan as text within `width` columns, without a final newline.
pub(super) fn render(plan: &Plan, width: usize) -> String {
    let mut page = Page::new(width);
    let kinds = plan.changes.iter().map(|c| c.kind.chars().count()).max().unwrap_or(0);
    for change in &plan.changes {
        row(&mut page, change, kinds);
    }
    page.push("");
    let mut text = page.into_text();
    text.push_str(&summary(plan));
    text
}

fn row(page: &mut Page, change: &Change, kinds: usize) {
    let (sign, style) = symbol(change.action);
    let layer = match change.layer {
        Layer::Azure => "azure",
        Layer::Cluster => "cluster",
    };
    let lead = format!("  {layer:7}  {style}{sign}{style:#} {:kinds$}  ", change.kind);
    let remarks: Vec<String> = change.details.iter().map(detail).collect();
    let note = change.reason.as_deref().filter(|_| !change.needs_consent);
    let beside = beside(&remarks, note);
    if !change.needs_consent && columns(&lead) + columns(&change.name) + columns(&beside) <= page.width() {
        return page.push(&format!("{lead}{}{beside}", change.name));
    }
    page.hanging(&lead, DETAIL, &change.name);
    let indent = " ".repeat(DETAIL);
    for remark in remarks.iter().map(String::as_str).chain(note) {
        page.hanging(&indent, DETAIL + 2, remark);
    }
    if let (true, Some(reason)) = (change.needs_consent, &change.reason) {
        let loud = Style::new().bold().fg_color(Some(AnsiColor::Yellow.into()));
        page.line(&format!("{}{loud}!{loud:#} ", " ".repeat(KIND)), reason);
    }
}

/// The text after a name, if it fits.
fn beside(remarks: &[String], note: Option<&str>) -> String {
    let note = note.map(|note| if note.ends_with(')') { note.to_owned() } else { format!("({note})") });
    let all: Vec<String> = remarks.iter().cloned().chain(note).collect();
    if all.is_empty() { String::new() } else { format!("  {}", all.join(", ")) }
}

fn summary(plan: &Plan) -> String {
    if !plan.writes() {
        return match plan.goal {
            Goal::Present => "Nothing to change: the connection is as it should be.".into(),
            Goal::Absent => "Nothing to delete.".into(),
        };
    }
    let (add, change, delete) = plan.summary();
    let bold = Style::new().bold();
    let mut text = format!("{bold}Plan:{bold:#} {add} to add, {change} to change, {delete} to delete.");
    let lasting = plan.changes.iter().filter(|change| change.needs_consent).count();
    if lasting > 0 {
        text.push_str(&format!(" {} can't be undone (see `!`).", count(lasting, "change")));
    }
    text
}

fn detail(detail: &Detail) -> String {
    let words = |value: &Attribute| short_addresses(&value.words());
    let to = if detail.known { detail.to.as_ref().map(words) } else { Some(KNOWN_AFTER_APPLY.to_owned()) };
    match (detail.from.as_ref().map(words), to) {
        (Some(from), Some(to)) => format!("{}: {from} → {to}", detail.name),
        (None, Some(to)) => format!("{}: {to}", detail.name),
        (Some(from), None) => format!("{}: {from} → (none)", detail.name),
        (None, None) => detail.name.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::change::Subject;

    const ISSUER: &str =
        "https://westeurope.oic.prod-aks.azure.com/11111111-aaaa-4bbb-8ccc-000000000001/44444444-aaaa-4bbb-8ccc-000000000001/";

    /// The plan of a first connection on a cluster with all features disabled.
    fn plan() -> Plan {
        let azure = |kind, name: &str, action| Change::new("x".into(), Layer::Azure, kind, name, action);
        let cluster = |kind, name: &str, action| Change::new("x".into(), Layer::Cluster, kind, name, action);
        let variables = ["AZURE_KEYVAULT_RESOURCEENDPOINT", "AZURE_KEYVAULT_SCOPE", "AZURE_KEYVAULT_CLIENTID"].map(str::to_owned).to_vec();
        let mut features = azure("managedCluster", "aks-shop", Action::Update)
            .reason("restarts the API server (about 4 minutes); the issuer can't be switched off again")
            .detail("oidcIssuer", Some("off"), Some("on"))
            .detail("workloadIdentity", Some("off"), Some("on"));
        features.needs_consent = true;
        let changes = vec![
            features,
            azure("managedIdentity", "id-aks-shop-shop-web-14c790d7", Action::Create)
                .detail("resourceGroup", None, Some("rg-shop"))
                .list("tags", vec![], vec!["kubectl-connect.dev=aks-shop/shop/web".into()])
                .detail("clientId", None, Some(KNOWN_AFTER_APPLY)),
            azure("roleAssignment", "Key Vault Secrets User → my-vault", Action::NoOp),
            azure("federatedCredential", KNOWN_AFTER_APPLY, Action::Create)
                .detail("subject", None, Some("system:serviceaccount:shop:web"))
                .detail("issuer", None, Some(ISSUER)),
            cluster("Deployment", "shop/web", Action::Update)
                .detail("serviceAccountName", Some("default"), Some("web"))
                .list("env", vec![], variables)
                .reason("1 rollout"),
            cluster("ConfigMap", "shop/kubectl-connect.keyvault-my-vault", Action::Create).reason("the record of this connection"),
        ];
        let (connection, namespace) = ("keyvault-my-vault".into(), "shop".into());
        let subject = Subject { service: "keyvault".into(), target: String::new(), cluster: String::new(), workload: None };
        Plan { goal: Goal::Present, connection, namespace, subject, changes }
    }

    fn plain(width: usize) -> String {
        anstream::adapter::strip_str(&render(&plan(), width)).to_string()
    }

    #[test]
    fn at_80_columns_each_detail_has_its_line() {
        snapshot::inline!(
            plain(80),
            r#"
          azure    ~ managedCluster       aks-shop
                       oidcIssuer: off → on
                       workloadIdentity: off → on
                     ! restarts the API server (about 4 minutes); the issuer can't be
                       switched off again
          azure    + managedIdentity      id-aks-shop-shop-web-14c790d7
                       resourceGroup: rg-shop
                       tags: kubectl-connect.dev=aks-shop/shop/web
                       clientId: (known after apply)
          azure    · roleAssignment       Key Vault Secrets User → my-vault
          azure    + federatedCredential  (known after apply)
                       subject: system:serviceaccount:shop:web
                       issuer:
                         https://westeurope.oic.prod-aks.azure.com/11111111…/44444444…/
          cluster  ~ Deployment           shop/web
                       serviceAccountName: default → web
                       env: AZURE_KEYVAULT_RESOURCEENDPOINT, AZURE_KEYVAULT_SCOPE,
                         AZURE_KEYVAULT_CLIENTID
                       1 rollout
          cluster  + ConfigMap            shop/kubectl-connect.keyvault-my-vault
                       the record of this connection

        Plan: 3 to add, 2 to change, 0 to delete. 1 change can't be undone (see `!`).
        "#
        );
        assert!(plain(80).lines().all(|line| line.chars().count() <= 80));
    }

    #[test]
    fn at_120_columns_short_things_stay_on_one_line() {
        snapshot::inline!(
            plain(120),
            r#"
          azure    ~ managedCluster       aks-shop
                       oidcIssuer: off → on
                       workloadIdentity: off → on
                     ! restarts the API server (about 4 minutes); the issuer can't be switched off again
          azure    + managedIdentity      id-aks-shop-shop-web-14c790d7
                       resourceGroup: rg-shop
                       tags: kubectl-connect.dev=aks-shop/shop/web
                       clientId: (known after apply)
          azure    · roleAssignment       Key Vault Secrets User → my-vault
          azure    + federatedCredential  (known after apply)
                       subject: system:serviceaccount:shop:web
                       issuer: https://westeurope.oic.prod-aks.azure.com/11111111…/44444444…/
          cluster  ~ Deployment           shop/web
                       serviceAccountName: default → web
                       env: AZURE_KEYVAULT_RESOURCEENDPOINT, AZURE_KEYVAULT_SCOPE, AZURE_KEYVAULT_CLIENTID
                       1 rollout
          cluster  + ConfigMap            shop/kubectl-connect.keyvault-my-vault  (the record of this connection)

        Plan: 3 to add, 2 to change, 0 to delete. 1 change can't be undone (see `!`).
        "#
        );
        assert!(plain(120).lines().all(|line| line.chars().count() <= 120));
    }

    #[test]
    fn a_plan_without_changes_says_so() {
        let mut nothing = plan();
        nothing.changes.retain(|change| !change.writes());
        assert!(render(&nothing, 80).ends_with("Nothing to change: the connection is as it should be."));
    }
}
