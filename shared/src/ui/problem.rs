//! An error for people and for programs.

use std::borrow::Cow;
use std::fmt::Write;

use anstyle::{AnsiColor, Style};
use serde_json::{Value, json};

use crate::model::{Kind, Problem};

/// What failed, why, what to do; the code and the request ids for whoever has to look deeper.
pub(super) fn render(problem: &Problem, with_cause: bool) -> String {
    let red = Style::new().bold().fg_color(Some(AnsiColor::Red.into()));
    let dim = Style::new().dimmed();
    let mut text = String::new();
    let _ = writeln!(text, "{red}error{red:#} [{}]: {}", problem.code(), problem.what());
    if let Some(why) = problem.reason() {
        let _ = writeln!(text, "  why  {why}");
    }
    for (at, fix) in fixes(problem).iter().enumerate() {
        let _ = writeln!(text, "  {}  {fix}", if at == 0 { "fix" } else { "   " });
    }
    if let Some(request) = problem.request_ids() {
        let _ = writeln!(text, "  {dim}ids  {request}{dim:#}");
    }
    if let (true, Some(cause)) = (with_cause, problem.cause()) {
        let _ = writeln!(text, "  {dim}from {cause:#}{dim:#}");
    }
    text
}

/// What to do. Where nobody who saw it fail knew, there is a way to find out.
fn fixes(problem: &Problem) -> Cow<'_, [String]> {
    if problem.fixes().is_empty() && problem.kind() == Kind::Failed {
        let look = "kubectl connect doctor   # looks for the usual causes";
        return vec![look.into(), "or run the same command again with -v 8: it shows every request".into()].into();
    }
    problem.fixes().into()
}

/// The same for programs.
pub(super) fn to_json(problem: &Problem) -> Value {
    json!({"error": {
        "code": problem.code(),
        "message": problem.what(),
        "why": problem.reason(),
        "fixes": fixes(problem),
        "request": problem.request_ids(),
        "exitCode": problem.kind().exit_code(),
    }})
}
