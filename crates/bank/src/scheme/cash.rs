//! Electronic cash. Its ATC counts every transaction, so it does not tell whether a load was done. What does: each
//! load sends another number of script commands than the card's last online transaction had, and the card reports
//! that number under its next cryptogram (docs/decisions/0011).

use ledger::{Attempt, FreshInit, Mac1, Since};
use purse::cash::{self, CardVerification, Cryptogram, IssuerData, Terms};
use purse::tlv::{self, Object};
use relay::Body;
use serde::{Deserialize, Serialize};

use crate::card_hsm::{CardHsm, HsmError};
use crate::scheme::{About, CardIdentity, Order};

/// "Approved", the authorisation response code (ISO 8583, field 39).
const APPROVED: [u8; 2] = *b"00";

const SET_BALANCE: [u8; 4] = [0x04, 0xDA, 0x9F, 0x79];
const SET_LIMIT: [u8; 4] = [0x04, 0xDA, 0x9F, 0x77];

/// The answer to the first GENERATE AC, with what it was about.
#[derive(Clone, Debug)]
pub(crate) struct Opening {
    terms: Terms,
    arqc: Cryptogram,
    issuer: IssuerData,
}

/// What is kept of an opening with its attempt.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Session {
    pub(crate) atc: u16,
    /// Script commands of the card's last online transaction before this one.
    pub(crate) scripts_before: u8,
    /// Script commands of this one.
    pub(crate) scripts: u8,
}

/// The answer to the second GENERATE AC.
#[derive(Clone, Debug)]
pub(crate) struct Closing {
    terms: Terms,
    certificate: Cryptogram,
    issuer: IssuerData,
}

/// What a card in a new transaction says of an earlier one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Told {
    /// The script of that transaction was done to its end.
    Done,
    /// It was not, and can't be any more.
    NotDone,
    /// Neither: somebody else wrote to this card.
    Other,
    /// This is no newer transaction.
    Older,
}

impl Opening {
    pub(crate) fn read(body: &Body) -> Option<Self> {
        let issuer = IssuerData::parse(body.field("issuer_data")?).ok()?;
        let asked = values(body, "cdol1", "asked")?;
        Some(Self {
            terms: terms(&asked, body, &issuer)?,
            arqc: body.field("cryptogram")?.try_into().ok()?,
            issuer,
        })
    }

    pub(super) fn verify(
        &self,
        hsm: &dyn CardHsm,
        card: (&str, &CardIdentity),
        about: About,
    ) -> Result<Option<Mac1>, HsmError> {
        let expected = hsm.cryptogram(card, &self.terms)?;
        let balance = self.issuer.balance;
        let balance_mac = hsm.balance_mac(card, self.terms.atc, balance)?;
        let ours = self.terms.unpredictable == about.number
            && self.terms.amount == cash::amount_to_bcd(about.amount);
        if !ours || !cash::same(expected, self.arqc) {
            return Ok(None);
        }
        Ok(Mac1::verify(
            self.terms.atc,
            balance,
            &balance_mac,
            &self.issuer.mac,
        ))
    }

    /// The derivation key index.
    pub(super) fn key_version(&self) -> u8 {
        self.issuer.key_index
    }

    pub(super) fn session(&self) -> Session {
        let scripts_before = self.issuer.cvr.scripts();
        Session {
            atc: self.terms.atc,
            scripts_before,
            scripts: if scripts_before == 1 { 2 } else { 1 },
        }
    }

    pub(super) fn credit(
        &self,
        hsm: &dyn CardHsm,
        card: (&str, &CardIdentity),
        new_balance: u32,
        max_balance: u32,
    ) -> Result<Order, HsmError> {
        let script = self.script(hsm, card, SET_BALANCE, new_balance)?;
        let authority = self.authority(hsm, card)?;
        if self.session().scripts == 1 {
            return Ok(Order {
                phase: "credit",
                fields: vec![("authority", authority), ("script", script)],
            });
        }
        // Writes what is there: it only makes the number of commands another one.
        let same = self.script(hsm, card, SET_LIMIT, max_balance)?;
        Ok(Order {
            phase: "credit_twice",
            fields: vec![("authority", authority), ("same", same), ("script", script)],
        })
    }

    /// The balance limit of an active card.
    ///
    /// # Errors
    /// When the keys can't be used.
    pub(crate) fn activate(
        &self,
        hsm: &dyn CardHsm,
        card: (&str, &CardIdentity),
        max_balance: u32,
    ) -> Result<Order, HsmError> {
        let script = self.script(hsm, card, SET_LIMIT, max_balance)?;
        let authority = self.authority(hsm, card)?;
        Ok(Order {
            phase: "set_limit",
            fields: vec![("authority", authority), ("script", script)],
        })
    }

    fn authority(
        &self,
        hsm: &dyn CardHsm,
        card: (&str, &CardIdentity),
    ) -> Result<Vec<u8>, HsmError> {
        let arpc = hsm.arpc(card, self.terms.atc, self.arqc, APPROVED)?;
        Ok([&arpc[..], &APPROVED].concat())
    }

    fn script(
        &self,
        hsm: &dyn CardHsm,
        card: (&str, &CardIdentity),
        head: [u8; 4],
        amount: u32,
    ) -> Result<Vec<u8>, HsmError> {
        let data = cash::amount_to_bcd(amount);
        let mac = hsm.script_mac(card, (self.terms.atc, self.arqc), head, &data)?;
        Ok([&data[..], &mac].concat())
    }

    /// What this says of the attempt that `session` began.
    pub(crate) fn since(&self, session: &Session) -> Told {
        let scripts = self.issuer.cvr.scripts();
        let failed = self.issuer.cvr.has(CardVerification::SCRIPT_FAILED);
        if self.terms.atc <= session.atc {
            Told::Older
        } else if scripts == session.scripts && failed {
            // Some cards count a command whose MAC was good and which they then refused.
            Told::Other
        } else if scripts == session.scripts {
            Told::Done
        } else if scripts == session.scripts_before || scripts < session.scripts {
            // The card forgets the old number when it knows the issuer again, and counts from there.
            Told::NotDone
        } else {
            Told::Other
        }
    }

    /// The same as the ledger tells loads apart: the attempt's counter, or one more when it was done; and what was
    /// spent since.
    pub(crate) fn as_counter(
        &self,
        mac1: &Mac1,
        attempt: &Attempt,
        session: &Session,
        amount: u32,
    ) -> Option<FreshInit> {
        let balance = mac1.balance();
        let counted = |step: u16| {
            let counter = attempt.counter.checked_add(step)?;
            Mac1::verify(counter, balance, &[0; 4], &[0; 4])
        };
        let (step, since) = match self.since(session) {
            Told::Done => {
                let loaded = attempt.balance.checked_add(amount);
                let spent = loaded.and_then(|loaded| loaded.checked_sub(balance));
                (1, spent.map_or(Since::Unknown, Since::Spent))
            }
            Told::NotDone => (0, Since::Unknown),
            Told::Other => (2, Since::Unknown),
            Told::Older => return None,
        };
        let mac1 = counted(step)?;
        Some(FreshInit { mac1, since })
    }
}

impl Closing {
    pub(crate) fn read(body: &Body) -> Option<Self> {
        let issuer = IssuerData::parse(body.field("closing_data")?).ok()?;
        let closing = values(body, "cdol2", "closing")?;
        Some(Self {
            terms: terms(&closing, body, &issuer)?,
            certificate: body.field("certificate")?.try_into().ok()?,
            issuer,
        })
    }

    /// Four bytes of the certificate when it proves that the attempt's script was done and left this balance.
    pub(super) fn proves(
        &self,
        hsm: &dyn CardHsm,
        card: (&str, &CardIdentity),
        session: &Session,
        new_balance: u32,
    ) -> Result<Option<[u8; 4]>, HsmError> {
        let expected = hsm.cryptogram(card, &self.terms)?;
        let mac = hsm.balance_mac(card, self.terms.atc, new_balance)?;
        let cvr = self.issuer.cvr;
        let done = self.terms.atc == session.atc
            && cvr.has(CardVerification::SECOND_TC)
            && !cvr.has(CardVerification::SCRIPT_FAILED)
            && cvr.scripts() == session.scripts
            && self.issuer.balance == new_balance
            && self.issuer.mac == mac;
        let [a, b, c, d, ..] = expected;
        Ok((done && cash::same(expected, self.certificate)).then_some([a, b, c, d]))
    }
}

/// What a list asked for, cut out of what was sent.
fn values<'b>(body: &'b Body, list: &str, sent: &str) -> Option<Vec<Object<'b>>> {
    tlv::split_by_dol(body.field(list)?, body.field(sent)?).ok()
}

/// What a cryptogram is about; a value that no list asked for is zeros, as for the card.
fn terms(asked: &[Object<'_>], body: &Body, issuer: &IssuerData) -> Option<Terms> {
    fn value<const N: usize>(asked: &[Object<'_>], tag: u16) -> Option<[u8; N]> {
        match asked.iter().find(|object| object.tag == tag) {
            Some(object) => object.value.try_into().ok(),
            None => Some([0; N]),
        }
    }
    let [kind] = value(asked, 0x9C)?;
    Some(Terms {
        amount: value(asked, 0x9F02)?,
        other_amount: value(asked, 0x9F03)?,
        country: value(asked, 0x9F1A)?,
        verification: value(asked, 0x95)?,
        currency: value(asked, 0x5F2A)?,
        date: value(asked, 0x9A)?,
        kind,
        unpredictable: value(asked, 0x9F37)?,
        interchange: body.field("aip")?.try_into().ok()?,
        atc: u16::from_be_bytes(body.field("atc")?.try_into().ok()?),
        cvr: issuer.cvr.0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opening(atc: u16, scripts: u8) -> Opening {
        let zeros = Terms {
            amount: [0; 6],
            other_amount: [0; 6],
            country: [0; 2],
            verification: [0; 5],
            currency: [0; 2],
            date: [0; 3],
            kind: 0,
            unpredictable: [0; 4],
            interchange: [0; 2],
            atc,
            cvr: [0; 4],
        };
        Opening {
            terms: zeros,
            arqc: [0; 8],
            issuer: IssuerData {
                key_index: 1,
                version: 1,
                cvr: CardVerification::new(0, scripts),
                algorithm: 1,
                balance: 5_000,
                mac: [0; 4],
            },
        }
    }

    #[test]
    fn a_load_always_leaves_another_number_of_scripts_than_there_was() {
        for before in 0..=15 {
            let session = opening(9, before).session();
            assert_ne!(session.scripts, before);
            let later = |scripts| opening(10, scripts).since(&session);
            assert_eq!(later(before), Told::NotDone, "before {before}: untouched");
            assert_eq!(
                later(0),
                Told::NotDone,
                "before {before}: known, and no script done"
            );
            assert_eq!(later(session.scripts), Told::Done, "before {before}");
        }
    }

    #[test]
    fn a_script_of_somebody_else_and_an_older_word_of_the_card_prove_nothing() {
        let session = opening(9, 0).session();
        assert_eq!(opening(10, 5).since(&session), Told::Other);
        assert_eq!(
            opening(9, 1).since(&session),
            Told::Older,
            "the same transaction"
        );
        assert_eq!(opening(8, 1).since(&session), Told::Older);
    }

    #[test]
    fn a_script_that_was_counted_and_failed_is_for_people() {
        for before in 0..=15 {
            let session = opening(9, before).session();
            let mut later = opening(10, session.scripts);
            later.issuer.cvr =
                CardVerification::new(CardVerification::SCRIPT_FAILED, session.scripts);
            assert_eq!(later.since(&session), Told::Other, "before {before}");
        }
    }

    #[test]
    fn what_was_spent_since_is_the_difference_that_the_card_itself_proves() {
        let attempt = Attempt {
            number: 1,
            counter: 9,
            balance: 4_000,
            issued_ms: 0,
        };
        let session = opening(9, 0).session();
        let mac1 = Mac1::verify(11, 5_000, &[0; 4], &[0; 4]).unwrap();
        let told = |scripts| {
            let opening = opening(11, scripts);
            let fresh = opening.as_counter(&mac1, &attempt, &session, 2_000);
            fresh.map(|fresh| (fresh.mac1.counter(), fresh.since))
        };
        assert_eq!(told(1), Some((10, Since::Spent(1_000))), "6,000 less 5,000");
        assert_eq!(told(0), Some((9, Since::Unknown)));
        assert_eq!(told(7), Some((11, Since::Unknown)), "for people");
    }
}
