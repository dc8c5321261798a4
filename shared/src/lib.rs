//! Connects Kubernetes workloads to Azure services without passwords: the core of `kubectl connect` and `az connect`.

pub mod azure;
pub mod catalogue;
pub mod kube;
pub mod model;
pub mod plan;
mod sys;
