//! The shipped industry packages, as data. `docs/industry-packages.md` teaches the format.
#![warn(missing_docs)]

/// File name and text of each.
pub const ALL: [(&str, &str); 3] = [
    ("0001.json", include_str!("0001.json")),
    ("0002.json", include_str!("0002.json")),
    ("0003.json", include_str!("0003.json")),
];
