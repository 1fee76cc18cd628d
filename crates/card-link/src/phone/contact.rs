use std::collections::VecDeque;
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
const BRIDGE_MARGIN: Duration = Duration::from_secs(2);
const ONE_COMMAND: Duration = Duration::from_millis(TRANSCEIVE_MS as u64);
/// After any other status word it is not known here what comes next.
const GOES_ON: &str = "9000";

/// A contact with one tag of one session.
pub(super) struct PhoneContact {
    shared: Arc<Shared>,
    session: u64,
    tag: u64,
    /// Kept by a command that nobody waits for any more, too.
    hold: Arc<OwnedSemaphorePermit>,
    /// After an unknown outcome nothing is sent any more.
    over: Option<LinkError>,
    /// Goes along with the next command.
    ahead: Vec<Vec<u8>>,
    /// What went along with one before, oldest first.
    early: VecDeque<Exchanged>,
    took: Option<Duration>,
}

/// A command with its raw reply.
struct Exchanged {
    command: Vec<u8>,
    reply: Vec<u8>,
    took: Option<Duration>,
}

/// What one crossing of the bridge came to.
struct Crossed {
    exchanged: VecDeque<Exchanged>,
    /// Of the command after the last reply.
    fault: Option<LinkError>,
}

/// A whole reply, and what else came with it.
struct Answered {
    reply: Vec<u8>,
    took: Option<Duration>,
    crossed: Crossed,
}

impl PhoneContact {
    pub(super) fn new(
        shared: Arc<Shared>,
        session: u64,
        tag: u64,
        hold: OwnedSemaphorePermit,
    ) -> Self {
        Self {
            shared,
            session,
            tag,
            hold: Arc::new(hold),
            over: None,
            ahead: Vec::new(),
            early: VecDeque::new(),
            took: None,
        }
    }

    async fn order(&mut self, command: Vec<u8>) -> Result<Vec<u8>, LinkError> {
        self.took = None;
        let mut commands = vec![command.clone()];
        commands.append(&mut self.ahead);
        let early = std::mem::take(&mut self.early);
        let is_next = early.front().is_some_and(|next| next.command == command);
        let known = if is_next {
            Some(Crossed {
                exchanged: early,
                // Told when somebody asks for more than there is.
                fault: None,
            })
        } else if let Some(error) = self.over {
            return Err(error);
        } else {
            None
        };
        let (shared, hold) = (self.shared.clone(), self.hold.clone());
        let (session, tag) = (self.session, self.tag);
        // A task of its own: whoever stops waiting does not stop the card.
        let work = tokio::spawn(async move {
            let _hold = hold;
            converse(&shared, session, tag, commands, known).await
        });
        let answered = work.await.unwrap_or(Err(LinkError::Lost));
        let fault = match &answered {
            Ok(answered) => answered.crossed.fault,
            Err(error) => Some(*error),
        };
        if let Some(error) = fault {
            self.give_up(error);
        }
        let answered = answered?;
        self.took = answered.took;
        self.early = answered.crossed.exchanged;
        Ok(answered.reply)
    }

    /// Nothing is sent to this tag any more, and the phone polls for another.
    fn give_up(&mut self, error: LinkError) {
        let (session, tag) = (self.session, self.tag);
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
}

impl CardContact for PhoneContact {
    fn transmit(&mut self, command: Vec<u8>) -> Future<'_, Result<Vec<u8>, LinkError>> {
        Box::pin(self.order(command))
    }

    fn ahead(&mut self, commands: Vec<Vec<u8>>) {
        self.ahead = commands;
    }

    fn took(&self) -> Option<Duration> {
        self.took
    }

    fn reader(&self) -> &str {
        NAME
    }
}

/// The first of `commands` until its whole reply is there. The others go along once, unless that one is `known`.
async fn converse(
    shared: &Shared,
    session: u64,
    tag: u64,
    commands: Vec<Vec<u8>>,
    known: Option<Crossed>,
) -> Result<Answered, LinkError> {
    let first = commands.first().cloned().unwrap_or_default();
    let mut exchange = Exchange::new(&first);
    let mut crossed = match known {
        Some(crossed) => crossed,
        None => cross(shared, session, tag, commands).await?,
    };
    loop {
        let Some(one) = crossed.exchanged.pop_front() else {
            return Err(crossed.fault.unwrap_or(LinkError::Lost));
        };
        if let Some(reply) = exchange.reply(one.reply)? {
            return Ok(Answered {
                reply,
                took: one.took,
                crossed,
            });
        }
        crossed = cross(shared, session, tag, vec![exchange.next().to_vec()]).await?;
    }
}

/// Over the bridge, once.
async fn cross(
    shared: &Shared,
    session: u64,
    tag: u64,
    commands: Vec<Vec<u8>>,
) -> Result<Crossed, LinkError> {
    let order = |command: &Vec<u8>| Order {
        data: hex::encode_upper(command),
        go_on: vec![GOES_ON.to_owned()],
    };
    let batch = Transceive {
        session,
        tag,
        commands: commands.iter().map(order).collect(),
    };
    let count = u32::try_from(commands.len()).unwrap_or(u32::MAX);
    let limit = ONE_COMMAND
        .saturating_mul(count)
        .saturating_add(BRIDGE_MARGIN);
    let call = shared.call::<Batch>("transceive", batch);
    let Ok(answer) = tokio::time::timeout(limit, call).await else {
        return Err(LinkError::Timeout);
    };
    let answer = answer.map_err(|refused| {
        log::warn!("{} {refused}", head(&commands));
        LinkError::Lost
    })?;
    let fault = match answer.stop {
        Stop::Done | Stop::StatusWord => None,
        Stop::Timeout => Some(LinkError::Timeout),
        Stop::TagLost | Stop::Closed | Stop::Io => Some(LinkError::Lost),
    };
    let stop = answer.stop;
    let mut exchanged = VecDeque::new();
    let mut took = answer.ms.into_iter().map(Duration::from_millis);
    let mut left = commands.into_iter();
    for reply in answer.replies {
        let Some(command) = left.next() else { break };
        let reply = hex::decode(reply).unwrap_or_default();
        log::debug!("{}", brief(&command, &reply));
        exchanged.push_back(Exchanged {
            command,
            reply,
            took: took.next(),
        });
    }
    if fault.is_some() {
        let left: Vec<Vec<u8>> = left.collect();
        log::warn!("{} {stop:?}", head(&left));
    }
    Ok(Crossed { exchanged, fault })
}

fn head(commands: &[Vec<u8>]) -> String {
    brief(commands.first().map_or(&[], Vec::as_slice), &[])
}
