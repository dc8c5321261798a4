//! `kubectl connect doctor [WORKLOAD]`: finds problems of this machine and of any workload.

use clap::{Args, Command};
use serde_json::json;

use crate::cli::flags::az_cluster;
use crate::cli::frontend::Frontend;
use crate::cli::invocation::Invocation;
use crate::cli::verbs::check_text::{self, FailOn};
use crate::cli::verbs::verb::{Az, AzTable, Group, Run, Verb};
use crate::health::check::{Outcome, is_success};
use crate::health::findings::{FINDINGS, Finding, find, of_aadsts};
use crate::health::{doctor, report};
use crate::model::{Kind, Problem, Result};
use crate::ui::{Table, Ui};

/// The verb.
pub const VERB: Verb = Verb {
    name: "doctor",
    aliases: &["check"],
    about: "Find what is wrong with this machine or with a workload",
    group: Group::Check,
    takes_service: false,
    examples: &["doctor", "doctor deployment/web -n shop", "doctor KC5304"],
    flags,
    run: Run::Waiting(|call| Box::pin(doctor(call))),
    az: Az::Shown(AzTable::CHECKS),
};

/// Advice if all checks succeed.
const STILL_FAILS: &str = "If the application still fails: it must use WorkloadIdentityCredential or DefaultAzureCredential, not\n\
    ManagedIdentityCredential; .NET Azure.Identity 1.9, Go azidentity 1.3, Java 1.9, @azure/identity 3.2, Python 1.13 or newer.\n";

// Flags of the doctor.
#[derive(Args, Debug)]
struct Doctor {
    /// Workload (KIND/NAME), or an error code to explain (KC5304, AADSTS700213)
    #[arg(value_name = "WORKLOAD|CODE")]
    about: Option<String>,
    /// List all findings
    #[arg(long)]
    list: bool,
    /// What makes the command fail
    #[arg(long, value_enum, value_name = "LEVEL", default_value = "error")]
    fail_on: FailOn,
}

fn flags(command: Command) -> Command {
    Doctor::augment_args(command)
}

/// Runs the checks, or explains a code.
async fn doctor(call: &Invocation<'_>) -> Result<u8> {
    let (ui, asked) = (call.ui, call.read::<Doctor>()?);
    if asked.list {
        list(ui);
        return Ok(0);
    }
    if let Some(code) = asked.about.as_deref().filter(|a| is_code(a)) {
        return explain(ui, code);
    }
    let command = (call.whole)(Frontend::Kubectl);
    let words: Vec<&str> = command.get_subcommands().flat_map(|s| std::iter::once(s.get_name()).chain(s.get_all_aliases())).collect();
    let (flags, progress) = (call.flags()?, ui.progress());
    let found = doctor::doctor(&flags, az_cluster::azure(), &progress.events(), asked.about.as_deref(), &words).await;
    progress.clear();
    let found = found?;
    let title = asked.about.clone().unwrap_or_else(|| "this machine".into());
    let text = || {
        let mut text = check_text::text(ui, &title, &found);
        if asked.about.is_some() && is_success(&found) {
            let is_unconnected = found.iter().any(|c| c.code == "KC5502" && c.result == Outcome::Skipped);
            match is_unconnected {
                true => text.push_str(&format!("Not connected yet: kubectl connect SERVICE NAME -w {title}\n")),
                false => text.push_str(STILL_FAILS),
            }
        }
        text
    };
    let names: Vec<String> = found.iter().filter(|c| c.fix.is_some()).map(|c| c.code.to_owned()).collect();
    ui.result(&report::categories(&found), text, &names);
    Ok(check_text::exit_code(&found, asked.fail_on))
}

fn is_code(text: &str) -> bool {
    let upper = text.to_ascii_uppercase();
    ["AADSTS", "KC"].iter().any(|p| upper.strip_prefix(p).is_some_and(|d| !d.is_empty() && d.bytes().all(|b| b.is_ascii_digit())))
}

fn value(finding: &Finding) -> serde_json::Value {
    json!({
        "code": finding.code, "group": finding.group, "title": finding.title, "why": finding.why,
        "level": if finding.warning { "warning" } else { "error" }, "remedy": finding.remedy(&[]), "docs": finding.anchor(),
    })
}

fn list(ui: &Ui) {
    let all: Vec<_> = FINDINGS.iter().map(value).collect();
    let names: Vec<String> = FINDINGS.iter().map(|f| f.code.to_owned()).collect();
    let text = || {
        let mut table = Table::new(&["CODE", "PART", "FINDING"]);
        for finding in FINDINGS {
            table.row(vec![finding.code.into(), finding.group.into(), finding.title.into()]);
        }
        table.render(ui.no_headers)
    };
    ui.result(&json!({"findings": all}), text, &names);
}

fn explain(ui: &Ui, code: &str) -> Result<u8> {
    let upper = code.to_ascii_uppercase();
    let found = match upper.strip_prefix("AADSTS") {
        Some(number) => number.parse().ok().and_then(of_aadsts),
        None => find(&upper),
    };
    let Some(finding) = found else {
        return Err(Problem::new(Kind::NotFound, "KC1205", format!("there is no finding {code}")).fix("kubectl connect doctor --list"));
    };
    let text = || {
        format!(
            "{} {}\n  why   {}\n  fix   {}\n  more  {}\n",
            finding.code,
            finding.title,
            finding.why,
            finding.remedy(&[]),
            finding.anchor()
        )
    };
    ui.result(&value(finding), text, &[finding.code.to_owned()]);
    Ok(0)
}
