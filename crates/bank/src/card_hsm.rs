//! What holds the issuers' keys and computes with them.

use std::collections::BTreeMap;
use std::sync::Arc;

use cryptoki::object::ObjectHandle;
use purse::crypto::{self, LoadTerms};
use purse::secure::Head;
use purse::{CardKey, HostTime, InitForLoad, MasterKey};

use crate::recipe::{CardIdentity, FactorMissing, Recipe};
use crate::token::{Token, TokenError};

/// Why no code was made.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub(crate) enum HsmError {
    #[error("no keys for this industry")]
    Industry,
    #[error(transparent)]
    Factor(#[from] FactorMissing),
    #[error(transparent)]
    Token(#[from] TokenError),
    #[error("the command is too long for a MAC")]
    Length,
}

/// Issuer keys behind an interface: they never come out, only codes do.
pub(crate) trait CardHsm: Send + Sync {
    /// MAC1 that a genuine card gives with `init`.
    fn mac1(
        &self,
        industry: &str,
        card: &CardIdentity,
        init: &InitForLoad,
        terms: &LoadTerms,
    ) -> Result<[u8; 4], HsmError>;

    /// MAC2 for the session that `init` opened.
    fn mac2(
        &self,
        industry: &str,
        card: &CardIdentity,
        init: &InitForLoad,
        terms: &LoadTerms,
        at: HostTime,
    ) -> Result<[u8; 4], HsmError>;

    /// TAC of a load; `begun` is the balance it left, fen, and the counter that it began at.
    fn tac(
        &self,
        industry: &str,
        card: &CardIdentity,
        begun: (u32, u16),
        terms: &LoadTerms,
        at: HostTime,
    ) -> Result<[u8; 4], HsmError>;

    /// MAC of a secured update under the card's challenge.
    fn update_mac(
        &self,
        industry: &str,
        card: &CardIdentity,
        challenge: [u8; 4],
        head: Head,
        data: &[u8],
    ) -> Result<[u8; 4], HsmError>;
}

/// An issuer's key, and how card keys come from it.
pub(crate) struct IssuerKey {
    pub(crate) holder: Holder,
    pub(crate) recipe: Recipe,
}

/// Where an issuer's key is.
pub(crate) enum Holder {
    /// In this process's memory.
    Memory(MasterKey),
    /// In a security module. The keys of single cards come out of it, for one code each.
    Token(Arc<Token>, ObjectHandle),
}

impl IssuerKey {
    fn card_key(&self, card: &CardIdentity) -> Result<CardKey, HsmError> {
        let factors = self.recipe.factors(card)?;
        let (key, rest) = match (&self.holder, factors.split_first()) {
            (Holder::Memory(key), _) => (key.clone(), factors.as_slice()),
            (Holder::Token(token, key), Some((first, rest))) => (token.level(*key, *first)?, rest),
            (Holder::Token(..), None) => return Err(HsmError::Token(TokenError)),
        };
        let key = rest.iter().fold(key, |key, factor| key.level(*factor));
        Ok(key.into_card_key())
    }
}

/// The issuer keys of one industry.
pub(crate) struct IssuerKeys {
    pub(crate) load: IssuerKey,
    pub(crate) tac: IssuerKey,
    pub(crate) maintenance: IssuerKey,
}

/// Codes computed here, with issuer keys from memory or from a token.
pub(crate) struct KeysByIndustry(pub(crate) BTreeMap<String, IssuerKeys>);

impl KeysByIndustry {
    fn keys(&self, industry: &str) -> Result<&IssuerKeys, HsmError> {
        self.0.get(industry).ok_or(HsmError::Industry)
    }

    fn session(
        &self,
        industry: &str,
        card: &CardIdentity,
        init: &InitForLoad,
    ) -> Result<purse::SessionKey, HsmError> {
        let key = self.keys(industry)?.load.card_key(card)?;
        Ok(crypto::load_session_key(
            &key,
            init.random,
            init.online_counter,
        ))
    }
}

impl CardHsm for KeysByIndustry {
    fn mac1(
        &self,
        industry: &str,
        card: &CardIdentity,
        init: &InitForLoad,
        terms: &LoadTerms,
    ) -> Result<[u8; 4], HsmError> {
        Ok(crypto::mac1(
            &self.session(industry, card, init)?,
            init.old_balance,
            terms,
        ))
    }

    fn mac2(
        &self,
        industry: &str,
        card: &CardIdentity,
        init: &InitForLoad,
        terms: &LoadTerms,
        at: HostTime,
    ) -> Result<[u8; 4], HsmError> {
        Ok(crypto::mac2(
            &self.session(industry, card, init)?,
            terms,
            at,
        ))
    }

    fn tac(
        &self,
        industry: &str,
        card: &CardIdentity,
        (new_balance, counter): (u32, u16),
        terms: &LoadTerms,
        at: HostTime,
    ) -> Result<[u8; 4], HsmError> {
        let key = self.keys(industry)?.tac.card_key(card)?;
        Ok(crypto::tac(&key, new_balance, counter, terms, at))
    }

    fn update_mac(
        &self,
        industry: &str,
        card: &CardIdentity,
        challenge: [u8; 4],
        head: Head,
        data: &[u8],
    ) -> Result<[u8; 4], HsmError> {
        let key = self.keys(industry)?.maintenance.card_key(card)?;
        purse::secure::mac(&key, challenge, head, data).map_err(|_| HsmError::Length)
    }
}
