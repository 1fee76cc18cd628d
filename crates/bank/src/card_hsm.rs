//! What holds the issuers' keys and computes with them.

use std::collections::BTreeMap;

use purse::crypto::{self, LoadTerms};
use purse::secure::Head;
use purse::{HostTime, InitForLoad, MasterKey};

use crate::recipe::{CardIdentity, FactorMissing, Recipe};

/// Why no code was made.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub(crate) enum HsmError {
    #[error("no keys for this industry")]
    Industry,
    #[error(transparent)]
    Factor(#[from] FactorMissing),
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

/// The issuer keys of one industry, each with its recipe.
pub(crate) struct IssuerKeys {
    pub(crate) load: (MasterKey, Recipe),
    pub(crate) tac: (MasterKey, Recipe),
    pub(crate) maintenance: (MasterKey, Recipe),
}

/// Keys in this process's memory.
pub(crate) struct SoftwareHsm(pub(crate) BTreeMap<String, IssuerKeys>);

impl SoftwareHsm {
    fn keys(&self, industry: &str) -> Result<&IssuerKeys, HsmError> {
        self.0.get(industry).ok_or(HsmError::Industry)
    }

    fn session(
        &self,
        industry: &str,
        card: &CardIdentity,
        init: &InitForLoad,
    ) -> Result<purse::SessionKey, HsmError> {
        let (key, recipe) = &self.keys(industry)?.load;
        let key = recipe.card_key(key, card)?;
        Ok(crypto::load_session_key(
            &key,
            init.random,
            init.online_counter,
        ))
    }
}

impl CardHsm for SoftwareHsm {
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
        let (key, recipe) = &self.keys(industry)?.tac;
        let key = recipe.card_key(key, card)?;
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
        let (key, recipe) = &self.keys(industry)?.maintenance;
        let key = recipe.card_key(key, card)?;
        purse::secure::mac(&key, challenge, head, data).map_err(|_| HsmError::Length)
    }
}
