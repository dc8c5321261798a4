//! The parts of a connection for `show` and `tree`: what each part is, who owns it, and its state.

use crate::plan::record::{Ownership, Record};
use crate::plan::spec::StepSpec;

/// State of a part that does not exist yet.
const PLANNED: &str = "planned";

/// One part of a connection.
pub struct Part {
    /// Id of the step that creates the part.
    pub step: String,
    /// What people call the part.
    pub name: String,
    /// Id of the part in Azure or in the cluster; empty if it does not exist yet.
    pub id: String,
    /// Owner of the part.
    pub owner: &'static str,
    /// State of the part.
    pub state: &'static str,
}

impl Part {
    /// Whether the part is in Azure.
    pub fn is_in_azure(&self) -> bool {
        self.id.starts_with("/subscriptions/")
    }

    /// Owner of the part; `planned` if it does not exist yet.
    pub fn whose(&self) -> &'static str {
        if self.state == PLANNED { PLANNED } else { self.owner }
    }

    /// Kind of the part.
    pub fn kind(&self) -> &str {
        self.step.split(':').next().unwrap_or_default()
    }
}

/// The parts of a connection, in the order of its steps.
pub fn of(record: &Record) -> Vec<Part> {
    let part = |spec: &StepSpec| {
        let (step, name) = (spec.id(), record.name_of(spec));
        match record.receipts.get(&step) {
            None => Part { step, name, id: String::new(), owner: "not created yet", state: PLANNED },
            Some(receipt) => {
                let owner = match receipt.ownership {
                    Ownership::Created => "created by this connection",
                    Ownership::Joined => "shared with other connections",
                    Ownership::Adopted => "existed before",
                };
                Part { step, name, id: receipt.id.clone(), owner, state: if receipt.done { "done" } else { PLANNED } }
            }
        }
    };
    record.steps.iter().map(part).collect()
}
