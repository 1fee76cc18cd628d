//! Faults that a slot can be told to have.

use serde::{Deserialize, Serialize};

/// When the card loses power, seen from one command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Moment {
    /// The command never reaches the card.
    Before,
    /// The card works on it and its memory rolls back; only a PIN try stays used.
    During,
    /// The card has done it; the reply is lost.
    After,
}

/// A fault armed in a slot. `ins` is the instruction it waits for; none is any.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "fault")]
pub enum Fault {
    /// The card is torn from the reader at the `nth` such command (from 1), once.
    Tear {
        /// Instruction.
        ins: Option<u8>,
        /// When.
        moment: Moment,
        /// Which of them, from 1.
        nth: u32,
    },
    /// The next reply is random bytes, once.
    Garbage {
        /// Instruction.
        ins: Option<u8>,
    },
    /// The next reply is cut to its first half, once.
    Truncate {
        /// Instruction.
        ins: Option<u8>,
    },
    /// Every command takes that much longer, until cleared.
    Slow {
        /// Milliseconds.
        ms: u64,
    },
    /// Bad contact: one command of each three, which one the seed says, takes that much longer.
    Jitter {
        /// Milliseconds.
        ms: u64,
        /// Heals after so many commands; none is never.
        commands: Option<u32>,
        /// Which commands.
        seed: u64,
    },
}

/// What a command meets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Strike {
    None,
    Tear(Moment),
    Garbage,
    Truncate,
}

/// The first armed fault that this instruction sets off; it is disarmed.
pub(crate) fn strike(armed: &mut Vec<Fault>, instruction: u8) -> Strike {
    let meets = |ins: &Option<u8>| ins.is_none_or(|wanted| wanted == instruction);
    let mut struck = Strike::None;
    armed.retain_mut(|fault| {
        if struck != Strike::None {
            return true;
        }
        match fault {
            Fault::Tear { ins, moment, nth } if meets(ins) => {
                if *nth > 1 {
                    *nth -= 1;
                    return true;
                }
                struck = Strike::Tear(*moment);
                false
            }
            Fault::Garbage { ins } if meets(ins) => {
                struck = Strike::Garbage;
                false
            }
            Fault::Truncate { ins } if meets(ins) => {
                struck = Strike::Truncate;
                false
            }
            Fault::Tear { .. }
            | Fault::Garbage { .. }
            | Fault::Truncate { .. }
            | Fault::Slow { .. }
            | Fault::Jitter { .. } => true,
        }
    });
    struck
}

/// Sum of the armed delays for the `nth` command, from 0, in milliseconds.
pub(crate) fn delay_ms(armed: &mut Vec<Fault>, nth: u64) -> u64 {
    let mut sum_ms: u64 = 0;
    armed.retain_mut(|fault| {
        match fault {
            Fault::Slow { ms } => sum_ms = sum_ms.saturating_add(*ms),
            Fault::Jitter { ms, commands, seed } => {
                if *commands == Some(0) {
                    return false;
                }
                *commands = commands.map(|left| left.saturating_sub(1));
                if slow_in_block(*seed, nth / 3) == nth % 3 {
                    sum_ms = sum_ms.saturating_add(*ms);
                }
            }
            Fault::Tear { .. } | Fault::Garbage { .. } | Fault::Truncate { .. } => {}
        }
        true
    });
    sum_ms
}

/// Which of three commands is the slow one.
fn slow_in_block(seed: u64, block: u64) -> u64 {
    let mixed = (seed ^ block).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (mixed >> 33) % 3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_jittery_card_is_slow_once_in_three_commands_until_it_heals() {
        let jitter = Fault::Jitter {
            ms: 300,
            commands: Some(30),
            seed: 7,
        };
        let mut armed = vec![jitter];
        let delays: Vec<u64> = (0..33).map(|nth| delay_ms(&mut armed, nth)).collect();
        for block in delays[..30].chunks(3) {
            assert_eq!(block.iter().sum::<u64>(), 300, "one of {block:?}");
        }
        assert_eq!(delays[30..], [0; 3], "healed");
        let mut again = vec![jitter];
        let same: Vec<u64> = (0..33).map(|nth| delay_ms(&mut again, nth)).collect();
        assert_eq!(delays, same, "the seed fixes them");
    }

    #[test]
    fn a_tear_waits_for_the_nth_command_and_strikes_once() {
        let mut armed = vec![Fault::Tear {
            ins: Some(0x52),
            moment: Moment::After,
            nth: 2,
        }];
        assert_eq!(
            strike(&mut armed, 0x50),
            Strike::None,
            "another instruction"
        );
        assert_eq!(strike(&mut armed, 0x52), Strike::None, "the first");
        assert_eq!(
            strike(&mut armed, 0x52),
            Strike::Tear(Moment::After),
            "the second"
        );
        assert_eq!(strike(&mut armed, 0x52), Strike::None, "disarmed");
    }
}
