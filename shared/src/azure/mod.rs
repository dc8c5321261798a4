//! Sign-in, ARM, long-running operations, Resource Graph and the token exchange at Entra. Knows no Kubernetes.
