//! `kubectl connect completion`: completion scripts for `kubectl-connect`, and the link through which kubectl
//! requests completions.

use std::path::{Path, PathBuf};

use clap::{Arg, Command, ValueEnum};
use clap_complete::Shell;
use serde_json::json;

use crate::cli::frontend::Frontend;
use crate::cli::invocation::Invocation;
use crate::cli::verbs::verb::{Az, Group, Run, Verb};
use crate::model::{Kind, Problem, Result};
use crate::ui::Ui;

/// Names of the program (depending on the krew manifest from which it was installed), each with the name that kubectl
/// calls for completions.
const ASKED_AS: [(&str, &str); 2] =
    [("kubectl-connect", "kubectl_complete-connect"), ("kubectl-azure_connect", "kubectl_complete-azure_connect")];

/// Shells, with the file names of their scripts.
pub const FILES: [(Shell, &str); 4] = [
    (Shell::Bash, "kubectl-connect.bash"),
    (Shell::Zsh, "_kubectl-connect"),
    (Shell::Fish, "kubectl-connect.fish"),
    (Shell::PowerShell, "kubectl-connect.ps1"),
];

/// No command in az, which completes its own command line.
pub const VERB: Verb = Verb {
    name: "completion",
    aliases: &[],
    about: "Set up shell completion",
    group: Group::Help,
    takes_service: false,
    examples: &["completion install"],
    flags,
    run: Run::AtOnce(completion),
    az: Az::Hidden,
};

fn flags(command: Command) -> Command {
    let shells = ["bash", "zsh", "fish", "powershell", "install"];
    command
        .after_help(
            "install makes `kubectl connect` complete wherever kubectl completes: it puts a link named\n\
             kubectl_complete-connect beside this program. The name of a shell prints the script for\n\
             running kubectl-connect directly: source <(kubectl-connect completion bash)",
        )
        .arg(Arg::new("shell").value_name("SHELL|install").required(true).value_parser(shells).help("Shell, or install"))
}

fn completion(call: &Invocation<'_>) -> Result<u8> {
    let word = call.matches.get_one::<String>("shell").map(String::as_str).unwrap_or_default();
    let Ok(shell) = Shell::from_str(word, true) else {
        return install(call.ui);
    };
    let script = script((call.whole)(Frontend::Kubectl), shell);
    call.ui.result(&json!({"shell": word, "script": script}), || script.clone(), &[]);
    Ok(0)
}

/// The script of a shell for this command line.
pub fn script(whole: Command, shell: Shell) -> String {
    let mut command = whole.bin_name("kubectl-connect");
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, "kubectl-connect", &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

fn install(ui: &Ui) -> Result<u8> {
    // Use the links on PATH, not their targets: krew replaces the targets with every upgrade.
    let on_path: Vec<(PathBuf, &str)> = ASKED_AS.iter().filter_map(|(program, link)| Some((which::which(program).ok()?, *link))).collect();
    let is_found = !on_path.is_empty();
    let programs = if is_found {
        on_path
    } else {
        let (_, link) = ASKED_AS[0];
        vec![(std::env::current_exe().map_err(|e| unwritten(Path::new(link), &e.to_string()))?, link)]
    };
    let links = programs.iter().map(|(program, link)| link_beside(program, link)).collect::<Result<Vec<_>>>()?;
    let value = json!({"installed": links, "onPath": is_found});
    let text = || {
        let made: Vec<String> = links.iter().map(|link| format!("Installed {}.", link.display())).collect();
        let then = if is_found {
            "kubectl connect now has completion wherever kubectl has it."
        } else {
            "Add its folder to PATH, where kubectl searches for it."
        };
        format!("{}\n{then}", made.join("\n"))
    };
    ui.result(&value, text, &[]);
    Ok(0)
}

fn link_beside(program: &Path, name: &str) -> Result<PathBuf> {
    let link = program.with_file_name(if cfg!(windows) { format!("{name}.exe") } else { name.to_owned() });
    // On Windows this tool creates a copy, elsewhere always a link: a regular file of this name belongs to somebody
    // else.
    match std::fs::symlink_metadata(&link) {
        Ok(found) if cfg!(unix) && !found.is_symlink() => return Err(unwritten(&link, "a file of that name exists that is not a link")),
        Ok(_) => std::fs::remove_file(&link).map_err(|e| unwritten(&link, &e.to_string()))?,
        Err(_) => {}
    }
    #[cfg(unix)]
    let made = std::os::unix::fs::symlink(program.file_name().unwrap_or(program.as_os_str()), &link);
    #[cfg(not(unix))]
    let made = std::fs::copy(program, &link).map(|_| ());
    made.map_err(|e| unwritten(&link, &e.to_string()))?;
    Ok(link)
}

fn unwritten(link: &Path, why: &str) -> Problem {
    Problem::new(Kind::Failed, "KC1091", format!("{} can't be written", link.display()))
        .why(why)
        .fix("create a link of that name to kubectl-connect in any folder of PATH")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn the_link_is_created_beside_the_program_and_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let program = dir.path().join("kubectl-connect");
        std::fs::write(&program, "").unwrap();
        for _ in 0..2 {
            let link = link_beside(&program, "kubectl_complete-connect").unwrap();
            assert_eq!(std::fs::read_link(&link).unwrap(), Path::new("kubectl-connect"));
        }
        let nowhere = link_beside(Path::new("/proc/nowhere/kubectl-connect"), "kubectl_complete-connect");
        assert_eq!(nowhere.unwrap_err().code(), "KC1091");
    }

    #[cfg(unix)]
    #[test]
    fn a_foreign_file_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        let theirs = dir.path().join("kubectl_complete-connect");
        std::fs::write(&theirs, "mine").unwrap();
        let told = link_beside(&dir.path().join("kubectl-connect"), "kubectl_complete-connect").unwrap_err();
        assert_eq!((told.code(), std::fs::read_to_string(&theirs).unwrap().as_str()), ("KC1091", "mine"));
    }
}
