//! The sandbox as a program: runs a command or a shell in a world with a simulated Azure and two simulated AKS
//! clusters.
//!
//! The program has several names. As `az` it is the stand-in for the Azure CLI, as `kubectl-connect` it is the
//! product, and as `kubectl`, if none is installed, it only starts the product.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program for people: it talks to the terminal")]

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail};
use stand_in::Sandbox;
use stand_in::world::World;

mod changes;

const USAGE: &str = "\
Usage: sandbox [OPTIONS] [COMMAND...]

Runs a command (a shell when there is none) with Azure and two AKS clusters standing in.

Options:
  --latency MS             Every request takes this long
  --context NAME           Current context: aks-shop (the default) or aks-ready
  --issuer on|off          Workload identity of the current context's cluster
  --role-delay SECONDS     Role assignments take effect after this
  --credential-delay SECS  Federated credentials take effect after this
  --cluster-update SECS    How long a cluster update runs (1)
  --retry-after SECS       When clients of a running operation are told to ask again: by themselves many wait for 30 s
  --not-signed-in          az has no account
  --any-version            Take every api-version: for clients other than the product
  --az PROGRAM|real        This Azure CLI instead of the stand-in; 'real' is the first on PATH. It has to sign in:
                           az login --use-device-code, or --service-principal with the planted application
  --log FILE               Write every request with its answer there, one JSON object a line
  --state FILE             Write there what Azure and the clusters held before and after the command, as JSON
  -h, --help               This text
";

fn main() -> ExitCode {
    let mut arguments = std::env::args();
    let program = arguments.next().unwrap_or_default();
    let arguments: Vec<String> = arguments.collect();
    let name = Path::new(&program).file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let outcome = match name {
        "az" => as_az(&program, &arguments),
        "kubectl-connect" | "kubectl_complete-connect" | "kubectl-azure_connect" | "kubectl_complete-azure_connect" => return product(),
        "az-connect" => return connect_core::main_with(connect_core::Frontend::Az),
        "kubectl" => as_kubectl(&arguments),
        _ => as_sandbox(&arguments),
    };
    match outcome {
        Ok(code) => ExitCode::from(code),
        Err(problem) => {
            eprintln!("{name}: {problem:#}");
            ExitCode::FAILURE
        }
    }
}

/// The product itself, so that one build provides all that the sandbox runs.
fn product() -> ExitCode {
    connect_core::main_with(connect_core::Frontend::Kubectl)
}

fn as_az(program: &str, arguments: &[String]) -> anyhow::Result<u8> {
    let answer = stand_in::az::ask(program, arguments)?;
    print!("{}", answer.stdout);
    eprint!("{}", answer.stderr);
    Ok(answer.code)
}

/// If no kubectl is installed: `kubectl connect …` starts the plugin, as the real one does.
fn as_kubectl(arguments: &[String]) -> anyhow::Result<u8> {
    let Some((plugin, rest)) = arguments.split_first().filter(|(first, _)| !first.starts_with('-')) else {
        bail!("no kubectl is installed; this one only starts plugins: kubectl connect …");
    };
    let status = Command::new(format!("kubectl-{plugin}"))
        .args(rest)
        .status()
        .with_context(|| format!("unknown command \"{plugin}\": no kubectl is installed, and no such plugin"))?;
    Ok(exit_code(status))
}

struct Options {
    world: World,
    az: Option<String>,
    log: Option<PathBuf>,
    state: Option<PathBuf>,
    command: Vec<String>,
}

fn parse(arguments: &[String]) -> anyhow::Result<Option<Options>> {
    let mut world = World::planted();
    let mut issuer = None;
    let (mut az, mut log, mut state) = (None, None, None);
    let mut rest = arguments.iter();
    let mut command = Vec::new();
    while let Some(word) = rest.next() {
        let (flag, inline) = match word.split_once('=') {
            Some((flag, value)) if flag.starts_with("--") => (flag, Some(value.to_owned())),
            _ => (word.as_str(), None),
        };
        let mut value = || inline.clone().or_else(|| rest.next().cloned()).with_context(|| format!("{flag} needs a value"));
        let seconds = |text: String| text.parse().map(Duration::from_secs_f64).with_context(|| format!("{flag}: '{text}' is no number"));
        match flag {
            "-h" | "--help" => return Ok(None),
            "--latency" => world.knobs.latency = Duration::from_millis(value()?.parse().context("--latency")?),
            "--context" => world.current_context = value()?,
            "--issuer" => issuer = Some(value()? == "on"),
            "--role-delay" => world.knobs.role_propagation = seconds(value()?)?,
            "--credential-delay" => world.knobs.credential_propagation = seconds(value()?)?,
            "--cluster-update" => world.knobs.cluster_update = seconds(value()?)?,
            "--retry-after" => world.knobs.retry_after = Some(value()?.parse().context("--retry-after")?),
            "--not-signed-in" => world.knobs.az = stand_in::knobs::AzState::NotSignedIn,
            "--any-version" => world.knobs.strict_api_versions = false,
            "--az" => {
                az = Some(value()?);
                world = world.with_service_principal();
                world.knobs.strict_api_versions = false;
            }
            "--log" => log = Some(PathBuf::from(value()?)),
            "--state" => state = Some(PathBuf::from(value()?)),
            "--" => {
                command.extend(rest.cloned());
                break;
            }
            other if other.starts_with('-') => bail!("unknown option {other}; see --help"),
            _ => {
                command.push(word.clone());
                command.extend(rest.cloned());
                break;
            }
        }
    }
    if world.current_context == stand_in::world::ELSEWHERE {
        world = world.with_cluster_elsewhere();
    }
    if !world.clusters.iter().any(|one| one.name == world.current_context) {
        bail!("there is no context {}; there are aks-shop, aks-ready and edge", world.current_context);
    }
    if let Some(on) = issuer {
        let cluster = world.current_context.clone();
        world = world.with_workload_identity(&cluster, on);
    }
    Ok(Some(Options { world, az, log, state, command }))
}

fn as_sandbox(arguments: &[String]) -> anyhow::Result<u8> {
    let Some(Options { world, az, log, state, command }) = parse(arguments)? else {
        print!("{USAGE}");
        return Ok(0);
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let sandbox = runtime.block_on(Sandbox::start(world))?;
    link_programs(&sandbox, az.as_deref())?;
    let before = changes::everything(&sandbox);
    let command = if command.is_empty() {
        welcome();
        vec![std::env::var("SHELL").unwrap_or_else(|_| "/bin/sh".into())]
    } else {
        command
    };
    let (program, rest) = command.split_first().context("no command")?;
    let program = locate(&sandbox, program);
    // The terminal's Ctrl-C is meant for the command; the sandbox waits until that has ended.
    let status = runtime.block_on(async {
        let mut child = tokio::process::Command::new(&program)
            .args(rest)
            .envs(sandbox.env())
            .stdin(Stdio::inherit())
            .spawn()
            .with_context(|| format!("{} cannot be started", program.display()))?;
        loop {
            tokio::select! {
                status = child.wait() => return status.context("waiting for the command"),
                _ = tokio::signal::ctrl_c() => {}
            }
        }
    })?;
    let after = changes::everything(&sandbox);
    let report = changes::between(&before, &after);
    eprintln!("{report}");
    if let Some(file) = state {
        let both = serde_json::json!({"before": before, "after": after});
        std::fs::write(&file, both.to_string()).with_context(|| file.display().to_string())?;
    }
    if let Some(file) = log {
        let lines: String =
            sandbox.control().log().iter().map(|entry| serde_json::to_string(entry).map(|line| line + "\n")).collect::<Result<_, _>>()?;
        std::fs::write(&file, lines).with_context(|| file.display().to_string())?;
    }
    Ok(exit_code(status))
}

fn link_programs(sandbox: &Sandbox, az: Option<&str>) -> anyhow::Result<()> {
    let own = std::env::current_exe().context("own program")?;
    for name in ["kubectl-connect", "kubectl_complete-connect"] {
        sandbox.link(name, &own)?;
    }
    match az {
        None => sandbox.link("az", &own)?,
        Some(program) => {
            let name = if program == "real" { "az" } else { program };
            let found = which::which(name).with_context(|| format!("--az: no program {name}"))?;
            sandbox.sign_out_and_use(&found)?;
        }
    }
    if which::which("kubectl").is_err() {
        sandbox.link("kubectl", &own)?;
    }
    Ok(())
}

/// The path of a program on the sandbox's PATH, since the child's PATH is not used for the look-up.
fn locate(sandbox: &Sandbox, program: &str) -> PathBuf {
    let own = sandbox.bin().join(program);
    if !program.contains('/') && own.exists() { own } else { PathBuf::from(program) }
}

fn exit_code(status: std::process::ExitStatus) -> u8 {
    use std::os::unix::process::ExitStatusExt as _;
    let code = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0));
    u8::try_from(code).unwrap_or(1)
}

fn welcome() {
    eprintln!(
        "This shell talks to a sandbox: no Azure, no cluster, nothing that costs. It is gone when you leave.

  clusters   aks-shop (no OIDC issuer, no workload identity), aks-ready (both); with --context edge one that is no AKS cluster
  workloads  in namespace shop: deployment/web, deployment/api, statefulset/db, daemonset/agent, job/migrate, cronjob/report
  targets    Key Vaults my-vault (roles) and policy-vault (access policies), storage account shopdata,
             AI accounts shop-openai, shop-ai, shop-vision, and old-openai, which takes no tokens

Try:
  kubectl connect keyvault my-vault --workload deployment/web -n shop
  az account show
"
    );
}
