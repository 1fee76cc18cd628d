//! Industry packages: what passes the check can be run with any card and any bank.

use industry::{Driver, Package, Packages};

use crate::driving::{Strangers, TODAY, drive, opening, operation, shipped_text};
use crate::input::Input;

const MOST_REPLIES: usize = 512;

/// `{`: a package. Anything else: which shipped package (1), replies (length and bytes), then edits of it.
pub fn run(bytes: &[u8]) {
    if bytes.first() == Some(&b'{') {
        check(bytes, &[]);
        return;
    }
    let mut input = Input::new(bytes);
    let base = shipped_text(input.byte());
    let replies = input.short();
    check(&input.edited(base.as_bytes()), replies);
}

fn check(text: &[u8], replies: &[u8]) {
    let package = match Package::parse(text) {
        Ok(package) => package,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            assert!(
                ipc::Code::parse(error.code()).is_some(),
                "a person can be told"
            );
            return;
        }
    };
    let (code, limits) = (package.industry(), package.limits());
    assert!(limits.min_amount <= limits.max_amount && limits.max_amount <= limits.max_balance);
    assert!(package.aids().all(|aid| (5..=16).contains(&aid.len())));
    let mut packages = Packages::new();
    let valid_from = package.valid_from();
    let taken = packages.insert(package.clone(), TODAY);
    assert_eq!(taken.is_ok(), valid_from.is_none_or(|from| from <= TODAY));
    if taken.is_err() {
        assert_eq!(packages.iter().count(), 0, "refused: nothing changed");
        return;
    }
    assert_eq!(packages.insert(package, TODAY), Ok(()), "again is no error");
    assert_eq!(packages.iter().count(), 1);
    for choice in 0..4 {
        let first = Driver::open(&packages, &opening(code, operation(choice), 5_000), TODAY);
        let replies = replies.get(..MOST_REPLIES).unwrap_or(replies);
        drive(&packages, first, &mut Strangers, &mut Input::new(replies));
    }
}
