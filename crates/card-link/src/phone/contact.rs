use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::OwnedSemaphorePermit;

use super::field::NAME;
use super::messages::{Batch, Order, Release, Stop, Transceive};
use super::reader::{Shared, TRANSCEIVE_MS};
use crate::exchange::{Exchange, brief};
use crate::{CardContact, Future, LinkError};

/// The phone ends a command that takes too long by itself; this long after that it counts as gone.
const BRIDGE_LIMIT: Duration = Duration::from_millis(TRANSCEIVE_MS as u64 + 2_000);

/// A contact with one tag of one session.
pub(super) struct PhoneContact {
    pub(super) shared: Arc<Shared>,
    pub(super) session: u64,
    pub(super) tag: u64,
    /// Kept by a command that nobody waits for any more, too.
    pub(super) hold: Arc<OwnedSemaphorePermit>,
    /// After an unknown outcome nothing is sent any more.
    pub(super) over: Option<LinkError>,
}

impl PhoneContact {
    async fn order(&mut self, command: Vec<u8>) -> Result<Vec<u8>, LinkError> {
        if let Some(error) = self.over {
            return Err(error);
        }
        let (shared, hold) = (self.shared.clone(), self.hold.clone());
        let (session, tag) = (self.session, self.tag);
        // A task of its own: whoever stops waiting does not stop the card.
        let work = tokio::spawn(async move {
            let _hold = hold;
            let mut exchange = Exchange::new(&command);
            loop {
                let reply = send(&shared, session, tag, exchange.next()).await?;
                if let Some(whole) = exchange.reply(reply)? {
                    return Ok(whole);
                }
            }
        });
        let result = work.await.unwrap_or(Err(LinkError::Lost));
        if let Err(error) = result {
            self.over = Some(error);
            self.shared.change(|field| field.spend(tag));
            let shared = self.shared.clone();
            tokio::spawn(async move {
                let release = shared.call::<Value>("release", Release { session, tag });
                if let Err(refused) = release.await {
                    log::warn!("a tag was not given up: {refused}");
                }
            });
        }
        result
    }
}

impl CardContact for PhoneContact {
    fn transmit(&mut self, command: Vec<u8>) -> Future<'_, Result<Vec<u8>, LinkError>> {
        Box::pin(self.order(command))
    }

    fn reader(&self) -> &str {
        NAME
    }
}

async fn send(
    shared: &Shared,
    session: u64,
    tag: u64,
    command: &[u8],
) -> Result<Vec<u8>, LinkError> {
    let batch = Transceive {
        session,
        tag,
        commands: vec![Order {
            data: hex::encode_upper(command),
            go_on: Vec::new(),
        }],
    };
    let call = shared.call::<Batch>("transceive", batch);
    let Ok(answer) = tokio::time::timeout(BRIDGE_LIMIT, call).await else {
        return Err(LinkError::Timeout);
    };
    let Batch { mut replies, stop } = answer.map_err(|refused| {
        log::warn!("{} {refused}", brief(command, &[]));
        LinkError::Lost
    })?;
    let fault = match stop {
        Stop::Done | Stop::StatusWord => None,
        Stop::Timeout => Some(LinkError::Timeout),
        Stop::TagLost | Stop::Closed | Stop::Io => Some(LinkError::Lost),
    };
    if let Some(error) = fault {
        log::warn!("{} {stop:?}", brief(command, &[]));
        return Err(error);
    }
    let reply = replies.pop().and_then(|reply| hex::decode(reply).ok());
    let reply = reply.unwrap_or_default();
    log::debug!("{}", brief(command, &reply));
    Ok(reply)
}
