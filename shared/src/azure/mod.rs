//! Sign-in, ARM, long-running operations, Resource Graph and the token exchange at Entra. Knows no Kubernetes.
//!
//! Every host of Azure is spoken to through one HTTP client, every token comes from the sign-in that `az login` made, and
//! every refusal is a [`Failure`] that callers can match on and that turns into a [`Problem`](crate::model::Problem) for
//! people at the point where nobody matches any more.

pub mod arm;
pub mod data_plane;
pub mod entra;
pub mod error;
mod explain;
mod handed_over;
mod http;
mod issuer;
mod memo;
pub mod names;
mod operation;
pub mod profile;
mod request;
pub mod retry;
mod service_error;
pub mod sign_in;
#[cfg(test)]
mod testing;
mod vault_data;

pub use arm::{Arm, Written};
pub use data_plane::{Answer, Probe};
pub use entra::{Exchange, ExchangeRefused};
pub use error::{Failure, ServiceError};
pub use explain::assignee;
pub use handed_over::is_handed_over;
pub use profile::{Profile, Subscription};
pub use retry::retry_while;
pub use sign_in::{SignIn, Token};
