//! What can go wrong between us and Azure, in a form that callers can match on.

use crate::model::Problem;

pub use super::service_error::ServiceError;

/// Why a request to Azure did not succeed.
#[derive(Debug)]
pub enum Failure {
    /// The service answered, with an error.
    Service(Box<ServiceError>),
    /// Something that has its words for people already: sign-in, a limit of time, an answer that makes no sense.
    Problem(Problem),
    /// No answer came.
    Network {
        /// Host that was asked.
        host: String,
        /// What the network said, without URLs.
        message: String,
        /// Whether time ran out, rather than something being refused.
        timed_out: bool,
        /// Whether the service may have acted although we got no answer.
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

    /// The service's error code, as it wrote it.
    pub fn code(&self) -> Option<&str> {
        match self {
            Failure::Service(error) => Some(&error.code),
            _ => None,
        }
    }

    /// Whether the service gave `code`, case aside, as its code or among the details of a wrapper like `BadRequest`,
    /// `Conflict` or `DeploymentFailed`.
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
