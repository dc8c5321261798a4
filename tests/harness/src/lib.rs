//! What the end-to-end tests share.
//!
//! [`Case`] is a sandbox with the product in it, [`Ran`] how a command in it ended. [`interrupt`] kills commands in the
//! middle, [`states`] are worlds that several tests begin with, [`real`] puts real API servers in place of the stand-in's.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test tells by panicking, and this is a part of tests")]

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

mod case;
pub mod interrupt;
pub mod real;
pub mod states;

pub use case::{Case, Ran, same, steady};

/// The program of the package `sandbox`: under other names it is the product and the stand-in for `az`.
///
/// Cargo builds a package's programs with that package's tests, and puts them into the folder above the tests' own. So
/// this is for the tests of the package `sandbox`: started in another way, they could find an older program or none.
///
/// # Panics
/// When there is no such program.
pub fn program() -> &'static Path {
    static PROGRAM: LazyLock<PathBuf> = LazyLock::new(|| {
        let test = std::env::current_exe().expect("a test knows its own program");
        let folder = test.parent().and_then(Path::parent).expect("a test lies in target/PROFILE/deps");
        let program = folder.join("sandbox");
        assert!(program.is_file(), "{} is not there: run the tests of the package sandbox with cargo", program.display());
        program
    });
    &PROGRAM
}
