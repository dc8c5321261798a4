//! The sandbox as a program.

use std::process::{Command, Output};

const IDENTITY: &str = "/subscriptions/22222222-aaaa-4bbb-8ccc-000000000001/resourceGroups/rg-shop\
    /providers/Microsoft.ManagedIdentity/userAssignedIdentities/id-web";

fn sandbox(arguments: &[&str]) -> Output {
    Command::new(harness::program()).args(arguments).output().unwrap()
}

#[test]
fn the_commands_code_and_output_are_the_programs() {
    let output = sandbox(&["--", "sh", "-c", "az account show --output json | grep -c contoso; exit 7"]);
    assert_eq!(output.status.code(), Some(7));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "2\n");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "sandbox: nothing changed\n");
}

#[test]
fn what_a_command_did_is_told_afterwards() {
    let line = format!(
        "test -s \"$KUBECONFIG\" && curl --fail --silent --show-error -o /dev/null -X PUT -d '{{\"location\":\"westeurope\"}}' -H 'content-type: application/json' \
         -H \"authorization: Bearer $(az account get-access-token --scope https://management.azure.com/.default | sed -n 's/.*accessToken\": \"\\(.*\\)\",/\\1/p')\" \
         'https://management.azure.com{}?api-version=2024-11-30'",
        IDENTITY
    );
    if Command::new("curl").arg("--version").output().is_err() {
        eprintln!("skipped: this machine has no curl");
        return;
    }
    let output = sandbox(&["sh", "-c", &line]);
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{told}");
    assert_eq!(told, format!("sandbox: what changed\n+ azure {}\n", IDENTITY.to_lowercase()));
}

#[test]
fn options_come_before_the_command_and_unknown_ones_are_refused() {
    let output = sandbox(&["--context", "aks-ready", "--latency=5", "sh", "-c", "grep current-context \"$KUBECONFIG\""]);
    assert_eq!(String::from_utf8_lossy(&output.stdout), "current-context: aks-ready\n");
    let signed_out = sandbox(&["--not-signed-in", "az", "account", "show"]);
    assert_eq!(signed_out.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&signed_out.stderr).starts_with("ERROR: Please run 'az login' to setup account.\n"));
    for wrong in [["--context", "none"], ["--colour", "x"]] {
        assert_eq!(sandbox(&wrong).status.code(), Some(1));
    }
}
