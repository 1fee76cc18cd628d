//! Loads that would meet at one row of the bank's own accounts, one after the other: on a server the second of two that
//! write the same row is refused and runs again. Other processes' loads still meet these; far fewer than one's own do.

use ledger::{LoadId, Shard};
use tokio::sync::{Mutex, MutexGuard};

use crate::store::Store;

/// A place for each shard of the bank's own accounts.
pub(crate) struct Shards([Mutex<()>; Shard::COUNT as usize]);

impl Shards {
    pub(crate) fn new() -> Self {
        Self(std::array::from_fn(|_| Mutex::new(())))
    }

    /// Held until the load's commit is made; none after as long as a conflict is tried. Nobody waits on a file: those who
    /// write it have turns.
    pub(crate) async fn of(&self, store: &Store, load: [u8; 16]) -> Option<MutexGuard<'_, ()>> {
        store.lanes()?;
        let place = self.0.get(Shard::of_load(LoadId(load)).place())?;
        tokio::time::timeout(store.wait, place.lock()).await.ok()
    }
}
