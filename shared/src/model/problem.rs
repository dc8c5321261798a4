//! The one error type that users see: what failed, why, how to fix it, a stable code and the request ids.
//!
//! Lower rooms may use richer error types where callers match on them; those convert to [`Problem`] once no caller
//! matches on them any more. The exit code follows from [`Kind`] alone.

use std::fmt;

/// Result with an error that can be shown to the user unchanged.
pub type Result<T, E = Problem> = std::result::Result<T, E>;

/// Category of a failure; decides the exit code.
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

/// A failure as shown to the user. One pointer in size, so cheap to move.
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
    /// A problem of `kind` with the stable `code` (`KC` and four digits). `what` is one sentence without a final full
    /// stop.
    pub fn new(kind: Kind, code: &'static str, what: impl Into<String>) -> Self {
        Problem(Box::new(Inner { kind, code, what: what.into(), why: None, fixes: Vec::new(), request: None, source: None }))
    }

    /// Adds the reason.
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

    /// Removes the fixes, when what was advised before is no longer right.
    #[must_use]
    pub fn without_fixes(mut self) -> Self {
        self.0.fixes.clear();
        self
    }

    /// Adds the ids by which the service's support finds the request (`correlation …, request …`).
    #[must_use]
    pub fn request(mut self, ids: impl Into<String>) -> Self {
        self.0.request = Some(ids.into());
        self
    }

    /// Adds the underlying error, shown at `-v=4` and above. It must not contain secrets.
    #[must_use]
    pub fn source(mut self, source: impl Into<anyhow::Error>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// Prefixes the message with the action that failed: `creating identity id-web: …`.
    #[must_use]
    pub fn context(mut self, doing: impl fmt::Display) -> Self {
        self.0.what = format!("{doing}: {}", self.0.what);
        self
    }

    /// Category of the failure.
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// The stable code, for scripts and documentation.
    pub fn code(&self) -> &'static str {
        self.0.code
    }

    /// The message: what failed.
    pub fn what(&self) -> &str {
        &self.0.what
    }

    /// The reason, if known.
    pub fn reason(&self) -> Option<&str> {
        self.0.why.as_deref()
    }

    /// Ways to fix it, most useful first.
    pub fn fixes(&self) -> &[String] {
        &self.0.fixes
    }

    /// Request ids for the service's support.
    pub fn request_ids(&self) -> Option<&str> {
        self.0.request.as_deref()
    }

    /// The underlying error.
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
