//! The holder of a lock: names this process so that users recognise it and other runs can tell whether it is alive.

use crate::sys;

/// Identity of this process as a lease holder: `machine/pid`.
pub fn holder() -> String {
    format!("{}/{}", sys::host_name(), std::process::id())
}

/// Whether the holder is certainly dead: a process of this machine that no longer runs. For other machines the answer
/// is always false.
pub fn is_dead(holder: &str) -> bool {
    let Some((host, pid)) = holder.rsplit_once('/') else { return false };
    host == sys::host_name() && pid.parse().is_ok_and(|pid| sys::process_is_alive(pid) == Some(false))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_process_of_this_machine_can_be_known_dead() {
        assert!(!is_dead(&holder()));
        assert!(!is_dead("another-machine/1") && !is_dead("somebody"));
        if sys::process_is_alive(1).is_some() {
            // Larger than the largest possible pid on Linux, 2^22.
            assert!(is_dead(&format!("{}/4999999", sys::host_name())));
        }
    }
}
