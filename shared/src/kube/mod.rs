//! The cluster behind the kube context: connection, apply, workloads, tokens. Knows no Azure.
