//! What the observations mean: for each part one state, one cause, and which part comes first. No IO.

use std::collections::BTreeMap;

use bank_client::{ClientError, Distrust, Health, Look, Unconnected};
use card_link::{LinkError, ReaderState};
use ipc::{Code, DiagnosticPart as Part, DiagnosticState as State};

use crate::failure::Failure;

/// A clock that is further off than this makes trouble with certificates and codes, ms.
const CLOCK_TOLERANCE_MS: u64 = 5 * 60_000;

/// Everything that was looked at.
#[derive(Clone, Debug)]
pub(crate) struct Observed {
    pub(crate) reader: ReaderState,
    /// What an attempt to take up the card came to; none where there was no card, or the app itself is at it.
    pub(crate) contact: Option<Result<(), LinkError>>,
    /// Whether this terminal's key is in the keystore.
    pub(crate) keystore: Result<bool, Code>,
    /// This device was enrolled once.
    pub(crate) enrolled: bool,
    pub(crate) packages: PackagesSeen,
    /// The bank's clock minus this device's, ms; none where no server told.
    pub(crate) offset_ms: Option<i64>,
    pub(crate) security: Look,
    pub(crate) transaction: Look,
    /// Why the security server did not answer a question of this very terminal.
    pub(crate) refused: Option<Code>,
}

/// The data for kinds of cards, here and at the bank.
#[derive(Clone, Debug, Default)]
pub(crate) struct PackagesSeen {
    /// Industries whose package came from the bank.
    pub(crate) from_bank: usize,
    /// The first that this device did not take, and why.
    pub(crate) refused: Option<(String, Code)>,
    /// The industry of a package that the bank has and that is not here, or only an older one.
    pub(crate) newer: Option<String>,
}

/// What is known of one part.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Finding {
    pub(crate) part: Part,
    pub(crate) state: State,
    pub(crate) code: Option<Code>,
    pub(crate) after: Option<Part>,
    pub(crate) params: BTreeMap<String, String>,
}

impl Finding {
    fn new(part: Part, state: State) -> Self {
        Self {
            part,
            state,
            code: None,
            after: None,
            params: BTreeMap::new(),
        }
    }

    fn ok(part: Part) -> Self {
        Self::new(part, State::Ok)
    }

    fn bad(part: Part, code: Code) -> Self {
        Self {
            code: Some(code),
            ..Self::new(part, State::Bad)
        }
    }

    /// Nothing is known before `first` is right.
    fn after(part: Part, first: Part) -> Self {
        Self {
            after: Some(first),
            ..Self::new(part, State::Skipped)
        }
    }

    fn with(mut self, name: &str, value: impl ToString) -> Self {
        self.params.insert(name.to_owned(), value.to_string());
        self
    }
}

/// One finding for each part, in the order of [`Part`].
pub(crate) fn findings(seen: &Observed) -> Vec<Finding> {
    let reader_state = state(seen);
    vec![
        service(reader_state),
        reader(reader_state),
        other_programs(seen),
        keystore(seen),
        packages(&seen.packages),
        clock(seen),
        names(seen),
        proxy(seen),
        tls(seen),
        security_server(seen),
        server(Part::TransactionServer, &seen.transaction),
    ]
}

/// A service that hangs shows at the attempt to take up the card sooner than the watch on the readers tells it.
fn state(seen: &Observed) -> ReaderState {
    if seen.contact == Some(Err(LinkError::ServiceHung)) {
        ReaderState::ServiceHung
    } else {
        seen.reader
    }
}

fn service(reader: ReaderState) -> Finding {
    match reader {
        ReaderState::ServiceHung => Finding::bad(Part::Service, Code::ServiceHung),
        ReaderState::ServiceDown => Finding::bad(Part::Service, Code::ServiceDown),
        ReaderState::NfcOff => Finding::bad(Part::Service, Code::NfcOff),
        ReaderState::Denied => Finding::bad(Part::Service, Code::ReaderDenied),
        ReaderState::None | ReaderState::NfcNone | ReaderState::Empty | ReaderState::Card => {
            Finding::ok(Part::Service)
        }
    }
}

fn reader(reader: ReaderState) -> Finding {
    match reader {
        ReaderState::None => Finding::bad(Part::Reader, Code::ReaderNone),
        ReaderState::NfcNone => Finding::bad(Part::Reader, Code::NfcNone),
        ReaderState::ServiceDown
        | ReaderState::ServiceHung
        | ReaderState::NfcOff
        | ReaderState::Denied => Finding::after(Part::Reader, Part::Service),
        ReaderState::Empty | ReaderState::Card => Finding::ok(Part::Reader),
    }
}

fn other_programs(seen: &Observed) -> Finding {
    let part = Part::OtherPrograms;
    match seen.contact {
        Some(Ok(())) => Finding::ok(part),
        Some(Err(LinkError::Busy)) => Finding::bad(part, Code::ReaderBusy),
        Some(Err(LinkError::Denied)) => Finding::bad(part, Code::ReaderDenied),
        Some(Err(LinkError::ServiceDown | LinkError::ServiceHung | LinkError::NfcOff)) => {
            Finding::after(part, Part::Service)
        }
        Some(Err(LinkError::NoReader | LinkError::NfcNone)) => Finding::after(part, Part::Reader),
        Some(Err(LinkError::NoCard | LinkError::Lost | LinkError::Timeout)) | None => {
            match seen.reader {
                ReaderState::ServiceDown
                | ReaderState::ServiceHung
                | ReaderState::NfcOff
                | ReaderState::Denied => Finding::after(part, Part::Service),
                ReaderState::None | ReaderState::NfcNone => Finding::after(part, Part::Reader),
                ReaderState::Empty | ReaderState::Card => Finding::new(part, State::Skipped),
            }
        }
    }
}

fn keystore(seen: &Observed) -> Finding {
    match seen.keystore {
        Err(code) => Finding::bad(Part::Keystore, code),
        // A keystore can look empty while it is only not there.
        Ok(false) if seen.enrolled => Finding::bad(Part::Keystore, Code::KeystoreEmptied),
        Ok(true | false) => Finding::ok(Part::Keystore),
    }
}

fn packages(seen: &PackagesSeen) -> Finding {
    let part = Part::Packages;
    if let Some((industry, code)) = &seen.refused {
        return Finding::bad(part, *code).with("industry", industry);
    }
    if seen.from_bank == 0 {
        return Finding::bad(part, Code::PackageNone);
    }
    match &seen.newer {
        Some(industry) => Finding::bad(part, Code::PackageOld).with("industry", industry),
        None => Finding::ok(part).with("count", seen.from_bank),
    }
}

/// Who can't ask the bank knows nothing of its own clock.
fn clock(seen: &Observed) -> Finding {
    let Some(offset_ms) = seen.offset_ms else {
        return Finding::after(Part::Clock, blocked(seen));
    };
    if offset_ms.unsigned_abs() <= CLOCK_TOLERANCE_MS {
        return Finding::ok(Part::Clock);
    }
    let ahead_s = offset_ms.saturating_neg() / 1_000;
    Finding::bad(Part::Clock, Code::ClockWrong).with("off_s", ahead_s)
}

fn names(seen: &Observed) -> Finding {
    let unknown = looks(seen).find(|look| look.way.name == Some(false));
    let Some(look) = unknown else {
        return Finding::ok(Part::Dns);
    };
    let code = if look.way.no_network {
        Code::NetworkNone
    } else {
        Code::NameUnknown
    };
    Finding::bad(Part::Dns, code).with("host", &look.way.host)
}

fn proxy(seen: &Observed) -> Finding {
    let Some((look, proxy)) = looks(seen).find_map(|look| Some((look, look.way.proxy.as_ref()?)))
    else {
        return Finding::ok(Part::Proxy);
    };
    let all = || looks(seen).filter(|look| look.way.proxy.is_some());
    let away = |look: &Look| matches!(look.way.connection, Some(Err(_)));
    let finding = if all().all(away) {
        let none = look.way.no_network;
        let code = if none {
            Code::NetworkNone
        } else {
            Code::ProxyAway
        };
        Finding::bad(Part::Proxy, code)
    } else if all().all(|look| look.answer == Some(Err(ClientError::Offline))) {
        Finding::bad(Part::Proxy, Code::ProxyRefused)
    } else {
        Finding::ok(Part::Proxy)
    };
    finding.with("proxy", proxy)
}

fn tls(seen: &Observed) -> Finding {
    let failed = looks(seen).find_map(|look| Some((trust(look)?.err()?, &look.way.host)));
    if let Some((code, host)) = failed {
        return Finding::bad(Part::Tls, code).with("host", host);
    }
    if looks(seen).any(|look| trust(look).is_some()) {
        Finding::ok(Part::Tls)
    } else {
        Finding::after(Part::Tls, blocked(seen))
    }
}

/// It may be well and still not want this terminal.
fn security_server(seen: &Observed) -> Finding {
    let found = server(Part::SecurityServer, &seen.security);
    match seen.refused {
        Some(code) if found.state == State::Ok => Finding::bad(found.part, code),
        Some(_) | None => found,
    }
}

fn server(part: Part, look: &Look) -> Finding {
    let way = &look.way;
    if way.name == Some(false) {
        return Finding::after(part, Part::Dns);
    }
    if let Some(Err(why)) = way.connection {
        if way.proxy.is_some() {
            return Finding::after(part, Part::Proxy);
        }
        let code = match why {
            Unconnected::Refused => Code::ServerStopped,
            Unconnected::NoRoute | Unconnected::Silent if way.no_network => Code::NetworkNone,
            Unconnected::NoRoute | Unconnected::Silent => Code::ServerUnreached,
        };
        return Finding::bad(part, code).with("host", &way.host);
    }
    match (&look.answer, trust(look)) {
        (_, Some(Err(_))) => Finding::after(part, Part::Tls),
        (Some(Ok(health)), _) => match fault(*health) {
            None => Finding::ok(part),
            Some(code) => Finding::bad(part, code),
        },
        (Some(Err(ClientError::Offline)), _) => Finding::after(part, Part::Proxy),
        (Some(Err(ClientError::Silent)), _) => Finding::bad(part, Code::BankTimeout),
        (Some(Err(error)), _) => Finding::bad(part, Failure::from(error.clone()).code),
        (None, _) => Finding::after(part, Part::Dns),
    }
}

/// What is wrong with a server that answers.
fn fault(health: Health) -> Option<Code> {
    match health.status {
        200 => None,
        429 => Some(Code::TooMany),
        503 => Some(Code::BankBusy),
        _ => Some(Code::BankError),
    }
}

/// Whether the server proved to be the bank; none when it never came to that.
fn trust(look: &Look) -> Option<Result<(), Code>> {
    match look.answer.as_ref()? {
        Err(ClientError::Untrusted(why)) => Some(Err(untrusted(*why))),
        // A line that breaks after it stood, and before the handshake was over. Behind a proxy it never stood.
        Err(ClientError::Offline) if look.way.connection == Some(Ok(())) => {
            let direct = look.way.proxy.is_none();
            direct.then_some(Err(Code::ConnectionCut))
        }
        Err(ClientError::Offline) => None,
        Ok(_) | Err(ClientError::Silent | ClientError::Refused { .. } | ClientError::BadAnswer) => {
            Some(Ok(()))
        }
    }
}

fn untrusted(why: Distrust) -> Code {
    Failure::from(ClientError::Untrusted(why)).code
}

/// The part that keeps everything behind the connection from being seen.
fn blocked(seen: &Observed) -> Part {
    if names(seen).state == State::Bad {
        Part::Dns
    } else if proxy(seen).state == State::Bad {
        Part::Proxy
    } else if looks(seen).any(|look| trust(look).is_some_and(|trust| trust.is_err())) {
        Part::Tls
    } else {
        Part::SecurityServer
    }
}

fn looks(seen: &Observed) -> impl Iterator<Item = &Look> {
    [&seen.security, &seen.transaction].into_iter()
}

#[cfg(test)]
mod tests;
