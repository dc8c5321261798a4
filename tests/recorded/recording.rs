//! A recording, and the calls of a client that gets the same answers by ARM's contract.
//!
//! This is derived only from the recorded answers and the rules of the contract, not from the client: two independent
//! implementations that must agree.

use std::path::Path;

use serde_json::Value;
use stand_in::http::{parse_pairs, percent_decode};

/// One recorded request with its answer.
#[derive(Clone, Debug)]
pub struct Exchange {
    pub index: u64,
    pub method: String,
    pub uri: String,
    pub sent: Value,
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Value,
}

/// A call of the client, by positions of exchanges.
#[derive(Clone, Debug)]
pub enum Step {
    /// One resource.
    Read { at: usize },
    /// A collection with all its pages.
    List { pages: Vec<usize> },
    /// A write that is refused until its references are known everywhere; the last answer is another one.
    Patient { tries: Vec<usize> },
    /// A write, the polls until it is finished, and the read of its result.
    Write { at: usize, polls: Vec<usize>, result: Option<usize> },
}

/// One cassette.
pub struct Recording {
    pub name: String,
    exchanges: Vec<Exchange>,
    pub steps: Vec<Step>,
    /// Exchanges that can't be replayed: their polls or results were cut, or the client repeats such an answer.
    pub left_out: usize,
}

impl Step {
    /// The exchange with which the client begins.
    pub fn first(&self) -> usize {
        match self {
            Step::Read { at } | Step::Write { at, .. } => *at,
            Step::List { pages: all } | Step::Patient { tries: all } => all[0],
        }
    }

    /// All exchanges, in the client's order.
    pub fn exchanges(&self) -> Vec<usize> {
        match self {
            Step::Read { at } => vec![*at],
            Step::List { pages: all } | Step::Patient { tries: all } => all.clone(),
            Step::Write { at, polls, result } => [*at].into_iter().chain(polls.iter().copied()).chain(*result).collect(),
        }
    }
}

impl Exchange {
    fn read(value: &Value, index: u64) -> Self {
        let (request, response) = (&value["request"], &value["response"]);
        let text = |value: &Value| value.as_str().or_else(|| value[0].as_str()).unwrap_or_default().to_owned();
        let headers = response["headers"].as_object().into_iter().flatten();
        Self {
            index: value["index"].as_u64().unwrap_or(index),
            method: text(&request["method"]),
            uri: text(&request["uri"]),
            sent: request["body"].clone(),
            status: response["status"].as_u64().or(value["status"].as_u64()).unwrap() as u16,
            headers: headers.map(|(name, value)| (name.to_ascii_lowercase(), text(value))).collect(),
            body: response["body"].clone(),
        }
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Path, version and query, as the client takes them.
    pub fn question(&self) -> (String, String, Vec<(String, String)>) {
        let (path, query) = split(&self.uri);
        let mut pairs = parse_pairs(&query);
        let version = pairs.iter().position(|(name, _)| name == "api-version").map(|at| pairs.remove(at).1);
        (percent_decode(&path), version.unwrap_or_default(), pairs)
    }

    fn is_write(&self) -> bool {
        self.method != "GET"
    }

    /// Whether the client repeats after such an answer; that is tested elsewhere.
    fn is_repeated(&self) -> bool {
        matches!(self.status, 401 | 408 | 429 | 500 | 502 | 503 | 504)
    }

    /// Whether a principal is not known yet.
    fn is_early(&self) -> bool {
        self.method == "PUT" && self.body["error"]["code"] == "PrincipalNotFound"
    }

    fn state(&self) -> Option<&str> {
        self.body.pointer("/properties/provisioningState").and_then(Value::as_str)
    }

    /// The status in an operation's answer.
    pub fn word(&self) -> Option<&str> {
        self.body["status"].as_str().or_else(|| self.state())
    }
}

fn split(uri: &str) -> (String, String) {
    // Some were recorded at a regional host; ARM is the same behind both.
    let rest = uri.split_once("management.azure.com").map_or(uri, |(_, rest)| rest);
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    (path.to_owned(), query.to_owned())
}

/// The normal form of a URL for comparisons: percent-encoding, case of the path and order of the query are ignored.
/// So is the signature that every poll renews: the recorded client kept its first one, the product uses the newest.
pub fn address(uri: &str) -> (String, Vec<(String, String)>) {
    let (path, query) = split(uri);
    let mut pairs = parse_pairs(&query);
    pairs.retain(|(name, _)| !["t", "c", "s", "h"].contains(&name.as_str()));
    pairs.sort();
    (percent_decode(&path).to_ascii_lowercase(), pairs)
}

pub fn is_good(word: &str) -> bool {
    word.eq_ignore_ascii_case("succeeded")
}

pub fn is_bad(word: &str) -> bool {
    ["failed", "canceled", "cancelled"].contains(&word.to_ascii_lowercase().as_str())
}

impl Recording {
    /// All cassettes of a file. The list of errors has no cassettes: each error is one.
    pub fn load(file: &Path) -> Vec<Recording> {
        let all: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
        if let Some(errors) = all["errors"].as_array() {
            return errors.iter().enumerate().map(|(n, one)| Self::of(&one["source"], std::slice::from_ref(one), n)).collect();
        }
        all["recordings"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| Self::of(&one["source"], one["interactions"].as_array().unwrap(), 0))
            .collect()
    }

    fn of(source: &Value, interactions: &[Value], first: usize) -> Self {
        let name = source.as_str().unwrap_or_default().rsplit('/').next().unwrap_or_default().to_owned();
        let read = |(at, one): (usize, &Value)| Exchange::read(one, (first + at) as u64);
        let exchanges: Vec<Exchange> = interactions.iter().enumerate().map(read).collect();
        let mut recording = Self { name, exchanges, steps: Vec::new(), left_out: 0 };
        recording.plan();
        recording
    }

    pub fn exchange(&self, at: usize) -> &Exchange {
        &self.exchanges[at]
    }

    fn plan(&mut self) {
        let mut at = 0;
        let mut taken = vec![false; self.exchanges.len()];
        while at < self.exchanges.len() {
            let one = &self.exchanges[at];
            let known = ["GET", "PUT", "PATCH", "POST", "DELETE"].contains(&one.method.as_str());
            if taken[at] {
                at += 1;
                continue;
            }
            // All types that the product uses answer with JSON.
            let text = one.status < 400 && one.body.is_string();
            let broken = one.question().0.contains("//");
            let step = if !known || text || broken || one.is_repeated() {
                None
            } else if one.is_early() {
                Some(self.patient(at))
            } else if one.is_write() {
                self.write(at)
            } else {
                self.look(at)
            };
            match step {
                Some(step) => {
                    step.exchanges().iter().for_each(|one| taken[*one] = true);
                    self.steps.push(step);
                }
                None => self.left_out += 1,
            }
            at += 1;
        }
    }

    /// The next read of a URL before the next write.
    fn next(&self, after: usize, uri: &str) -> Option<usize> {
        let wanted = address(uri);
        let rest = self.exchanges.iter().enumerate().skip(after + 1);
        rest.take_while(|(_, one)| !one.is_write()).find(|(_, one)| address(&one.uri) == wanted).map(|(at, _)| at)
    }

    fn look(&self, at: usize) -> Option<Step> {
        let one = &self.exchanges[at];
        // A poll whose write is left out.
        if one.status == 202 || self.is_poll(&one.uri) {
            return None;
        }
        if one.status != 200 || !one.body["value"].is_array() {
            return Some(Step::Read { at });
        }
        let mut pages = vec![at];
        while let Some(next) = self.exchanges[pages[pages.len() - 1]].body["nextLink"].as_str().filter(|link| !link.is_empty()) {
            pages.push(self.next(pages[pages.len() - 1], next)?);
        }
        Some(Step::List { pages })
    }

    fn is_poll(&self, uri: &str) -> bool {
        let names = ["azure-asyncoperation", "operation-location"];
        self.exchanges.iter().any(|one| names.iter().any(|name| one.header(name).is_some_and(|url| address(url) == address(uri))))
    }

    fn patient(&self, at: usize) -> Step {
        let mut tries = vec![at];
        let same = |next: &Exchange| next.is_write() && address(&next.uri) == address(&self.exchanges[at].uri);
        while let Some(next) = tries.last().map(|last| last + 1).filter(|_| self.exchanges[tries[tries.len() - 1]].is_early())
            && self.exchanges.get(next).is_some_and(same)
        {
            tries.push(next);
        }
        Step::Patient { tries }
    }

    fn write(&self, at: usize) -> Option<Step> {
        let one = &self.exchanges[at];
        // The client sends no other query with writes.
        if !one.question().2.is_empty() {
            return None;
        }
        let replaces = ["PUT", "PATCH"].contains(&one.method.as_str());
        let done = Step::Write { at, polls: Vec::new(), result: None };
        if one.status >= 400 {
            return Some(done);
        }
        let location = one.header("location");
        let watched = one.header("azure-asyncoperation").or(one.header("operation-location"));
        match (watched, one.status, location) {
            (Some(url), _, _) => self.operation(at, url, location),
            (None, 202, Some(url)) => self.location(at, url),
            (None, 202, None) if one.method == "POST" => Some(done),
            (None, status, _) if status == 202 || (replaces && one.state().is_some_and(|word| !is_good(word) && !is_bad(word))) => {
                self.resource(at)
            }
            _ => Some(done),
        }
    }

    fn operation(&self, at: usize, url: &str, location: Option<&str>) -> Option<Step> {
        let one = &self.exchanges[at];
        let (mut url, mut location) = (url.to_owned(), location.map(str::to_owned));
        // Some name the resource itself; then only its provisioningState counts.
        let itself = address(&url).0 == address(&one.uri).0;
        let (mut polls, mut last) = (Vec::new(), at);
        loop {
            last = self.next(last, &url)?;
            polls.push(last);
            let poll = &self.exchanges[last];
            if poll.is_repeated() {
                return None;
            }
            url = poll.header("azure-asyncoperation").unwrap_or(&url).to_owned();
            location = poll.header("location").map(str::to_owned).or(location);
            let word = if itself { Some(poll.state().unwrap_or("succeeded")) } else { poll.word() };
            match word {
                _ if poll.status >= 400 => break,
                Some(word) if is_bad(word) => break,
                Some(word) if is_good(word) => {
                    let result = match (one.method.as_str(), &location) {
                        ("PUT" | "PATCH", _) => Some(self.next(last, &one.uri)?),
                        ("POST", Some(url)) => Some(self.next(last, url)?),
                        _ => None,
                    };
                    return Some(Step::Write { at, polls, result });
                }
                _ => {}
            }
        }
        Some(Step::Write { at, polls, result: None })
    }

    fn location(&self, at: usize, url: &str) -> Option<Step> {
        let one = &self.exchanges[at];
        let (mut polls, mut last, mut url) = (Vec::new(), at, url.to_owned());
        loop {
            last = self.next(last, &url)?;
            polls.push(last);
            let poll = &self.exchanges[last];
            if poll.status != 202 {
                let reads = ["PUT", "PATCH"].contains(&one.method.as_str()) && poll.status < 400;
                let result = if reads { Some(self.next(last, &one.uri)?) } else { None };
                return Some(Step::Write { at, polls, result });
            }
            url = poll.header("location").unwrap_or(&url).to_owned();
        }
    }

    fn resource(&self, at: usize) -> Option<Step> {
        let one = &self.exchanges[at];
        let (mut polls, mut last) = (Vec::new(), at);
        loop {
            last = self.next(last, &one.uri)?;
            polls.push(last);
            let poll = &self.exchanges[last];
            let ended = match one.method.as_str() {
                "DELETE" => poll.status == 404 || poll.state().is_some_and(is_bad),
                _ => poll.status >= 400 || poll.state().is_none_or(|word| is_good(word) || is_bad(word)),
            };
            if ended {
                return Some(Step::Write { at, polls, result: None });
            }
        }
    }
}
