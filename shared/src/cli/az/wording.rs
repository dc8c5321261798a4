//! Translates commands in messages for az. The other rooms suggest `kubectl connect …`, but az users may not have
//! kubectl, so each such command is replaced by the equivalent `az connect` command.

use clap::parser::ValueSource;
use clap::{ArgMatches, Command};

use crate::cli::az::names;
use crate::cli::command_line;
use crate::cli::frontend::Frontend;

const OURS: &str = "kubectl connect";
/// What ends a command within a sentence.
const ENDS: [&str; 6] = ["   #", "\n", "`", ")", ";", ": "];

/// The given flags that select the cluster, with their names in az: a suggested command needs them again.
pub fn cluster(root: &ArgMatches) -> String {
    let given = |id: &str| root.try_get_one::<String>(id).ok().flatten();
    let flags = names::GLOBALS.iter().filter(|(id, _)| id.starts_with("aks_") || *id == "context");
    flags.filter_map(|(id, options)| Some(format!(" {} {}", options[0], given(id)?))).collect()
}

/// Flags with another name in az. No other program has flags of these names.
const FLAGS: [(&str, &str); 4] = [
    ("--aks-resource-group", "--cluster-resource-group"),
    ("--aks-name", "--cluster-name"),
    ("--aks-id", "--cluster-id"),
    ("--kubeconfig", "--kube-config"),
];

/// The text with every command and flag of this tool replaced by its form in az. `cluster` has the flags that select
/// the cluster.
pub fn reworded(text: &str, cluster: &str) -> String {
    FLAGS.iter().fold(commands_reworded(text, cluster), |text, (ours, az)| text.replace(ours, az))
}

fn commands_reworded(text: &str, cluster: &str) -> String {
    let (mut out, mut rest) = (String::new(), text);
    while let Some((before, after)) = rest.split_once(OURS) {
        out.push_str(before);
        let end = ENDS.iter().filter_map(|end| after.find(end)).min().unwrap_or(after.len());
        let (line, left) = after.split_at(end);
        let words: Vec<&str> = line.split_whitespace().collect();
        // Words of the sentence may follow the command, so the longest valid command is used.
        let known = (1..=words.len()).rev().find_map(|n| Some((command(&words[..n], cluster)?, n)));
        match known {
            Some((command, n)) => {
                out.push_str(&command);
                words[n..].iter().for_each(|word| {
                    out.push(' ');
                    out.push_str(word);
                });
            }
            None => {
                out.push_str("az connect");
                out.push_str(line);
            }
        }
        rest = left;
    }
    out.push_str(rest);
    out
}

/// The az command for these words; `None` if they are no command.
fn command(words: &[&str], cluster: &str) -> Option<String> {
    let typed: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
    let mut root = command_line::reached_by(Frontend::Az, &typed);
    root.build();
    let matches = root.clone().try_get_matches_from(std::iter::once(&"az-connect").chain(words)).ok()?;
    let (mut at, mut found): (&Command, &ArgMatches) = (&root, &matches);
    let mut line = "az connect".to_owned();
    while let Some((word, deeper)) = found.subcommand() {
        line = format!("{line} {word}");
        (at, found) = (at.find_subcommand(word)?, deeper);
    }
    let offline = matches.subcommand_name().is_some_and(names::is_offline);
    let positional = at.get_positionals().next();
    let is_given = |id: &str| matches!(found.value_source(id), Some(ValueSource::CommandLine));
    // The main argument comes first, as users write it.
    for arg in at.get_positionals().chain(at.get_arguments().filter(|arg| !arg.is_positional())) {
        let id = arg.get_id().as_str();
        if !found.try_contains_id(id).is_ok_and(|there| there) || !is_given(id) {
            continue;
        }
        let option = match names::GLOBALS.iter().find(|(global, _)| *global == id) {
            Some((_, options)) => options[0].to_owned(),
            None => names::options(arg, positional).first()?.clone(),
        };
        line = format!("{line} {option}");
        if arg.get_action().takes_values() {
            for value in found.get_raw(id)? {
                line = format!("{line} {}", value.to_string_lossy());
            }
        }
    }
    Some(if offline { line } else { line + cluster })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_translated_for_az() {
        const CLUSTER: &str = " --cluster-name c --cluster-resource-group g";
        for (ours, az) in [
            (
                "or undo the finished steps: kubectl connect delete keyvault-my-vault -n shop",
                "or undo the finished steps: az connect delete --name keyvault-my-vault --kube-namespace shop --cluster-name c --cluster-resource-group g",
            ),
            ("kubectl connect services", "az connect services"),
            ("kubectl connect explain keyvault   # says which", "az connect explain --name keyvault   # says which"),
            ("kubectl connect list -A", "az connect list --all-namespaces --cluster-name c --cluster-resource-group g"),
            (
                "kubectl connect keyvault my-vault --auth csi --secret a --secret b -w deployment/web --name x",
                "az connect keyvault --name my-vault --workload deployment/web --connection x --auth csi --secret a b \
                 --cluster-name c --cluster-resource-group g",
            ),
            (
                "(kubectl connect refresh a -n b) or",
                "(az connect refresh --name a --kube-namespace b --cluster-name c --cluster-resource-group g) or",
            ),
            ("kubectl connect doctor web now", "az connect doctor --name web --cluster-name c --cluster-resource-group g now"),
            ("kubectl connect keyvault --help shows", "az connect keyvault --help shows"),
            ("kubectl describe pods", "kubectl describe pods"),
            ("or name it: --aks-name NAME --aks-resource-group GROUP", "or name it: --cluster-name NAME --cluster-resource-group GROUP"),
        ] {
            assert_eq!(reworded(ours, CLUSTER), az, "{ours}");
        }
    }
}
