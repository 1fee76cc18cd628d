//! A transaction: GET PROCESSING OPTIONS, GENERATE AC twice, EXTERNAL AUTHENTICATE between.

use super::data::FILE_LOCATOR;
use super::profile::CashLogEntry;
use super::{CashCard, SPENT_AT};
use crate::command::{Answer, Command, Refusal, refuse};
use purse::Status;
use purse::cash::{
    CardVerification, Cryptogram, CryptogramKind, IssuerData, SessionKey, Terms, amount_from_bcd,
    arpc, balance_mac, cryptogram, same, session_key,
};
use purse::tlv::{find, object, split_by_dol};

/// "Authentication failed", ISO/IEC 7816-4.
const AUTHENTICATION_FAILED: Status = Status::Other(0x6300);

/// Issuer authentication was not done after an online answer (JR/T 0025.5).
const NOT_AUTHENTICATED: u32 = 0x0400;

/// A transaction between its commands.
pub(super) struct Transaction {
    pub(super) atc: u16,
    pub(super) first: Option<First>,
    pub(super) issuer: Issuer,
    pub(super) finished: bool,
    /// What is paid when the last record has been read.
    pub(super) owes: Option<u32>,
}

/// What the first GENERATE AC gave.
#[derive(Clone, Copy)]
pub(super) struct First {
    pub(super) kind: CryptogramKind,
    pub(super) cryptogram: Cryptogram,
}

/// What the card knows of the issuer in this transaction.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Issuer {
    Unknown,
    /// Scripts are taken.
    Proven,
    /// Proven, and then a script command failed: no more are taken.
    ScriptFailed,
    Wrong,
}

impl CashCard {
    /// Counts the transaction. Only one for each SELECT.
    pub(super) fn get_processing_options(&mut self, data: &[u8]) -> Answer {
        if self.transaction().is_some() {
            return refuse(Status::ConditionsNotSatisfied);
        }
        let values = Values::read(&self.profile.pdol, find(data, &[0x83])?)?;
        let owes = self.pays_at_once(&values);
        let Some(atc) = self.profile.atc.checked_add(1) else {
            return refuse(Status::ConditionsNotSatisfied);
        };
        self.profile.atc = atc;
        self.session_mut(|session| {
            session.transaction = Some(Transaction {
                atc,
                first: None,
                issuer: Issuer::Unknown,
                finished: owes.is_some(),
                owes,
            });
        });
        if owes.is_some() {
            return self.approve_at_once(&values);
        }
        let interchange = self.profile.interchange;
        if self.profile.quirks.options_in_80 {
            return Ok(object(0x80, &[&interchange[..], &FILE_LOCATOR].concat())?);
        }
        let inside = [object(0x82, &interchange)?, object(0x94, &FILE_LOCATOR)?];
        Ok(object(0x77, &inside.concat())?)
    }

    /// A contactless terminal that offers qPBOC (9F66, byte 1, bit 6) has its amount taken, if the card holds it.
    fn pays_at_once(&self, values: &Values) -> Option<u32> {
        let [offered, ..] = values.get::<4>(0x9F66);
        let amount = amount_from_bcd(values.get(0x9F02)).ok()?;
        let profile = &self.profile;
        let may = !profile.blocked && amount <= profile.balance && amount <= profile.single_limit;
        (offered & 0x20 != 0 && may).then_some(amount)
    }

    /// The whole purchase in one answer.
    fn approve_at_once(&self, values: &Values) -> Answer {
        let cvr = self.verification(CardVerification::FIRST_TC);
        let (reply, _) = self.answer(CryptogramKind::Tc, values, cvr)?;
        let told = if self.profile.quirks.cryptogram_in_80 {
            Vec::new()
        } else {
            find(&reply, &[0x77])?.to_vec()
        };
        let inside = [
            object(0x82, &self.profile.interchange)?,
            object(0x94, &FILE_LOCATOR)?,
            told,
        ];
        Ok(object(0x77, &inside.concat())?)
    }

    /// The last record has been read: what was promised is paid.
    pub(super) fn pay(&mut self) {
        let mut owed = None;
        self.transaction_mut(|now| owed = now.owes.take());
        let Some(amount) = owed else { return };
        self.profile.balance = self.profile.balance.saturating_sub(amount);
        self.profile.log_purchase(amount, SPENT_AT);
    }

    pub(super) fn generate_ac(&mut self, kind: u8, data: &[u8]) -> Answer {
        let Some(asked) = CryptogramKind::from_byte(kind) else {
            return refuse(Status::ParametersWrong);
        };
        match self.transaction() {
            Some(Transaction { finished: true, .. }) | None => {
                refuse(Status::ConditionsNotSatisfied)
            }
            Some(Transaction { first: None, .. }) => self.first_ac(asked, data),
            Some(Transaction { first: Some(_), .. }) => self.second_ac(asked, data),
        }
    }

    /// A blocked application declines. An approval without the issuer becomes a question to it.
    fn first_ac(&mut self, asked: CryptogramKind, data: &[u8]) -> Answer {
        let kind = match asked {
            _ if self.profile.blocked => CryptogramKind::Aac,
            CryptogramKind::Aac => CryptogramKind::Aac,
            CryptogramKind::Tc | CryptogramKind::Arqc => CryptogramKind::Arqc,
        };
        let values = Values::read(&self.profile.cdol1, data)?;
        let unfinished = flag(self.profile.unfinished, CardVerification::UNFINISHED);
        let verification = self.verification(match kind {
            CryptogramKind::Arqc => {
                CardVerification::FIRST_ARQC | CardVerification::SECOND_OPEN | unfinished
            }
            CryptogramKind::Aac | CryptogramKind::Tc => CardVerification::SECOND_OPEN | unfinished,
        });
        let (reply, cryptogram) = self.answer(kind, &values, verification)?;
        if kind == CryptogramKind::Arqc {
            self.profile.unfinished = true;
        }
        self.transaction_mut(|now| now.first = Some(First { kind, cryptogram }));
        Ok(reply)
    }

    /// Without a proven issuer there is no approval.
    fn second_ac(&mut self, asked: CryptogramKind, data: &[u8]) -> Answer {
        let issuer = match self.transaction() {
            Some(Transaction {
                first: Some(first),
                issuer,
                ..
            }) if first.kind == CryptogramKind::Arqc => *issuer,
            Some(_) | None => return refuse(Status::ConditionsNotSatisfied),
        };
        let values = Values::read(&self.profile.cdol2, data)?;
        let proven = matches!(issuer, Issuer::Proven | Issuer::ScriptFailed);
        let (kind, second) = match asked {
            CryptogramKind::Tc if proven => (CryptogramKind::Tc, CardVerification::SECOND_TC),
            CryptogramKind::Tc | CryptogramKind::Arqc | CryptogramKind::Aac => {
                (CryptogramKind::Aac, 0)
            }
        };
        let told = match issuer {
            Issuer::Unknown => NOT_AUTHENTICATED,
            Issuer::Wrong => CardVerification::AUTHENTICATION_FAILED,
            Issuer::Proven | Issuer::ScriptFailed => 0,
        };
        let verification = self.verification(CardVerification::FIRST_ARQC | second | told);
        let (reply, _) = self.answer(kind, &values, verification)?;
        self.profile.unfinished = false;
        if kind == CryptogramKind::Tc {
            self.profile.last_online_atc = self.profile.atc;
            self.log(&values);
        }
        self.transaction_mut(|now| now.finished = true);
        Ok(reply)
    }

    /// One try for each transaction.
    pub(super) fn external_authenticate(&mut self, command: &Command<'_>) -> Answer {
        let [code @ .., high, low] = *command.exact::<10>()?;
        let blocked = self.profile.blocked;
        let (atc, first) = match self.transaction() {
            Some(Transaction {
                first: Some(first),
                issuer: Issuer::Unknown,
                finished: false,
                atc,
                owes: _,
            }) if blocked || first.kind == CryptogramKind::Arqc => (*atc, *first),
            Some(_) | None => return refuse(Status::ConditionsNotSatisfied),
        };
        let key = session_key(&self.keys.cryptogram.0, atc);
        if !same(code, arpc(&key, first.cryptogram, [high, low])) {
            self.transaction_mut(|now| now.issuer = Issuer::Wrong);
            return refuse(AUTHENTICATION_FAILED);
        }
        self.transaction_mut(|now| now.issuer = Issuer::Proven);
        self.profile.scripts = 0;
        self.profile.script_failed = false;
        Ok(Vec::new())
    }

    /// Reply of GENERATE AC, and the cryptogram in it.
    fn answer(
        &self,
        kind: CryptogramKind,
        values: &Values,
        cvr: CardVerification,
    ) -> Result<(Vec<u8>, Cryptogram), Refusal> {
        let profile = &self.profile;
        let terms = values.terms(profile.interchange, profile.atc, cvr);
        let made = cryptogram(&session_key(&self.keys.cryptogram.0, profile.atc), &terms);
        let issuer_data = IssuerData {
            key_index: profile.key_index,
            version: profile.cryptogram_version,
            cvr,
            algorithm: 0x01,
            balance: profile.balance,
            mac: balance_mac(&self.mac_key(profile.atc), profile.balance, profile.atc),
        }
        .encode();
        let parts: [(u16, &[u8]); 4] = [
            (0x9F27, &[kind.byte()]),
            (0x9F36, &profile.atc.to_be_bytes()),
            (0x9F26, &made),
            (0x9F10, &issuer_data),
        ];
        if profile.quirks.cryptogram_in_80 {
            let joined = parts.map(|(_, value)| value).concat();
            return Ok((object(0x80, &joined)?, made));
        }
        let mut inside = Vec::new();
        for (tag, value) in parts {
            purse::tlv::put(&mut inside, tag, value)?;
        }
        Ok((object(0x77, &inside)?, made))
    }

    /// These flags, and what is to be told of the last script.
    fn verification(&self, flags: u32) -> CardVerification {
        let failed = flag(self.profile.script_failed, CardVerification::SCRIPT_FAILED);
        CardVerification::new(flags | failed, self.profile.scripts)
    }

    /// An approved transaction without an amount, such as an activation, is not logged.
    fn log(&mut self, values: &Values) {
        let amount = amount_from_bcd(values.get(0x9F02)).unwrap_or(u32::MAX);
        if amount == 0 {
            return;
        }
        self.profile.add_to_log(CashLogEntry {
            date: values.get(0x9A),
            time: values.get(0x9F21),
            amount,
            merchant: values.get(0x9F4E),
            kind: values.byte(0x9C),
            atc: self.profile.atc,
            country: values.get(0x9F1A),
            currency: values.get(0x5F2A),
        });
    }

    pub(super) fn mac_key(&self, atc: u16) -> SessionKey {
        session_key(&self.keys.mac.0, atc)
    }

    pub(super) fn transaction(&self) -> Option<&Transaction> {
        self.session.as_ref()?.transaction.as_ref()
    }

    pub(super) fn transaction_mut(&mut self, change: impl FnOnce(&mut Transaction)) {
        self.session_mut(|session| {
            if let Some(now) = session.transaction.as_mut() {
                change(now);
            }
        });
    }
}

fn flag(set: bool, flag: u32) -> u32 {
    if set { flag } else { 0 }
}

/// Values of the terminal, as a CDOL asked for them.
struct Values(Vec<(u16, Vec<u8>)>);

impl Values {
    fn read(list: &[u8], data: &[u8]) -> Result<Self, Status> {
        let values = split_by_dol(list, data).map_err(|_| Status::WrongLength)?;
        let owned = values.iter().map(|one| (one.tag, one.value.to_vec()));
        Ok(Self(owned.collect()))
    }

    /// The value, cut or filled with zeros; zeros when it was not asked for.
    fn get<const N: usize>(&self, wanted: u16) -> [u8; N] {
        let mut bytes = [0; N];
        let found = self.0.iter().find(|(tag, _)| *tag == wanted);
        for (place, byte) in bytes
            .iter_mut()
            .zip(found.iter().flat_map(|(_, value)| value))
        {
            *place = *byte;
        }
        bytes
    }

    fn byte(&self, wanted: u16) -> u8 {
        let [byte] = self.get(wanted);
        byte
    }

    fn terms(&self, interchange: [u8; 2], atc: u16, cvr: CardVerification) -> Terms {
        Terms {
            amount: self.get(0x9F02),
            other_amount: self.get(0x9F03),
            country: self.get(0x9F1A),
            verification: self.get(0x95),
            currency: self.get(0x5F2A),
            date: self.get(0x9A),
            kind: self.byte(0x9C),
            unpredictable: self.get(0x9F37),
            interchange,
            atc,
            cvr: cvr.0,
        }
    }
}
