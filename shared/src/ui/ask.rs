//! Questions to the user at the terminal: yes or no, a line, a choice from a list. Nothing is asked if nobody can
//! answer. Waiting happens outside the runtime's threads, so that Ctrl-C works during a question too.

use std::io::{BufRead, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use dialoguer::FuzzySelect;
use dialoguer::console::Term;
use dialoguer::theme::{ColorfulTheme, SimpleTheme, Theme};

use super::Ui;
use crate::model::{Kind, Problem, Result};

/// Number of visible rows of a list.
const ROWS: usize = 10;

/// Whether a question is waiting for its answer.
static ASKING: AtomicBool = AtomicBool::new(false);

/// Whether a question is waiting for its answer. A command that is interrupted then has not changed anything.
pub fn is_asking() -> bool {
    ASKING.load(Ordering::SeqCst)
}

/// Restores the terminal: a list that is left by Ctrl-C keeps the cursor hidden.
pub fn restore_terminal() {
    let term = Term::stderr();
    if term.is_term() {
        let _ = term.show_cursor();
        let _ = term.write_line("");
    }
}

/// Asks on a separate thread. If the command is interrupted, that thread is abandoned; the process does not wait for
/// it.
async fn wait_for<T: Send + 'static>(question: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    wait_unless(question, |_| false).await
}

/// Like [`wait_for`], but an answer for which `never` holds is not returned: something else ends the command.
async fn wait_unless<T: Send + 'static>(question: impl FnOnce() -> T + Send + 'static, never: impl Fn(&T) -> bool) -> Option<T> {
    ASKING.store(true, Ordering::SeqCst);
    let answer = tokio::task::spawn_blocking(question).await.ok();
    if answer.as_ref().is_some_and(never) {
        std::future::pending::<()>().await;
    }
    ASKING.store(false, Ordering::SeqCst);
    answer
}

/// The error if the user leaves a question with Esc, Ctrl-D or Ctrl-C.
fn left() -> Problem {
    Problem::new(Kind::Interrupted, "KC1011", "no answer: nothing was changed")
}

impl Ui {
    /// Whether the user is at a terminal, for input and output.
    pub fn is_interactive(&self) -> bool {
        !self.no_input && std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
    }

    /// Asks a yes-or-no question; only `y` and `yes` mean yes.
    ///
    /// # Errors
    /// If nobody can be asked: names the flag that replaces the answer.
    pub async fn confirm(&self, question: &str, flag: &str) -> Result<bool> {
        if !self.is_interactive() {
            return Err(Problem::new(Kind::Usage, "KC1007", format!("{flag} is required without a terminal"))
                .why("nobody can confirm the plan above")
                .fix(format!("run the same command with {flag}")));
        }
        Ok(matches!(self.line(question).await?.to_ascii_lowercase().as_str(), "y" | "yes"))
    }

    /// Asks the user to type a word; any other input means no.
    ///
    /// # Errors
    /// If nobody can be asked: names the flag that replaces the answer.
    pub async fn confirm_by_typing(&self, word: &str, question: &str, flag: &str) -> Result<bool> {
        if !self.is_interactive() {
            return self.confirm(question, flag).await;
        }
        Ok(self.line(question).await? == word)
    }

    /// Asks for a line, on a terminal.
    ///
    /// # Errors
    /// If the input ends.
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

    /// Lets the user choose from a list, on a terminal. Typing narrows the list, and the first entry is the best
    /// guess. Each entry is a name with a description.
    ///
    /// # Errors
    /// If the user leaves without a choice.
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
        // The list reads Ctrl-C as a key, passes it on as a signal, and ends. The signal ends the whole command, so the answer
        // must not overtake it.
        let is_passed_on = |answer: &dialoguer::Result<Option<usize>>| matches!(answer, Err(dialoguer::Error::IO(error)) if error.kind() == std::io::ErrorKind::Interrupted);
        match wait_unless(ask, is_passed_on).await {
            Some(Ok(Some(chosen))) => Ok(chosen),
            _ => Err(left()),
        }
    }
}
