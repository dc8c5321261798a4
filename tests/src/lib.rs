//! Stands in for Azure and an AKS cluster from outside: for tests, and for trying the product without either.
//!
//! Nothing here is shared with the product: this is a second, independent opinion of the services' rules.

pub mod http;
pub mod keys;
pub mod kube;
