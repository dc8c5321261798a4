//! Kills commands at a chosen point. This is deterministic: the sandbox holds back the answer to the chosen write
//! until the process is dead.

use crate::Case;

/// Runs `words` and kills it after its `nth` write was carried out but not answered. Returns whether the command got
/// that far.
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

/// Calls `killed` with the first write, the second and so on, each in a new world, until it reports that the command
/// ended before the kill. `at_least` guards against a command that no longer writes anything.
pub async fn after_each_write(at_least: usize, killed: impl AsyncFn(usize) -> bool) {
    let mut nth = 1;
    while killed(nth).await {
        nth += 1;
    }
    assert!(nth > at_least, "only {nth} writes were seen");
}
