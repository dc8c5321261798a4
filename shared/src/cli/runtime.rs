//! The asynchronous runtime of one command, and the handling of Ctrl-C.

use crate::engine::Stop;
use crate::model::{Kind, Problem, Result};
use crate::ui;

/// Runs an asynchronous command. While steps are running, the first Ctrl-C lets them finish and starts no new ones. A
/// second Ctrl-C, or one while nothing is being written, ends the command at once.
///
/// # Errors
/// Errors of the command, or the interruption by the user.
pub fn in_runtime<T, F: Future<Output = Result<T>>>(command: impl FnOnce(Stop) -> F) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|e| Problem::new(Kind::Failed, "KC1008", "the program can't start").source(e))?;
    let result = runtime.block_on(async {
        let stop = Stop::default();
        let command = command(stop.clone());
        tokio::select! {
            result = command => result,
            () = interrupted(stop) => Err(left()),
        }
    });
    // A plugin or `az` that still runs must not keep the process alive.
    runtime.shutdown_background();
    result
}

/// The error after Ctrl-C.
fn left() -> Problem {
    if ui::is_asking() {
        ui::restore_terminal();
        return Problem::new(Kind::Interrupted, "KC6008", "interrupted: nothing was changed");
    }
    Problem::new(Kind::Interrupted, "KC6008", "interrupted").fix("run the same command again to continue")
}

async fn interrupted(stop: Stop) {
    if tokio::signal::ctrl_c().await.is_err() {
        return std::future::pending().await;
    }
    stop.set();
    if !stop.is_writing() {
        return;
    }
    ui::interrupted();
    let _ = tokio::signal::ctrl_c().await;
}
