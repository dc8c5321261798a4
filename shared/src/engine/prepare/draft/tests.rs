//! Receipts, the action on the record, and the order of a plan, from literal examinations.

use super::*;
use crate::plan::record::Ownership;
use crate::plan::spec::Secret;
use crate::plan::testing::{account, identity, vault};

/// What examining a step found: `action` at an object that this connection owns as `ownership`.
fn found(step: &StepSpec, layer: Layer, action: Action, ownership: Ownership) -> Examined {
    let intent = Receipt::intent(ownership, format!("id of {}", step.id()));
    Examined { change: Change::new(step.id(), layer, "kind", step.id(), action), goal: Goal::Present, intent, rights: vec![] }
}

fn secret() -> StepSpec {
    StepSpec::Secret(Secret { namespace: "shop".into(), name: "keyvault-vault".into(), variables: vec![], foreign: false })
}

/// A draft of a service account, a Secret and an identity, in this order, with one action for all.
fn draft(action: Action) -> Draft {
    let specs = vec![StepSpec::ServiceAccount(account("web")), secret(), StepSpec::Identity(identity("id-web"))];
    let layer = |step: &StepSpec| if matches!(step, StepSpec::Identity(_)) { Layer::Azure } else { Layer::Cluster };
    let examined = specs.iter().map(|s| (s.id(), found(s, layer(s), action, Ownership::Created))).collect();
    Draft { goal: Goal::Present, specs, examined, retired: vec![] }
}

fn record(draft: &Draft) -> Record {
    crate::plan::testing::record("keyvault-vault", "keyvault", vault("vault").id, draft.specs.clone())
}

fn stored(record: Record) -> Stored {
    Stored { record, resource_version: "1".into(), labels: Default::default() }
}

fn finished(ownership: Ownership) -> Receipt {
    Receipt { done: true, at: "2026-11-01T10:00:00Z".into(), ..Receipt::intent(ownership, "before") }
}

#[test]
fn what_will_be_written_has_an_intent_and_what_is_there_is_done() {
    let receipts = draft(Action::Create).receipts(None);
    assert_eq!(receipts.keys().collect::<Vec<_>>(), ["identity", "secret", "service-account"]);
    assert_eq!(receipts["secret"], Receipt::intent(Ownership::Created, "id of secret"));
    let receipt = &draft(Action::NoOp).receipts(None)["secret"];
    assert_eq!((receipt.done, receipt.id.as_str(), receipt.at.is_empty()), (true, "id of secret", false));
}

#[test]
fn a_receipt_that_is_still_true_stays_as_it_is() {
    let mut draft = draft(Action::NoOp);
    let mut past = record(&draft);
    let unfinished = Receipt { done: false, ..finished(Ownership::Created) };
    past.receipts = BTreeMap::from([
        ("secret".into(), finished(Ownership::Created)),
        ("service-account".into(), finished(Ownership::Joined)),
        ("identity".into(), unfinished),
    ]);
    let receipts = draft.receipts(Some(&past));
    assert_eq!(receipts["secret"], finished(Ownership::Created));
    assert_eq!(
        (receipts["service-account"].ownership, receipts["service-account"].id.as_str()),
        (Ownership::Created, "id of service-account")
    );
    assert_eq!((receipts["identity"].done, receipts["identity"].id.as_str()), (true, "id of identity"));
    let update = found(&secret(), Layer::Cluster, Action::Update, Ownership::Created);
    draft.examined.insert("secret".into(), update);
    assert_eq!(draft.receipts(Some(&past))["secret"], Receipt::intent(Ownership::Created, "id of secret"), "a write makes it untrue");
}

#[test]
fn the_record_is_written_only_where_it_would_change() {
    let quiet = draft(Action::NoOp);
    let ready = record(&quiet);
    let action = |draft: &Draft, former: &Record| draft.record_action(Some(&stored(former.clone())), &ready);
    assert_eq!(quiet.record_action(None, &ready), Action::Create);
    assert_eq!(action(&quiet, &ready), Action::NoOp);
    assert_eq!(action(&draft(Action::Update), &ready), Action::Update, "a step writes");
    assert_eq!(action(&quiet, &Record { workload: None, ..ready.clone() }), Action::Update, "the record says something else");
    let unfinished = Record { phase: Phase::Applying, ..ready.clone() };
    assert_eq!(quiet.record_action(Some(&stored(unfinished.clone())), &unfinished), Action::Update, "the last run was cut off");
    let examined = found(&secret(), Layer::Cluster, Action::Delete, Ownership::Created);
    let retiring = Draft { retired: vec![Retired { step: secret(), examined }], ..draft(Action::NoOp) };
    assert_eq!(action(&retiring, &ready), Action::Update, "a step of the former version is undone");
}

#[test]
fn a_plan_shows_azure_before_the_cluster_and_the_record_last() {
    let mut draft = draft(Action::Create);
    let vaults = StepSpec::Identity(identity("id-old"));
    let mut examined = found(&vaults, Layer::Azure, Action::Delete, Ownership::Created);
    examined.change.name = "id-old".into();
    draft.retired.push(Retired { step: vaults, examined });
    let plan = draft.plan(&record(&draft), Action::Create);
    let shown: Vec<(&str, &str, Action)> = plan.changes.iter().map(|c| (c.id.as_str(), c.name.as_str(), c.action)).collect();
    assert_eq!(
        shown,
        [
            ("identity", "identity", Action::Create),
            ("identity", "id-old", Action::Delete),
            ("service-account", "service-account", Action::Create),
            ("secret", "secret", Action::Create),
            ("record", "shop/kubectl-connect.keyvault-vault", Action::Create),
        ]
    );
    assert_eq!((plan.goal, plan.summary(), plan.connection.as_str()), (Goal::Present, (4, 0, 1), "keyvault-vault"));
}
