//! Identities of the nodes. With `--csi-identity vm:…` the driver signs in as the node, with an identity that must be
//! assigned to the node. Azure would grant a role to any identity, so a mistake would only show as a failing mount.

use serde_json::Value;

use super::resources::quoted;
use super::session::Session;
use crate::model::{Event, Kind, Problem, ResourceId, Result};

/// Scale sets, and the virtual machines of node pools without scale sets.
const KINDS: [&str; 2] = ["microsoft.compute/virtualmachinescalesets", "microsoft.compute/virtualmachines"];

/// The machines of a cluster's nodes with their identities; `None` if the user may not read them.
pub(crate) async fn look(session: &Session, cluster: &ResourceId, body: &Value) -> Option<Vec<Value>> {
    let group = body["properties"]["nodeResourceGroup"].as_str()?;
    let query = format!(
        "resources | where type in~ ('{}', '{}') and resourceGroup =~ {} and subscriptionId =~ {} | project id, name, type, identity",
        KINDS[0],
        KINDS[1],
        quoted(group),
        quoted(cluster.subscription())
    );
    session.arm.graph(&query, &[]).await.ok().filter(|rows| !rows.is_empty())
}

/// Refuses an identity that no node has, and warns about pools without it.
pub(crate) fn judge(session: &Session, cluster: &ResourceId, machines: &[Value], identity: &ResourceId) -> Result<()> {
    let has = |machine: &&Value| {
        let all = machine["identity"]["userAssignedIdentities"].as_object();
        all.is_some_and(|all| all.keys().any(|id| id.parse().is_ok_and(|id: ResourceId| id == *identity)))
    };
    let without: Vec<&Value> = machines.iter().filter(|m| !has(m)).collect();
    let assign = |machine: &&Value| {
        let id: ResourceId = machine["id"].as_str()?.parse().ok()?;
        let word = if id.is_a(KINDS[0]) { "vmss" } else { "vm" };
        Some(format!("az {word} identity assign --resource-group {} --name {} --identities {identity}", id.resource_group(), id.name()))
    };
    let fixes: Vec<String> = without.iter().filter_map(assign).collect();
    if without.len() == machines.len() {
        let problem =
            Problem::new(Kind::Failed, "KC1321", format!("no node of cluster `{}` has the identity `{}`", cluster.name(), identity.name()))
                .why("the driver signs in as the node, which needs the identity to be assigned to it");
        return Err(fixes.into_iter().take(3).fold(problem, Problem::fix));
    }
    for fix in fixes {
        session
            .events
            .say(Event::Note(format!("some nodes lack the identity {}, and pods on them will not start: {fix}", identity.name())));
    }
    Ok(())
}
