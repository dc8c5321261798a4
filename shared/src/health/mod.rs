//! Whether a connection works: evidence is gathered, links are judged, findings name known faults, the proof signs in as
//! the workload does. This room only reads; a test holds it to that.

pub mod check;
pub mod connection;
pub mod doctor;
pub(crate) mod evidence;
pub mod findings;
pub(crate) mod links;
pub(crate) mod proof;
pub mod report;
