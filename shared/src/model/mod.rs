//! Plain values.
