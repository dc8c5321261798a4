//! The benchmark: `cargo bench -p sandbox`. Prints what a run costs in time, requests and memory, and compares that
//! with the theoretical minimum. Nothing is asserted: the output goes into the README, with date and machine.
//!
//! `--timeline` also shows every request of each run. `--once` measures once instead of three times.
#![allow(clippy::print_stdout, reason = "a program for people: its output is a table")]

mod manual;
mod path;
mod run;

use std::process::Command;
use std::time::Duration;

use run::{BINARY, Run, median, product, timed, world};
use stand_in::Kind;

const LATENCIES: [u64; 3] = [0, 50, 200];
const STARTS: usize = 30;

/// The measured commands in order: name, command line, and whether a new world is started for it.
const JOBS: [(&str, &str, bool); 6] = [
    ("fresh, --verify=false", "keyvault my-vault -w deployment/web -n shop --yes --verify=false", true),
    ("fresh, with verify", "keyvault my-vault -w deployment/web -n shop --yes", true),
    ("again, nothing to do", "keyvault my-vault -w deployment/web -n shop --yes --verify=false", false),
    ("list", "list -n shop", false),
    ("verify", "verify keyvault-my-vault -n shop", false),
    ("delete", "delete keyvault-my-vault -n shop --yes", false),
];

struct Options {
    timeline: bool,
    times: usize,
}

fn main() -> anyhow::Result<()> {
    // For the sandbox, which runs in this process.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let asked: Vec<String> = std::env::args().collect();
    let options = Options {
        timeline: asked.iter().any(|word| word == "--timeline"),
        times: if asked.iter().any(|word| word == "--once") { 1 } else { 3 },
    };
    println!("{}\n", machine());
    start_up()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(runs(&options))?;
    runtime.block_on(manual::compare())
}

fn machine() -> String {
    let first = |file: &str, key: &str| {
        let text = std::fs::read_to_string(file).unwrap_or_default();
        let line = text.lines().find(|line| line.starts_with(key)).and_then(|line| line.split_once(':'));
        line.map_or_else(|| "unknown".to_owned(), |(_, value)| value.trim().to_owned())
    };
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let built = if cfg!(debug_assertions) { "debug build: times and memory are those of unoptimised code" } else { "release build" };
    format!(
        "{} · {} · {cores} cores, {} · Linux {} · load {} · {built}",
        jiff::Timestamp::now().strftime("%Y-%m-%d"),
        first("/proc/cpuinfo", "model name"),
        first("/proc/meminfo", "MemTotal"),
        kernel.trim(),
        std::fs::read_to_string("/proc/loadavg").unwrap_or_default().split(' ').next().unwrap_or_default(),
    )
}

/// Start-up time of a command that contacts no service.
fn start_up() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let program = folder.path().join("kubectl-connect");
    std::os::unix::fs::symlink(BINARY, &program)?;
    println!("start-up            median of {STARTS}   slowest     peak memory   instructions");
    for word in ["--help", "version", "services"] {
        let mut walls = Vec::new();
        let mut peak = 0;
        for _ in 0..STARTS {
            let (wall, seen, _) = timed(Command::new(&program).arg(word))?;
            walls.push(wall);
            peak = peak.max(seen);
        }
        let slowest = walls.iter().max().copied().unwrap_or_default();
        let counted = instructions(&program, word);
        println!("{word:<20}{:>9} ms {:>9} ms {:>11} {counted:>14}", ms(median(&mut walls)), ms(slowest), mb(peak));
    }
    println!();
    Ok(())
}

/// Instructions of one start, counted by callgrind: a count does not depend on what else the machine does.
fn instructions(program: &std::path::Path, word: &str) -> String {
    let run = Command::new("valgrind").args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]).arg(program).arg(word).output();
    let Ok(run) = run else { return "no valgrind".to_owned() };
    let said = String::from_utf8_lossy(&run.stderr);
    let count = said.lines().find_map(|line| line.split_once("Collected :")?.1.trim().parse::<f64>().ok());
    count.map_or_else(|| "not counted".to_owned(), |count| format!("{:.1} million", count / 1e6))
}

async fn runs(options: &Options) -> anyhow::Result<()> {
    println!("             wall: median of {}; needed: critical path by data needs; taken: longest chain in the log", options.times);
    println!("latency  job                       wall  azure  kube  az  needed  taken  cluster    floor  ratio   memory");
    for latency in LATENCIES.map(Duration::from_millis) {
        let mut worlds = Vec::new();
        for _ in 0..options.times {
            worlds.push(once(latency).await?);
        }
        for (at, (name, ..)) in JOBS.iter().enumerate() {
            let runs: Vec<&Run> = worlds.iter().map(|world| &world[at]).collect();
            row(latency, name, &runs, options);
        }
        println!();
    }
    Ok(())
}

/// Runs all commands once.
async fn once(latency: Duration) -> anyhow::Result<Vec<Run>> {
    let mut done = Vec::new();
    let mut sandbox = world(latency).await?;
    for (_, line, fresh) in JOBS {
        if fresh {
            sandbox = world(latency).await?;
        }
        done.push(product(&sandbox, line).await?);
    }
    Ok(done)
}

fn row(latency: Duration, name: &str, runs: &[&Run], options: &Options) {
    let wall = median(&mut runs.iter().map(|run| run.wall).collect::<Vec<_>>());
    let Some(run) = runs.iter().find(|run| run.wall == wall) else { return };
    let sorted = path::classes(&run.log);
    let spans = path::spans(&sorted);
    let (cluster, taken) = (path::rollout(&spans, latency), path::taken(&spans));
    let needed = path::needed(&sorted, latency, cluster);
    let floor = needed.time;
    // Without latency, the chains of requests say nothing.
    let told = |text: String| if latency.is_zero() { "-".to_owned() } else { text };
    let (ratio, chain) = (told(format!("{:.2}", wall.as_secs_f64() / floor.as_secs_f64())), told(taken.len().to_string()));
    println!(
        "{:>4} ms  {name:<22}{:>5} ms {:>6} {:>5} {:>3} {:>7} {chain:>6} {:>5} ms {:>5} ms {ratio:>6} {:>8}",
        latency.as_millis(),
        wall.as_millis(),
        run.count(&[Kind::Arm, Kind::Graph, Kind::Entra, Kind::KeyVault, Kind::Blob, Kind::OpenAi, Kind::Data]),
        run.count(&[Kind::Kube]),
        run.count(&[Kind::Az]),
        needed.classes.len(),
        cluster.as_millis(),
        floor.as_millis(),
        mb(run.peak),
    );
    if options.timeline {
        timeline(&needed.classes, &taken, &spans);
    }
}

fn timeline(needed: &[path::Class], taken: &[(path::Class, &stand_in::Entry)], spans: &[(path::Class, &stand_in::Entry, path::Span)]) {
    println!("      needed  {}", needed.iter().map(|class| format!("{class:?}")).collect::<Vec<_>>().join(" → "));
    let mut spans = spans.to_vec();
    spans.sort_by_key(|(_, _, span)| span.start);
    for (class, entry, span) in spans {
        let mark = if taken.iter().any(|(_, other)| other.n == entry.n) { '*' } else { ' ' };
        let query: String =
            entry.query.iter().filter(|(name, _)| name != "api-version").map(|(name, value)| format!(" {name}={value}")).collect();
        println!(
            "    {mark} {:>6}–{:<6} {:<9} {:<6} {} {}{} {}",
            span.start.as_millis(),
            span.end.as_millis(),
            format!("{class:?}"),
            entry.method,
            entry.status,
            short(&entry.path),
            query.chars().take(80).collect::<String>(),
            if entry.path.contains("accessreviews") { entry.request_body["spec"]["resourceAttributes"].to_string() } else { String::new() }
        );
    }
    println!();
}

/// The last part of a path; the parts before are always the same.
fn short(path: &str) -> String {
    let words: Vec<&str> = path.rsplit('/').take(5).collect();
    words.into_iter().rev().collect::<Vec<_>>().join("/")
}

fn ms(duration: Duration) -> String {
    format!("{:.1}", duration.as_secs_f64() * 1000.0)
}

fn mb(kib: u64) -> String {
    format!("{:.1} MB", kib as f64 / 1024.0)
}
