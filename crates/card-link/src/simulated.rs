use std::time::Duration;

use tokio::sync::watch;
use virtual_card::Slot;

use crate::exchange::exchange;
use crate::status::Seen;
use crate::{CardContact, CardReader, Future, LinkError, ReaderStatus};

const NAME: &str = "Tapfill Simulator";
const COMMAND_LIMIT: Duration = Duration::from_secs(5);

/// A reader inside the program with a virtual card.
pub struct SimulatedReader {
    slot: Slot,
    status: watch::Receiver<ReaderStatus>,
    chosen: watch::Sender<Option<String>>,
}

impl SimulatedReader {
    /// A reader on `slot`. Needs a tokio runtime.
    pub fn new(slot: Slot) -> Self {
        let (chosen, mut choice) = watch::channel(None);
        let mut views = slot.watch();
        let (tell, status) = watch::channel(status_of(&slot, None));
        let watched = slot.clone();
        tokio::spawn(async move {
            loop {
                let going_on = tokio::select! {
                    changed = views.changed() => changed.is_ok(),
                    changed = choice.changed() => changed.is_ok(),
                    () = tell.closed() => false,
                };
                if !going_on {
                    return;
                }
                let chosen: Option<String> = choice.borrow_and_update().clone();
                views.mark_unchanged();
                tell.send_replace(status_of(&watched, chosen.as_deref()));
            }
        });
        Self {
            slot,
            status,
            chosen,
        }
    }
}

fn status_of(slot: &Slot, chosen: Option<&str>) -> ReaderStatus {
    let view = *slot.watch().borrow();
    let seen = [Seen {
        name: NAME.to_owned(),
        card: view.present,
    }];
    ReaderStatus::of(&seen, chosen, view.insertions)
}

impl CardReader for SimulatedReader {
    fn watch(&self) -> watch::Receiver<ReaderStatus> {
        self.status.clone()
    }

    fn choose(&self, reader: Option<String>) {
        self.chosen.send_replace(reader);
    }

    fn open(&self) -> Future<'_, Result<Box<dyn CardContact>, LinkError>> {
        Box::pin(async {
            let view = *self.slot.watch().borrow();
            if !view.present {
                return Err(LinkError::NoCard);
            }
            self.slot.power_on();
            let contact = SimulatedContact {
                slot: self.slot.clone(),
                insertions: view.insertions,
            };
            Ok(Box::new(contact) as Box<dyn CardContact>)
        })
    }
}

struct SimulatedContact {
    slot: Slot,
    insertions: u64,
}

impl CardContact for SimulatedContact {
    fn transmit(&mut self, command: Vec<u8>) -> Future<'_, Result<Vec<u8>, LinkError>> {
        let slot = self.slot.clone();
        let insertions = self.insertions;
        let work = tokio::task::spawn_blocking(move || {
            exchange(&command, |bytes| {
                if slot.watch().borrow().insertions != insertions {
                    return Err(LinkError::Lost);
                }
                Ok(slot.transmit(bytes))
            })
        });
        Box::pin(async move {
            match tokio::time::timeout(COMMAND_LIMIT, work).await {
                Ok(Ok(reply)) => reply,
                Ok(Err(_)) => Err(LinkError::Lost),
                Err(_) => Err(LinkError::Timeout),
            }
        })
    }

    fn reader(&self) -> &str {
        NAME
    }
}
