//! What operators propose for a load in MANUAL, and when two of them have decided it.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{Operators, Resolution};

/// The longest evidence, in characters.
pub const LONGEST_EVIDENCE: usize = 500;

/// So many digits in a row, blanks and hyphens between them aside, are a number of a card, an account or a person
/// (a date with its hour has ten).
const NUMBER_DIGITS: usize = 11;

/// What one operator wants to be done with a load, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proposal {
    /// Who.
    pub operator: String,
    /// What.
    pub resolution: Resolution,
    /// What they saw.
    pub evidence: String,
}

/// What a new proposal leads to; it is kept in each case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proposed {
    /// Nobody else has proposed anything.
    Waits,
    /// The others' proposals differ: nothing moves before two agree.
    Disagrees,
    /// A different operator had proposed the same.
    Decided(Operators),
}

/// Why a proposal is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ProposalRefusal {
    /// Without a reason nobody can check it.
    #[error("evidence is missing")]
    NoEvidence,
    /// More than [`LONGEST_EVIDENCE`] characters.
    #[error("evidence is too long")]
    EvidenceLong,
    /// Full numbers of cards, accounts and people are kept nowhere (I20).
    #[error("evidence holds a long number: the last four digits are enough")]
    NumberInEvidence,
    /// The same operator has proposed the same already: a second person is needed.
    #[error("this operator has proposed this already")]
    SameOperator,
}

/// Weighs a proposal against the earlier ones of the same load, oldest first. Only the newest of each operator
/// counts: whoever was wrong may change their mind until two agree.
///
/// # Errors
/// See [`ProposalRefusal`]; nothing is to be kept then.
pub fn propose(earlier: &[Proposal], new: &Proposal) -> Result<Proposed, ProposalRefusal> {
    let evidence = new.evidence.trim();
    if evidence.is_empty() || new.operator.trim().is_empty() {
        return Err(ProposalRefusal::NoEvidence);
    }
    if evidence.chars().count() > LONGEST_EVIDENCE {
        return Err(ProposalRefusal::EvidenceLong);
    }
    if holds_number(evidence) {
        return Err(ProposalRefusal::NumberInEvidence);
    }
    let standing = standing(earlier);
    let own = standing.iter().find(|it| same(it, new));
    if own.is_some_and(|own| own.resolution == new.resolution) {
        return Err(ProposalRefusal::SameOperator);
    }
    let mut others = standing.iter().filter(|it| !same(it, new)).peekable();
    if others.peek().is_none() {
        return Ok(Proposed::Waits);
    }
    let agreed = others.find(|it| it.resolution == new.resolution);
    let operators = agreed.and_then(|first| {
        let both = format!("{} / {evidence}", first.evidence.trim());
        Operators::new(&first.operator, &new.operator, &both)
    });
    Ok(operators.map_or(Proposed::Disagrees, Proposed::Decided))
}

/// The newest proposal of each operator.
fn standing(earlier: &[Proposal]) -> Vec<&Proposal> {
    let mut standing: Vec<&Proposal> = Vec::new();
    for proposal in earlier {
        standing.retain(|it| !same(it, proposal));
        standing.push(proposal);
    }
    standing
}

fn same(one: &Proposal, other: &Proposal) -> bool {
    one.operator.trim().to_lowercase() == other.operator.trim().to_lowercase()
}

fn holds_number(text: &str) -> bool {
    let mut digits: usize = 0;
    for character in text.chars() {
        if character.is_numeric() {
            digits = digits.saturating_add(1);
            if digits >= NUMBER_DIGITS {
                return true;
            }
        } else if !matches!(character, ' ' | '-') {
            digits = 0;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proposal(operator: &str, resolution: Resolution) -> Proposal {
        Proposal {
            operator: operator.to_owned(),
            resolution,
            evidence: format!("{operator} saw the card at the counter"),
        }
    }

    #[test]
    fn the_first_waits_and_a_second_person_who_agrees_decides() {
        let first = proposal("chen", Resolution::Refund);
        assert_eq!(propose(&[], &first), Ok(Proposed::Waits));
        let Ok(Proposed::Decided(by)) = propose(&[first], &proposal("wang", Resolution::Refund))
        else {
            panic!("two people agree");
        };
        assert_eq!(by.names(), ["chen", "wang"]);
        let both = "chen saw the card at the counter / wang saw the card at the counter";
        assert_eq!(by.evidence(), both, "what each of them saw");
    }

    #[test]
    fn one_person_alone_decides_nothing_under_any_spelling() {
        let earlier = [proposal("chen", Resolution::Refund)];
        for name in ["chen", " Chen ", "CHEN"] {
            let again = proposal(name, Resolution::Refund);
            assert_eq!(
                propose(&earlier, &again),
                Err(ProposalRefusal::SameOperator)
            );
            let other = proposal(name, Resolution::Loaded);
            assert_eq!(
                propose(&earlier, &other),
                Ok(Proposed::Waits),
                "{name} changed their mind"
            );
        }
    }

    #[test]
    fn who_disagrees_decides_nothing_until_two_agree() {
        let mut earlier = vec![proposal("chen", Resolution::Refund)];
        let wang = proposal("wang", Resolution::WriteOff);
        assert_eq!(propose(&earlier, &wang), Ok(Proposed::Disagrees));
        earlier.push(wang);
        let li = proposal("li", Resolution::WriteOff);
        let Ok(Proposed::Decided(by)) = propose(&earlier, &li) else {
            panic!("wang and li agree");
        };
        assert_eq!(by.names(), ["wang", "li"]);
    }

    #[test]
    fn a_proposal_that_was_taken_back_supports_nobody() {
        let earlier = [
            proposal("chen", Resolution::Refund),
            proposal("chen", Resolution::Loaded),
        ];
        let wang = proposal("wang", Resolution::Refund);
        assert_eq!(propose(&earlier, &wang), Ok(Proposed::Disagrees));
        let wang = proposal("wang", Resolution::Loaded);
        assert!(matches!(propose(&earlier, &wang), Ok(Proposed::Decided(_))));
    }

    #[test]
    fn evidence_is_there_and_short_and_names_nobody_in_full() {
        let with = |evidence: &str| {
            let evidence = evidence.to_owned();
            let new = Proposal {
                evidence,
                ..proposal("chen", Resolution::Refund)
            };
            propose(&[], &new)
        };
        assert_eq!(with(" "), Err(ProposalRefusal::NoEvidence));
        assert_eq!(with(&"证".repeat(500)), Ok(Proposed::Waits));
        assert_eq!(with(&"a".repeat(501)), Err(ProposalRefusal::EvidenceLong));
        for number in [
            "12345678901",
            "6222 0000 1111 2222",
            "138-0000-6021",
            "１２３４５６７８９０１",
        ] {
            let refused = with(&format!("card {number} was seen"));
            assert_eq!(refused, Err(ProposalRefusal::NumberInEvidence), "{number}");
        }
        for harmless in ["2026-11-23 10:00 ticket 4471", "1234567890, 1234567890"] {
            assert_eq!(with(harmless), Ok(Proposed::Waits), "{harmless}");
        }
        let nobody = proposal("  ", Resolution::Refund);
        assert_eq!(propose(&[], &nobody), Err(ProposalRefusal::NoEvidence));
    }
}
