use std::collections::HashMap;
use std::sync::Arc;

use keyring_core::{CredentialStore, Entry, Error};
use zeroize::Zeroizing;

use crate::{KeyVault, VaultError, person};

/// The OS keystore: the Secret Service on Linux, the keychains of Apple, the Credential Manager of Windows, and on
/// Android a key in the Keystore that seals what lies in the app's own preferences.
///
/// The store is made anew for each call: a connection to a service that was not there at start would stay dead,
/// and a person who unlocks the keystore expects the app to go on.
pub struct OsVault {
    service: String,
    ask: Ask,
}

type Ask = Box<dyn Fn() -> Result<(), VaultError> + Send + Sync>;

impl OsVault {
    /// `service` names the program in the keystore, e.g. `org.tapfill.app`.
    pub fn new(service: impl Into<String>) -> Self {
        Self {
            service: service.into(),
            ask: Box::new(person::confirm),
        }
    }

    /// Asks the person in another way than this crate knows; it waits for the answer.
    #[must_use]
    pub fn asking(
        mut self,
        ask: impl Fn() -> Result<(), VaultError> + Send + Sync + 'static,
    ) -> Self {
        self.ask = Box::new(ask);
        self
    }

    fn entry(&self, name: &str) -> Result<Entry, VaultError> {
        let kept_on = kept_on();
        let entry = store()?.build(&self.service, name, kept_on.as_ref());
        entry.map_err(failure)
    }
}

/// A phone's secrets stay on that phone: neither a backup nor a cloud gets them. Android's key never leaves its
/// Keystore, and `allowBackup` is off.
#[cfg(target_os = "ios")]
fn kept_on() -> Option<HashMap<&'static str, &'static str>> {
    Some(HashMap::from([(
        "access-policy",
        "when-unlocked-this-device-only",
    )]))
}

/// Other stores know no such choice.
#[cfg(not(target_os = "ios"))]
const fn kept_on() -> Option<HashMap<&'static str, &'static str>> {
    None
}

impl KeyVault for OsVault {
    fn load(&self, name: &str) -> Result<Option<Zeroizing<Vec<u8>>>, VaultError> {
        match self.entry(name)?.get_secret() {
            Ok(secret) => Ok(Some(Zeroizing::new(secret))),
            Err(Error::NoEntry) => Ok(None),
            Err(error) => Err(failure(error)),
        }
    }

    fn store(&self, name: &str, secret: &[u8]) -> Result<(), VaultError> {
        self.entry(name)?.set_secret(secret).map_err(failure)
    }

    fn erase(&self, name: &str) -> Result<(), VaultError> {
        match self.entry(name)?.delete_credential() {
            Ok(()) | Err(Error::NoEntry) => Ok(()),
            Err(error) => Err(failure(error)),
        }
    }

    fn confirm(&self) -> Result<(), VaultError> {
        (self.ask)()
    }
}

#[cfg(target_os = "linux")]
fn store() -> Result<Arc<CredentialStore>, VaultError> {
    match zbus_secret_service_keyring_store::Store::new() {
        Ok(store) => Ok(store),
        Err(error) => {
            log::warn!("no Secret Service: {error}");
            Err(VaultError::Missing)
        }
    }
}

#[cfg(target_os = "macos")]
fn store() -> Result<Arc<CredentialStore>, VaultError> {
    match apple_native_keyring_store::keychain::Store::new() {
        Ok(store) => Ok(store),
        Err(error) => Err(failure(error)),
    }
}

#[cfg(target_os = "windows")]
fn store() -> Result<Arc<CredentialStore>, VaultError> {
    match windows_native_keyring_store::Store::new() {
        Ok(store) => Ok(store),
        Err(error) => Err(failure(error)),
    }
}

#[cfg(target_os = "ios")]
fn store() -> Result<Arc<CredentialStore>, VaultError> {
    match apple_native_keyring_store::protected::Store::new() {
        Ok(store) => Ok(store),
        Err(error) => Err(failure(error)),
    }
}

/// The app's context, which the store needs, is there since the window's library set it up.
///
/// A key that was made in the StrongBox for it (`plugins/iso-dep`, `SealingKey.kt`) makes the very first start of the
/// store fail, since it would make one itself; the next one finds its file and that key.
#[cfg(target_os = "android")]
fn store() -> Result<Arc<CredentialStore>, VaultError> {
    use android_native_keyring_store::Store;
    match Store::new().or_else(|_| Store::new()) {
        Ok(store) => Ok(store),
        Err(error) => Err(failure(error)),
    }
}

#[cfg(not(any(
    target_os = "linux",
    target_os = "macos",
    target_os = "windows",
    target_os = "ios",
    target_os = "android"
)))]
fn store() -> Result<Arc<CredentialStore>, VaultError> {
    Err(VaultError::Missing)
}

/// `keyring_core::Error` is open-ended: what it adds one day counts as broken.
fn failure(error: Error) -> VaultError {
    let text = error.to_string();
    if let Error::NoStorageAccess(cause) = error {
        let cause = cause.to_string().to_lowercase();
        return if cause.contains("denied") {
            VaultError::Denied
        } else {
            VaultError::Locked
        };
    }
    VaultError::Broken(text)
}
