//! The one error type that a user sees: what failed, why, what to do, a stable code and the request ids.
//!
//! Rooms below may have richer errors for callers that match on them; they turn into a `Problem` at the point where
//! nobody matches any more. The kind decides the exit code, in one place.

use std::fmt;

/// Result whose error can be shown to a user as it is.
pub type Result<T, E = Problem> = std::result::Result<T, E>;

/// What sort of failure it is; decides the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Something failed for a reason outside the command line.
    Failed,
    /// The command line is wrong, incomplete, or a confirmation was refused.
    Usage,
    /// The target, connection or workload does not exist.
    NotFound,
    /// Nobody is signed in to Azure or to the cluster.
    NotSignedIn,
    /// Signed in, but not permitted.
    NotPermitted,
    /// Time ran out; running the same command again is safe.
    TimedOut,
    /// The user pressed Ctrl-C.
    Interrupted,
}

impl Kind {
    /// The process exit code for this kind.
    pub fn exit_code(self) -> u8 {
        match self {
            Kind::Failed => 1,
            Kind::Usage => 2,
            Kind::NotFound => 3,
            Kind::NotSignedIn => 4,
            Kind::NotPermitted => 5,
            Kind::TimedOut => 6,
            Kind::Interrupted => 130,
        }
    }
}

/// A failure as it is told to the user. Cheap to move: one pointer.
pub struct Problem(Box<Inner>);

struct Inner {
    kind: Kind,
    code: &'static str,
    what: String,
    why: Option<String>,
    fixes: Vec<String>,
    request: Option<String>,
    source: Option<anyhow::Error>,
}

impl Problem {
    /// A problem of `kind` with the stable `code` (`KC` and four digits); `what` is one sentence without a final stop.
    pub fn new(kind: Kind, code: &'static str, what: impl Into<String>) -> Self {
        Problem(Box::new(Inner { kind, code, what: what.into(), why: None, fixes: Vec::new(), request: None, source: None }))
    }

    /// Says why it failed.
    #[must_use]
    pub fn why(mut self, why: impl Into<String>) -> Self {
        self.0.why = Some(why.into());
        self
    }

    /// Adds a command or an instruction that fixes it.
    #[must_use]
    pub fn fix(mut self, fix: impl Into<String>) -> Self {
        self.0.fixes.push(fix.into());
        self
    }

    /// Keeps the ids with which the service's support finds the request (`correlation …, request …`).
    #[must_use]
    pub fn request(mut self, ids: impl Into<String>) -> Self {
        self.0.request = Some(ids.into());
        self
    }

    /// Keeps the error underneath, shown at `-v=4` and above. It must hold no secret.
    #[must_use]
    pub fn source(mut self, source: impl Into<anyhow::Error>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// Prefixes what failed with what was being done: `creating identity id-web: …`.
    #[must_use]
    pub fn context(mut self, doing: impl fmt::Display) -> Self {
        self.0.what = format!("{doing}: {}", self.0.what);
        self
    }

    /// What sort of failure it is.
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// The stable code, for scripts and documentation.
    pub fn code(&self) -> &'static str {
        self.0.code
    }

    /// What failed.
    pub fn what(&self) -> &str {
        &self.0.what
    }

    /// Why it failed, where known.
    pub fn reason(&self) -> Option<&str> {
        self.0.why.as_deref()
    }

    /// What the user can do, most useful first.
    pub fn fixes(&self) -> &[String] {
        &self.0.fixes
    }

    /// Request ids for the service's support.
    pub fn request_ids(&self) -> Option<&str> {
        self.0.request.as_deref()
    }

    /// The error underneath.
    pub fn cause(&self) -> Option<&anyhow::Error> {
        self.0.source.as_ref()
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.what)?;
        match &self.0.why {
            Some(why) => write!(f, ": {why}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}] {self}", self.0.code)
    }
}

impl std::error::Error for Problem {}
