//! The actor that drives relay, driver and keys through the shells, owns the journal and tells the screens what is.
//!
//! [`Session::start`] runs it; [`Session::run`] gives it a command; [`Session::view`] is what the screens draw.

mod actor;
mod card_mark;
mod card_runs;
mod clock;
mod closing;
mod codes;
mod command_kinds;
mod commands;
mod contact;
mod diagnostics;
mod disk;
mod drawing;
mod export;
mod failure;
mod journal;
#[cfg(feature = "simulator")]
mod kin;
mod look;
mod notices;
mod opening;
mod outside;
mod packages;
mod queue;
mod remembered;
mod run;
mod run_ends;
mod session;
mod settings;
mod starting;
mod terminal;
mod times;
mod trace;
mod traced;
mod transaction;

pub use clock::{Clock, SystemClock};
#[cfg(feature = "simulator")]
pub use disk::{DiskError, DiskWatch, DiskWrite, Written, watch_disk};
pub use notices::{Errand, Notice};
pub use outside::{Chosen, ListFile, Outside};
pub use run::Times;
pub use session::{Parts, Session, StartError};
pub use topup_link::SCHEME as LINK_SCHEME;
pub use trace::{Fault, Reader, ReaderIs, Screen, TRACE_FORMAT, TraceEvent, TraceHead, TraceLine};
#[cfg(feature = "simulator")]
pub use trace::{TraceWatch, watch_trace};

/// The shells that a program puts into [`Parts`], so that it needs this crate alone.
pub mod shells {
    pub use bank_client::{BankClient, Profile, ProfileError, Proxies, SystemProxy};
    pub use card_link::CardReader;
    #[cfg(not(any(target_os = "android", target_os = "ios")))]
    pub use card_link::PcscReader;
    #[cfg(feature = "simulator")]
    pub use card_link::SimulatedReader;
    pub use key_vault::{KeyVault, MemoryVault, OsVault, VaultError};
}
