//! One way to phones, whichever it is.

#[cfg(feature = "development")]
use std::sync::Arc;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio::sync::mpsc::UnboundedSender;
use zeroize::Zeroizing;

use crate::config::Settings;
use crate::error::StartError;
use crate::files::Directory;
use crate::sms::Sms;
use crate::sms::provider::Provider;
use crate::sms::receipt::Receipt;
use crate::sms::smpp::Smpp;

/// The password of the SMSC or the provider's secret, in the bank's folder.
const SECRET: &str = "sms.key";
/// After a receiver said that there is too much, nothing more for so long.
const SHORTEST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// One SMS as a sender gets it.
pub(crate) struct Parcel<'a> {
    pub(crate) sms: &'a Sms,
    /// The same whenever it is this SMS again.
    pub(crate) key: String,
    /// How long its code is still good.
    pub(crate) left: Duration,
}

/// What a sender says of one SMS. Reasons are words of this program, without anything of the SMS.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Handed {
    /// The receiver has it, and calls it so.
    Accepted(Option<String>),
    /// It was not taken, and may be later.
    NotNow(String),
    /// It was not taken since there is too much: others need not be tried either.
    TooMuch(String, Option<Duration>),
    /// It never will be taken.
    Refused(String),
    /// Nobody knows whether it was taken.
    Unanswered(String),
    /// The number that was typed is not on file.
    NotOnFile,
    /// This bank has no sender.
    Nowhere,
}

enum Way {
    Nowhere,
    #[cfg(feature = "development")]
    Inbox(Arc<crate::inbox::Inbox>),
    Smpp(Box<Smpp>),
    Provider(Box<Provider>),
}

pub(crate) struct Sender {
    way: Way,
    woken: Notify,
    pause: Mutex<Pause>,
    /// Why the last one was not taken, so that each reason is logged once.
    trouble: Mutex<Option<String>>,
}

#[derive(Default)]
struct Pause {
    until: Option<Instant>,
    next: Duration,
}

impl Sender {
    /// As the configuration says.
    pub(crate) fn new(settings: &Settings, dir: &Directory) -> Result<Self, StartError> {
        let secret = || {
            let missing = || Err("put the password or secret of the SMS sender there".to_owned());
            let text = dir.text(SECRET, missing)?;
            Ok::<_, StartError>(Zeroizing::new(text.trim().to_owned()))
        };
        let timeout = Duration::from_secs(settings.sms.timeout_s);
        Ok(match (&settings.sms.smpp, &settings.sms.http) {
            (Some(smpp), _) => {
                let password = secret()?;
                let unusable = |cause: &str| StartError::File {
                    path: dir.path(SECRET).display().to_string(),
                    cause: cause.to_owned(),
                };
                let smpp = Smpp::new(smpp, password, timeout, unusable)?;
                Self::over(Way::Smpp(Box::new(smpp)))
            }
            (None, Some(http)) => {
                let provider = Provider::new(http, &secret()?, timeout)?;
                Self::over(Way::Provider(Box::new(provider)))
            }
            (None, None) => Self::over(Way::Nowhere),
        })
    }

    /// The inbox of development, unless there is a real one.
    #[cfg(feature = "development")]
    pub(crate) fn or_inbox(self, inbox: Option<&Arc<crate::inbox::Inbox>>) -> Self {
        match (&self.way, inbox) {
            (Way::Nowhere, Some(inbox)) => Self::over(Way::Inbox(inbox.clone())),
            _ => self,
        }
    }

    fn over(way: Way) -> Self {
        Self {
            way,
            woken: Notify::new(),
            pause: Mutex::default(),
            trouble: Mutex::default(),
        }
    }

    /// Whether it is elsewhere: then it takes its time, and may be away.
    pub(crate) fn is_remote(&self) -> bool {
        match &self.way {
            Way::Nowhere => false,
            #[cfg(feature = "development")]
            Way::Inbox(_) => false,
            Way::Smpp(_) | Way::Provider(_) => true,
        }
    }

    /// Whether one could be handed over at this moment.
    pub(crate) fn is_ready(&self) -> bool {
        let until = self.pause().until;
        let is_connected = match &self.way {
            Way::Nowhere | Way::Provider(_) => true,
            #[cfg(feature = "development")]
            Way::Inbox(_) => true,
            Way::Smpp(smpp) => smpp.is_bound(),
        };
        is_connected && until.is_none_or(|until| until <= Instant::now())
    }

    /// There may be something new.
    pub(crate) fn wake(&self) {
        self.woken.notify_one();
    }

    pub(crate) async fn woken(&self) {
        self.woken.notified().await;
    }

    pub(crate) async fn send(&self, parcel: &Parcel<'_>) -> Handed {
        if parcel.sms.phone.is_empty() {
            return Handed::NotOnFile;
        }
        let handed = match &self.way {
            Way::Nowhere => Handed::Nowhere,
            #[cfg(feature = "development")]
            Way::Inbox(inbox) => {
                inbox.push(parcel.sms.clone());
                Handed::Accepted(None)
            }
            Way::Smpp(smpp) => smpp.send(parcel).await,
            Way::Provider(provider) => provider.send(parcel).await,
        };
        self.heed(&handed);
        handed
    }

    /// Whatever must go on while there is nothing to send; ends when it is dropped.
    pub(crate) async fn keep(&self, receipts: UnboundedSender<Receipt>) {
        match &self.way {
            Way::Smpp(smpp) => smpp.keep(self, &receipts).await,
            Way::Nowhere | Way::Provider(_) => {}
            #[cfg(feature = "development")]
            Way::Inbox(_) => {}
        }
    }

    pub(crate) async fn close(&self) {
        if let Way::Smpp(smpp) = &self.way {
            smpp.close().await;
        }
    }

    /// A reason is logged when it is a new one: with thousands of SMS that wait, once is enough.
    pub(super) fn trouble(&self, why: Option<&str>) {
        let mut known = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        if known.as_deref() == why {
            return;
        }
        match why {
            Some(why) => log::warn!("SMS: {why}"),
            None => log::info!("SMS are taken again"),
        }
        *known = why.map(str::to_owned);
    }

    fn heed(&self, handed: &Handed) {
        match handed {
            Handed::Accepted(_) => {
                *self.pause() = Pause::default();
                self.trouble(None);
            }
            Handed::TooMuch(why, wanted) => {
                self.pause().longer(*wanted, Instant::now());
                self.trouble(Some(why));
            }
            Handed::NotNow(why) | Handed::Refused(why) | Handed::Unanswered(why) => {
                self.trouble(Some(why));
            }
            Handed::Nowhere => self.trouble(Some("this bank has no sender")),
            Handed::NotOnFile => {}
        }
    }

    fn pause(&self) -> std::sync::MutexGuard<'_, Pause> {
        self.pause.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pause {
    /// Twice as long as the last one, or as the receiver wishes. Several that are refused together are one refusal.
    fn longer(&mut self, wanted: Option<Duration>, now: Instant) {
        if self.until.is_some_and(|until| until > now) {
            return;
        }
        let length = self.next.max(wanted.unwrap_or_default());
        let length = length.clamp(SHORTEST_PAUSE, LONGEST_PAUSE);
        self.until = Some(now + length);
        self.next = length.saturating_mul(2);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_too_much_is_left_alone_for_longer_each_time() {
        let mut pause = Pause::default();
        let mut now = Instant::now();
        let mut lengths = Vec::new();
        for wanted in [None, None, Some(10), None, None] {
            pause.longer(wanted.map(Duration::from_secs), now);
            pause.longer(None, now);
            let until = pause.until.unwrap();
            lengths.push((until - now).as_secs());
            now = until;
        }
        assert_eq!(lengths, [1, 2, 10, 20, 30], "and never longer than 30 s");
    }
}
