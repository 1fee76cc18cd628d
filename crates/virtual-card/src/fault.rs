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
            | Fault::Slow { .. } => true,
        }
    });
    struck
}

/// Sum of the armed delays, in milliseconds.
pub(crate) fn delay_ms(armed: &[Fault]) -> u64 {
    armed
        .iter()
        .map(|fault| match fault {
            Fault::Slow { ms } => *ms,
            Fault::Tear { .. } | Fault::Garbage { .. } | Fault::Truncate { .. } => 0,
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

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
