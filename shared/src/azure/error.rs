//! Errors of requests to Azure, in a form that callers can match on.

use crate::model::Problem;

pub use super::service_error::ServiceError;

/// Why a request to Azure did not succeed.
#[derive(Debug)]
pub enum Failure {
    /// The service answered with an error.
    Service(Box<ServiceError>),
    /// An error with a message for users: sign-in, a time limit, an answer that can't be understood.
    Problem(Problem),
    /// There was no answer.
    Network {
        /// Host that was asked.
        host: String,
        /// The network error, without URLs.
        message: String,
        /// Whether the error was a timeout.
        timed_out: bool,
        /// Whether the service may have acted although no answer came.
        maybe_done: bool,
    },
}

impl Failure {
    /// The HTTP status of the service's answer.
    pub fn status(&self) -> Option<u16> {
        match self {
            Failure::Service(error) => Some(error.status),
            _ => None,
        }
    }

    /// The service's error code, in the service's spelling.
    pub fn code(&self) -> Option<&str> {
        match self {
            Failure::Service(error) => Some(&error.code),
            _ => None,
        }
    }

    /// Whether the service gave `code` (ignoring case), as the error's code or within the details of a wrapper such
    /// as `BadRequest`, `Conflict` or `DeploymentFailed`.
    pub fn is(&self, code: &str) -> bool {
        match self {
            Failure::Service(error) => error.is(code),
            _ => false,
        }
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Failure::Problem(problem)
    }
}

impl From<ServiceError> for Failure {
    fn from(error: ServiceError) -> Self {
        Failure::Service(Box::new(error))
    }
}
