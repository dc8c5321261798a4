//! Plain values shared by every room. No I/O, no async; only std, serde, secrecy and pure helpers.

pub mod access;
pub mod auth;
pub mod cloud;
pub mod codes;
pub mod connection;
pub mod event;
pub mod ids;
pub(crate) mod mask;
pub mod names;
pub mod naming;
pub mod problem;
pub mod propagation;
pub mod request;
pub mod target;
pub mod variable;
pub mod vault;
pub mod words;

pub use auth::Auth;
pub use cloud::Cloud;
pub use connection::{ConnectionKey, Mode};
pub use event::{Event, Events};
pub use ids::ResourceId;
pub use problem::{Kind, Problem, Result};

/// Prefix of every label, annotation and tag set by this tool; also the API group of its file format.
pub const PREFIX: &str = "kubectl-connect.dev";

/// Audience of the Kubernetes token that Entra exchanges. It is the same for managed identities in every cloud (AKS
/// cluster documentation; default of the workload identity webhook).
pub const TOKEN_EXCHANGE_AUDIENCE: &str = "api://AzureADTokenExchange";
