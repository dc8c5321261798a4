//! The stand-in for the Azure CLI as a separate program, so that the stand-in's tests don't need the product.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program for people: it talks to the terminal")]

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut arguments = std::env::args();
    let program = arguments.next().unwrap_or_default();
    match stand_in::az::ask(&program, &arguments.collect::<Vec<_>>()) {
        Ok(answer) => {
            print!("{}", answer.stdout);
            eprint!("{}", answer.stderr);
            ExitCode::from(answer.code)
        }
        Err(problem) => {
            eprintln!("az: {problem:#}");
            ExitCode::FAILURE
        }
    }
}
