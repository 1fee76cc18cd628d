//! Every package that is shipped.

use super::*;

#[test]
fn every_shipped_package_keeps_to_the_format_and_has_its_code() {
    for (file, text) in industries::ALL {
        let code = file.strip_suffix(".json").unwrap();
        let package = Package::parse(text.as_bytes()).unwrap_or_else(|why| panic!("{code}: {why}"));
        assert_eq!(package.industry().as_str(), code);
        let purse = code.starts_with("000");
        assert_eq!(package.reads_only(), !purse, "{code}");
        assert_eq!(
            package.operations().count(),
            if purse { 4 } else { 1 },
            "{code}"
        );
    }
}
