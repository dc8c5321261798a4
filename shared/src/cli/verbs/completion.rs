//! `kubectl connect completion`: scripts for shells that call `kubectl-connect` itself, and the link by which kubectl asks.

use std::path::{Path, PathBuf};

use clap::{Arg, Command, ValueEnum};
use clap_complete::Shell;
use serde_json::json;

use crate::cli::frontend::Frontend;
use crate::cli::invocation::Invocation;
use crate::cli::verbs::verb::{Az, Group, Run, Verb};
use crate::model::{Kind, Problem, Result};
use crate::ui::Ui;

/// The program as kubectl may know it, after which krew's manifest it was installed from, and what kubectl asks for its
/// completions.
const ASKED_AS: [(&str, &str); 2] =
    [("kubectl-connect", "kubectl_complete-connect"), ("kubectl-azure_connect", "kubectl_complete-azure_connect")];

/// Shells, and what the file of a script is called.
pub const FILES: [(Shell, &str); 4] = [
    (Shell::Bash, "kubectl-connect.bash"),
    (Shell::Zsh, "_kubectl-connect"),
    (Shell::Fish, "kubectl-connect.fish"),
    (Shell::PowerShell, "kubectl-connect.ps1"),
];

/// The verb. az completes its own command line.
pub const VERB: Verb = Verb {
    name: "completion",
    aliases: &[],
    about: "Complete the command line in a shell",
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

/// A shell's script for this command line.
pub fn script(whole: Command, shell: Shell) -> String {
    let mut command = whole.bin_name("kubectl-connect");
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, "kubectl-connect", &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

fn install(ui: &Ui) -> Result<u8> {
    // The links that are on PATH, not what they lead to: krew exchanges what is behind them with every upgrade.
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
            "kubectl connect now completes wherever kubectl does."
        } else {
            "Put its folder on PATH: kubectl looks for it there."
        };
        format!("{}\n{then}", made.join("\n"))
    };
    ui.result(&value, text, &[]);
    Ok(0)
}

fn link_beside(program: &Path, name: &str) -> Result<PathBuf> {
    let link = program.with_file_name(if cfg!(windows) { format!("{name}.exe") } else { name.to_owned() });
    // On Windows it is a copy of ours, elsewhere always a link: a file of that name is somebody else's.
    match std::fs::symlink_metadata(&link) {
        Ok(found) if cfg!(unix) && !found.is_symlink() => return Err(unwritten(&link, "a file of that name is there, and it is no link")),
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
        .fix("make a link of that name to kubectl-connect in any folder of PATH")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn the_link_follows_the_program_and_is_made_anew() {
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
    fn a_file_of_somebody_else_s_stays() {
        let dir = tempfile::tempdir().unwrap();
        let theirs = dir.path().join("kubectl_complete-connect");
        std::fs::write(&theirs, "mine").unwrap();
        let told = link_beside(&dir.path().join("kubectl-connect"), "kubectl_complete-connect").unwrap_err();
        assert_eq!((told.code(), std::fs::read_to_string(&theirs).unwrap().as_str()), ("KC1091", "mine"));
    }
}
