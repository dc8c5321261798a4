//! Decides who owns an existing object, and whether it may be deleted. Only objects that this tool created are
//! deleted, and only if record and mark both say so. The mark is a tag, a label, or a name that only this tool
//! derives from the object's content.
//!
//! Both are needed. The record may be older than an object that somebody created under the same name; the mark may be
//! copied, or belong to a connection in a namespace that the user can't see.

use serde_json::Value;

use super::context::Cx;
use super::marks::is_ours;
use crate::model::PREFIX;
use crate::plan::record::{Ownership, Receipt};
use crate::plan::spec::Thing;

/// Decides who owns an existing object. The mark proves this tool; only the record proves this connection.
pub(super) fn of_found(marked: bool, past: Option<&Receipt>) -> Ownership {
    match past {
        _ if !marked => Ownership::Adopted,
        Some(past) if past.ownership == Ownership::Created => Ownership::Created,
        _ => Ownership::Joined,
    }
}

/// The receipt, on which undoing depends. Without a receipt the object belongs to somebody else.
pub(super) fn recorded(past: Option<&Receipt>, id: impl Into<String>) -> Receipt {
    past.cloned().unwrap_or_else(|| Receipt::intent(Ownership::Adopted, id))
}

/// Why an object is kept when its connection is deleted; `None` if it is deleted too. `there`: the object exists and
/// has this tool's mark.
pub(super) fn stays(cx: &Cx, receipt: &Receipt, there: bool, thing: &Thing) -> Option<String> {
    if !receipt.is_ours() {
        return Some("existed before: kept".into());
    }
    if !there {
        return Some("already deleted".into());
    }
    shared(cx, thing)
}

/// Why an object is kept if another connection uses it.
pub(super) fn shared(cx: &Cx, thing: &Thing) -> Option<String> {
    cx.also_used_by(thing).map(|other| format!("kept: connection {other} uses it"))
}

/// Whether an object in the cluster has the mark of this connection.
pub(super) fn is_this_connections(cx: &Cx, object: &Value) -> bool {
    is_ours(object) && object["metadata"]["labels"][format!("{PREFIX}/connection")] == cx.connection.as_str()
}
