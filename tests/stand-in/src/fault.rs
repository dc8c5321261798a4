//! Faults in transit, with descriptive names for tests.

/// What the client gets in place of the real answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// An error answer with this status, code and `Retry-After` seconds; the request is not carried out.
    Status(u16, String, Option<u64>),
    /// The connection is closed before anything is carried out.
    Reset,
    /// The request is carried out, then the connection is closed without an answer.
    ResetAfter,
    /// There is never an answer, and nothing is carried out.
    Hang,
    /// A proxy's HTML page with status 503; nothing is carried out.
    Html,
    /// The request is carried out, and the answer is cut in the middle.
    Truncated,
}

/// All kinds of faults that a client notices at once. [`Action::Hang`] is excluded, as it lasts until the client's
/// timeout.
pub fn every_kind() -> [Action; 7] {
    [
        Action::Status(500, "InternalServerError".into(), None),
        Action::Status(429, "TooManyRequests".into(), Some(0)),
        Action::Status(409, "Conflict".into(), None),
        Action::Reset,
        Action::ResetAfter,
        Action::Html,
        Action::Truncated,
    ]
}

/// Which requests fail, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Only this method; any if absent.
    pub method: Option<String>,
    /// Part of the path, ignoring case.
    pub path_contains: String,
    /// Part of the host.
    pub host_contains: String,
    /// How many requests fail.
    pub times: usize,
    /// How many matching requests succeed first.
    pub skip: usize,
    /// The fault.
    pub action: Action,
}

impl Fault {
    /// Lets the next request fail; the methods below narrow that.
    #[must_use]
    pub fn new(action: Action) -> Self {
        Self { method: None, path_contains: String::new(), host_contains: String::new(), times: 1, skip: 0, action }
    }

    /// An error answer.
    #[must_use]
    pub fn status(status: u16, code: &str) -> Self {
        Self::new(Action::Status(status, code.to_owned(), None))
    }

    /// ARM's answer to too many requests.
    #[must_use]
    pub fn throttled(retry_after: u64) -> Self {
        Self::new(Action::Status(429, "SubscriptionRequestsThrottled".into(), Some(retry_after))).host("management.azure.com")
    }

    /// Only this method.
    #[must_use]
    pub fn method(mut self, method: &str) -> Self {
        self.method = Some(method.to_owned());
        self
    }

    /// Only paths that contain this.
    #[must_use]
    pub fn path(mut self, part: &str) -> Self {
        self.path_contains = part.to_ascii_lowercase();
        self
    }

    /// Only hosts that contain this.
    #[must_use]
    pub fn host(mut self, part: &str) -> Self {
        self.host_contains = part.to_ascii_lowercase();
        self
    }

    /// Number of requests that fail.
    #[must_use]
    pub fn times(mut self, times: usize) -> Self {
        self.times = times;
        self
    }

    /// Number of requests that succeed first.
    #[must_use]
    pub fn skip(mut self, skip: usize) -> Self {
        self.skip = skip;
        self
    }

    pub(crate) fn matches(&self, method: &str, host: &str, path: &str) -> bool {
        self.times > 0
            && self.method.as_deref().is_none_or(|only| only == method)
            && host.contains(&self.host_contains.to_ascii_lowercase())
            && path.to_ascii_lowercase().contains(&self.path_contains.to_ascii_lowercase())
    }

    /// Uses the fault once, unless it must let this request pass.
    pub(crate) fn take(&mut self) -> Option<Self> {
        if self.skip > 0 {
            self.skip -= 1;
            return None;
        }
        self.times -= 1;
        Some(self.clone())
    }
}
