//! Measures the alternatives for comparison: the commands of the public how-to, and Service Connector, with a real
//! `az` and the same sandbox. `tests/real/bench` installs both programs; without them these rows are missing, with a
//! message.
#![allow(clippy::print_stdout, reason = "a program for people: its output is a table")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::Context as _;
use stand_in::world::SUBSCRIPTION;
use stand_in::{Kind, Sandbox};

use crate::LATENCIES;
use crate::run::{CONTEXT, Run, planted, timed};

/// Common beginning of both scripts: names, and the timing of steps. The scripts of the real parts use the same file.
const STEPS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/real/az/steps.sh");
/// The how-to for vaults, from the vault's name to the end of the rollout. The cluster's features are already
/// enabled, as in the product's rows.
/// product's rows.
const MANUAL: &str = "vault=$(step az keyvault show --resource-group $DATA_GROUP --name my-vault --query id --output tsv)
    manual 'Key Vault Secrets User' \"$vault\"";
/// Steps that Service Connector does not do itself.
const IDENTITY: &str = "sign_in_with_device_code
    az identity create --resource-group $GROUP --name by-connector --output none";
const CONNECTOR: &str = "step az aks connection create keyvault --connection vault_one --resource-group $GROUP --name $CLUSTER \
    --target-resource-group $DATA_GROUP --vault my-vault --client-type python --kube-namespace $NAMESPACE --output none \
    --workload-identity $BY_CONNECTOR";

/// Measures the alternatives, if a real `az` and a `kubectl` are installed.
pub async fn compare() -> anyhow::Result<()> {
    let named = |variable: &str| std::env::var_os(variable).map(PathBuf::from).filter(|program| program.is_file());
    match (named("CONNECT_AZ_BIN"), named("CONNECT_KUBECTL").or_else(|| which::which("kubectl").ok())) {
        (Some(az), Some(kubectl)) => manual_script_and_service_connector(&az, &kubectl).await?,
        (None, _) => missing("CONNECT_AZ_BIN names no az"),
        (_, None) => missing("there is no kubectl, and CONNECT_KUBECTL names none"),
    }
    Ok(())
}

fn missing(why: &str) {
    println!("!! MISSING: the rows of the manual az script and of `az aks connection create` were not measured: {why}.");
    println!("!! Run tests/real/bench, which brings both.");
}

async fn manual_script_and_service_connector(az: &Path, kubectl: &Path) -> anyhow::Result<()> {
    println!("the other ways, with a real az, once each; signing in is not counted");
    println!("latency  job                           wall  azure  kube  commands");
    for latency in LATENCIES.map(Duration::from_millis) {
        let world = other_world(latency, az, kubectl).await?;
        script(&world, "sign_in_with_device_code").await?;
        row(latency, "manual script", &script(&world, MANUAL).await?);
        let world = other_world(latency, az, kubectl).await?;
        script(&world, IDENTITY).await?;
        row(latency, "az aks connection create", &script(&world, CONNECTOR).await?);
    }
    println!(
        "
manual script: from the vault's name to the end of the rollout, as in the public how-to; nothing is verified.
az aks connection create: that one command. The identity was made before, and the workload is neither patched nor verified.
  The service's own work is imitated with 1 s; recorded were 40 to 393 s, and 62 to 398 s for the whole command.
  az asks every 30 s whether it has ended, as it does in the recordings."
    );
    Ok(())
}

async fn other_world(latency: Duration, az: &Path, kubectl: &Path) -> anyhow::Result<Sandbox> {
    let mut world = planted(latency).with_service_principal();
    // az uses other api-versions.
    world.knobs.strict_api_versions = false;
    let sandbox = Sandbox::start(world).await?;
    sandbox.sign_out_and_use(az)?;
    sandbox.link("kubectl", kubectl)?;
    Ok(sandbox)
}

async fn script(sandbox: &Sandbox, text: &str) -> anyhow::Result<(Run, usize)> {
    sandbox.control().clear_log();
    let mut command = Command::new("bash");
    command.arg("-c").arg(format!("set -euo pipefail\nsource '{STEPS}'\n{text}"));
    let identity = format!(
        "/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-shop/providers/Microsoft.ManagedIdentity/userAssignedIdentities/by-connector"
    );
    command.envs(sandbox.env()).env("CONNECT_CLUSTER", CONTEXT).env("BY_CONNECTOR", identity);
    let text = text.to_owned();
    let (wall, peak, said) = tokio::task::spawn_blocking(move || timed(&mut command).with_context(|| text)).await??;
    let commands = said.lines().filter(|line| line.split_once(" ms  ").is_some_and(|(n, _)| n.trim().parse::<u64>().is_ok())).count();
    Ok((Run { wall, peak, log: sandbox.control().log() }, commands))
}

fn row(latency: Duration, name: &str, (run, commands): &(Run, usize)) {
    println!(
        "{:>4} ms  {name:<26}{:>5} ms {:>6} {:>5} {commands:>9}",
        latency.as_millis(),
        run.wall.as_millis(),
        run.count(&[Kind::Arm, Kind::Graph, Kind::Entra, Kind::KeyVault, Kind::Blob, Kind::OpenAi]),
        run.count(&[Kind::Kube]),
    );
}
