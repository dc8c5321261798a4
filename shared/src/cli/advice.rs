//! Commands in advice, completed with what the user typed: whoever gave `-n shop` gets no command that fails for lack of
//! it. The rooms below advise the shortest command; this is the one place that knows the whole command line.

use clap::ArgMatches;
use clap::parser::ValueSource;

use crate::cli::az::wording;
use crate::cli::command_line;
use crate::cli::flags::{connect, global};
use crate::cli::frontend::Frontend;
use crate::cli::verbs;
use crate::cli::verbs::verb::Verb;

/// Flags of a connection that its next command needs as well, most important first.
const OF_THE_WORKLOAD: [&str; 4] = ["workload", "containers", "service_account", "name"];

/// One flag that was typed.
struct Given {
    id: String,
    /// The flag with its value, as it is typed.
    text: String,
}

/// What was typed and has to be typed again.
pub struct Typed {
    frontend: Frontend,
    everywhere: Vec<Given>,
    own: Vec<Given>,
    /// The flags that name the cluster, as az takes them.
    az_cluster: String,
}

impl Typed {
    /// Reads the command line.
    pub fn read(frontend: Frontend, root: &ArgMatches) -> Typed {
        let of_cluster = global::of_cluster();
        // az has its own flags for the cluster; the context is among them.
        let is_ours = |id: &str| frontend == Frontend::Kubectl || matches!(id, "namespace" | "kubeconfig");
        let of_cluster = of_cluster.iter().filter(|(id, _)| is_ours(id));
        let everywhere = of_cluster.filter_map(|(id, flag)| given(root, id, flag)).collect();
        let (mut word, mut own) = root.subcommand().unwrap_or(("", root));
        if let Some((service, deeper)) = own.subcommand() {
            (word, own) = (service, deeper);
        }
        let is_service = verbs::find(word).is_none();
        let own = if is_service {
            connect::flags_of(&OF_THE_WORKLOAD).iter().filter_map(|(id, flag)| given(own, id, flag)).collect()
        } else {
            Vec::new()
        };
        Typed { frontend, everywhere, own, az_cluster: wording::cluster(root) }
    }

    /// The text with every command in it completed, in the words of the program that the user called.
    pub fn completed(&self, text: &str) -> String {
        let text = wording::each_command(text, |words| Some(format!("kubectl connect {}", self.complete(words)?.join(" "))));
        match self.frontend {
            Frontend::Kubectl => text,
            Frontend::Az => wording::reworded(&text, &self.az_cluster),
        }
    }

    /// The words of one command with the flags that it lacks; `None` where the words are no command.
    fn complete(&self, words: &[&str]) -> Option<Vec<String>> {
        let typed: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        let line = command_line::reached_by(Frontend::Kubectl, &typed);
        let matches = line.try_get_matches_from(std::iter::once("k").chain(words.iter().copied())).ok()?;
        let (word, mut own) = matches.subcommand()?;
        if let Some((_, deeper)) = own.subcommand() {
            own = deeper;
        }
        // A sentence that goes on is no list of names.
        let names = own.try_get_raw("connection").ok().flatten().map_or(0, Iterator::count);
        if names > 1 {
            return None;
        }
        let mut line = typed;
        // What stands for a value is what was typed for it.
        if let (Some(workload), Some(at)) = (self.own.iter().find(|g| g.id == "workload"), line.iter().position(|w| w == "KIND/NAME")) {
            let (_, value) = workload.text.split_once(' ')?;
            line[at] = value.to_owned();
        }
        let lacks = |given: &&Given| {
            let accepted = own.try_contains_id(&given.id).is_ok();
            accepted && !matches!(own.value_source(&given.id), Some(ValueSource::CommandLine))
        };
        let verb = verbs::find(word);
        if verb.is_some_and(Verb::is_offline) {
            return Some(line);
        }
        // The doctor of this machine needs no namespace, and a code needs no cluster.
        let about = own.try_get_one::<String>("about").ok().flatten();
        if about.is_some_and(|about| about.starts_with("KC") || about.starts_with("AADSTS")) {
            return Some(line);
        }
        let is_about_the_machine = word == "doctor" && about.is_none();
        let everywhere = self.everywhere.iter().filter(|g| !(is_about_the_machine && g.id == "namespace"));
        let everywhere = everywhere.filter(|g| !(g.id == "namespace" && words.iter().any(|w| matches!(*w, "-A" | "--all-namespaces"))));
        for given in everywhere.chain(&self.own).filter(lacks) {
            let (flag, value) = given.text.split_once(' ')?;
            line.extend([flag.to_owned(), shell_words::quote(value).into_owned()]);
        }
        Some(line)
    }
}

fn given(matches: &ArgMatches, id: &str, flag: &str) -> Option<Given> {
    let is_there = matches.try_contains_id(id).is_ok_and(|there| there);
    if !is_there || !matches!(matches.value_source(id), Some(ValueSource::CommandLine)) {
        return None;
    }
    let value = matches.get_raw(id)?.next()?.to_string_lossy().into_owned();
    Some(Given { id: id.to_owned(), text: format!("{flag} {value}") })
}
