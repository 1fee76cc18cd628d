//! The same flows with the bank's store on PostgreSQL, in a server that the tests start for themselves. Where
//! PostgreSQL is not installed they run on SQLite, and say so.
#![allow(clippy::unwrap_used)] // a helper of a test may fail like the test itself
#![allow(dead_code)] // not every flow is run again

mod engine;
#[cfg(unix)]
mod outside;
#[cfg(unix)]
mod person;
#[cfg(unix)]
mod processes;
mod reversals;
mod store;

#[cfg(unix)]
#[path = "../../../../tests/bench/src/soak/provider.rs"]
mod provider;

#[path = "../flows/activation.rs"]
mod activation;
#[path = "../flows/backup.rs"]
mod backup;
#[path = "../flows/broken_books.rs"]
mod broken_books;
#[path = "../flows/card.rs"]
mod card;
#[path = "../flows/console.rs"]
mod console;
#[path = "../flows/core_host.rs"]
mod core_host;
#[path = "../flows/earlier.rs"]
mod earlier;
#[path = "../flows/hosted.rs"]
mod hosted;
#[path = "../flows/hosted_stage.rs"]
mod hosted_stage;
#[path = "../flows/keys.rs"]
mod keys;
#[path = "../flows/metered.rs"]
mod metered;
#[path = "../flows/operations.rs"]
mod operations;
#[path = "../flows/people.rs"]
mod people;
#[path = "../flows/program.rs"]
mod program;
#[path = "../flows/queues/mod.rs"]
mod queues;
#[path = "../flows/receipts.rs"]
mod receipts;
#[path = "../flows/reference/mod.rs"]
mod reference;
#[path = "../flows/resume.rs"]
mod resume;
#[path = "../flows/rotation.rs"]
mod rotation;
#[cfg(target_os = "linux")]
#[path = "../flows/softhsm.rs"]
mod softhsm;
#[path = "../flows/stage.rs"]
mod stage;
#[path = "../flows/stranded.rs"]
mod stranded;
#[path = "../flows/terminal.rs"]
mod terminal;
#[path = "../flows/topup.rs"]
mod topup;
#[path = "../flows/versions.rs"]
mod versions;
