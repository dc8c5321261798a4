//! Whose a thing is, and whether it may go: only what this tool made, by its record and by the thing's own mark, is ever
//! deleted. The mark is a tag or label, or a name that only we derive from what the thing says.
//!
//! It takes both. A record alone may be older than what somebody has put in the thing's place, and a mark alone may be a
//! copy, or that of a connection which nobody can see from here.

use serde_json::Value;

use super::context::Cx;
use super::marks::is_ours;
use crate::model::PREFIX;
use crate::plan::record::{Ownership, Receipt};
use crate::plan::spec::Thing;

/// Whose a thing is that is there already. Its mark says that this tool made it; that it was this connection, and not
/// another one, only the record can say.
pub(super) fn of_found(marked: bool, past: Option<&Receipt>) -> Ownership {
    match past {
        _ if !marked => Ownership::Adopted,
        Some(past) if past.ownership == Ownership::Created => Ownership::Created,
        _ => Ownership::Joined,
    }
}

/// What undoing goes by: the receipt. Without one the thing is somebody else's.
pub(super) fn recorded(past: Option<&Receipt>, id: impl Into<String>) -> Receipt {
    past.cloned().unwrap_or_else(|| Receipt::intent(Ownership::Adopted, id))
}

/// Why a thing stays when its connection goes; nothing where it goes too. `there` is whether it was found with our mark.
pub(super) fn stays(cx: &Cx, receipt: &Receipt, there: bool, thing: &Thing) -> Option<String> {
    if !receipt.is_ours() {
        return Some("was there before: stays".into());
    }
    if !there {
        return Some("is already gone".into());
    }
    shared(cx, thing)
}

/// Why a thing stays that another connection needs.
pub(super) fn shared(cx: &Cx, thing: &Thing) -> Option<String> {
    cx.also_used_by(thing).map(|other| format!("stays: connection {other} uses it"))
}

/// Whether an object of the cluster bears the mark of this very connection.
pub(super) fn is_this_connections(cx: &Cx, object: &Value) -> bool {
    is_ours(object) && object["metadata"]["labels"][format!("{PREFIX}/connection")] == cx.connection.as_str()
}
