//! The tasks of a session, so that a simulation can end them all at once as the end of the process would.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::task::AbortHandle;

/// Clones are of the same session.
#[derive(Clone, Default)]
pub(crate) struct Kin(Arc<Mutex<Vec<AbortHandle>>>);

impl Kin {
    pub(crate) fn add(&self, task: AbortHandle) {
        let mut tasks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tasks.retain(|task| !task.is_finished());
        tasks.push(task);
    }

    pub(crate) fn kill(&self) {
        let mut tasks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for task in tasks.drain(..) {
            task.abort();
        }
    }
}
