//! Where a terminal's secrets live: the OS keystore, or memory in tests. Never a file of our own.
//!
//! All calls block and may wait for a prompt of the OS: run them off the async threads.

mod memory;
mod os;
mod person;

pub use memory::MemoryVault;
pub use os::OsVault;

use zeroize::Zeroizing;

/// Why the keystore did not serve. Each state heals by itself when its cause goes.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum VaultError {
    /// No keystore service runs on this system.
    #[error("no keystore service")]
    Missing,
    /// The keystore is locked and nobody unlocked it.
    #[error("the keystore is locked")]
    Locked,
    /// The keystore refused this program.
    #[error("the keystore refused")]
    Denied,
    /// The person did not confirm that it is them.
    #[error("nobody confirmed")]
    Unconfirmed,
    /// This system has no way to ask the person.
    #[error("this system can't ask who is there")]
    CantAsk,
    /// Anything else that the keystore reports.
    #[error("the keystore failed: {0}")]
    Broken(String),
}

/// Named secrets of this installation.
pub trait KeyVault: Send + Sync {
    /// The secret of that name. `None` means that the keystore holds none, which on some systems also covers a
    /// keystore without any collection: a caller that knows of an earlier enrolment must not take it for "new".
    fn load(&self, name: &str) -> Result<Option<Zeroizing<Vec<u8>>>, VaultError>;
    /// Stores or replaces a secret.
    fn store(&self, name: &str, secret: &[u8]) -> Result<(), VaultError>;
    /// Removes a secret; one that is not there is no error.
    fn erase(&self, name: &str) -> Result<(), VaultError>;
    /// Asks the person to prove that it is them, as this system does it: finger, face, or the password of the
    /// account. Waits for the answer.
    fn confirm(&self) -> Result<(), VaultError>;
}
