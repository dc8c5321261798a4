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
use crate::model::{Event, Events};

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

struct Display {
    quiet: bool,
    json: bool,
    live: Option<MultiProgress>,
    bars: HashMap<String, ProgressBar>,
    doing: HashMap<String, (String, Instant)>,
    reminded: HashMap<String, (String, Instant)>,
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
        Events::new(move |event| locked(&display).show(event))
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
            let _ = writeln!(anstream::stderr(), "{}", as_json(&Event::Note(text.into())));
            return;
        }
        if cfg!(unix) && self.live.is_some() && !self.bars.is_empty() {
            let _ = write!(std::io::stderr(), "\r\x1b[2K\x1b[1A");
        }
        self.line(text);
    }

    fn show(&mut self, event: Event) {
        let warning = matches!(event, Event::Warning(_));
        if self.quiet && !warning {
            return;
        }
        if self.json {
            if matches!(&event, Event::Waiting { id, why } if !self.is_due(id, why, true)) {
                return;
            }
            let _ = writeln!(anstream::stderr(), "{}", as_json(&event));
            return;
        }
        let colour = |c: AnsiColor| Style::new().fg_color(Some(c.into()));
        match event {
            Event::Started { id, doing } => {
                self.doing.insert(id.clone(), (doing.clone(), Instant::now()));
                self.spin(&id, doing);
            }
            Event::Waiting { id, why } => self.wait(&id, &why),
            Event::Finished { id, done, took } => {
                self.stop(&id);
                let green = colour(AnsiColor::Green);
                self.line(&format!("  {green}✓{green:#} {done}  ({})", elapsed(took)));
            }
            Event::Failed { id, doing } => {
                self.stop(&id);
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

    fn wait(&mut self, id: &str, why: &str) {
        let doing = self.doing.get(id).cloned();
        if self.live.is_some() {
            return self.spin(id, doing.map_or_else(|| why.to_owned(), |(doing, _)| format!("{doing}: {why}")));
        }
        if self.is_due(id, why, false) {
            // A short wait needs no time.
            let since = doing.map(|(_, since)| since.elapsed()).filter(|took| *took >= REMIND);
            let since = since.map(|took| format!("  ({})", elapsed(took))).unwrap_or_default();
            self.line(&format!("  ◎ {why}{since}"));
        }
    }

    /// Whether to report a wait: the first time, again after a while, and, if every change counts, when it changes.
    fn is_due(&mut self, id: &str, why: &str, every_change: bool) -> bool {
        let last = self.reminded.get(id);
        let due = last.is_none_or(|(said, at)| at.elapsed() >= REMIND || (every_change && said != why));
        if due {
            self.reminded.insert(id.to_owned(), (why.to_owned(), Instant::now()));
        }
        due
    }

    fn spin(&mut self, id: &str, message: String) {
        let Some(live) = &self.live else { return };
        let bar = self.bars.entry(id.to_owned()).or_insert_with(|| {
            let bar = live.add(ProgressBar::new_spinner());
            if let Ok(style) = ProgressStyle::with_template("  {spinner} {wide_msg} {elapsed}") {
                bar.set_style(style);
            }
            bar.enable_steady_tick(Duration::from_millis(100));
            bar
        });
        bar.set_message(message);
    }

    fn stop(&mut self, id: &str) {
        self.doing.remove(id);
        self.reminded.remove(id);
        if let Some(bar) = self.bars.remove(id) {
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

/// An event as JSON.
fn as_json(event: &Event) -> Value {
    match event {
        Event::Started { id, doing } => json!({"event": "started", "id": id, "message": doing}),
        Event::Waiting { id, why } => json!({"event": "waiting", "id": id, "message": why}),
        Event::Finished { id, done, took } => json!({"event": "finished", "id": id, "message": done, "seconds": took.as_secs_f64()}),
        Event::Failed { id, doing } => json!({"event": "failed", "id": id, "message": doing}),
        Event::Note(text) => json!({"event": "note", "message": text}),
        Event::Warning(text) => json!({"event": "warning", "message": text}),
    }
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
        assert_eq!(as_json(&done).to_string(), r#"{"event":"finished","id":"identity","message":"identity made","seconds":1.5}"#);
        assert_eq!(as_json(&Event::Note("x".into())).to_string(), r#"{"event":"note","message":"x"}"#);
    }

    #[test]
    fn elapsed_times_are_short() {
        for (millis, text) in [(300, "0.3s"), (12_400, "12s"), (232_000, "3m52s")] {
            assert_eq!(elapsed(Duration::from_millis(millis)), text);
        }
    }
}
