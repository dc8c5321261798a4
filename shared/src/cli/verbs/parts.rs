//! The parts of a connection as `show` and `tree` name them: what each is, whose it is, and how far it is.

use crate::plan::record::{Ownership, Record};
use crate::plan::spec::StepSpec;

/// The state of a part that is not made yet.
const PLANNED: &str = "planned";

/// One part of a connection.
pub struct Part {
    /// The step that makes the part.
    pub step: String,
    /// What people call the part.
    pub name: String,
    /// The part's id in Azure or in the cluster; empty as long as there is none.
    pub id: String,
    /// Whose the part is.
    pub owner: &'static str,
    /// How far the part is.
    pub state: &'static str,
}

impl Part {
    /// Whether the part lies in Azure.
    pub fn is_in_azure(&self) -> bool {
        self.id.starts_with("/subscriptions/")
    }

    /// Whose the part is, once it is there.
    pub fn whose(&self) -> &'static str {
        if self.state == PLANNED { PLANNED } else { self.owner }
    }

    /// What the part is, in a word.
    pub fn kind(&self) -> &str {
        self.step.split(':').next().unwrap_or_default()
    }
}

/// The parts of a connection, in the order of its steps.
pub fn of(record: &Record) -> Vec<Part> {
    let part = |spec: &StepSpec| {
        let (step, name) = (spec.id(), record.name_of(spec));
        match record.receipts.get(&step) {
            None => Part { step, name, id: String::new(), owner: "nobody's yet", state: PLANNED },
            Some(receipt) => {
                let owner = match receipt.ownership {
                    Ownership::Created => "made by this connection",
                    Ownership::Joined => "shared with other connections",
                    Ownership::Adopted => "was there before",
                };
                Part { step, name, id: receipt.id.clone(), owner, state: if receipt.done { "done" } else { PLANNED } }
            }
        }
    };
    record.steps.iter().map(part).collect()
}
