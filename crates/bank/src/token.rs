//! Keys in a hardware security module, through PKCS#11: issuer keys that never come out, and the key under which
//! the files of the bank's directory are sealed.

use std::sync::{Arc, Mutex, PoisonError};

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::Mechanism;
use cryptoki::mechanism::aead::GcmParams;
use cryptoki::object::{Attribute, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, UserType};
use cryptoki::types::AuthPin;
use purse::MasterKey;
use zeroize::Zeroizing;

use crate::config::{HsmSettings, Settings};
use crate::error::StartError;

const NONCE: usize = 12;
const TAG_BITS: u64 = 128;

/// The token did not do what it was asked.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the security module refused")]
pub(crate) struct TokenError;

/// A token with its user logged in. One session: PKCS#11 takes one command of it at a time.
pub(crate) struct Token {
    session: Arc<Mutex<Session>>,
    wrapping: Option<ObjectHandle>,
}

impl Token {
    /// # Errors
    /// [`StartError::Hsm`] with what is missing: module, token, PIN file, key.
    pub(crate) fn open(settings: &HsmSettings) -> Result<Self, StartError> {
        let session = session(settings)?;
        let wrapping = match &settings.wrapping_key {
            Some(label) => Some(key(&session, label)?),
            None => None,
        };
        Ok(Self {
            session: Arc::new(Mutex::new(session)),
            wrapping,
        })
    }

    /// The same token, sealing under another wrapping key.
    pub(crate) fn under(&self, label: &str) -> Result<Self, StartError> {
        let wrapping = Some(key(&self.session(), label)?);
        let session = Arc::clone(&self.session);
        Ok(Self { session, wrapping })
    }

    /// The issuer key with this label.
    pub(crate) fn issuer_key(&self, label: &str) -> Result<ObjectHandle, StartError> {
        key(&self.session(), label)
    }

    /// One level of diversification: `E3(K, F) || E3(K, not F)`.
    pub(crate) fn level(
        &self,
        key: ObjectHandle,
        factor: [u8; 8],
    ) -> Result<MasterKey, TokenError> {
        let both = [factor, factor.map(|byte| !byte)].concat();
        let session = self.session();
        let made = session.encrypt(&Mechanism::Des3Ecb, key, &both);
        let made = Zeroizing::new(made.map_err(refused)?);
        MasterKey::from_bytes(&made).map_err(|_| TokenError)
    }

    /// Nonce (12) || AES-256-GCM under the wrapping key; `None` when files are not sealed.
    pub(crate) fn seal(&self, plain: &[u8]) -> Option<Result<Vec<u8>, TokenError>> {
        let key = self.wrapping?;
        Some(self.sealed(key, plain))
    }

    fn sealed(&self, key: ObjectHandle, plain: &[u8]) -> Result<Vec<u8>, TokenError> {
        let mut nonce = [0; NONCE];
        getrandom::fill(&mut nonce).map_err(|_| TokenError)?;
        let mut iv = nonce;
        let gcm = GcmParams::new(&mut iv, &[], TAG_BITS.into()).map_err(refused)?;
        let sealed = self.session().encrypt(&Mechanism::AesGcm(gcm), key, plain);
        Ok([&nonce[..], &sealed.map_err(refused)?].concat())
    }

    /// Opens what [`Token::seal`] made.
    pub(crate) fn open_sealed(&self, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, TokenError> {
        let key = self.wrapping.ok_or(TokenError)?;
        let (nonce, sealed) = sealed.split_first_chunk::<NONCE>().ok_or(TokenError)?;
        let mut iv = *nonce;
        let gcm = GcmParams::new(&mut iv, &[], TAG_BITS.into()).map_err(refused)?;
        let plain = self.session().decrypt(&Mechanism::AesGcm(gcm), key, sealed);
        plain.map(Zeroizing::new).map_err(refused)
    }

    fn session(&self) -> std::sync::MutexGuard<'_, Session> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Puts an issuer's key of 16 bytes into the token: from then on it enciphers and can't be read.
///
/// # Errors
/// [`StartError::Hsm`] when the token refuses, or has a key of that label.
pub fn import_issuer_key(
    settings: &Settings,
    label: &str,
    bytes: &[u8; 16],
) -> Result<(), StartError> {
    let session = session(configured(settings)?)?;
    is_free(&session, label)?;
    let template = [
        Attribute::Class(ObjectClass::SECRET_KEY),
        Attribute::KeyType(KeyType::DES2),
        Attribute::Value(bytes.to_vec()),
    ];
    let made = session.create_object(&[&template[..], &closed(label)].concat());
    made.map(drop).map_err(|error| hsm(label, error))
}

/// Makes the AES-256 key under which the bank's files are sealed.
///
/// # Errors
/// As [`import_issuer_key`].
pub fn generate_wrapping_key(settings: &Settings, label: &str) -> Result<(), StartError> {
    let session = session(configured(settings)?)?;
    is_free(&session, label)?;
    let template = [
        Attribute::KeyType(KeyType::AES),
        Attribute::ValueLen(32_u64.into()),
        Attribute::Decrypt(true),
    ];
    let whole = [&template[..], &closed(label)].concat();
    let made = session.generate_key(&Mechanism::AesKeyGen, &whole);
    made.map(drop).map_err(|error| hsm(label, error))
}

fn configured(settings: &Settings) -> Result<&HsmSettings, StartError> {
    let found = settings.hsm.as_ref();
    found.ok_or_else(|| hsm("[hsm]", "missing in the configuration"))
}

/// Stays in the token, and never comes out of it.
fn closed(label: &str) -> Vec<Attribute> {
    vec![
        Attribute::Token(true),
        Attribute::Private(true),
        Attribute::Sensitive(true),
        Attribute::Extractable(false),
        Attribute::Encrypt(true),
        Attribute::Label(label.as_bytes().to_vec()),
    ]
}

fn session(settings: &HsmSettings) -> Result<Session, StartError> {
    let module = settings.module.display().to_string();
    let pin = std::fs::read_to_string(&settings.pin_file)
        .map_err(|error| hsm(&settings.pin_file.display().to_string(), error))?;
    let context = Pkcs11::new(&settings.module).map_err(|error| hsm(&module, error))?;
    let arguments = CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK);
    context
        .initialize(arguments)
        .map_err(|error| hsm(&module, error))?;
    let slots = context
        .get_slots_with_token()
        .map_err(|error| hsm(&module, error))?;
    let is_ours = |slot: &_| {
        let info = context.get_token_info(*slot);
        info.is_ok_and(|info| info.label().trim_end() == settings.token)
    };
    let slot = slots.into_iter().find(is_ours);
    let slot = slot.ok_or_else(|| hsm(&settings.token, "no such token"))?;
    let opened = context.open_rw_session(slot).and_then(|session| {
        let pin: AuthPin = pin.trim().to_owned().into();
        session.login(UserType::User, Some(&pin))?;
        Ok(session)
    });
    opened.map_err(|error| not_opened(&settings.token, &error))
}

/// A PIN that is refused is told apart: tried again and again it would lock the token.
fn not_opened(token: &str, error: &Error) -> StartError {
    const OF_PIN: [RvError; 5] = [
        RvError::PinIncorrect,
        RvError::PinExpired,
        RvError::PinInvalid,
        RvError::PinLenRange,
        RvError::PinLocked,
    ];
    if let Error::Pkcs11(refused, _) = error
        && OF_PIN.contains(refused)
    {
        return StartError::Pin {
            token: token.to_owned(),
            cause: error.to_string(),
        };
    }
    hsm(token, error)
}

fn find(session: &Session, label: &str) -> Result<Option<ObjectHandle>, StartError> {
    let template = [
        Attribute::Class(ObjectClass::SECRET_KEY),
        Attribute::Label(label.as_bytes().to_vec()),
    ];
    let found = session.find_objects(&template);
    let found = found.map_err(|error| hsm(label, error))?;
    Ok(found.first().copied())
}

fn key(session: &Session, label: &str) -> Result<ObjectHandle, StartError> {
    find(session, label)?.ok_or_else(|| hsm(label, "no such key in the token"))
}

fn is_free(session: &Session, label: &str) -> Result<(), StartError> {
    match find(session, label)? {
        Some(_) => Err(hsm(label, "the token has such a key already")),
        None => Ok(()),
    }
}

fn hsm(what: &str, cause: impl ToString) -> StartError {
    StartError::Hsm {
        what: what.to_owned(),
        cause: cause.to_string(),
    }
}

/// The module's own words go to the log alone.
fn refused(error: impl std::fmt::Display) -> TokenError {
    log::error!("security module: {error}");
    TokenError
}
