//! Every command, event and error code that crosses between the core and the UI.
//!
//! The UI holds no state of its own about money: it draws the newest [`AppView`], pushed as the event
//! [`VIEW_EVENT`], and sends [`Command`]s. Amounts are in fen, times in milliseconds since 1970-01-01 UTC.
//! No field ever carries a key, a password, a code or a full card number.

mod code;
mod command;
mod diagnostics;
mod queue;
mod settings;
mod transaction;
mod view;

pub use code::*;
pub use command::*;
pub use diagnostics::*;
pub use queue::*;
pub use settings::*;
pub use transaction::*;
pub use view::*;

/// The event that carries a new [`AppView`] to the page.
pub const VIEW_EVENT: &str = "view";
