//! A plan for people: one line per thing, a symbol for what happens to it, a summary.

use std::fmt::Write;

use anstyle::{AnsiColor, Style};

use crate::plan::change::{Action, Change, Detail, Goal, Layer, Plan};

pub(super) fn symbol(action: Action) -> (&'static str, Style) {
    let colour = |c: AnsiColor| Style::new().fg_color(Some(c.into()));
    match action {
        Action::Create => ("+", colour(AnsiColor::Green)),
        Action::Update => ("~", colour(AnsiColor::Yellow)),
        Action::Delete => ("-", colour(AnsiColor::Red)),
        Action::NoOp => ("·", Style::new().dimmed()),
    }
}

/// The plan as text, without a newline at its end.
pub(super) fn render(plan: &Plan) -> String {
    let mut text = String::new();
    let kind_width = plan.changes.iter().map(|c| c.kind.chars().count()).max().unwrap_or(0);
    let name_width = plan.changes.iter().map(|c| c.name.chars().count()).max().unwrap_or(0).min(60);
    for change in &plan.changes {
        let (sign, style) = symbol(change.action);
        let layer = match change.layer {
            Layer::Azure => "azure",
            Layer::Cluster => "cluster",
        };
        let line =
            format!("  {layer:7}  {style}{sign}{style:#} {:kind_width$}  {:name_width$}  {}", change.kind, change.name, remarks(change));
        let _ = writeln!(text, "{}", line.trim_end());
    }
    let _ = write!(text, "\n{}", summary(plan));
    text
}

fn summary(plan: &Plan) -> String {
    if !plan.writes() {
        return match plan.goal {
            Goal::Present => "Nothing to change: the connection is as it should be.".into(),
            Goal::Absent => "Nothing to delete.".into(),
        };
    }
    let (add, change, delete) = plan.summary();
    let bold = Style::new().bold();
    format!("{bold}Plan:{bold:#} {add} to add, {change} to change, {delete} to delete.")
}

fn remarks(change: &Change) -> String {
    let mut parts: Vec<String> = change.details.iter().map(detail).collect();
    if let Some(reason) = &change.reason {
        parts.push(format!("({reason})"));
    }
    parts.join(", ")
}

fn detail(detail: &Detail) -> String {
    match (&detail.from, &detail.to) {
        (Some(from), Some(to)) => format!("{}: {from} → {to}", detail.name),
        (None, Some(to)) => format!("{}: {to}", detail.name),
        (Some(from), None) => format!("{}: {from} → (none)", detail.name),
        (None, None) => detail.name.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_reads_top_down_and_ends_in_numbers() {
        let plan = Plan {
            goal: Goal::Present,
            connection: "c".into(),
            namespace: "n".into(),
            changes: vec![
                Change::new("cluster".into(), Layer::Azure, "managedCluster", "aks", Action::Update).detail(
                    "oidcIssuer",
                    Some("off"),
                    Some("on"),
                ),
                Change::new("secret".into(), Layer::Cluster, "Secret", "n/c", Action::Create).reason("new"),
            ],
        };
        let plain = anstream::adapter::strip_str(&render(&plan)).to_string();
        assert_eq!(
            plain,
            "  azure    ~ managedCluster  aks  oidcIssuer: off → on\n  cluster  + Secret          n/c  (new)\n\nPlan: 1 to add, 1 to change, 0 to delete."
        );
    }
}
