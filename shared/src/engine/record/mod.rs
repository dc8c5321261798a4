//! The record of a connection and the lease that guards it: intent before the first write, a receipt after each.

pub(crate) mod lease;
pub mod ledger;
