//! An empty crate that only unifies features: see `Cargo.toml`.
