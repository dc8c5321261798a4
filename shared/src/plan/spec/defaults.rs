//! Defaults of fields that records of older versions lack.

pub(crate) fn yes() -> bool {
    true
}
