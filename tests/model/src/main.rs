//! The runs that are too long for a test: `cargo run --release -p model [FAULTS]` (3 faults).

use std::io::Write;
use std::process::ExitCode;

use model::{Settings, explore};

fn main() -> ExitCode {
    let asked = std::env::args().nth(1).map(|number| number.parse());
    let Ok(faults) = asked.unwrap_or(Ok(3)) else {
        say("usage: model [FAULTS]");
        return ExitCode::FAILURE;
    };
    let mut whole = true;
    for (name, settings) in runs(faults) {
        match explore(settings) {
            Ok(figures) => say(&format!("{name}, {} faults: {figures}", settings.faults)),
            Err(why) => {
                say(&format!("{name}: {why}"));
                whole = false;
            }
        }
    }
    match whole {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

fn runs(faults: u8) -> [(&'static str, Settings); 8] {
    let one_fewer = faults.saturating_sub(1);
    let one_card = Settings::one_card(2, faults);
    let two_devices = Settings::two_devices(2, one_fewer);
    [
        ("one card, one top-up", Settings::one_card(1, faults)),
        ("one card, two top-ups", one_card),
        ("two cards", Settings::two_cards(faults)),
        ("two devices", two_devices),
        (
            "two devices, refunds",
            Settings {
                refunds: true,
                ..two_devices
            },
        ),
        (
            "purchases",
            Settings {
                purchases: 1,
                ..Settings::one_card(2, one_fewer)
            },
        ),
        (
            "two operators",
            Settings {
                operators: true,
                ..one_card
            },
        ),
        (
            "two commits",
            Settings {
                two_commits: true,
                funds: 1,
                ..one_card
            },
        ),
    ]
}

fn say(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}
