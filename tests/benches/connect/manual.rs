//! What people do without this tool, beside it: the commands of the public how-to, and Service Connector. Both need a real
//! `az`; `CONNECT_AZ_BIN` names it.
#![allow(clippy::print_stdout, reason = "a program for people: its output is a table")]

use std::path::{Path, PathBuf};

/// Measures the other ways where there is a real `az`.
pub async fn compare() -> anyhow::Result<()> {
    match std::env::var_os("CONNECT_AZ_BIN").map(PathBuf::from) {
        None => println!("manual script and `az aks connection create`: not measured, CONNECT_AZ_BIN names no az"),
        Some(az) => manual_script_and_service_connector(&az).await?,
    }
    Ok(())
}

/// The hook for the runner of real parts, which has a real `az` signed in against the sandbox.
async fn manual_script_and_service_connector(az: &Path) -> anyhow::Result<()> {
    println!("manual script and `az aks connection create`: {} is there, but is not wired in yet", az.display());
    Ok(())
}
