//! Progress: on a terminal a live line per running step; otherwise a plain line per finished step, and one for each
//! long wait.

use std::collections::HashMap;
use std::io::{IsTerminal, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use anstyle::{AnsiColor, Style};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use super::page::{self, Page, Stream};
use crate::model::{ConnectionKey, Event, Events};

/// The live displays of this process, which must not overwrite the message about Ctrl-C.
static DISPLAYS: Mutex<Vec<Weak<Mutex<Display>>>> = Mutex::new(Vec::new());

/// Interval for repeating what is waited for, without a live display.
const REMIND: Duration = Duration::from_secs(10);

/// Form of progress messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ProgressForm {
    /// Live on a terminal, plain lines otherwise.
    #[default]
    Auto,
    /// Plain lines everywhere.
    Plain,
    /// One JSON object per line, for programs with their own display.
    Json,
}

/// Progress of one command.
#[derive(Clone)]
pub struct Progress(Arc<Mutex<Display>>);

/// What one line of the display is about: a step of a connection. Two connections have steps of the same ids.
type Line = (Option<ConnectionKey>, String);

struct Display {
    quiet: bool,
    json: bool,
    live: Option<MultiProgress>,
    bars: HashMap<Line, ProgressBar>,
    doing: HashMap<Line, String>,
    reminded: HashMap<Line, (String, Instant)>,
}

impl Progress {
    pub(super) fn new(quiet: bool, form: ProgressForm) -> Self {
        let live = (!quiet && form == ProgressForm::Auto && std::io::stderr().is_terminal()).then(MultiProgress::new);
        let json = form == ProgressForm::Json;
        let display = Display { quiet, json, live, bars: HashMap::new(), doing: HashMap::new(), reminded: HashMap::new() };
        let progress = Progress(Arc::new(Mutex::new(display)));
        let mut displays = locked(&DISPLAYS);
        displays.retain(|display| display.strong_count() > 0);
        displays.push(Arc::downgrade(&progress.0));
        drop(displays);
        progress
    }

    /// The receiver of events.
    pub fn events(&self) -> Events {
        let display = self.0.clone();
        Events::by_connection(move |connection, event| locked(&display).show(connection, event))
    }

    /// Removes the live display before something else is printed.
    pub fn clear(&self) {
        let mut display = locked(&self.0);
        for (_, bar) in display.bars.drain() {
            bar.finish_and_clear();
        }
    }
}

fn locked<T>(held: &Mutex<T>) -> MutexGuard<'_, T> {
    held.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Reports that Ctrl-C was noticed while a step is running.
pub fn interrupted() {
    const TEXT: &str = "interrupted: waiting for the running step; Ctrl-C again stops now";
    let displays: Vec<_> = locked(&DISPLAYS).iter().filter_map(Weak::upgrade).collect();
    let busy = displays.iter().find(|display| !locked(display).bars.is_empty()).or_else(|| displays.last());
    match busy {
        Some(display) => locked(display).interrupted(TEXT),
        None => {
            let _ = writeln!(anstream::stderr(), "{TEXT}");
        }
    }
}

impl Display {
    /// The terminal prints `^C` after the last live line. As that line is as wide as the terminal, the cursor is then
    /// one line lower than the display assumes. Moving it back lets the display clear its lines.
    fn interrupted(&self, text: &str) {
        if self.json {
            let _ = writeln!(anstream::stderr(), "{}", as_json(None, &Event::Note(text.into())));
            return;
        }
        if cfg!(unix) && self.live.is_some() && !self.bars.is_empty() {
            let _ = write!(std::io::stderr(), "\r\x1b[2K\x1b[1A");
        }
        self.line(text);
    }

    fn show(&mut self, connection: Option<&ConnectionKey>, event: Event) {
        let warning = matches!(event, Event::Warning(_));
        if self.quiet && !warning {
            return;
        }
        let line = |id: &str| (connection.cloned(), id.to_owned());
        if self.json {
            let is_shown = match &event {
                Event::Waiting { id, why, .. } => self.is_due(&line(id), why, true),
                // Programs see the end of a wait in what the step does next.
                Event::Resumed { .. } => false,
                _ => true,
            };
            if is_shown {
                let _ = writeln!(anstream::stderr(), "{}", as_json(connection, &event));
            }
            return;
        }
        let colour = |c: AnsiColor| Style::new().fg_color(Some(c.into()));
        match event {
            Event::Started { id, doing } => {
                self.doing.insert(line(&id), doing.clone());
                self.spin(&line(&id), doing);
            }
            Event::Waiting { id, why, waited } => self.wait(&line(&id), &why, waited),
            Event::Resumed { id } => self.resume(&line(&id)),
            Event::Finished { id, done, took } => {
                self.stop(&line(&id));
                let green = colour(AnsiColor::Green);
                self.line(&format!("  {green}✓{green:#} {done}  ({})", elapsed(took)));
            }
            Event::Failed { id, doing } => {
                self.stop(&line(&id));
                let red = colour(AnsiColor::Red);
                self.line(&format!("  {red}✗{red:#} {doing}"));
            }
            Event::Note(text) => self.told("  note: ", &text),
            Event::Warning(text) => {
                let yellow = colour(AnsiColor::Yellow);
                self.told(&format!("  {yellow}!{yellow:#} "), &text);
            }
        }
    }

    fn wait(&mut self, line: &Line, why: &str, waited: Duration) {
        if self.live.is_some() {
            let message = self.doing.get(line).map_or_else(|| why.to_owned(), |doing| format!("{doing}: {why}"));
            return self.spin(line, message);
        }
        if self.is_due(line, why, false) {
            self.line(&waiting(why, waited));
        }
    }

    /// Removes the text of a wait that is over, and its line if no step is running.
    fn resume(&mut self, line: &Line) {
        self.reminded.remove(line);
        match self.doing.get(line).cloned() {
            Some(doing) => self.spin(line, doing),
            None => self.stop(line),
        }
    }

    /// Whether to report a wait: the first time, again after a while, and, if every change counts, when it changes.
    fn is_due(&mut self, line: &Line, why: &str, every_change: bool) -> bool {
        let last = self.reminded.get(line);
        let due = last.is_none_or(|(said, at)| at.elapsed() >= REMIND || (every_change && said != why));
        if due {
            self.reminded.insert(line.clone(), (why.to_owned(), Instant::now()));
        }
        due
    }

    fn spin(&mut self, line: &Line, message: String) {
        let Some(live) = &self.live else { return };
        let bar = self.bars.entry(line.clone()).or_insert_with(|| {
            let bar = live.add(ProgressBar::new_spinner());
            if let Ok(style) = ProgressStyle::with_template("  {spinner} {wide_msg} {elapsed}") {
                bar.set_style(style);
            }
            bar.enable_steady_tick(Duration::from_millis(100));
            bar
        });
        bar.set_message(message);
    }

    fn stop(&mut self, line: &Line) {
        self.doing.remove(line);
        self.reminded.remove(line);
        if let Some(bar) = self.bars.remove(line) {
            bar.finish_and_clear();
        }
    }

    fn told(&self, lead: &str, text: &str) {
        let mut page = Page::new(page::width(Stream::Err));
        page.line(lead, text);
        self.line(page.into_text().trim_end());
    }

    fn line(&self, line: &str) {
        let print = || {
            let _ = writeln!(anstream::stderr(), "{line}");
        };
        match &self.live {
            Some(live) => live.suspend(print),
            None => print(),
        }
    }
}

/// What is waited for, with the time waited so far. A short wait needs no time.
fn waiting(why: &str, waited: Duration) -> String {
    let since = if waited >= REMIND { format!(", {}", elapsed(waited)) } else { String::new() };
    format!("  ◎ {why}{since}")
}

/// An event as JSON, with its connection.
fn as_json(connection: Option<&ConnectionKey>, event: &Event) -> Value {
    let mut value = match event {
        Event::Started { id, doing } => json!({"event": "started", "id": id, "message": doing}),
        Event::Waiting { id, why, waited } => json!({"event": "waiting", "id": id, "message": why, "seconds": waited.as_secs_f64()}),
        Event::Resumed { id } => json!({"event": "resumed", "id": id}),
        Event::Finished { id, done, took } => json!({"event": "finished", "id": id, "message": done, "seconds": took.as_secs_f64()}),
        Event::Failed { id, doing } => json!({"event": "failed", "id": id, "message": doing}),
        Event::Note(text) => json!({"event": "note", "message": text}),
        Event::Warning(text) => json!({"event": "warning", "message": text}),
    };
    if let Some(connection) = connection {
        value["connection"] = json!(connection.name);
        value["namespace"] = json!(connection.namespace);
    }
    value
}

/// Elapsed time: `0.3s`, `12s`, `3m52s`.
fn elapsed(took: Duration) -> String {
    match took.as_secs() {
        0..=9 => format!("{:.1}s", took.as_secs_f64()),
        s @ 10..=119 => format!("{s}s"),
        s => format!("{}m{:02}s", s / 60, s % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_for_programs_are_one_object_each() {
        let done = Event::Finished { id: "identity".into(), done: "identity made".into(), took: Duration::from_millis(1500) };
        assert_eq!(as_json(None, &done).to_string(), r#"{"event":"finished","id":"identity","message":"identity made","seconds":1.5}"#);
        assert_eq!(as_json(None, &Event::Note("x".into())).to_string(), r#"{"event":"note","message":"x"}"#);
    }

    #[test]
    fn events_for_programs_name_their_connection() {
        let waiting = Event::Waiting { id: "identity".into(), why: "waiting for az".into(), waited: Duration::from_secs(12) };
        let seen = as_json(Some(&ConnectionKey::new("shop", "orders")), &waiting);
        let expected = json!({"event": "waiting", "id": "identity", "message": "waiting for az", "seconds": 12.0,
            "connection": "orders", "namespace": "shop"});
        assert_eq!(seen, expected);
    }

    #[test]
    fn steps_of_the_same_id_in_two_connections_have_a_line_each() {
        let progress = Progress::new(false, ProgressForm::Plain);
        let events = progress.events();
        let [first, second] = ["orders", "stock"].map(|name| events.scoped(&ConnectionKey::new("shop", name)));
        let started = |doing: &str| Event::Started { id: "identity".into(), doing: doing.into() };
        first.say(started("creating identity id-orders"));
        second.say(started("creating identity id-stock"));
        let doing = || {
            let mut all: Vec<_> = locked(&progress.0).doing.values().cloned().collect();
            all.sort();
            all
        };
        assert_eq!(doing(), ["creating identity id-orders", "creating identity id-stock"]);
        first.say(Event::Waiting { id: "identity".into(), why: "waiting".into(), waited: Duration::ZERO });
        assert!(locked(&progress.0).is_due(&(Some(ConnectionKey::new("shop", "stock")), "identity".into()), "waiting", false));
        first.say(Event::Finished { id: "identity".into(), done: "identity id-orders created".into(), took: Duration::ZERO });
        assert_eq!(doing(), ["creating identity id-stock"], "the other connection's step is still at work");
    }

    #[test]
    fn a_long_wait_says_since_when() {
        assert_eq!(waiting("waiting for az", Duration::from_secs(2)), "  ◎ waiting for az");
        assert_eq!(waiting("waiting for az", Duration::from_secs(72)), "  ◎ waiting for az, 72s");
    }

    #[test]
    fn elapsed_times_are_short() {
        for (millis, text) in [(300, "0.3s"), (12_400, "12s"), (232_000, "3m52s")] {
            assert_eq!(elapsed(Duration::from_millis(millis)), text);
        }
    }
}
