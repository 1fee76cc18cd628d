//! One way to talk to a card: PC/SC on desktops, a phone's own reader, in process for simulations.
//!
//! A [`CardReader`] tells what is on the reader and opens contacts; a [`CardContact`] is one exclusive phase with one
//! card. After [`LinkError::Lost`], [`LinkError::Timeout`] or [`LinkError::ServiceHung`] the outcome of the last command
//! is unknown: nothing is ever sent again by itself.

mod exchange;
#[cfg(not(any(target_os = "android", target_os = "ios")))]
mod pcsc_contact;
#[cfg(not(any(target_os = "android", target_os = "ios")))]
mod pcsc_heart;
#[cfg(not(any(target_os = "android", target_os = "ios")))]
mod pcsc_monitor;
#[cfg(not(any(target_os = "android", target_os = "ios")))]
mod pcsc_reader;
mod phone;
#[cfg(feature = "simulator")]
mod simulated;
mod status;

use std::pin::Pin;
use std::time::Duration;

#[cfg(not(any(target_os = "android", target_os = "ios")))]
pub use pcsc_reader::{PcscReader, Timing};
pub use phone::{Newest, PhoneBridge, PhoneReader, Refused};
#[cfg(feature = "simulator")]
pub use phone::{SimulatedPhone, System};
#[cfg(feature = "simulator")]
pub use simulated::SimulatedReader;
pub use status::{ReaderState, ReaderStatus};

use tokio::sync::watch;

/// A future without a name, so that the traits can be objects.
pub type Future<'a, T> = Pin<Box<dyn std::future::Future<Output = T> + Send + 'a>>;

/// Everything that readers on this device do.
pub trait CardReader: Send + Sync {
    /// What is on the reader, newest always.
    fn watch(&self) -> watch::Receiver<ReaderStatus>;
    /// Prefers one reader by name, or any with `None`.
    fn choose(&self, reader: Option<String>);
    /// Whether a card is wanted now. A phone polls for one, and shows that it does, only then; other readers always do.
    fn expect(&self, _wanted: bool) {}
    /// Whether a person holds the card there all the time that it is needed.
    fn is_by_hand(&self) -> bool {
        false
    }
    /// Connects to the card that is there now and begins an exclusive transaction.
    fn open(&self) -> Future<'_, Result<Box<dyn CardContact>, LinkError>>;
}

/// One phase with one card. Dropping it ends the transaction and leaves the card powered.
pub trait CardContact: Send {
    /// Sends a command and waits for its reply, at least the two bytes of the status word. `61xx` and `6Cxx` are
    /// worked off here.
    fn transmit(&mut self, command: Vec<u8>) -> Future<'_, Result<Vec<u8>, LinkError>>;
    /// Tells what comes after the next command while each one is answered with 9000, and changes nothing on the card.
    /// It goes along with that command where that spares a way: over a phone's bridge, or to another thread.
    fn ahead(&mut self, _commands: Vec<Vec<u8>>) {}
    /// How long the card took for the last reply, where that is not the time that was waited for it.
    fn took(&self) -> Option<Duration> {
        None
    }
    /// The reader's name.
    fn reader(&self) -> &str;
}

/// What is wrong with the way to the card; never what the card itself says.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum LinkError {
    /// The PC/SC service does not run.
    #[error("the reader service does not run")]
    ServiceDown,
    /// The PC/SC service runs and answers nobody. In a contact: what the last command did is unknown.
    #[error("the reader service does not answer")]
    ServiceHung,
    /// No reader is connected.
    #[error("no reader")]
    NoReader,
    /// A phone's NFC is switched off.
    #[error("NFC is switched off")]
    NfcOff,
    /// A phone without NFC.
    #[error("this phone has no NFC")]
    NfcNone,
    /// No card is on the reader.
    #[error("no card")]
    NoCard,
    /// The system does not let this program use the reader.
    #[error("the reader is not allowed")]
    Denied,
    /// Another program holds the card.
    #[error("another program holds the card")]
    Busy,
    /// Contact was lost: what the last command did is unknown.
    #[error("contact with the card was lost")]
    Lost,
    /// The card did not answer in time: what the last command did is unknown.
    #[error("the card did not answer in time")]
    Timeout,
}
