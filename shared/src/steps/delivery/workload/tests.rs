use super::*;
use crate::model::variable::Variable;

fn workload(service_account: Option<&str>) -> Workload {
    Workload {
        kind: "deployment".into(),
        namespace: "shop".into(),
        name: "web".into(),
        containers: vec!["app".into(), "sidecar".into()],
        foreign: false,
        identity: true,
        service_account: service_account.map(Into::into),
        secret: "keyvault-v".into(),
        variables: vec![Variable::client_id("A"), Variable::text("B", "b")],
        mount: None,
    }
}

#[test]
fn the_digest_changes_with_the_values() {
    let workload = workload(None);
    let known = |id: &str| Known { client_id: Some(id.into()), ..Known::default() };
    assert_ne!(workload.digest(&known("one")), workload.digest(&known("two")));
    assert_eq!(workload.digest(&known("one")), workload.digest(&known("one")));
}
