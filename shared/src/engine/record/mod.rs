//! The record of a connection and the lease that protects it: intent before the first write, a receipt after each.

pub(crate) mod lease;
pub mod ledger;
