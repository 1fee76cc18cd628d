//! From what went wrong below to the code that a person meets, with where the money is and what can be done.

use std::collections::BTreeMap;

use bank_client::{ClientError, Distrust};
use card_link::LinkError;
use ipc::{Code, ErrorView, MoneyPlace, Retry};
use key_vault::VaultError;

use crate::disk::DiskError;

/// A failure on its way to the page; [`Failure::view`] gives it its final form.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Failure {
    pub(crate) code: Code,
    pub(crate) params: BTreeMap<String, String>,
    pub(crate) reference: Option<String>,
}

impl Failure {
    pub(crate) fn with(mut self, name: &str, value: impl ToString) -> Self {
        self.params.insert(name.to_owned(), value.to_string());
        self
    }

    pub(crate) fn view(self, money: MoneyPlace) -> ErrorView {
        let retry = match money {
            MoneyPlace::InTransit | MoneyPlace::Unsure if self.code == Code::Manual => Retry::No,
            MoneyPlace::InTransit | MoneyPlace::Unsure => Retry::Resume,
            MoneyPlace::OnCardUnreported => Retry::Wait,
            // Nothing is left to do, whatever else went wrong.
            MoneyPlace::OnCard | MoneyPlace::WrittenOff => Retry::No,
            MoneyPlace::Account | MoneyPlace::None => retry(self.code),
        };
        ErrorView {
            code: self.code,
            params: self.params,
            retry,
            money,
            reference: self.reference,
        }
    }
}

impl From<Code> for Failure {
    fn from(code: Code) -> Self {
        Self {
            code,
            params: BTreeMap::new(),
            reference: None,
        }
    }
}

impl From<LinkError> for Failure {
    fn from(error: LinkError) -> Self {
        Self::from(match error {
            LinkError::ServiceDown => Code::ServiceDown,
            LinkError::ServiceHung => Code::ServiceHung,
            LinkError::NoReader => Code::ReaderNone,
            LinkError::NfcOff => Code::NfcOff,
            LinkError::NfcNone => Code::NfcNone,
            LinkError::NoCard => Code::CardNone,
            LinkError::Denied => Code::ReaderDenied,
            LinkError::Busy => Code::ReaderBusy,
            LinkError::Lost => Code::CardLost,
            LinkError::Timeout => Code::CardTimeout,
        })
    }
}

impl From<VaultError> for Failure {
    fn from(error: VaultError) -> Self {
        Self::from(match error {
            VaultError::Missing => Code::KeystoreMissing,
            VaultError::Locked => Code::KeystoreLocked,
            VaultError::Denied => Code::KeystoreDenied,
            VaultError::Unconfirmed => Code::UnlockRefused,
            VaultError::CantAsk => Code::UnlockUnable,
            VaultError::Broken(_) => Code::KeystoreBroken,
        })
    }
}

impl From<DiskError> for Failure {
    fn from(error: DiskError) -> Self {
        Self::from(match error {
            DiskError::Full => Code::DiskFull,
            DiskError::Broken => Code::DiskBroken,
            DiskError::Damaged => Code::JournalBad,
        })
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        match error {
            ClientError::Offline => Code::Offline.into(),
            ClientError::Untrusted(why) => distrusted(why).into(),
            ClientError::BadAnswer => Code::BankUntrusted.into(),
            ClientError::Silent => Code::BankSilent.into(),
            ClientError::Refused { code, params } => Self {
                code: bank_code(&code),
                params,
                reference: None,
            },
        }
    }
}

fn distrusted(why: Distrust) -> Code {
    match why {
        Distrust::Expired => Code::CertificateExpired,
        Distrust::Foreign => Code::CertificateForeign,
        Distrust::Name => Code::CertificateName,
        Distrust::Swapped => Code::CertificateSwapped,
        Distrust::NotTls => Code::NetworkLogin,
        Distrust::Other => Code::BankUntrusted,
    }
}

/// A code of `docs/protocol.md`, section 7, as the person's code.
fn bank_code(code: &str) -> Code {
    match code {
        "time-skew" => Code::ClockWrong,
        "busy" => Code::BankBusy,
        "late" => Code::BankSilent,
        "key-expired" | "key-unknown" => Code::KeyMissing,
        "replay" | "bad-request" | "too-large" | "internal" => Code::BankError,
        other => Code::parse(other).unwrap_or(Code::BankError),
    }
}

/// What the end of a relay means for the money of a load that was asked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Verdict {
    /// On the card, and the bank knows.
    Done,
    /// Nothing left the account.
    NotMoved,
    /// It left the account, and went back.
    Returned,
    /// It left the account, and two people of the bank gave it up.
    WrittenOff,
    /// As it was: another contact with the card settles it.
    Open,
}

/// Reads an outcome of `docs/protocol.md`, section 7.
pub(crate) fn verdict(outcome: &str) -> Verdict {
    match outcome {
        "ok" => Verdict::Done,
        "refunded" => Verdict::Returned,
        "written-off" => Verdict::WrittenOff,
        "in-doubt" | "card-refused" | "tac-bad" | "manual" | "step-conflict" | "step-unknown"
        | "no-proof" | "card-other" | "message-bad" => Verdict::Open,
        _ => Verdict::NotMoved,
    }
}

fn retry(code: Code) -> Retry {
    use Code as C;
    match code {
        C::CardNone | C::CardLost | C::CardTimeout | C::ContactPoor | C::ReaderBusy => Retry::Again,
        C::CardReplyBad | C::ServiceHung => Retry::Again,
        C::CardMacBad | C::CounterSeen | C::CardUnknownStatus | C::CardRefused => Retry::Again,
        C::Offline | C::BankTimeout | C::BankSilent | C::BankBusy | C::BankError => Retry::Again,
        C::TooMany | C::ClockWrong | C::KeyMissing | C::EnvelopeRefused => Retry::Again,
        C::RelayTooLong | C::Deadline | C::DiskFull | C::DiskBroken | C::Internal => Retry::Again,
        C::EnrolFailed | C::KeystoreEmptied | C::TerminalUnknown | C::BankUntrusted => Retry::Again,
        C::CertificateExpired | C::CertificateForeign | C::CertificateName => Retry::Again,
        C::CertificateSwapped | C::NetworkLogin => Retry::Again,
        C::NetworkNone | C::NameUnknown | C::ProxyAway | C::ProxyRefused => Retry::Again,
        C::ConnectionCut | C::ServerStopped | C::ServerUnreached | C::PackageNone => Retry::Again,
        C::CardOther | C::CardNotSupported | C::MessageBad => Retry::Again,
        C::UnlockRefused | C::UnlockUnable => Retry::Again,
        C::PhoneBad | C::CodeBad | C::CodeWrong | C::CodeExpired | C::CodeLocked => Retry::Edit,
        C::CodeUnknown | C::PasswordShort | C::PasswordWrong | C::AmountBad => Retry::Edit,
        C::AmountLow | C::AmountHigh | C::BalanceLimit | C::FundsShort => Retry::Edit,
        C::CardFull | C::SmsProofBad | C::CommandBad | C::NotNow => Retry::Edit,
        C::LoadOpen | C::InDoubt | C::TacBad | C::NoProof => Retry::Resume,
        C::ServiceDown | C::ReaderNone | C::ReaderDenied | C::NfcOff => Retry::Wait,
        C::KeystoreMissing | C::KeystoreLocked | C::KeystoreDenied | C::KeystoreBroken => {
            Retry::Wait
        }
        C::CardAppBlocked | C::CardBlocked | C::CardExpired | C::CardNotActive => Retry::No,
        C::CardReadOnly | C::CardKeyUnknown | C::NfcNone => Retry::No,
        C::CardCounterExhausted | C::CardUnknown | C::PasswordLocked | C::Manual => Retry::No,
        C::Refunded | C::WrittenOff => Retry::No,
        C::Voided | C::NothingPending | C::TerminalRevoked | C::SuiteRefused => Retry::No,
        C::IndustryUnknown | C::PackageBad | C::PackageOld | C::JournalBad => Retry::No,
        C::PackageUnsigned | C::PackageAltered | C::PackageSigner | C::PackageOlder => Retry::No,
        C::PackageEarly | C::PackageField | C::PackageOversized | C::PackageCommand => Retry::No,
        C::PackageEndless | C::PackageBomb | C::ProfileBad | C::Cancelled => Retry::No,
        C::ListUnreadable | C::QueueRows => Retry::Edit,
        C::QueueUnknown | C::QueueUnserved | C::QueueClosed | C::QueueCard | C::QueueUnlisted => {
            Retry::No
        }
        C::QueueOpen => Retry::No,
        C::LinkBad | C::LinkBusy | C::UpdateFailed => Retry::No,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_under_way_always_leads_to_a_re_top_up() {
        let view = Failure::from(Code::CardLost).view(MoneyPlace::InTransit);
        assert_eq!(view.retry, Retry::Resume);
        let view = Failure::from(Code::CardLost).view(MoneyPlace::Account);
        assert_eq!(
            view.retry,
            Retry::Again,
            "nothing moved: the same once more"
        );
    }

    #[test]
    fn an_unknown_code_of_the_bank_is_still_told() {
        let refused = ClientError::Refused {
            code: "new-one".to_owned(),
            params: BTreeMap::new(),
        };
        assert_eq!(Failure::from(refused).code, Code::BankError);
    }
}
