//! How long a refusal takes, by where the flipped bit is: `cargo run --release -p envelope --example refusal_times`.
//! An attacker who could tell the places apart by time would learn where a forgery fails.
#![expect(
    clippy::disallowed_methods,
    clippy::arithmetic_side_effects,
    reason = "a measurement needs a clock"
)]

use std::hint::black_box;
use std::io::Write;
use std::time::Instant;

use envelope::keys::{KeyFacts, WorkingKey};
use envelope::seal::{HEADER_LENGTH, Header, open, seal};
use envelope::{Direction, Refused, Suite, Terminal};

const MESSAGE: usize = 256;
const ROUNDS: usize = 40_000;

fn main() -> Result<(), Refused> {
    let terminal: Terminal = "001122334455".parse()?;
    let mut out = std::io::stdout().lock();
    for suite in Suite::ALL {
        let facts = KeyFacts {
            id: 1,
            suite,
            not_before_ms: 0,
            expires_ms: 1,
        };
        let key = WorkingKey::new(facts, [7; 32]);
        let header = Header {
            suite,
            direction: Direction::ToBank,
            terminal,
            key_id: 1,
            counter: 1,
            time_ms: 0,
        };
        let good = seal(&key, &header, &[0x5A; MESSAGE], &[9; 12])?;
        let end = good.len();
        // The counter and the time alone: another suite, key or length is another way out by design.
        let places = [
            ("counter and time", 16..32),
            ("nonce or IV", HEADER_LENGTH..HEADER_LENGTH + 8),
            ("message", HEADER_LENGTH + 12..end - 16),
            ("tag or MAC", end - 8..end),
        ];
        let mut times: [Vec<u128>; 4] = std::array::from_fn(|_| Vec::new());
        // Place after place, again and again: whatever else the machine does falls on all of them alike.
        for round in 0..ROUNDS {
            for ((_, place), times) in places.iter().zip(&mut times) {
                let mut bad = good.clone();
                if let Some(byte) = bad.get_mut(place.start + round % place.len()) {
                    *byte ^= 1 << (round % 8);
                }
                let began = Instant::now();
                let refused = black_box(open(&key, black_box(&bad), Direction::ToBank));
                times.push(began.elapsed().as_nanos());
                if refused.is_ok() {
                    return Err(Refused);
                }
            }
        }
        let mut medians = Vec::new();
        for ((name, _), times) in places.iter().zip(&mut times) {
            times.sort_unstable();
            let median = times.get(times.len() / 2).copied().unwrap_or_default();
            medians.push(median);
            let _ = writeln!(
                out,
                "suite {} {name:<18} median {median:>6} ns",
                suite.number()
            );
        }
        let (least, most) = (medians.iter().min(), medians.iter().max());
        if let (Some(least), Some(most)) = (least, most) {
            let _ = writeln!(
                out,
                "suite {} spread {} ns of {least}",
                suite.number(),
                most - least
            );
        }
    }
    Ok(())
}
