use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use zeroize::Zeroizing;

use crate::{KeyVault, VaultError};

/// A vault that forgets with the process, with faults to order. For tests and simulations.
#[derive(Default)]
pub struct MemoryVault {
    secrets: Mutex<HashMap<String, Zeroizing<Vec<u8>>>>,
    fault: Mutex<Option<VaultError>>,
    answer: Mutex<Option<VaultError>>,
    stalled: AtomicBool,
}

const LOOK_AGAIN: Duration = Duration::from_millis(5);
/// A test that fails while a vault waits must end all the same.
const STALLED_AT_MOST: Duration = Duration::from_secs(20);

impl MemoryVault {
    /// Every call fails so from now on; `None` heals.
    pub fn fail_with(&self, fault: Option<VaultError>) {
        *self.fault.lock().unwrap_or_else(PoisonError::into_inner) = fault;
    }

    /// Every call waits while it is so, 20 s at most: a keystore that has a question of its own on the screen.
    pub fn stall(&self, stalled: bool) {
        self.stalled.store(stalled, Ordering::SeqCst);
    }

    /// How the person answers when asked who is there; `None`: it is them.
    pub fn answer_with(&self, answer: Option<VaultError>) {
        *self.answer.lock().unwrap_or_else(PoisonError::into_inner) = answer;
    }

    /// What a wiped keystore looks like.
    pub fn empty(&self) {
        self.secrets
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }

    /// Another vault with the same content: a stolen copy, or a backup.
    #[must_use]
    pub fn copy(&self) -> Self {
        let secrets = self.secrets.lock().unwrap_or_else(PoisonError::into_inner);
        Self {
            secrets: Mutex::new(secrets.clone()),
            ..Self::default()
        }
    }

    fn check(&self) -> Result<(), VaultError> {
        let since = Instant::now();
        while self.stalled.load(Ordering::SeqCst) && since.elapsed() < STALLED_AT_MOST {
            std::thread::sleep(LOOK_AGAIN);
        }
        match &*self.fault.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(fault) => Err(fault.clone()),
            None => Ok(()),
        }
    }
}

impl KeyVault for MemoryVault {
    fn load(&self, name: &str) -> Result<Option<Zeroizing<Vec<u8>>>, VaultError> {
        self.check()?;
        Ok(self
            .secrets
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(name)
            .cloned())
    }

    fn store(&self, name: &str, secret: &[u8]) -> Result<(), VaultError> {
        self.check()?;
        let mut secrets = self.secrets.lock().unwrap_or_else(PoisonError::into_inner);
        secrets.insert(name.to_owned(), Zeroizing::new(secret.to_vec()));
        Ok(())
    }

    fn erase(&self, name: &str) -> Result<(), VaultError> {
        self.check()?;
        self.secrets
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(name);
        Ok(())
    }

    fn confirm(&self) -> Result<(), VaultError> {
        match &*self.answer.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(answer) => Err(answer.clone()),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_comes_back_until_it_is_erased() {
        let vault = MemoryVault::default();
        vault.store("k", b"secret").unwrap();
        assert_eq!(vault.load("k").unwrap().unwrap().as_slice(), b"secret");
        vault.erase("k").unwrap();
        assert_eq!(vault.load("k").unwrap(), None);
    }

    #[test]
    fn an_ordered_fault_shows_and_heals() {
        let vault = MemoryVault::default();
        vault.fail_with(Some(VaultError::Locked));
        assert_eq!(vault.load("k"), Err(VaultError::Locked));
        vault.fail_with(None);
        assert_eq!(vault.load("k"), Ok(None));
    }
}
