//! Runs a command and kills it in the middle.

use super::support::Case;

/// Runs `words` and kills it after its `nth` write; whether it came that far.
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
