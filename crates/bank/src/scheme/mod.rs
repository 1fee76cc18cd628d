//! What the cards of an industry and the bank say to each other when money moves. Everything else of a transaction is
//! the same for all industries: what a message holds is in the industry's package, how it is proved is here.

pub(crate) mod cash;
mod identity;

use ledger::{Mac1, Tac};
use purse::crypto::LoadTerms;
use purse::{InitForLoad, Proof};
use relay::Body;
use serde::Deserialize;

use crate::card_hsm::{CardHsm, HsmError};
use crate::store::load::{AttemptRow, LoadRow};

pub(crate) use identity::CardIdentity;

/// How cards prove things.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Scheme {
    /// PBOC electronic purse: MAC1, MAC2, TAC (JR/T 0025 part 2).
    #[default]
    Purse,
    /// PBOC electronic cash: ARQC, ARPC, issuer script, TC (JR/T 0025 part 13).
    Cash,
}

impl Scheme {
    /// A card's number as a card has it: a purse's 10 bytes as 20 hex digits; the digits of a PAN, filled with F to
    /// whole bytes.
    pub(crate) fn serial(self, text: &str) -> Option<Vec<u8>> {
        match self {
            Self::Purse => hex::decode(text).ok().filter(|it| it.len() == 10),
            Self::Cash => purse::cash::Pan::from_text(text)
                .ok()
                .map(|it| it.to_bcd(0)),
        }
    }
}

/// How a purse becomes active; electronic cash does so by a balance limit.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Activation {
    /// UPDATE BINARY of file 15: flag and dates.
    #[default]
    EnableFlag,
    /// APPLICATION UNBLOCK: the card was shipped blocked.
    Unblock,
}

/// What a card said when it opened a load.
#[derive(Clone, Debug)]
pub(crate) enum Opening {
    Purse(InitForLoad),
    Cash(cash::Opening),
}

/// What a card's opening must be about, so that it is none of another load.
#[derive(Clone, Copy, Debug)]
pub(crate) struct About {
    /// Fen.
    pub(crate) amount: u32,
    pub(crate) terminal: [u8; 6],
    /// What electronic cash signs instead of the terminal's number: drawn for this transaction.
    pub(crate) number: [u8; 4],
}

impl About {
    /// A number of the bank's own in place of what the terminal would have the card sign.
    pub(crate) fn witnessed(amount: u32, witness: [u8; 6]) -> Self {
        let [a, b, c, d, ..] = witness;
        Self {
            amount,
            terminal: witness,
            number: [a, b, c, d],
        }
    }
}

impl Opening {
    /// None when the message does not hold one.
    pub(crate) fn read(scheme: Scheme, body: &Body) -> Option<Self> {
        match scheme {
            Scheme::Purse => InitForLoad::parse(body.field("init")?)
                .ok()
                .map(Self::Purse),
            Scheme::Cash => cash::Opening::read(body).map(Self::Cash),
        }
    }

    /// The proof that the card is genuine and in this state; none when its code does not verify.
    ///
    /// # Errors
    /// When the keys can't be used.
    pub(crate) fn verify(
        &self,
        hsm: &dyn CardHsm,
        (industry, card): (&str, &CardIdentity),
        about: About,
    ) -> Result<Option<Mac1>, HsmError> {
        let proof = match self {
            Self::Purse(init) => {
                let terms = LoadTerms::purse(about.amount, about.terminal);
                hsm.mac1(industry, card, init, &terms).map(|expected| {
                    let (counter, balance) = (init.online_counter, init.old_balance);
                    Mac1::verify(counter, balance, &expected, &init.mac1)
                })
            }
            Self::Cash(opening) => opening.verify(hsm, (industry, card), about),
        };
        match proof {
            // A card that lacks what the recipe asks for can't be shown to be genuine, nor one of keys that are not here.
            Err(HsmError::Factor(_) | HsmError::Version) => Ok(None),
            proof => proof,
        }
    }

    /// The version of the card's keys. No code is over it: one that was changed on its way chooses keys under which no
    /// code of the card verifies.
    pub(crate) fn key_version(&self) -> u8 {
        match self {
            Self::Purse(init) => init.key_version,
            Self::Cash(opening) => opening.key_version(),
        }
    }

    /// Whether a counter was used before: a purse counts loads, electronic cash every transaction.
    pub(crate) fn is_old(&self, counter: u16, seen: u16) -> bool {
        match self {
            Self::Purse(_) => counter < seen,
            Self::Cash(_) => counter <= seen,
        }
    }

    /// What is kept of it with an attempt.
    pub(crate) fn session(&self) -> Option<cash::Session> {
        match self {
            Self::Purse(_) => None,
            Self::Cash(opening) => Some(opening.session()),
        }
    }
}

/// What the bank has the driver run: a phase of the package, its fields, and the phase that comes back.
pub(crate) struct Order {
    pub(crate) phase: &'static str,
    pub(crate) fields: Vec<(&'static str, Vec<u8>)>,
}

/// The bank's yes to an attempt.
///
/// # Errors
/// When the keys can't be used.
pub(crate) fn credit(
    hsm: &dyn CardHsm,
    row: &LoadRow,
    attempt: &AttemptRow,
    opening: &Opening,
    max_balance: u32,
) -> Result<Order, HsmError> {
    let amount = row.load.order().amount;
    match opening {
        Opening::Purse(init) => {
            let terms = attempt.terms(amount);
            let mac2 = hsm.mac2(&row.industry, &row.identity, init, &terms, attempt.at)?;
            let data = [&attempt.at.date[..], &attempt.at.time, &mac2].concat();
            Ok(Order {
                phase: "credit",
                fields: vec![("credit_data", data)],
            })
        }
        Opening::Cash(opening) => {
            let new_balance = attempt.attempt.balance.checked_add(amount);
            let new_balance = new_balance.ok_or(HsmError::Amount)?;
            let card = (row.industry.as_str(), &row.identity);
            opening.credit(hsm, card, new_balance, max_balance)
        }
    }
}

/// The card's word that it was credited, out of a message; each as the attempt's own code is compared with it.
pub(crate) enum Credited {
    Purse(Vec<[u8; 4]>),
    Cash(Option<cash::Closing>),
}

impl Credited {
    /// The answer to the credit.
    pub(crate) fn at_once(scheme: Scheme, body: &Body) -> Self {
        match scheme {
            Scheme::Purse => {
                let tac = body.field("tac").and_then(|tac| tac.try_into().ok());
                Self::Purse(tac.into_iter().collect())
            }
            Scheme::Cash => Self::Cash(cash::Closing::read(body)),
        }
    }

    /// What GET TRANSACTION PROVE gave. A 9000 alone proves nothing: the TAC must be the pending load's own.
    pub(crate) fn proved(body: &Body) -> Self {
        let proofs = ["proof", "proof_before"].into_iter();
        let proofs = proofs.filter_map(|name| Proof::parse(body.field(name)?).ok());
        Self::Purse(proofs.map(|proof| proof.tac).collect())
    }

    pub(crate) fn is_there(&self) -> bool {
        match self {
            Self::Purse(tacs) => !tacs.is_empty(),
            Self::Cash(closing) => closing.is_some(),
        }
    }

    /// The proof for this attempt, if it verifies over the attempt's own data.
    ///
    /// # Errors
    /// When the keys can't be used.
    pub(crate) fn verify(
        &self,
        hsm: &dyn CardHsm,
        row: &LoadRow,
        attempt: &AttemptRow,
    ) -> Result<Option<Tac>, HsmError> {
        let amount = row.load.order().amount;
        let new_balance = attempt.attempt.balance.checked_add(amount);
        let new_balance = new_balance.ok_or(HsmError::Amount)?;
        let card = (row.industry.as_str(), &row.identity);
        match self {
            Self::Purse(tacs) => {
                let begun = (new_balance, attempt.attempt.counter);
                let terms = attempt.terms(amount);
                let expected = hsm.tac(card.0, card.1, begun, &terms, attempt.at)?;
                let fits = |tac: &[u8; 4]| Tac::verify(&attempt.attempt, &expected, tac);
                Ok(tacs.iter().find_map(fits))
            }
            Self::Cash(closing) => match (closing, &attempt.session) {
                (Some(closing), Some(session)) => {
                    let proved = closing.proves(hsm, card, session, new_balance)?;
                    Ok(proved.and_then(|code| Tac::verify(&attempt.attempt, &code, &code)))
                }
                (Some(_), None) | (None, _) => Ok(None),
            },
        }
    }
}
