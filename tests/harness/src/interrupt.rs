//! Commands that are killed in the middle. Nothing is left to chance: the sandbox holds the answer to the chosen write back
//! until the process is dead.

use crate::Case;

/// Runs `words`, and kills it when its `nth` write was carried out and not answered; whether it came that far.
pub async fn killed_after(case: &Case, words: &str, nth: usize) -> bool {
    let reached = case.control().hold_after_write(nth);
    let mut child = case.command(words).spawn().expect("the command runs");
    let killed = tokio::select! {
        held = reached => held.is_ok(),
        _ = child.wait() => false,
    };
    let _ = child.kill().await;
    let _ = child.wait().await;
    case.control().release();
    killed
}

/// Tries `killed` with the first write, the second and so on, each on a world of its own, until it says that the command
/// ended before it could be killed. `at_least` guards against a command that writes nothing any more.
pub async fn after_each_write(at_least: usize, killed: impl AsyncFn(usize) -> bool) {
    let mut nth = 1;
    while killed(nth).await {
        nth += 1;
    }
    assert!(nth > at_least, "only {nth} writes were seen");
}
