//! The common parts of the end-to-end tests.
//!
//! [`Case`] is a sandbox with the product, [`Ran`] the result of a command in it. [`interrupt`] kills commands at a
//! chosen write, [`states`] has initial states shared by several tests, [`real`] uses real API servers in place of
//! the stand-in's.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test tells by panicking, and this is a part of tests")]

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

mod case;
pub mod interrupt;
pub mod real;
pub mod states;

pub use case::{Case, Ran, same, steady};

/// The program of the package `sandbox`; under other names it is the product and the stand-in for `az`.
///
/// Cargo builds a package's programs together with its tests and puts them into the folder above the tests. So this
/// works only for tests of the package `sandbox`; tests of other packages could find an outdated program or none.
///
/// # Panics
/// If there is no such program.
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
