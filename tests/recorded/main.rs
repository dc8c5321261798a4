//! Recorded traffic of the real ARM, replayed with the product's ARM client: it must send the recorded requests, stop
//! polling where the recording ends, follow pages, and parse every error.
//!
//! The client reads proxy and authority from its environment, so it runs in a child process: this test program again,
//! with a server in the parent that answers only from the recording.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests too: a panic is how they fail")]

mod client;
mod recording;
mod server;

use std::io::Write as _;
use std::path::PathBuf;

use recording::{Recording, Step};

/// The file that the child replays.
const FILE: &str = "CONNECT_REPLAY";

fn folder() -> Option<PathBuf> {
    let data = std::env::var_os(contract::REFERENCE_DATA).filter(|value| !value.is_empty())?;
    Some(PathBuf::from(data).join("recordings"))
}

/// Replays a file in a child and returns what was replayed; `None` without recordings.
async fn replay(file: &str) -> Option<Tally> {
    let Some(folder) = folder() else {
        // Captured output of a test would hide it.
        let text = format!("SKIPPED: {} is not set, so {file} was not replayed", contract::REFERENCE_DATA);
        let _ = writeln!(std::io::stderr().lock(), "{text}");
        return None;
    };
    let recordings = Recording::load(&folder.join(file));
    let tally = Tally::of(&recordings);
    let server = server::start(&recordings).await;
    let output = tokio::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "the_child_replays", "--ignored", "--nocapture"])
        .envs(server.env())
        .env(FILE, folder.join(file))
        .output()
        .await
        .unwrap();
    let told = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{file}: {told}");
    assert_eq!(server.faults(), Vec::<String>::new(), "{file}");
    assert_eq!(server.left(), 0, "{file}: exchanges of the recording that the client did not ask for");
    Some(tally)
}

/// The contents of a file.
#[derive(Debug, Default)]
struct Tally {
    reads: usize,
    pages: usize,
    writes: usize,
    polls: usize,
    patient: usize,
    refusals: usize,
    left_out: usize,
}

impl Tally {
    fn numbers(&self) -> [usize; 7] {
        [self.reads, self.pages, self.writes, self.polls, self.patient, self.refusals, self.left_out]
    }

    fn of(recordings: &[Recording]) -> Self {
        let mut tally = Self::default();
        for recording in recordings {
            tally.left_out += recording.left_out;
            for step in &recording.steps {
                match step {
                    Step::Read { .. } => tally.reads += 1,
                    Step::List { pages } => tally.pages += pages.len(),
                    Step::Patient { tries } => tally.patient += tries.len(),
                    Step::Write { polls, .. } => (tally.writes, tally.polls) = (tally.writes + 1, tally.polls + polls.len()),
                }
                tally.refusals += usize::from(recording.exchange(step.first()).status >= 400);
            }
        }
        tally
    }
}

#[tokio::test]
#[ignore = "runs in a child of the others, which sets its environment"]
async fn the_child_replays() {
    let file = std::env::var(FILE).expect("run by another test");
    client::replay(&Recording::load(file.as_ref())).await;
}

macro_rules! replays {
    ($($name:ident: $file:literal, $numbers:expr;)*) => {$(
        #[tokio::test(flavor = "multi_thread")]
        async fn $name() {
            if let Some(tally) = replay($file).await {
                assert_eq!(tally.numbers(), $numbers);
            }
        }
    )*};
}

// For each file the numbers of replayed reads, pages, writes, polls, retries and errors; last, the exchanges left out
// because related ones were cut from the recording or the client repeats them.
replays! {
    clusters_with_workload_identity: "aks_workload_identity.json", [7, 0, 7, 28, 0, 4, 0];
    clusters_with_the_secrets_add_on: "aks_keyvault_addon.json", [12, 1, 12, 42, 0, 5, 4];
    identities_and_their_credentials: "identity.json", [1, 4, 9, 0, 0, 0, 0];
    role_assignments: "role_assignments.json", [2, 8, 14, 0, 8, 7, 0];
    private_endpoints_and_their_dns: "private_endpoint_dns.json", [7, 1, 15, 26, 0, 1, 0];
    vaults: "keyvault_vaults.json", [47, 0, 29, 15, 0, 9, 4];
    targets: "targets_get.json", [105, 31, 72, 70, 0, 6, 48];
    databases: "databases_entra.json", [114, 22, 72, 163, 0, 0, 5];
    links_of_other_sources: "linker_other_sources.json", [23, 9, 35, 49, 0, 0, 1];
    links_to_app_configuration: "linker_kubernetes_appconfig_e2e.json", [4, 1, 8, 13, 0, 0, 0];
    links_to_ai_with_a_secret: "linker_kubernetes_cognitive_secret_e2e.json", [3, 1, 8, 13, 0, 0, 0];
    links_to_ai_with_workload_identity: "linker_kubernetes_cognitive_workload_identity_e2e.json", [4, 1, 8, 14, 0, 0, 0];
    links_to_kafka: "linker_kubernetes_confluentkafka_e2e.json", [3, 1, 9, 17, 0, 0, 0];
    links_to_a_vault: "linker_kubernetes_keyvault_e2e.json", [3, 1, 8, 14, 0, 0, 0];
    links_to_mysql: "linker_kubernetes_mysql_e2e.json", [3, 1, 8, 14, 0, 0, 0];
    links_to_service_bus: "linker_kubernetes_servicebus_e2e.json", [3, 1, 8, 14, 0, 0, 0];
    links_to_blobs: "linker_kubernetes_storageblob_e2e.json", [3, 1, 8, 14, 0, 0, 0];
    links_to_blobs_through_a_secret_store: "linker_kubernetes_storageblob_secretstore_e2e.json", [2, 3, 7, 21, 0, 0, 0];
    links_to_blobs_with_workload_identity: "linker_kubernetes_storageblob_workload_identity_e2e.json", [4, 1, 8, 13, 0, 0, 0];
    every_sort_of_refusal: "arm_errors.json", [36, 0, 23, 0, 1, 60, 9];
}
