//! The binary behind the az extension: `az connect …`.

use std::process::ExitCode;

fn main() -> ExitCode {
    connect_core::main_with(connect_core::Frontend::Az)
}
