//! How long Azure takes until a change has effect everywhere.

use std::time::Duration;

/// How long a new trust or grant may take to become effective (product documentation: up to 10 minutes for role
/// assignments).
pub const PROPAGATION: Duration = Duration::from_secs(600);
