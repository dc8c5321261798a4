//! `kubectl connect completion`: scripts for shells that call `kubectl-connect` itself, and the link by which kubectl asks.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use clap::{Arg, ArgMatches, Command, ValueEnum};
use clap_complete::Shell;
use serde_json::json;

use super::{Frontend, args};
use crate::model::{Kind, Problem, Result};
use crate::ui::Ui;

/// What kubectl looks for on PATH.
const ASKED_AS: &str = "kubectl_complete-connect";

/// Shells, and what the file of a script is called.
pub(super) const FILES: [(Shell, &str); 4] = [
    (Shell::Bash, "kubectl-connect.bash"),
    (Shell::Zsh, "_kubectl-connect"),
    (Shell::Fish, "kubectl-connect.fish"),
    (Shell::PowerShell, "kubectl-connect.ps1"),
];

pub(super) fn command() -> Command {
    let shells = ["bash", "zsh", "fish", "powershell", "install"];
    Command::new("completion")
        .about("Complete the command line in a shell")
        .after_help(
            "install makes `kubectl connect` complete wherever kubectl itself completes: it puts a link named\n\
             kubectl_complete-connect beside this program. A shell's name prints the script for calling kubectl-connect directly,\n\
             for example: source <(kubectl-connect completion bash)",
        )
        .arg(Arg::new("shell").value_name("SHELL|install").required(true).value_parser(shells).help("Shell, or install"))
}

pub(super) fn run(ui: &Ui, matches: &ArgMatches) -> Result<u8> {
    let word = matches.get_one::<String>("shell").map(String::as_str).unwrap_or_default();
    let Ok(shell) = Shell::from_str(word, true) else {
        return install(ui);
    };
    let script = script(shell);
    ui.result(&json!({"shell": word, "script": script}), || script.clone(), &[]);
    Ok(0)
}

/// A shell's script, made from the command line.
pub(super) fn script(shell: Shell) -> String {
    let mut command = args::command(Frontend::Kubectl).bin_name("kubectl-connect");
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, "kubectl-connect", &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

fn install(ui: &Ui) -> Result<u8> {
    let own = std::env::current_exe().map_err(|e| unwritten(Path::new(ASKED_AS), &e))?;
    // The link that is on PATH, not what it leads to: krew exchanges what is behind it with every upgrade.
    let program = which::which("kubectl-connect").unwrap_or(own);
    let link = link_beside(&program)?;
    let value = json!({"installed": link, "program": program});
    ui.result(&value, || format!("Installed {}.\nkubectl connect now completes wherever kubectl does.", link.display()), &[]);
    Ok(0)
}

fn link_beside(program: &Path) -> Result<PathBuf> {
    let link = program.with_file_name(if cfg!(windows) { "kubectl_complete-connect.exe" } else { ASKED_AS });
    match std::fs::remove_file(&link) {
        Err(e) if e.kind() != ErrorKind::NotFound => return Err(unwritten(&link, &e)),
        _ => {}
    }
    #[cfg(unix)]
    let made = std::os::unix::fs::symlink(program.file_name().unwrap_or(program.as_os_str()), &link);
    #[cfg(not(unix))]
    let made = std::fs::copy(program, &link).map(|_| ());
    made.map_err(|e| unwritten(&link, &e))?;
    Ok(link)
}

fn unwritten(link: &Path, error: &std::io::Error) -> Problem {
    Problem::new(Kind::Failed, "KC1091", format!("{} can't be written", link.display()))
        .why(error.to_string())
        .fix("make a link of that name to kubectl-connect in any folder of PATH")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shell_gets_a_script_that_knows_the_services() {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish, Shell::PowerShell] {
            let script = script(shell);
            assert!(script.contains("keyvault") && script.contains("kubectl-connect"), "{shell}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn the_link_follows_the_program_and_is_made_anew() {
        let dir = tempfile::tempdir().unwrap();
        let program = dir.path().join("kubectl-connect");
        std::fs::write(&program, "").unwrap();
        for _ in 0..2 {
            let link = link_beside(&program).unwrap();
            assert_eq!(std::fs::read_link(&link).unwrap(), Path::new("kubectl-connect"));
        }
        assert_eq!(link_beside(Path::new("/proc/nowhere/kubectl-connect")).unwrap_err().code(), "KC1091");
    }
}
