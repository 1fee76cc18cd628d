//! The actor that drives relay, driver and keys through the shells, and owns the journal.
