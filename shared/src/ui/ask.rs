//! Questions to the person at the terminal: yes or no, a line, a choice from a list. Nothing is asked where nobody can
//! answer. The wait is off the runtime's threads, so that Ctrl-C ends it as it ends everything else.

use std::io::{BufRead, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use dialoguer::FuzzySelect;
use dialoguer::console::Term;
use dialoguer::theme::{ColorfulTheme, SimpleTheme, Theme};

use super::Ui;
use crate::model::{Kind, Problem, Result};

/// Rows of a list that are shown at once.
const ROWS: usize = 10;

/// Whether an answer is being waited for.
static ASKING: AtomicBool = AtomicBool::new(false);

/// Whether an answer is being waited for: what is interrupted then has done nothing yet.
pub fn is_asking() -> bool {
    ASKING.load(Ordering::SeqCst)
}

/// Gives the terminal back as it was: a list that is left by Ctrl-C leaves its cursor hidden.
pub fn restore_terminal() {
    let term = Term::stderr();
    if term.is_term() {
        let _ = term.show_cursor();
        let _ = term.write_line("");
    }
}

/// Asks on a thread of its own. It stays behind when the command is interrupted; the process doesn't wait for it.
async fn wait_for<T: Send + 'static>(question: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    ASKING.store(true, Ordering::SeqCst);
    let answer = tokio::task::spawn_blocking(question).await.ok();
    ASKING.store(false, Ordering::SeqCst);
    answer
}

/// Ended by the person: by Esc, Ctrl-D or Ctrl-C.
fn left() -> Problem {
    Problem::new(Kind::Interrupted, "KC1011", "no answer: nothing was changed")
}

impl Ui {
    /// Whether a person sits at both ends.
    pub fn is_interactive(&self) -> bool {
        !self.no_input && std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
    }

    /// Asks; only `y` and `yes` are a yes.
    ///
    /// # Errors
    /// Nobody is there to answer: names the flag that answers.
    pub async fn confirm(&self, question: &str, flag: &str) -> Result<bool> {
        if !self.is_interactive() {
            return Err(Problem::new(Kind::Usage, "KC1007", format!("{flag} is needed where nobody can be asked"))
                .why("this is not a terminal, so the plan above can't be confirmed")
                .fix(format!("run the same command with {flag}")));
        }
        Ok(matches!(self.line(question).await?.to_ascii_lowercase().as_str(), "y" | "yes"))
    }

    /// Asks for a word to be typed; anything else is a no.
    ///
    /// # Errors
    /// Nobody is there to answer: names the flag that answers.
    pub async fn confirm_by_typing(&self, word: &str, question: &str, flag: &str) -> Result<bool> {
        if !self.is_interactive() {
            return self.confirm(question, flag).await;
        }
        Ok(self.line(question).await? == word)
    }

    /// Asks for a line, on a terminal.
    ///
    /// # Errors
    /// The input ends.
    pub async fn line(&self, question: &str) -> Result<String> {
        let mut stderr = anstream::stderr();
        let _ = write!(stderr, "{question} ");
        let _ = stderr.flush();
        let read = || {
            let mut line = String::new();
            std::io::stdin().lock().read_line(&mut line).map(|bytes| (bytes, line))
        };
        match wait_for(read).await {
            Some(Ok((bytes, line))) if bytes > 0 => Ok(line.trim().to_owned()),
            _ => {
                let _ = writeln!(stderr);
                Err(left())
            }
        }
    }

    /// Has one of several things chosen, on a terminal: typing narrows the list, the first is the best guess. Each is a
    /// name and a word about it.
    ///
    /// # Errors
    /// The person leaves without a choice.
    pub async fn pick(&self, question: &str, choices: &[(String, String)]) -> Result<usize> {
        let width = choices.iter().map(|(name, _)| name.chars().count()).max().unwrap_or_default();
        let rows: Vec<String> = choices.iter().map(|(name, about)| format!("{name:width$}  {about}").trim_end().to_owned()).collect();
        let colour = !matches!(anstream::AutoStream::choice(&std::io::stderr()), anstream::ColorChoice::Never);
        let question = question.to_owned();
        let ask = move || {
            let theme: &dyn Theme = if colour { &ColorfulTheme::default() } else { &SimpleTheme };
            FuzzySelect::with_theme(theme)
                .with_prompt(question)
                .items(&rows)
                .default(0)
                .max_length(ROWS)
                .highlight_matches(colour)
                .interact_on_opt(&Term::stderr())
        };
        match wait_for(ask).await {
            Some(Ok(Some(chosen))) => Ok(chosen),
            _ => Err(left()),
        }
    }
}
