//! Packages that are not taken, each with its code; what was good stays.

use envelope::package::{sign_package, signer_public};

use super::*;

const TODAY: u32 = 20_261_123;
const SECRET: [u8; 32] = [7; 32];

fn transit(version: u32) -> String {
    let (_, text) = industries::ALL[0];
    let from = r#""version": 1"#;
    assert!(text.contains(from));
    text.replacen(from, &format!(r#""version": {version}"#), 1)
}

/// Signed by the bank.
fn signed(version: u32, text: &str) -> SignedPackage {
    SignedPackage {
        industry: "0001".to_owned(),
        version,
        package: hex::encode(text),
        signature: hex::encode(sign_package(&SECRET, text.as_bytes())),
        signer: hex::encode(signer_public(&SECRET)),
    }
}

fn store(dir: &Path) -> PackageStore {
    PackageStore::open(dir, signer_public(&SECRET), TODAY).unwrap()
}

/// With version 3 of the transit purse.
fn good(dir: &Path) -> PackageStore {
    let mut store = store(dir);
    assert!(store.update(vec![signed(3, &transit(3))], TODAY).unwrap());
    store
}

fn version(store: &PackageStore) -> Option<u32> {
    let code = "0001".parse().unwrap();
    store.loaded().package(code).map(Package::version)
}

/// Every offer that must not be taken, by the code that says so.
fn bad() -> Vec<(Code, SignedPackage)> {
    let next = transit(4);
    let change = |from: &str, to: &str| {
        assert!(next.contains(from), "{from}");
        signed(4, &next.replacen(from, to, 1))
    };
    let unsigned = SignedPackage {
        signature: String::new(),
        ..signed(4, &next)
    };
    let altered = SignedPackage {
        package: hex::encode(next.replacen("100000", "900000", 1)),
        ..signed(4, &next)
    };
    let stranger = [9; 32];
    let foreign = SignedPackage {
        signature: hex::encode(sign_package(&stranger, next.as_bytes())),
        signer: hex::encode(signer_public(&stranger)),
        ..signed(4, &next)
    };
    let disguised = SignedPackage {
        signer: hex::encode(signer_public(&SECRET)),
        ..foreign.clone()
    };
    let relabelled = SignedPackage {
        version: 9,
        ..signed(4, &next)
    };
    let elsewhere = SignedPackage {
        industry: "0002".to_owned(),
        ..signed(4, &next)
    };
    let padded = format!("{next}{}", " ".repeat(industry::MAX_PACKAGE));
    let deep = format!(r#""currency": {}"CNY""#, "[".repeat(5_000));
    vec![
        (Code::PackageUnsigned, unsigned),
        (Code::PackageAltered, altered),
        (Code::PackageSigner, foreign),
        (Code::PackageAltered, disguised),
        (Code::PackageAltered, relabelled),
        (Code::PackageAltered, elsewhere),
        (Code::PackageOlder, signed(2, &transit(2))),
        (
            Code::PackageOlder,
            signed(3, &transit(3).replacen("Transit purse", "Other purse", 1)),
        ),
        (
            Code::PackageEarly,
            change(r#""version": 4"#, r#""version": 4, "valid_from": 20261124"#),
        ),
        (
            Code::PackageField,
            change(r#""version": 4"#, r#""version": 4, "script": "00""#),
        ),
        (Code::PackageOversized, signed(4, &padded)),
        (
            Code::PackageCommand,
            change("805C0002 04", "805401000F0000000100000000000000000000"),
        ),
        (
            Code::PackageCommand,
            change(r#"{ "run": "select" }"#, r#"{ "run": "debit" }"#),
        ),
        (
            Code::PackageEndless,
            change(r#""repeat": 10"#, r#""repeat": 10000"#),
        ),
        (
            Code::PackageBomb,
            change(r#""version": 4"#, r#""version": 1e300"#),
        ),
        (Code::PackageBomb, change(r#""currency": "CNY""#, &deep)),
        (Code::PackageBad, signed(4, "\u{1f}\u{8b}\u{8} packed")),
        (Code::PackageBad, change(r#""format": 1"#, r#""format": 2"#)),
    ]
}

#[test]
fn each_bad_offer_is_told_by_its_code_and_the_good_one_stays() {
    for (code, offer) in bad() {
        let dir = tempfile::tempdir().unwrap();
        let mut store = good(dir.path());
        let before = std::fs::read(dir.path().join("packages.json")).unwrap();
        let (industry, offered) = (offer.industry.clone(), offer.version);
        assert!(
            store.update(vec![offer], TODAY).unwrap(),
            "{code:?} is news"
        );
        let views = store.refused_views();
        assert_eq!(views.len(), 1, "{code:?}");
        assert_eq!(
            (views[0].code, views[0].version),
            (code, offered),
            "{}",
            views[0].why
        );
        assert_eq!(views[0].industry, industry);
        assert!(!views[0].why.is_empty());
        assert_eq!(version(&store), Some(3), "{code:?}: in use as before");
        assert!(
            !store.is_complete(),
            "{code:?}: the bank is asked for all again"
        );
        let after = std::fs::read(dir.path().join("packages.json")).unwrap();
        assert_eq!(before, after, "{code:?}: nothing bad is kept");
        let again = PackageStore::open(dir.path(), signer_public(&SECRET), TODAY).unwrap();
        assert_eq!((version(&again), again.refused_views().len()), (Some(3), 0));
    }
}

#[test]
fn a_good_package_among_bad_ones_is_taken() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = good(dir.path());
    let mut offers: Vec<_> = bad().into_iter().map(|(_, offer)| offer).collect();
    let count = offers.len();
    offers.insert(7, signed(5, &transit(5)));
    store.update(offers, TODAY).unwrap();
    assert_eq!(version(&store), Some(5));
    assert_eq!(store.refused_views().len(), count);
    assert!(store.update(vec![signed(5, &transit(5))], TODAY).unwrap());
    assert_eq!(store.refused_views(), vec![], "a good offer ends the story");
    assert!(store.is_complete());
}

/// The app's own file is no better than an offer: it is checked at every start.
#[test]
fn what_was_put_into_the_file_is_refused_like_an_offer() {
    for (code, offer) in bad() {
        let dir = tempfile::tempdir().unwrap();
        disk::write_atomic(&dir.path().join("packages.json"), &vec![offer]).unwrap();
        let store = store(dir.path());
        if code == Code::PackageOlder {
            // Nothing newer is here: the bank signed it, and the next offer replaces it.
            assert!(version(&store).is_some());
            continue;
        }
        let views = store.refused_views();
        assert_eq!(views.len(), 1, "{code:?}");
        assert_eq!(views[0].code, code, "{}", views[0].why);
        assert_eq!(version(&store), None, "{code:?}");
        assert!(
            store.loaded().iter().all(Package::reads_only),
            "what came with the app is still there"
        );
        assert!(store.loaded().iter().count() > 3);
    }
}

#[test]
fn a_file_that_is_none_costs_nothing_but_a_question() {
    let dir = tempfile::tempdir().unwrap();
    for bytes in [
        b"".as_slice(),
        b"{",
        b"[{\"industry\":",
        b"\x1F\x8B\x08",
        &[0; 100_000],
    ] {
        std::fs::write(dir.path().join("packages.json"), bytes).unwrap();
        let store = store(dir.path());
        assert_eq!((version(&store), store.is_complete()), (None, false));
    }
    assert_eq!(
        version(&good(dir.path())),
        Some(3),
        "the bank's next answer heals it"
    );
}

#[test]
fn a_package_whose_day_comes_is_taken_then() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = good(dir.path());
    let text = transit(4).replacen(
        r#""version": 4"#,
        r#""version": 4, "valid_from": 20261124"#,
        1,
    );
    store.update(vec![signed(4, &text)], TODAY).unwrap();
    assert_eq!(version(&store), Some(3));
    store.update(vec![signed(4, &text)], TODAY + 1).unwrap();
    assert_eq!((version(&store), store.refused_views().len()), (Some(4), 0));
}

/// 1 January 1970, of a device without a battery.
const NO_CLOCK: u32 = 19_700_101;

#[test]
fn a_clock_that_went_wrong_lets_no_older_package_in() {
    let dir = tempfile::tempdir().unwrap();
    let dated = |number: u32| {
        let text = transit(number);
        let from = format!(r#""version": {number}"#);
        signed(
            number,
            &text.replacen(&from, &format!(r#"{from}, "valid_from": 20261101"#), 1),
        )
    };
    let mut store = store(dir.path());
    assert!(store.update(vec![dated(3)], TODAY).unwrap());
    let open = |today| PackageStore::open(dir.path(), signer_public(&SECRET), today).unwrap();
    let mut store = open(NO_CLOCK);
    assert_eq!(version(&store), None, "its day seems to be still to come");
    store.update(vec![signed(2, &transit(2))], TODAY).unwrap();
    assert_ne!(version(&store), Some(2), "older than what this device had");
    assert_eq!(store.refused_views()[0].code, Code::PackageOlder);
    store.update(vec![dated(3)], TODAY).unwrap();
    assert_eq!(version(&store), Some(3), "the right time heals it");
    assert!(store.is_complete());
    assert_eq!(version(&open(TODAY)), Some(3));
}

#[test]
fn a_bank_with_thousands_of_industries_keeps_no_card_waiting() {
    let dir = tempfile::tempdir().unwrap();
    let of = |number: usize| {
        let industry = format!("{number:04}");
        let from = r#""industry": "0001""#;
        let text = transit(3).replacen(from, &format!(r#""industry": "{industry}""#), 1);
        SignedPackage {
            industry,
            ..signed(3, &text)
        }
    };
    let mut store = store(dir.path());
    store.update((1..=80).map(of).collect(), TODAY).unwrap();
    let from_bank = store.views().into_iter().filter(|it| it.signer.is_some());
    assert_eq!(from_bank.count(), MOST_INDUSTRIES);
    let codes = store.refused_views().into_iter().map(|it| it.code);
    assert!(codes.eq([Code::PackageOversized; 16]), "and says so");
    let next = transit(4);
    store.update(vec![signed(4, &next)], TODAY).unwrap();
    assert_eq!(version(&store), Some(4), "what is here goes on");
}
