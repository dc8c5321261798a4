//! Errors as text and as JSON.

use std::borrow::Cow;

use anstyle::{AnsiColor, Style};
use serde_json::{Value, json};

use super::page::{Page, is_command};
use crate::model::{Kind, Problem};

/// An error as text: what failed, why, how to fix it; then the code and request ids for further analysis.
pub(super) fn render(problem: &Problem, with_cause: bool, width: usize) -> String {
    let red = Style::new().bold().fg_color(Some(AnsiColor::Red.into()));
    let dim = Style::new().dimmed();
    let mut page = Page::new(width);
    page.hanging("", 2, &format!("{red}error{red:#} [{}]: {}", problem.code(), problem.what()));
    if let Some(why) = problem.reason() {
        page.line("  why  ", why);
    }
    for (at, fix) in fixes(problem).iter().enumerate() {
        let lead = if at == 0 { "  fix  " } else { "       " };
        // A broken command can't be copied.
        if is_command(fix) { page.push(&format!("{lead}{fix}")) } else { page.line(lead, fix) }
    }
    if let Some(request) = problem.request_ids() {
        page.push(&format!("  {dim}ids  {request}{dim:#}"));
    }
    if let (true, Some(cause)) = (with_cause, problem.cause()) {
        page.push(&format!("  {dim}from {cause:#}{dim:#}"));
    }
    page.into_text()
}

/// The fixes. If an unexpected error has none, a general suggestion.
fn fixes(problem: &Problem) -> Cow<'_, [String]> {
    if problem.fixes().is_empty() && problem.kind() == Kind::Failed {
        let look = "kubectl connect doctor   # looks for the usual causes";
        return vec![look.into(), "or run the same command again with -v 8: it shows every request".into()].into();
    }
    problem.fixes().into()
}

/// An error as JSON.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_broken_between_words_and_commands_are_not() {
        let problem = Problem::new(Kind::Failed, "CODE", "it does not work").why("one two three four").fix("az login --tenant 11111111");
        let plain = anstream::adapter::strip_str(&render(&problem, false, 20)).to_string();
        assert_eq!(plain, "error [CODE]: it\n  does not work\n  why  one two three\n       four\n  fix  az login --tenant 11111111\n");
    }
}
