//! Connects Kubernetes workloads to Azure services without passwords.
pub mod model;
