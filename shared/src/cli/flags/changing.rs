//! The flags of every verb that changes something: consent, dry run and time limit have the same names everywhere.

use std::time::Duration;

use clap::Args;

use crate::cli::flags::values::{DryRun, duration};

// No doc comment: clap would use it as the help of the commands.
#[derive(Args, Debug)]
pub struct Changing {
    /// Do it without asking
    #[arg(short, long, help_heading = "Run")]
    pub yes: bool,
    /// Only show what would be done; =server also has the API server check every object
    #[arg(
        long,
        value_enum,
        value_name = "WHERE",
        default_value = "none",
        num_args = 0..=1,
        default_missing_value = "client",
        require_equals = true,
        help_heading = "Run"
    )]
    pub dry_run: DryRun,
    /// Longest time to wait
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "15m", help_heading = "Run")]
    pub timeout: Duration,
}
