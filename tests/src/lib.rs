//! Shared by the flow tests and the headless demo: a person at the session, without a window.

mod person;

pub use person::{PATIENCE, Person, Trouble};
