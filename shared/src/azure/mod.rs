//! Sign-in, ARM, long-running operations, Resource Graph and the token exchange at Entra. Knows nothing of
//! Kubernetes.
//!
//! All requests to Azure use one HTTP client, and all tokens come from the sign-in of `az login`. Every error is a
//! [`Failure`], on which callers can match; it becomes a [`Problem`](crate::model::Problem) for users once no caller
//! matches on it any more.

pub mod api_versions;
pub mod arm;
pub mod data_plane;
pub mod entra;
pub mod error;
mod explain;
pub(crate) mod extension_tokens;
mod http;
mod issuer;
mod memo;
pub mod names;
mod operation;
pub mod profile;
mod request;
pub mod retry;
mod role_assignments;
pub(crate) mod roles;
mod service_error;
pub mod sign_in;
#[cfg(test)]
mod testing;
pub mod token;
mod vault_data;

pub use self::extension_tokens::is_handed_over;
pub use self::sign_in::SignIn;
pub use self::token::Token;
pub use arm::{Arm, Written};
pub use data_plane::{Answer, Probe};
pub use entra::{Exchange, ExchangeRefused};
pub use error::{Failure, ServiceError};
pub use explain::assignee;
pub use profile::{Profile, Subscription};
pub use retry::retry_while;
pub use role_assignments::role_assignments_of;
pub use roles::role_for;
