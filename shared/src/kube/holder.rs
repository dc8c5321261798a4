//! Who holds a lock: this process, named so that a person recognises it and another run can tell whether it still lives.

use crate::sys;

/// Identity of this process for leases: `machine/pid`.
pub fn holder() -> String {
    format!("{}/{}", sys::host_name(), std::process::id())
}

/// Whether the holder is certainly gone: a process of this machine that no longer runs. Of other machines nothing is
/// certain.
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
            // The largest pid that Linux can give is 2^22.
            assert!(is_dead(&format!("{}/4999999", sys::host_name())));
        }
    }
}
