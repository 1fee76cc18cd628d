//! Shared by the flow tests.
