//! The shipped industry packages, as data. `docs/industry-packages.md` teaches the format.
#![warn(missing_docs)]

/// File name and text of each, by code.
pub const ALL: [(&str, &str); 9] = [
    ("0001.json", include_str!("0001.json")),
    ("0002.json", include_str!("0002.json")),
    ("0003.json", include_str!("0003.json")),
    ("BJMT.json", include_str!("BJMT.json")),
    ("CITY.json", include_str!("CITY.json")),
    ("SZTC.json", include_str!("SZTC.json")),
    ("TOLL.json", include_str!("TOLL.json")),
    ("TUNI.json", include_str!("TUNI.json")),
    ("WHTC.json", include_str!("WHTC.json")),
];
