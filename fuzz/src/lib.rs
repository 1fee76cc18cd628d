//! What the fuzzer runs: for everything that reads bytes from outside, a function that takes any bytes and fails
//! by panic when a rule is broken. `targets/` gives them to libFuzzer, `tests/replay.rs` to all corpora.
#![warn(missing_docs)]

pub mod apdu_replies;
pub mod card_commands;
pub mod core_host;
pub mod envelope;
pub mod http_bodies;
pub mod journal;
pub mod package_file;
pub mod relay_message;
pub mod seeds;
pub mod tlv;
pub mod topup_link;

mod driving;
mod input;

/// A target: a function and the messages to start from.
pub struct Target {
    /// Of the program and of the corpus' folder.
    pub name: &'static str,
    /// Takes any bytes.
    pub run: fn(&[u8]),
    /// Real messages, in the form that `run` takes.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

/// All of them.
pub const TARGETS: [Target; 10] = [
    Target {
        name: "envelope",
        run: envelope::run,
        seeds: seeds::envelope,
    },
    Target {
        name: "relay_message",
        run: relay_message::run,
        seeds: seeds::relay_message,
    },
    Target {
        name: "tlv",
        run: tlv::run,
        seeds: seeds::tlv,
    },
    Target {
        name: "apdu_replies",
        run: apdu_replies::run,
        seeds: seeds::apdu_replies,
    },
    Target {
        name: "package_file",
        run: package_file::run,
        seeds: seeds::package_file,
    },
    Target {
        name: "journal",
        run: journal::run,
        seeds: seeds::journal,
    },
    Target {
        name: "http_bodies",
        run: http_bodies::run,
        seeds: seeds::http_bodies,
    },
    Target {
        name: "card_commands",
        run: card_commands::run,
        seeds: seeds::card_commands,
    },
    Target {
        name: "core_host",
        run: core_host::run,
        seeds: seeds::core_host,
    },
    Target {
        name: "topup_link",
        run: topup_link::run,
        seeds: seeds::topup_link,
    },
];
