//! Initial states of cases in several test programs.

use serde_json::Value;
use stand_in::world::{USER, World};

use crate::Case;

const VAULT: &str =
    "/subscriptions/22222222-aaaa-4bbb-8ccc-000000000001/resourceGroups/rg-data/providers/Microsoft.KeyVault/vaults/my-vault";
const OFFICER: &str = "b86a8fe4-44ce-4948-aee5-eccb2c155cd7";

/// The ready cluster has the add-on, and the user may write secrets.
fn store(world: World) -> World {
    let mut world = world.with_secrets_provider("aks-ready");
    world.assignments.push((VAULT.into(), USER.into(), "User", OFFICER.into()));
    world
}

/// A sandbox in which a key can be stored in a vault.
pub async fn with_store() -> Case {
    Case::with("aks-ready", |world| *world = store(world.clone())).await
}

/// A connection whose Secret, service account and role were deleted without the product.
pub async fn drifted(case: &Case) -> Value {
    let before = case.everything();
    case.run("keyvault my-vault -w deployment/web -n shop --yes --verify=false").await.ended(0);
    case.kube_delete("aks-ready", "/api/v1/namespaces/shop/secrets/keyvault-my-vault").await;
    case.kube_delete("aks-ready", "/api/v1/namespaces/shop/serviceaccounts/web").await;
    assert_eq!(case.take_roles_away().await, 1, "the role was not there to be taken away");
    case.control().clear_log();
    before
}
