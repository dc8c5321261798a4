//! The only room that prints. Results go to stdout, everything else to stderr; colour, quiet mode and format are
//! decided here.

mod ask;
mod checks;
mod output;
mod page;
mod parts;
mod plan;
mod problem;
mod progress;
mod table;
mod template;

use std::io::Write;

pub use ask::{is_asking, restore_terminal};
pub use checks::{Shown, Sign};
pub use output::Format;
pub use page::Page;
pub use parts::Part;
pub use progress::{Progress, ProgressForm, interrupted};
pub use table::{Table, age};
pub use template::{Columns, Template};

use self::page::Stream;
use crate::model::Problem;
use crate::plan::Plan;

/// When to use colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Colour {
    /// On a terminal, unless NO_COLOR or TERM=dumb forbids it; always with CLICOLOR_FORCE.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// Output and prompts of a run.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ui {
    /// Format of the result.
    pub format: Format,
    /// Print only results and errors.
    pub quiet: bool,
    /// Level of `-v`, as in kubectl.
    pub verbosity: u8,
    /// Print tables without column headings.
    pub no_headers: bool,
    /// Never ask the user.
    pub no_input: bool,
    /// Form of progress messages.
    pub progress: ProgressForm,
    /// Print errors only as JSON on stdout: the az extension shows them itself.
    pub errors_for_programs_only: bool,
    /// Translation of suggested commands, for users who did not call kubectl.
    pub wording: Option<Wording>,
}

/// Translation of suggested commands.
#[derive(Clone, Copy, Debug)]
pub struct Wording {
    /// Translates a text, for the flags of a cluster.
    pub reword: fn(&str, &str) -> String,
    /// Flags that select the cluster.
    pub cluster: &'static str,
}

impl Ui {
    /// Sets the use of colour for both streams of the process.
    pub fn colour(colour: Colour) {
        match colour {
            Colour::Auto => {}
            Colour::Always => anstream::ColorChoice::Always.write_global(),
            Colour::Never => anstream::ColorChoice::Never.write_global(),
        }
    }

    /// Sends the log to stderr: level 2 shows decisions, 6 requests, 8 headers, 9 bodies. kube's own log stays off
    /// below 9, because it prints whole bodies as warnings.
    pub fn log(&self) {
        let level = match self.verbosity {
            0 | 1 => return,
            2..=5 => "connect=info",
            6..=7 => "connect=debug",
            8 => "connect=trace,connect::body=off",
            _ => "connect=trace",
        };
        let own = level.replace("connect", "connect_core");
        let filter = tracing_subscriber::EnvFilter::new(format!("off,{level},{own}"));
        let _ = tracing_subscriber::fmt().with_env_filter(filter).with_writer(anstream::stderr).with_target(false).try_init();
    }

    /// Prints a message to stderr.
    pub fn say(&self, line: impl AsRef<str>) {
        if self.quiet {
            return;
        }
        let line = &*self.worded(line.as_ref());
        if self.progress == ProgressForm::Json {
            // With JSON progress, every line must be JSON.
            let event = serde_json::json!({"event": "note", "message": line.trim()});
            let _ = writeln!(anstream::stderr(), "{event}");
        } else {
            let _ = writeln!(anstream::stderr(), "{line}");
        }
    }

    /// Translates suggested commands in a text.
    fn worded<'a>(&self, text: &'a str) -> std::borrow::Cow<'a, str> {
        match self.wording {
            Some(Wording { reword, cluster }) => reword(text, cluster).into(),
            None => text.into(),
        }
    }

    /// Translates suggested commands in all texts of a value.
    fn worded_within(&self, value: &mut serde_json::Value) {
        match value {
            serde_json::Value::String(text) => *text = self.worded(text).into_owned(),
            serde_json::Value::Array(items) => items.iter_mut().for_each(|item| self.worded_within(item)),
            serde_json::Value::Object(fields) => {
                let advice = fields
                    .iter_mut()
                    .filter(|(key, value)| matches!(key.as_str(), "fix" | "fixes" | "remedy" | "message" | "why") || !value.is_string());
                advice.for_each(|(_, value)| self.worded_within(value));
            }
            _ => {}
        }
    }

    /// Receiver of the engine's events: a live display on a terminal, plain lines otherwise.
    pub fn progress(&self) -> Progress {
        Progress::new(self.quiet, self.progress)
    }

    /// Shows a plan.
    pub fn plan(&self, plan: &Plan) {
        self.say(plan::render(plan, page::width(Stream::Err)));
    }

    /// A plan as text, for stdout.
    pub fn plan_text(&self, plan: &Plan) -> String {
        plan::render(plan, page::width(Stream::Out))
    }

    /// An empty page for stdout.
    pub fn page(&self) -> Page {
        Page::new(page::width(Stream::Out))
    }

    /// The parts of a connection as a tree for stdout, with one branch per side.
    pub fn tree(&self, title: &str, sides: &[(&str, Vec<Part>)]) -> String {
        parts::tree(title, sides, page::width(Stream::Out))
    }

    /// The parts of a connection as a list.
    pub fn parts(&self, page: &mut Page, parts: &[Part]) {
        parts::list(page, parts);
    }

    /// Checks as text for stdout; `-o short` omits successful ones.
    pub fn checks_text(&self, title: &str, checks: &[Shown<'_>]) -> String {
        checks::render(title, checks, self.format == Format::Short, page::width(Stream::Out))
    }

    /// Prints the checks of a proof besides another result.
    pub fn proof(&self, checks: &[Shown<'_>]) {
        self.say(checks::render_proof(checks, page::width(Stream::Err)).trim_end());
    }

    /// Prints the subject of a command: headings with values.
    pub fn heads(&self, pairs: &[(&str, String)]) {
        self.say(page::heads(pairs, page::width(Stream::Err)));
    }

    /// A value as YAML.
    pub fn yaml(&self, value: &serde_json::Value) -> String {
        output::yaml(value)
    }

    /// Prints an error: what failed, why, how to fix it, code and request ids.
    pub fn problem(&self, problem: &Problem) {
        if self.progress == ProgressForm::Json && !self.errors_for_programs_only {
            let mut event = self.problem_json(problem);
            event["event"] = "failed".into();
            let _ = writeln!(anstream::stderr(), "{event}");
        } else if !self.errors_for_programs_only {
            let _ = write!(anstream::stderr(), "{}", self.worded(&problem::render(problem, self.verbosity >= 4, page::width_for_errors())));
        }
        if self.errors_for_programs_only || matches!(self.format, Format::Json) {
            // Scripts that request JSON get the error as JSON too.
            output::print_json(&self.problem_json(problem));
        }
    }

    fn problem_json(&self, problem: &Problem) -> serde_json::Value {
        let mut value = problem::to_json(problem);
        self.worded_within(&mut value);
        value
    }
}
