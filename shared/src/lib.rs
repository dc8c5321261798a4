//! Connects Kubernetes workloads to Azure services without passwords: the core of `kubectl connect` and `az connect`.

pub mod azure;
pub mod kube;
pub mod model;
mod sys;
