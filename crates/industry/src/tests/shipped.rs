//! Every package that is shipped.

use super::*;

const ALL: [(&str, &str); 3] = [
    ("0001", TRANSIT),
    ("0002", include_str!("../../../../industries/0002.json")),
    ("0003", include_str!("../../../../industries/0003.json")),
];

#[test]
fn every_shipped_package_keeps_to_the_format_and_has_its_code() {
    for (code, text) in ALL {
        let package = Package::parse(text.as_bytes()).unwrap_or_else(|why| panic!("{code}: {why}"));
        assert_eq!(package.industry().as_str(), code);
    }
}
