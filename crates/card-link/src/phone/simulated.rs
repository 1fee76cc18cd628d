//! A phone with a virtual card, which answers as Kotlin and Swift do.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::Instant;
use virtual_card::Slot;

use super::messages::{Batch, Nfc, Order, PhoneEvent, Stop, Why};
use super::{PhoneBridge, PhoneReader, Refused};
use crate::Future;

/// Whose answers are played.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum System {
    /// Polls as long as it is asked to.
    Android,
    /// A sheet that lives for 60 s and can't be opened again at once.
    Ios,
}

const SHEET_LIFE: Duration = Duration::from_secs(60);
const SHEET_PAUSE: Duration = Duration::from_millis(500);
/// From a card in the field to a tag that is connected.
const FINDING: Duration = Duration::from_millis(20);

/// The phone's side of the bridge. Clones share it.
#[derive(Clone)]
pub struct SimulatedPhone {
    slot: Slot,
    system: System,
    inside: Arc<Mutex<Inside>>,
    events: mpsc::UnboundedSender<Value>,
}

struct Inside {
    nfc: Nfc,
    session: Option<u64>,
    sessions: u64,
    /// The tag, and the slot's count of insertions when it came.
    tag: Option<(u64, u64)>,
    tags: u64,
    transceive_ms: u64,
    sheet_gone: Option<Instant>,
    percent: u8,
    /// Commands of each batch so far.
    batches: Vec<usize>,
}

impl SimulatedPhone {
    /// A phone and its reader. Needs a tokio runtime.
    pub fn start(slot: Slot, system: System) -> (Self, PhoneReader) {
        let (events, told) = mpsc::unbounded_channel();
        let inside = Inside {
            nfc: Nfc::On,
            session: None,
            sessions: 0,
            tag: None,
            tags: 0,
            transceive_ms: 0,
            sheet_gone: None,
            percent: 100,
            batches: Vec::new(),
        };
        let phone = Self {
            slot,
            system,
            inside: Arc::new(Mutex::new(inside)),
            events,
        };
        phone.tell(&PhoneEvent::State { nfc: Nfc::On });
        let reader = PhoneReader::new(Arc::new(phone.clone()), told);
        tokio::spawn(phone.clone().poll());
        (phone, reader)
    }

    /// A reader whose phone needs no further orders.
    pub fn reader(slot: Slot, system: System) -> PhoneReader {
        Self::start(slot, system).1
    }

    /// Whose answers it gives.
    pub const fn system(&self) -> System {
        self.system
    }

    /// The person closes the sheet, or turns to another app.
    pub fn dismiss(&self) {
        self.close(Why::Cancelled);
    }

    /// The person switches NFC on or off.
    pub fn switch(&self, on: bool) {
        let nfc = if on { Nfc::On } else { Nfc::Off };
        let mut inside = self.lock();
        inside.nfc = nfc;
        if !on {
            inside.session = None;
            inside.tag = None;
        }
        drop(inside);
        self.tell(&PhoneEvent::State { nfc });
    }

    /// So much is left in the battery; the app hears of it within a minute.
    pub fn battery(&self, percent: u8) {
        self.lock().percent = percent;
    }

    /// How many commands went over the bridge each time that it was crossed.
    pub fn batches(&self) -> Vec<usize> {
        self.lock().batches.clone()
    }

    /// Whether the phone looks for a card.
    pub fn is_polling(&self) -> bool {
        self.lock().session.is_some()
    }

    fn lock(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, event: &PhoneEvent) {
        let _ = self.events.send(json!(event));
    }

    fn close(&self, why: Why) {
        let mut inside = self.lock();
        inside.tag = None;
        inside.sheet_gone = Some(Instant::now());
        let open = inside.session.take();
        drop(inside);
        if let Some(session) = open {
            self.tell(&PhoneEvent::Closed { session, why });
        }
    }

    /// Finds the card that is there; once it has a tag, its going is not noticed before the next command.
    async fn poll(self) {
        loop {
            tokio::time::sleep(FINDING).await;
            if self.events.is_closed() {
                return;
            }
            let view = *self.slot.watch().borrow();
            let mut inside = self.lock();
            let (Some(session), None, true) = (inside.session, inside.tag, view.present) else {
                continue;
            };
            inside.tags += 1;
            let tag = inside.tags;
            inside.tag = Some((tag, view.insertions));
            drop(inside);
            self.slot.power_on();
            self.tell(&PhoneEvent::Tag { session, tag });
        }
    }

    fn begin(&self, arguments: &Value) -> Result<Value, Refused> {
        let refuse = |code: &str| {
            Err(Refused {
                code: Some(code.to_owned()),
            })
        };
        let mut inside = self.lock();
        match inside.nfc {
            Nfc::On => {}
            Nfc::Off => return refuse("off"),
            Nfc::None => return refuse("none"),
        }
        let sheet = inside.sheet_gone.map(|gone| gone.elapsed());
        if self.system == System::Ios && sheet.is_some_and(|since| since < SHEET_PAUSE) {
            return refuse("busy");
        }
        inside.sessions += 1;
        let session = inside.sessions;
        inside.session = Some(session);
        inside.tag = None;
        inside.transceive_ms = arguments["transceiveMs"].as_u64().unwrap_or_default();
        drop(inside);
        if self.system == System::Ios {
            let phone = self.clone();
            tokio::spawn(async move {
                tokio::time::sleep(SHEET_LIFE).await;
                let same = phone.lock().session == Some(session);
                if same {
                    phone.close(Why::TimeOut);
                }
            });
        }
        Ok(json!({ "session": session }))
    }

    fn end(&self, arguments: &Value) -> Value {
        let mut inside = self.lock();
        if inside.session == arguments["session"].as_u64() {
            inside.session = None;
            inside.tag = None;
            inside.sheet_gone = Some(Instant::now());
        }
        Value::Null
    }

    async fn transceive(&self, arguments: &Value) -> Value {
        let commands: Vec<Order> =
            serde_json::from_value(arguments["commands"].clone()).unwrap_or_default();
        let (session, tag) = (arguments["session"].as_u64(), arguments["tag"].as_u64());
        self.lock().batches.push(commands.len());
        let mut replies = Vec::new();
        let mut ms = Vec::new();
        let mut stop = Stop::Done;
        let last = commands.len().saturating_sub(1);
        for (nth, command) in commands.iter().enumerate() {
            let began = Instant::now();
            match self.command(session, tag, &command.data).await {
                Ok(reply) => {
                    ms.push(u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX));
                    let status = reply.get(reply.len() - 4..).unwrap_or_default().to_owned();
                    replies.push(reply);
                    let goes_on = command.go_on.is_empty()
                        || command.go_on.iter().any(|it| status.starts_with(it));
                    if !goes_on && nth != last {
                        stop = Stop::StatusWord;
                        break;
                    }
                }
                Err(why) => {
                    stop = why;
                    break;
                }
            }
        }
        if matches!(stop, Stop::TagLost | Stop::Timeout | Stop::Io) {
            self.give_up(tag);
        }
        json!(Batch { replies, stop, ms })
    }

    async fn command(
        &self,
        session: Option<u64>,
        tag: Option<u64>,
        data: &str,
    ) -> Result<String, Stop> {
        let limit = Duration::from_millis(self.lock().transceive_ms);
        let takes = self.slot.delay();
        let insertions = self.connected(session, tag)?;
        tokio::time::sleep(takes.min(limit)).await;
        self.connected(session, tag)?;
        if self.slot.watch().borrow().insertions != insertions {
            return Err(Stop::TagLost);
        }
        let reply = self
            .slot
            .transmit_now(&hex::decode(data).map_err(|_| Stop::Io)?);
        if takes >= limit {
            return Err(Stop::Timeout);
        }
        // A radio checks what it hears: a part of a reply is none.
        let whole = reply.len() >= 2 && self.slot.watch().borrow().present;
        whole.then(|| hex::encode_upper(reply)).ok_or(Stop::TagLost)
    }

    fn connected(&self, session: Option<u64>, tag: Option<u64>) -> Result<u64, Stop> {
        let inside = self.lock();
        if inside.session.is_none() || inside.session != session {
            return Err(Stop::Closed);
        }
        match inside.tag {
            Some((now, insertions)) if Some(now) == tag => Ok(insertions),
            Some(_) | None => Err(Stop::TagLost),
        }
    }

    /// Polls anew; what comes next is another tag.
    fn give_up(&self, tag: Option<u64>) {
        let mut inside = self.lock();
        let Some((lost, _)) = inside.tag.filter(|(now, _)| Some(*now) == tag) else {
            return;
        };
        inside.tag = None;
        let session = inside.session.unwrap_or_default();
        drop(inside);
        self.tell(&PhoneEvent::Lost { session, tag: lost });
    }
}

impl PhoneBridge for SimulatedPhone {
    fn call(&self, command: &'static str, arguments: Value) -> Future<'_, Result<Value, Refused>> {
        Box::pin(async move {
            match command {
                "begin" => self.begin(&arguments),
                "end" => Ok(self.end(&arguments)),
                "power" => Ok(json!({ "percent": self.lock().percent, "charging": false })),
                "release" => {
                    self.give_up(arguments["tag"].as_u64());
                    Ok(Value::Null)
                }
                "transceive" => Ok(self.transceive(&arguments).await),
                _ => Err(Refused { code: None }),
            }
        })
    }
}
