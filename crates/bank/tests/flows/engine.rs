//! Which store the flows run on: here a file of SQLite in each bank's folder.

/// URL of a store of its own for one bank; none: the file.
pub(crate) fn store() -> Option<String> {
    None
}
