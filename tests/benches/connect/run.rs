//! Runs of the product in a sandbox, measured from outside.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use stand_in::world::World;
use stand_in::{Entry, Kind, Sandbox};

/// The sandbox's program; under other names it is `az` and the product.
pub const BINARY: &str = env!("CARGO_BIN_EXE_sandbox");
/// The cluster with an issuer.
pub const CONTEXT: &str = "aks-ready";

/// One run of the product.
pub struct Run {
    /// From start to end of the process.
    pub wall: Duration,
    /// Maximum resident set size, KiB.
    pub peak: u64,
    /// Its requests.
    pub log: Vec<Entry>,
}

impl Run {
    pub fn count(&self, kinds: &[Kind]) -> usize {
        self.log.iter().filter(|entry| kinds.contains(&entry.kind)).count()
    }
}

/// A new world in which every request takes `latency`.
pub async fn world(latency: Duration) -> anyhow::Result<Sandbox> {
    let sandbox = Sandbox::start(planted(latency)).await?;
    for name in ["az", "kubectl-connect"] {
        sandbox.link(name, Path::new(BINARY))?;
    }
    Ok(sandbox)
}

/// The initial state of every world.
pub fn planted(latency: Duration) -> World {
    let mut world = World { current_context: CONTEXT.into(), ..World::planted() };
    world.knobs.latency = latency;
    world
}

/// Runs a command line of the product.
pub async fn product(sandbox: &Sandbox, line: &str) -> anyhow::Result<Run> {
    sandbox.control().clear_log();
    let mut command = Command::new(sandbox.bin().join("kubectl-connect"));
    command.args(line.split(' ')).envs(sandbox.env());
    let text = line.to_owned();
    // Outside the runtime, since the sandbox needs its threads.
    let (wall, peak, _) = tokio::task::spawn_blocking(move || timed(&mut command).with_context(|| text)).await??;
    Ok(Run { wall, peak, log: sandbox.control().log() })
}

/// Runs a command to its end. Returns the time, the maximum resident set size, and stderr.
pub fn timed(command: &mut Command) -> anyhow::Result<(Duration, u64, String)> {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let began = Instant::now();
    let child = command.spawn().context("cannot be started")?;
    let (pid, over) = (child.id(), AtomicBool::new(false));
    let (output, wall, peak) = std::thread::scope(|scope| {
        let watcher = scope.spawn(|| watch(pid, &over));
        let output = child.wait_with_output();
        let wall = began.elapsed();
        over.store(true, Ordering::Relaxed);
        (output, wall, watcher.join().unwrap_or_default())
    });
    let output = output?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    anyhow::ensure!(output.status.success(), "{}: {said}", output.status);
    Ok((wall, peak, said))
}

/// The kernel keeps the maximum only while the process exists, so it is read repeatedly, and the last value counts.
fn watch(pid: u32, over: &AtomicBool) -> u64 {
    let mut peak = 0;
    while !over.load(Ordering::Relaxed) {
        if let Some(now) = resident(pid) {
            peak = peak.max(now);
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    peak
}

/// `VmHWM` of a process, KiB.
pub fn resident(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

/// The median.
pub fn median<T: Copy + Ord>(values: &mut [T]) -> T {
    values.sort_unstable();
    values[values.len() / 2]
}
