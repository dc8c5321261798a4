//! The only room that prints. Results go to stdout, everything else to stderr; one place decides colour, quiet and form.

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

/// When to colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Colour {
    /// On a terminal, unless NO_COLOR or TERM=dumb says no or CLICOLOR_FORCE says yes.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// How this run talks.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ui {
    /// Form of the result.
    pub format: Format,
    /// Only results and errors.
    pub quiet: bool,
    /// `-v N`, as kubectl counts.
    pub verbosity: u8,
    /// No column heads.
    pub no_headers: bool,
    /// Never ask.
    pub no_input: bool,
    /// How progress is told.
    pub progress: ProgressForm,
    /// Errors go to stdout as JSON and nowhere else: az's extension tells them in az's way.
    pub errors_for_programs_only: bool,
    /// How advice is worded where the user did not come through kubectl.
    pub wording: Option<Wording>,
}

/// What becomes of advice before it is printed: commands in it are completed, or said in another program's words.
#[derive(Clone, Copy)]
pub struct Wording(&'static (dyn Fn(&str) -> String + Sync));

impl Wording {
    /// Wording by this function.
    pub fn new(reword: &'static (dyn Fn(&str) -> String + Sync)) -> Wording {
        Wording(reword)
    }
}

impl std::fmt::Debug for Wording {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Wording")
    }
}

impl Ui {
    /// Decides colour for both streams of the process.
    pub fn colour(colour: Colour) {
        match colour {
            Colour::Auto => {}
            Colour::Always => anstream::ColorChoice::Always.write_global(),
            Colour::Never => anstream::ColorChoice::Never.write_global(),
        }
    }

    /// Sends the log to stderr: 2 shows decisions, 6 requests, 8 headers, 9 bodies. kube's own log stays off below 9,
    /// because it prints whole bodies at its warning level.
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

    /// A line of talk.
    pub fn say(&self, line: impl AsRef<str>) {
        if self.quiet {
            return;
        }
        let line = &*self.worded(line.as_ref());
        if self.progress == ProgressForm::Json {
            // Whoever reads progress as JSON reads every line so.
            let event = serde_json::json!({"event": "note", "message": line.trim()});
            let _ = writeln!(anstream::stderr(), "{event}");
        } else {
            let _ = writeln!(anstream::stderr(), "{line}");
        }
    }

    /// Advice in the words of whoever reads it.
    fn worded<'a>(&self, text: &'a str) -> std::borrow::Cow<'a, str> {
        match self.wording {
            Some(Wording(reword)) => reword(text).into(),
            None => text.into(),
        }
    }

    /// Every advice within a value, so worded.
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

    /// Where the engine's events go: a live display on a terminal, plain lines elsewhere.
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

    /// Parts of a connection as a tree, for stdout, each side a branch.
    pub fn tree(&self, title: &str, sides: &[(&str, Vec<Part>)]) -> String {
        parts::tree(title, sides, page::width(Stream::Out))
    }

    /// Parts of a connection, one below the other.
    pub fn parts(&self, page: &mut Page, parts: &[Part]) {
        parts::list(page, parts);
    }

    /// Checks as text, for stdout; `-o short` leaves out what is well.
    pub fn checks_text(&self, title: &str, checks: &[Shown<'_>]) -> String {
        checks::render(title, checks, self.format == Format::Short, page::width(Stream::Out))
    }

    /// Shows the checks of a proof beside another result.
    pub fn proof(&self, checks: &[Shown<'_>]) {
        self.say(checks::render_proof(checks, page::width(Stream::Err)).trim_end());
    }

    /// Shows what a command is about: heads with their values.
    pub fn heads(&self, pairs: &[(&str, String)]) {
        self.say(page::heads(pairs, page::width(Stream::Err)));
    }

    /// A value as YAML.
    pub fn yaml(&self, value: &serde_json::Value) -> String {
        output::yaml(value)
    }

    /// Shows an error: what, why, what to do, code and request ids.
    pub fn problem(&self, problem: &Problem) {
        if self.progress == ProgressForm::Json && !self.errors_for_programs_only {
            let mut event = self.problem_json(problem);
            event["event"] = "failed".into();
            let _ = writeln!(anstream::stderr(), "{event}");
        } else if !self.errors_for_programs_only {
            let _ = write!(anstream::stderr(), "{}", self.worded(&problem::render(problem, self.verbosity >= 4, page::width_for_errors())));
        }
        if self.errors_for_programs_only || matches!(self.format, Format::Json) {
            // Scripts that asked for JSON get the error in the same form.
            output::print_json(&self.problem_json(problem));
        }
    }

    fn problem_json(&self, problem: &Problem) -> serde_json::Value {
        let mut value = problem::to_json(problem);
        self.worded_within(&mut value);
        value
    }
}
