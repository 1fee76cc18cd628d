//! The simulated reader with faults at every command.

use std::sync::Arc;
use std::time::Duration;

use card_link::{CardContact, CardReader, Future, LinkError, ReaderStatus, SimulatedReader};
use tokio::sync::watch;
use virtual_card::{Fault, Moment, Slot};

use crate::network::BankProcess;
use crate::point::{When, Who};
use crate::world::{PROBE, Strike, World};

pub(crate) struct FaultyReader {
    inner: SimulatedReader,
    slot: Slot,
    world: Arc<World>,
    bank: Arc<BankProcess>,
}

impl FaultyReader {
    pub(crate) fn new(slot: &Slot, world: &Arc<World>, bank: &Arc<BankProcess>) -> Self {
        Self {
            inner: SimulatedReader::new(slot.clone()),
            slot: slot.clone(),
            world: world.clone(),
            bank: bank.clone(),
        }
    }
}

impl CardReader for FaultyReader {
    fn watch(&self) -> watch::Receiver<ReaderStatus> {
        self.inner.watch()
    }

    fn choose(&self, reader: Option<String>) {
        self.inner.choose(reader);
    }

    fn open(&self) -> Future<'_, Result<Box<dyn CardContact>, LinkError>> {
        Box::pin(async {
            let inner = self.inner.open().await?;
            let contact = FaultyContact {
                inner,
                before: Vec::new(),
                slot: self.slot.clone(),
                world: self.world.clone(),
                bank: self.bank.clone(),
            };
            Ok(Box::new(contact) as Box<dyn CardContact>)
        })
    }
}

struct FaultyContact {
    inner: Box<dyn CardContact>,
    /// The last command.
    before: Vec<u8>,
    slot: Slot,
    world: Arc<World>,
    bank: Arc<BankProcess>,
}

/// Counts among what healing waits for, until it is dropped: a killed app drops it too.
struct UnderWay(Arc<World>);

impl UnderWay {
    fn new(world: &Arc<World>) -> Self {
        world.under_way(1);
        Self(world.clone())
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.under_way(-1);
    }
}

/// What a command takes on its way, ms.
const WAY_MS: u64 = 8;

impl FaultyContact {
    async fn order(&mut self, command: Vec<u8>) -> Result<Vec<u8>, LinkError> {
        let step = if self.before == command {
            PROBE
        } else {
            command_name(&command)
        };
        self.before.clone_from(&command);
        let strike = self.world.arrive(step);
        // Healing waits until a fault is over, on a slow card too.
        let _under_way = strike.map(|_| UnderWay::new(&self.world));
        if let Some(strike) = strike {
            self.strike(strike, When::Before, &command).await;
        }
        tokio::time::sleep(Duration::from_millis(WAY_MS)).await;
        let reply = match strike.filter(|strike| strike.when == When::During) {
            Some(strike) => self.during(strike, command.clone()).await,
            None => self.inner.transmit(command.clone()).await,
        };
        self.told(&command, &reply);
        if let Some(strike) = strike {
            self.strike(strike, When::After, &command).await;
        }
        reply
    }

    async fn during(&mut self, strike: Strike, command: Vec<u8>) -> Result<Vec<u8>, LinkError> {
        if strike.who == Who::App {
            // The card works on without the process that asked it.
            let done = self.inner.transmit(command).await;
            self.world
                .tell(format_args!("nobody hears {}", brief(&done)));
            self.world.kill_app();
            return std::future::pending().await;
        }
        self.strike(strike, When::During, &command).await;
        self.inner.transmit(command).await
    }

    async fn strike(&mut self, strike: Strike, now: When, command: &[u8]) {
        let tears = strike.who == Who::Card && now == When::Before;
        if tears {
            // The card itself knows the moment.
            let moment = match strike.when {
                When::Before => Moment::Before,
                When::During => Moment::During,
                When::After => Moment::After,
            };
            let ins = command.get(1).copied();
            self.slot.arm(Fault::Tear {
                ins,
                moment,
                nth: 1,
            });
        }
        if strike.when != now {
            return;
        }
        match strike.who {
            Who::Card => {}
            Who::Network => self.world.network_off(1 + strike.draw % 100_000),
            Who::App => {
                self.world.kill_app();
                std::future::pending::<()>().await;
            }
            Who::Bank => self.bank.kill(1 + strike.draw % 40_000).await,
        }
    }

    fn told(&self, command: &[u8], reply: &Result<Vec<u8>, LinkError>) {
        let name = command_name(command);
        self.world
            .tell(format_args!("card: {name} -> {}", brief(reply)));
    }
}

fn brief(reply: &Result<Vec<u8>, LinkError>) -> String {
    match reply {
        Ok(reply) => match reply.last_chunk::<2>() {
            Some([sw1, sw2]) => format!("{sw1:02X}{sw2:02X}"),
            None => "nothing".to_owned(),
        },
        Err(error) => error.to_string(),
    }
}

impl CardContact for FaultyContact {
    fn transmit(&mut self, command: Vec<u8>) -> Future<'_, Result<Vec<u8>, LinkError>> {
        Box::pin(self.order(command))
    }

    fn reader(&self) -> &str {
        self.inner.reader()
    }
}

/// The field's names of the commands that our cards know.
fn command_name(command: &[u8]) -> &'static str {
    match command.get(..2) {
        Some([0x00, 0xA4]) => "SELECT",
        Some([0x00, 0xB0]) => "READ BINARY",
        Some([0x00, 0xB2]) => "READ RECORD",
        Some([0x80, 0x5C]) => "GET BALANCE",
        Some([0xFF, 0xCA]) => "GET UID",
        Some([0x00, 0x20]) => "VERIFY",
        Some([0x00, 0x84]) => "GET CHALLENGE",
        Some([0x80, 0x50]) => "INITIALIZE",
        Some([0x80, 0x52]) => "CREDIT",
        Some([0x80, 0x5A]) => "PROVE",
        Some([0x04, 0xD6]) => "UPDATE BINARY",
        Some([0x84, 0x18]) => "UNBLOCK",
        Some([0x80, 0xA8]) => "GPO",
        Some([0x80, 0xCA]) => "GET DATA",
        Some([0x80, 0xAE]) => "GENERATE AC",
        Some([0x00, 0x82]) => "AUTHENTICATE",
        Some([0x04, 0xDA]) => "PUT DATA",
        Some(_) | None => "another command",
    }
}
