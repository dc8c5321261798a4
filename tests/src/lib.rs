//! Stands in for Azure and an AKS cluster.
