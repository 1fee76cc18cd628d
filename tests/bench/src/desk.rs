//! A reader with a card on it: the service runs beside this program, started by `cargo xtask bench`; the card has a
//! thread of its own, as far from whoever talks to it as it is for every other program.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use card_link::{CardReader, PcscReader, ReaderState};
use pcsc::{Card, Context, Protocols, Scope, ShareMode};
use virtual_card::{CardProfile, Slot, vpcd};

use crate::Failure;

/// pcscd looks for a card twice a second.
const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) struct Desk {
    pub(crate) slot: Slot,
    pub(crate) reader: Arc<PcscReader>,
    /// As PC/SC calls the reader.
    pub(crate) name: String,
}

impl Desk {
    /// The demo card with this number on the reader, seen by our own watch.
    pub(crate) async fn set(serial: [u8; 10]) -> Result<Self, Failure> {
        let port = std::env::var("TAPFILL_READER_PORT");
        let port = port.map_err(|_| "no reader: run it by `cargo xtask bench`")?;
        let address = SocketAddr::from(([127, 0, 0, 1], port.parse()?));
        let profile = CardProfile {
            serial,
            ..CardProfile::demo()
        };
        let slot = Slot::with_card(virtual_card::Card::new(profile));
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let served = slot.clone();
        std::thread::Builder::new()
            .name("virtual-card".to_owned())
            .spawn(move || runtime.block_on(vpcd::serve(address, served)))?;
        let reader = Arc::new(PcscReader::start());
        let mut watch = reader.watch();
        let here = watch.wait_for(|status| status.state == ReaderState::Card);
        let status = tokio::time::timeout(PATIENCE, here).await;
        let status = status.map_err(|_| "the card did not come to the reader")??;
        let name = status.reader.clone().ok_or("a reader without a name")?;
        drop(status);
        Ok(Self { slot, reader, name })
    }

    /// The card through the PC/SC library and nothing else.
    pub(crate) fn bare(&self) -> Result<Card, Failure> {
        let context = Context::establish(Scope::User)?;
        let name = std::ffi::CString::new(self.name.as_str())?;
        Ok(context.connect(&name, ShareMode::Shared, Protocols::ANY)?)
    }
}

/// One command, and all of its reply.
pub(crate) fn transmit(card: &Card, command: &[u8]) -> Result<Vec<u8>, Failure> {
    let mut buffer = [0; pcsc::MAX_BUFFER_SIZE];
    Ok(card.transmit(command, &mut buffer)?.to_vec())
}
