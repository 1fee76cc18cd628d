//! Connections of one process to its server. One that nobody has is driven by nobody.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::error::Problem;

use super::Failed;
use super::target::Target;
use super::wire::Wire;

/// What stands between may forget a connection on which nothing is said for long.
const IDLE: Duration = Duration::from_secs(600);
/// Before a server that starts is asked again.
const PAUSE: Duration = Duration::from_millis(50);

#[derive(Clone)]
pub(crate) struct Pool(Arc<Shared>);

struct Shared {
    target: Target,
    turns: Arc<Semaphore>,
    most: u32,
    /// How long a connection is waited for.
    wait: Duration,
    /// With nobody, and since when.
    free: Mutex<Vec<(Instant, Wire)>>,
}

/// A connection that somebody has.
pub(crate) struct Leased {
    pub(crate) wire: Wire,
    from: Pool,
    _turn: OwnedSemaphorePermit,
}

impl Pool {
    /// Of at most so many connections.
    pub(crate) fn new(target: Target, most: u32, wait: Duration) -> Self {
        Self(Arc::new(Shared {
            target,
            turns: Arc::new(Semaphore::new(most as usize)),
            most,
            wait,
            free: Mutex::default(),
        }))
    }

    pub(crate) async fn lease(&self) -> Result<Leased, Problem> {
        let until = Instant::now() + self.0.wait;
        let turn = timeout_at(until, self.0.turns.clone().acquire_owned()).await;
        let turn = turn.map_err(|_| Problem::busy())?;
        let turn = turn.map_err(Problem::internal)?;
        let wire = match self.left() {
            Some(wire) => wire,
            None => timeout_at(until, self.connect())
                .await
                .map_err(|_| Problem::busy())??,
        };
        Ok(Leased {
            wire,
            from: self.clone(),
            _turn: turn,
        })
    }

    /// The one that was left last. Those below it were left before.
    fn left(&self) -> Option<Wire> {
        let mut free = self.free();
        let (since, wire) = free.pop()?;
        if since.elapsed() < IDLE {
            return Some(wire);
        }
        free.clear();
        None
    }

    async fn connect(&self) -> Result<Wire, Failed> {
        loop {
            match self.0.target.connect().await {
                Err(Failed::Said(said)) if said.is_for_now() => {}
                Err(Failed::Broken(error))
                    if error.kind() == std::io::ErrorKind::ConnectionRefused => {}
                done => return done,
            }
            sleep(PAUSE).await;
        }
    }

    fn free(&self) -> MutexGuard<'_, Vec<(Instant, Wire)>> {
        self.0.free.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// When everybody has given theirs back; false where that takes too long.
    pub(crate) async fn close(&self, patience: Duration) -> bool {
        let all = timeout(patience, self.0.turns.acquire_many(self.0.most)).await;
        self.0.turns.close();
        let free = std::mem::take(&mut *self.free());
        let ended = async {
            for (_, wire) in free {
                if let Err(failed) = wire.end().await {
                    log::debug!("{failed}");
                }
            }
        };
        all.is_ok() && timeout(patience, ended).await.is_ok()
    }
}

impl Leased {
    /// Those that were left before this one ended are as dead.
    pub(crate) fn forget_others(&self) {
        self.from.free().clear();
    }

    /// For others; one that is not as they want it is closed.
    pub(crate) fn give_back(mut self) {
        self.wire.unask();
        if self.wire.is_free() && !self.from.0.turns.is_closed() {
            let from = self.from.clone();
            from.free().push((Instant::now(), self.wire));
        }
    }
}
