use relay::Operation;

use super::*;

fn ahead(turn: &Turn) -> Vec<String> {
    let Turn::Command(driver, _) = turn else {
        panic!("expected a command, got {turn:?}");
    };
    let ahead = driver.ahead();
    ahead.iter().map(|it| hex::encode_upper(&it.apdu)).collect()
}

#[test]
fn a_balance_is_known_ahead_to_the_last_record() {
    let mut wanted = vec!["00B095001E".to_owned(), "805C000204".to_owned()];
    wanted.push("FFCA000000".to_owned());
    wanted.extend((1..=10).map(|record| format!("00B2{record:02X}C417")));
    assert_eq!(ahead(&open(Operation::Balance)), wanted);
}

#[test]
fn what_begins_a_load_or_ends_it_is_never_said_ahead() {
    let reads = ["00B095001E", "805C000204", "FFCA000000"];
    assert_eq!(
        ahead(&open(Operation::TopUp)),
        reads,
        "INITIALIZE waits for the checks of what was read"
    );
    assert!(ahead(&topup_until_initialize()).is_empty());
}

#[test]
fn a_command_whose_parts_are_in_a_reply_to_come_is_not_guessed() {
    let script = [(SELECT, FCI)];
    let turn = play(open(Operation::Activation), &script);
    assert_eq!(
        ahead(&turn),
        ["FFCA000000"],
        "GET CHALLENGE gives another number each time"
    );
}

#[test]
fn nothing_is_said_beyond_the_bound_of_commands() {
    // No package with a phase beyond its bound is taken; what earlier phases have used is not known then.
    let mut package = Package::parse(TRANSIT.as_bytes()).unwrap();
    package.document.bounds.commands = 3;
    let mut packages = Packages::new();
    packages.insert(package, TODAY).unwrap();
    let opening = opening(Operation::Balance).encode().unwrap();
    assert_eq!(ahead(&Driver::open(&packages, &opening, TODAY)).len(), 2);
}
