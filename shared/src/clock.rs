//! Time: the one place that reads the clock, and the one that waits. Every wait says through [`Wait`] what is waited for
//! and since when, so that no run is silent for longer than a second without a reason that the user can read.

use std::future::Future;
use std::pin::pin;
use std::time::{Duration, Instant};

use tokio::time::{sleep, timeout};

use crate::model::{Event, Events};

/// A wait that ends within this time is not worth a message.
const WORTH_SAYING: Duration = Duration::from_secs(1);
/// How often a wait is told again. The display decides which of these messages it shows.
const AGAIN: Duration = Duration::from_secs(5);

/// The current time in UTC.
pub fn now() -> jiff::Timestamp {
    jiff::Timestamp::now()
}

/// The current time as records keep it, RFC 3339.
pub fn stamp() -> String {
    now().to_string()
}

/// A pause that nobody waits for: of a task in the background, or between two watches. A test names the files that may
/// pause so.
pub async fn rest(length: Duration) {
    sleep(length).await;
}

/// A pause of a known length, announced by a note; for waits that belong to no step.
pub async fn announced(events: &Events, note: String, length: Duration) {
    events.say(Event::Note(note));
    sleep(length).await;
}

/// A wait for something that this process can't speed up. The display of the wait ends when this value is dropped.
pub struct Wait<'a> {
    events: &'a Events,
    id: String,
    why: String,
    began: Instant,
    said: bool,
}

impl<'a> Wait<'a> {
    /// A wait that begins now. `id` is the id of the step that waits, or any word where no step waits; `why` says what
    /// is waited for: `waiting for Entra to know the new trust`.
    pub fn new(events: &'a Events, id: impl Into<String>, why: impl Into<String>) -> Self {
        Wait { events, id: id.into(), why: why.into(), began: Instant::now(), said: false }
    }

    /// The same wait, as part of something that began before.
    #[must_use]
    pub fn since(mut self, began: Instant) -> Self {
        self.began = began;
        self
    }

    /// How long the wait has lasted.
    pub fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// Says at once what is waited for by now.
    pub fn say(&mut self, why: impl Into<String>) {
        self.why = why.into();
        self.tell();
    }

    /// Waits for `length`. The message comes first, so that the user reads it during the wait.
    pub async fn pause(&mut self, length: Duration) {
        if self.elapsed() + length >= WORTH_SAYING {
            self.tell();
        }
        self.during(sleep(length)).await;
    }

    /// Waits until `work` ends.
    pub async fn during<T>(&mut self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        let mut quiet = if self.said { AGAIN } else { WORTH_SAYING.saturating_sub(self.elapsed()) };
        loop {
            if let Ok(ended) = timeout(quiet, &mut work).await {
                return ended;
            }
            self.tell();
            quiet = AGAIN;
        }
    }

    /// Asks `probe` until it has an answer, with a pause of `every` between two questions. `None` if there is no answer
    /// once `limit` is over.
    pub async fn until<T, F>(&mut self, limit: Duration, every: Duration, mut probe: impl FnMut() -> F) -> Option<T>
    where
        F: Future<Output = Option<T>>,
    {
        loop {
            if let Some(answer) = probe().await {
                return Some(answer);
            }
            if self.elapsed() + every > limit {
                return None;
            }
            self.pause(every).await;
        }
    }

    fn tell(&mut self) {
        self.said = true;
        self.events.say(Event::Waiting { id: self.id.clone(), why: self.why.clone(), waited: self.elapsed() });
    }
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        if self.said {
            self.events.say(Event::Resumed { id: std::mem::take(&mut self.id) });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    fn remembered() -> (Events, Arc<Mutex<Vec<String>>>) {
        let told: Arc<Mutex<Vec<String>>> = Arc::default();
        let sink = told.clone();
        let events = Events::new(move |event| {
            sink.lock().unwrap().push(match event {
                Event::Waiting { id, why, waited } => format!("{id}: {why}, {} s", waited.as_secs()),
                Event::Resumed { id } => format!("{id} goes on"),
                other => format!("{other:?}"),
            });
        });
        (events, told)
    }

    #[tokio::test]
    async fn a_wait_of_over_a_second_is_told_with_what_and_since_when() {
        let (events, told) = remembered();
        let mut wait = Wait::new(&events, "identity", "waiting for the directory");
        wait.pause(Duration::from_millis(300)).await;
        assert!(told.lock().unwrap().is_empty(), "nobody needs to read of less than a second");
        wait.pause(Duration::from_millis(800)).await;
        wait.pause(Duration::ZERO).await;
        drop(wait);
        let line = |seconds: u32| format!("identity: waiting for the directory, {seconds} s");
        assert_eq!(*told.lock().unwrap(), [line(0), line(1), "identity goes on".into()]);
    }

    #[tokio::test]
    async fn work_that_takes_long_is_told_after_a_second() {
        let (events, told) = remembered();
        assert_eq!(Wait::new(&events, "az", "waiting for az").during(async { 1 }).await, 1);
        assert!(told.lock().unwrap().is_empty());
        Wait::new(&events, "az", "waiting for az").during(sleep(Duration::from_millis(1200))).await;
        assert_eq!(*told.lock().unwrap(), ["az: waiting for az, 1 s", "az goes on"]);
    }

    #[tokio::test]
    async fn a_probe_is_asked_until_it_answers_or_the_time_is_over() {
        let events = Events::silent();
        let asked = std::cell::Cell::new(0);
        let third = || {
            asked.set(asked.get() + 1);
            let answer = (asked.get() == 3).then_some("there");
            async move { answer }
        };
        let (limit, every) = (Duration::from_millis(50), Duration::from_millis(1));
        assert_eq!(Wait::new(&events, "x", "").until(limit, every, third).await, Some("there"));
        assert_eq!(Wait::new(&events, "x", "").until(limit, every, || async { None::<()> }).await, None);
    }
}
