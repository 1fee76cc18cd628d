use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
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
    /// One contact at a time, as a transaction has it.
    free: Arc<Semaphore>,
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
                biased;
                    changed = views.changed() => changed.is_ok(),
                    changed = choice.changed() => changed.is_ok(),
                    () = tell.closed() => false,
                };
                if !going_on {
                    return;
                }
                let chosen: Option<String> = choice.borrow_and_update().clone();
                tell.send_replace(status_of(&watched, chosen.as_deref()));
            }
        });
        Self {
            slot,
            status,
            chosen,
            free: Arc::new(Semaphore::new(1)),
        }
    }
}

fn status_of(slot: &Slot, chosen: Option<&str>) -> ReaderStatus {
    let view = *slot.watch().borrow();
    let seen = [Seen {
        name: NAME.to_owned(),
        card: view.present,
        events: 0,
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
            let hold = Arc::clone(&self.free).try_acquire_owned();
            let hold = Arc::new(hold.map_err(|_| LinkError::Busy)?);
            self.slot.power_on();
            let contact = SimulatedContact {
                slot: self.slot.clone(),
                insertions: view.insertions,
                hold,
                over: None,
            };
            Ok(Box::new(contact) as Box<dyn CardContact>)
        })
    }
}

struct SimulatedContact {
    slot: Slot,
    insertions: u64,
    /// Kept by a command that hangs, too.
    hold: Arc<OwnedSemaphorePermit>,
    /// After an unknown outcome nothing is sent any more.
    over: Option<LinkError>,
}

impl SimulatedContact {
    async fn order(&mut self, command: Vec<u8>) -> Result<Vec<u8>, LinkError> {
        if let Some(error) = self.over {
            return Err(error);
        }
        let slot = self.slot.clone();
        let insertions = self.insertions;
        let hold = Arc::clone(&self.hold);
        // A task of its own: whoever stops waiting does not stop the card.
        let work = tokio::spawn(async move {
            let _hold = hold;
            tokio::time::sleep(slot.delay()).await;
            exchange(&command, |bytes| {
                if slot.watch().borrow().insertions != insertions {
                    return Err(LinkError::Lost);
                }
                Ok(slot.transmit_now(bytes))
            })
        });
        let result = match tokio::time::timeout(COMMAND_LIMIT, work).await {
            Ok(Ok(reply)) => reply,
            Ok(Err(_)) => Err(LinkError::Lost),
            Err(_) => Err(LinkError::Timeout),
        };
        self.over = result.as_ref().err().copied();
        result
    }
}

impl CardContact for SimulatedContact {
    fn transmit(&mut self, command: Vec<u8>) -> Future<'_, Result<Vec<u8>, LinkError>> {
        Box::pin(self.order(command))
    }

    fn reader(&self) -> &str {
        NAME
    }
}

#[cfg(test)]
mod tests {
    use virtual_card::{Card, CardProfile, Fault, Moment};

    use super::*;
    use crate::ReaderState;

    const CHALLENGE: [u8; 5] = [0x00, 0x84, 0x00, 0x00, 0x04];

    fn reader() -> (Slot, SimulatedReader) {
        let slot = Slot::with_card(Card::new(CardProfile::demo()));
        let reader = SimulatedReader::new(slot.clone());
        (slot, reader)
    }

    #[tokio::test]
    async fn a_card_answers_and_is_held_by_one_contact() {
        let (_slot, reader) = reader();
        let mut contact = reader.open().await.unwrap();
        assert_eq!(contact.transmit(CHALLENGE.to_vec()).await.unwrap().len(), 6);
        assert_eq!(reader.open().await.err(), Some(LinkError::Busy));
        drop(contact);
        assert!(reader.open().await.is_ok());
    }

    #[tokio::test]
    async fn coming_and_going_shows() {
        let (slot, reader) = reader();
        let mut status = reader.watch();
        slot.remove();
        let empty = status.wait_for(|s| s.state == ReaderState::Empty).await;
        let before = empty.unwrap().insertions;
        assert_eq!(reader.open().await.err(), Some(LinkError::NoCard));
        slot.insert();
        let there = status.wait_for(|s| s.state == ReaderState::Card).await;
        assert_eq!(there.unwrap().insertions, before + 1);
    }

    #[tokio::test]
    async fn a_torn_card_is_lost_and_stays_so_for_the_old_contact() {
        let (slot, reader) = reader();
        let mut contact = reader.open().await.unwrap();
        slot.arm(Fault::Tear {
            ins: None,
            moment: Moment::After,
            nth: 1,
        });
        let lost = contact.transmit(CHALLENGE.to_vec()).await;
        assert_eq!(lost, Err(LinkError::Lost));
        slot.insert();
        let still = contact.transmit(CHALLENGE.to_vec()).await;
        assert_eq!(
            still,
            Err(LinkError::Lost),
            "never again on the old contact"
        );
        drop(contact);
        let mut fresh = reader.open().await.unwrap();
        assert!(fresh.transmit(CHALLENGE.to_vec()).await.is_ok());
    }
}
