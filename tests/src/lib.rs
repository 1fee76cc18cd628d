//! Shared by the flow tests and the headless demo: a person at the session, without a window.

mod device;
mod person;

pub use device::{Failure, device, say};
pub use person::{PATIENCE, Person, Trouble};
