use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::{Semaphore, mpsc, oneshot, watch};
use tokio::time::MissedTickBehavior;

use super::contact::PhoneContact;
use super::field::Field;
use super::messages::{Begin, Begun, End, Nfc, PhoneEvent, Power};
use super::{PhoneBridge, Refused};
use crate::{CardContact, CardReader, Future, LinkError, ReaderStatus};

/// As long as a card on a desktop's reader may take.
pub(super) const TRANSCEIVE_MS: u32 = 5_000;
const PRESENCE_CHECK_MS: u32 = 10_000;

/// iOS opens no sheet for up to 3 s after the last one.
const BEGIN_TRIES: u32 = 9;
const BEGIN_PAUSE: Duration = Duration::from_millis(400);
/// Between two looks at the battery.
const POWER_EVERY: Duration = Duration::from_secs(60);
/// A phone that says neither yes nor no.
const BEGIN_LIMIT: Duration = Duration::from_secs(8);

/// Whether a card is wanted.
#[derive(Clone, Copy, Debug, Default)]
struct Wish {
    now: bool,
    /// How often one was wanted anew: a wish that was taken back and made again at once is another one.
    times: u64,
}

/// The reader of a phone.
pub struct PhoneReader {
    shared: Arc<Shared>,
    wanted: watch::Sender<Wish>,
    /// One contact at a time, as a transaction has it.
    free: Arc<Semaphore>,
}

impl PhoneReader {
    /// A reader behind `bridge`. `events` is what the phone tells by itself. Needs a tokio runtime.
    pub fn new(bridge: Arc<dyn PhoneBridge>, events: mpsc::UnboundedReceiver<Value>) -> Self {
        let (wanted, wish) = watch::channel(Wish::default());
        let (status, _) = watch::channel(ReaderStatus::default());
        let shared = Arc::new(Shared {
            bridge,
            field: Mutex::default(),
            status,
        });
        tokio::spawn(attend(shared.clone(), events, wish));
        Self {
            shared,
            wanted,
            free: Arc::new(Semaphore::new(1)),
        }
    }
}

impl CardReader for PhoneReader {
    fn watch(&self) -> watch::Receiver<ReaderStatus> {
        self.shared.status.subscribe()
    }

    fn choose(&self, _: Option<String>) {}

    fn expect(&self, wanted: bool) {
        if !wanted {
            self.shared.change(Field::unwanted);
        }
        self.wanted.send_if_modified(|wish| {
            let changed = wish.now != wanted;
            wish.now = wanted;
            wish.times += u64::from(changed && wanted);
            changed
        });
    }

    fn is_by_hand(&self) -> bool {
        true
    }

    fn open(&self) -> Future<'_, Result<Box<dyn CardContact>, LinkError>> {
        Box::pin(async {
            let (session, tag) = self.shared.card()?;
            let hold = Arc::clone(&self.free).try_acquire_owned();
            let hold = hold.map_err(|_| LinkError::Busy)?;
            let contact = PhoneContact::new(self.shared.clone(), session, tag, hold);
            Ok(Box::new(contact) as Box<dyn CardContact>)
        })
    }
}

pub(super) struct Shared {
    bridge: Arc<dyn PhoneBridge>,
    field: Mutex<Field>,
    status: watch::Sender<ReaderStatus>,
}

impl Shared {
    pub(super) async fn call<T: DeserializeOwned>(
        &self,
        command: &'static str,
        arguments: impl Serialize,
    ) -> Result<T, Refused> {
        let unreadable = |_| Refused { code: None };
        let arguments = serde_json::to_value(arguments).map_err(unreadable)?;
        let answer = self.bridge.call(command, arguments).await?;
        serde_json::from_value(answer).map_err(unreadable)
    }

    pub(super) fn change(&self, change: impl FnOnce(&mut Field)) {
        let mut field = self.field.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut field);
        let now = field.status();
        self.status.send_if_modified(|known| {
            let changed = *known != now;
            *known = now;
            changed
        });
    }

    fn look<T>(&self, look: impl FnOnce(&Field) -> T) -> T {
        look(&self.field.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The session and the tag that are there now.
    fn card(&self) -> Result<(u64, u64), LinkError> {
        self.look(|field| match (field.nfc, field.session, field.tag) {
            (None, ..) => Err(LinkError::NoReader),
            (Some(Nfc::None), ..) => Err(LinkError::NfcNone),
            (Some(Nfc::Off), ..) => Err(LinkError::NfcOff),
            (Some(Nfc::On), Some(session), Some(tag)) => Ok((session, tag)),
            (Some(Nfc::On), _, _) => Err(LinkError::NoCard),
        })
    }
}

/// Lives as long as the reader.
async fn attend(
    shared: Arc<Shared>,
    mut events: mpsc::UnboundedReceiver<Value>,
    mut wish: watch::Receiver<Wish>,
) {
    let mut times = 0;
    let mut power = tokio::time::interval(POWER_EVERY);
    // The system freezes an app in the background: what was missed is not made up for.
    power.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        tokio::select! {
            biased;
            event = events.recv() => match event {
                Some(event) => hear(&shared, event),
                None => return,
            },
            changed = wish.changed() => if changed.is_err() {
                return;
            },
            _ = power.tick() => look_at_power(&shared).await,
        }
        let wished = *wish.borrow_and_update();
        if !wished.now || wished.times != times {
            end(&shared).await;
        }
        times = wished.times;
        if wished.now {
            begin(&shared, &wish).await;
        }
    }
}

fn hear(shared: &Shared, event: Value) {
    match serde_json::from_value::<PhoneEvent>(event) {
        Ok(event) => {
            log::debug!("the phone tells {event:?}");
            shared.change(|field| field.hear(&event));
        }
        Err(error) => log::warn!("the phone tells what nobody understands: {error}"),
    }
}

async fn look_at_power(shared: &Shared) {
    let call = shared.call::<Power>("power", ());
    match tokio::time::timeout(BEGIN_LIMIT, call).await {
        Ok(Ok(power)) => shared.change(|field| field.power(power)),
        Ok(Err(refused)) => log::warn!("the battery is not known: {refused}"),
        Err(_) => log::warn!("the battery is not known"),
    }
}

async fn begin(shared: &Arc<Shared>, wish: &watch::Receiver<Wish>) {
    let ready = shared.look(|it| it.nfc == Some(Nfc::On) && it.session.is_none() && !it.dismissed);
    if !ready {
        return;
    }
    for _ in 0..BEGIN_TRIES {
        if !wish.borrow().now {
            return;
        }
        let refused = match open(shared).await {
            Ok(session) => return shared.change(|field| field.session = Some(session)),
            Err(refused) => refused,
        };
        log::info!("{refused}");
        match refused.code.as_deref() {
            Some("busy") => tokio::time::sleep(BEGIN_PAUSE).await,
            Some("off") => return shared.change(|field| field.nfc = Some(Nfc::Off)),
            Some("none") => return shared.change(|field| field.nfc = Some(Nfc::None)),
            Some(_) | None => break,
        }
    }
    shared.change(Field::close);
}

/// A session of the phone. A yes that comes when nobody waits for it any more is taken back: iOS would show a sheet that
/// no card helps, and refuse every other.
async fn open(shared: &Arc<Shared>) -> Result<u64, Refused> {
    let (tell, mut told) = oneshot::channel();
    let behind = Arc::clone(shared);
    tokio::spawn(async move {
        let options = Begin {
            presence_check_ms: PRESENCE_CHECK_MS,
            transceive_ms: TRANSCEIVE_MS,
        };
        let answer = behind.call::<Begun>("begin", options).await;
        if let Err(Ok(Begun { session })) = tell.send(answer) {
            end_session(&behind, session).await;
        }
    });
    let late = || Err(Refused { code: None });
    let answer = match tokio::time::timeout(BEGIN_LIMIT, &mut told).await {
        Ok(answer) => answer.unwrap_or_else(|_| late()),
        Err(_) => {
            told.close();
            told.try_recv().unwrap_or_else(|_| late())
        }
    };
    answer.map(|begun| begun.session)
}

async fn end(shared: &Shared) {
    let mut open = None;
    shared.change(|field| open = field.end());
    if let Some(session) = open {
        end_session(shared, session).await;
    }
}

async fn end_session(shared: &Shared, session: u64) {
    let ended = shared.call::<Value>("end", End { session }).await;
    if let Err(refused) = ended {
        log::warn!("a session did not end: {refused}");
    }
}
