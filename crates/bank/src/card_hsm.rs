//! What holds the issuers' keys and computes with them.

use std::collections::BTreeMap;
use std::sync::Arc;

use cryptoki::object::ObjectHandle;
use purse::cash::{self, Cryptogram, Terms};
use purse::crypto::{self, LoadTerms};
use purse::secure::Head;
use purse::{CardKey, HostTime, InitForLoad, MasterKey};

use crate::recipe::{FactorMissing, Recipe};
use crate::scheme::CardIdentity;
use crate::token::{Token, TokenError};

/// Why no code was made.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub(crate) enum HsmError {
    #[error("no keys for this industry")]
    Industry,
    #[error("no keys of the card's version")]
    Version,
    #[error(transparent)]
    Factor(#[from] FactorMissing),
    #[error(transparent)]
    Token(#[from] TokenError),
    #[error("the command is too long for a MAC")]
    Length,
    #[error("a balance beyond all amounts")]
    Amount,
    #[error("the industry's scheme has no such key")]
    Scheme,
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

    /// Whether the keys of this card's version are here.
    fn knows(&self, industry: &str, card: &CardIdentity) -> bool;

    /// Whether what this card says of a load could ever be checked: it shows all that its keys are made of.
    fn could_prove(&self, industry: &str, card: &CardIdentity) -> bool;

    /// MAC of a secured update under the card's challenge.
    fn update_mac(
        &self,
        industry: &str,
        card: &CardIdentity,
        challenge: [u8; 4],
        head: Head,
        data: &[u8],
    ) -> Result<[u8; 4], HsmError>;

    /// ARQC or TC that a genuine card of electronic cash gives over these terms.
    fn cryptogram(
        &self,
        card: (&str, &CardIdentity),
        terms: &Terms,
    ) -> Result<Cryptogram, HsmError>;

    /// ARPC, by which the card knows its issuer.
    fn arpc(
        &self,
        card: (&str, &CardIdentity),
        atc: u16,
        arqc: Cryptogram,
        response: [u8; 2],
    ) -> Result<Cryptogram, HsmError>;

    /// MAC of an issuer script's command in the transaction of this ATC and ARQC.
    fn script_mac(
        &self,
        card: (&str, &CardIdentity),
        transaction: (u16, Cryptogram),
        head: Head,
        data: &[u8],
    ) -> Result<[u8; 4], HsmError>;

    /// MAC of the balance (fen) that a card reports in its issuer data.
    fn balance_mac(
        &self,
        card: (&str, &CardIdentity),
        atc: u16,
        balance: u32,
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

/// The issuer keys of one industry and version.
pub(crate) enum IssuerKeys {
    Purse {
        load: IssuerKey,
        tac: IssuerKey,
        maintenance: Option<IssuerKey>,
    },
    Cash {
        cryptogram: IssuerKey,
        script: IssuerKey,
    },
}

/// The issuer keys of one industry, each under the version that its cards tell; the first are the configuration's `keys`.
pub(crate) struct Versions(pub(crate) Vec<(Option<u8>, IssuerKeys)>);

impl Versions {
    /// Keys without a version are every card's. A card that told none has the first: a purse whose activation is asked
    /// for, and who was loaded before versions were kept.
    fn of(&self, card: &CardIdentity) -> Result<&IssuerKeys, HsmError> {
        let told = card.key_version;
        let fits = |own: &Option<u8>| told.is_none() || own.is_none() || *own == told;
        let found = self.0.iter().find(|(own, _)| fits(own));
        found.map(|(_, keys)| keys).ok_or(HsmError::Version)
    }
}

/// What a key is for.
#[derive(Clone, Copy)]
enum For {
    Load,
    Tac,
    Maintenance,
    Cryptogram,
    Script,
}

/// Codes computed here, with issuer keys from memory or from a token.
pub(crate) struct KeysByIndustry(pub(crate) BTreeMap<String, Versions>);

impl KeysByIndustry {
    fn card_key(
        &self,
        (industry, card): (&str, &CardIdentity),
        purpose: For,
    ) -> Result<CardKey, HsmError> {
        let versions = self.0.get(industry).ok_or(HsmError::Industry)?;
        let key = match (versions.of(card)?, purpose) {
            (IssuerKeys::Purse { load, .. }, For::Load) => load,
            (IssuerKeys::Purse { tac, .. }, For::Tac) => tac,
            (IssuerKeys::Purse { maintenance, .. }, For::Maintenance) => {
                maintenance.as_ref().ok_or(HsmError::Version)?
            }
            (IssuerKeys::Cash { cryptogram, .. }, For::Cryptogram) => cryptogram,
            (IssuerKeys::Cash { script, .. }, For::Script) => script,
            (IssuerKeys::Purse { .. } | IssuerKeys::Cash { .. }, _) => {
                return Err(HsmError::Scheme);
            }
        };
        key.card_key(card)
    }

    /// Recipes are the same for all versions.
    fn first(&self, industry: &str) -> Option<&IssuerKeys> {
        let Versions(all) = self.0.get(industry)?;
        all.first().map(|(_, keys)| keys)
    }

    /// The fields of the package that the industry's recipes take bytes from.
    pub(crate) fn fields(&self, industry: &str) -> Vec<&str> {
        let keys: Vec<&IssuerKey> = match self.first(industry) {
            None => Vec::new(),
            Some(IssuerKeys::Purse {
                load,
                tac,
                maintenance,
            }) => [load, tac].into_iter().chain(maintenance).collect(),
            Some(IssuerKeys::Cash { cryptogram, script }) => vec![cryptogram, script],
        };
        let mut fields: Vec<&str> = keys.iter().flat_map(|key| key.recipe.fields()).collect();
        fields.sort_unstable();
        fields.dedup();
        fields
    }

    fn session(
        &self,
        card: (&str, &CardIdentity),
        init: &InitForLoad,
    ) -> Result<purse::SessionKey, HsmError> {
        let key = self.card_key(card, For::Load)?;
        Ok(crypto::load_session_key(
            &key,
            init.random,
            init.online_counter,
        ))
    }

    fn cash_session(
        &self,
        card: (&str, &CardIdentity),
        purpose: For,
        atc: u16,
    ) -> Result<cash::SessionKey, HsmError> {
        Ok(cash::session_key(&self.card_key(card, purpose)?, atc))
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
            &self.session((industry, card), init)?,
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
            &self.session((industry, card), init)?,
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
        let key = self.card_key((industry, card), For::Tac)?;
        Ok(crypto::tac(&key, new_balance, counter, terms, at))
    }

    fn knows(&self, industry: &str, card: &CardIdentity) -> bool {
        let versions = self.0.get(industry);
        versions.is_some_and(|versions| versions.of(card).is_ok())
    }

    fn could_prove(&self, industry: &str, card: &CardIdentity) -> bool {
        let keys = match self.first(industry) {
            Some(IssuerKeys::Purse { load, tac, .. }) => [load, tac],
            Some(IssuerKeys::Cash { cryptogram, script }) => [cryptogram, script],
            None => return false,
        };
        keys.iter().all(|key| key.recipe.factors(card).is_ok())
    }

    fn update_mac(
        &self,
        industry: &str,
        card: &CardIdentity,
        challenge: [u8; 4],
        head: Head,
        data: &[u8],
    ) -> Result<[u8; 4], HsmError> {
        let key = self.card_key((industry, card), For::Maintenance)?;
        purse::secure::mac(&key, challenge, head, data).map_err(|_| HsmError::Length)
    }

    fn cryptogram(
        &self,
        card: (&str, &CardIdentity),
        terms: &Terms,
    ) -> Result<Cryptogram, HsmError> {
        let key = self.cash_session(card, For::Cryptogram, terms.atc)?;
        Ok(cash::cryptogram(&key, terms))
    }

    fn arpc(
        &self,
        card: (&str, &CardIdentity),
        atc: u16,
        arqc: Cryptogram,
        response: [u8; 2],
    ) -> Result<Cryptogram, HsmError> {
        let key = self.cash_session(card, For::Cryptogram, atc)?;
        Ok(cash::arpc(&key, arqc, response))
    }

    fn script_mac(
        &self,
        card: (&str, &CardIdentity),
        (atc, arqc): (u16, Cryptogram),
        head: Head,
        data: &[u8],
    ) -> Result<[u8; 4], HsmError> {
        let key = self.cash_session(card, For::Script, atc)?;
        cash::script_mac(&key, head, atc, arqc, data).map_err(|_| HsmError::Length)
    }

    fn balance_mac(
        &self,
        card: (&str, &CardIdentity),
        atc: u16,
        balance: u32,
    ) -> Result<[u8; 4], HsmError> {
        let key = self.cash_session(card, For::Script, atc)?;
        Ok(cash::balance_mac(&key, balance, atc))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cash(version: u8, byte: u8) -> (Option<u8>, IssuerKeys) {
        let key = || IssuerKey {
            holder: Holder::Memory(MasterKey::from_bytes(&[byte; 16]).unwrap()),
            recipe: Recipe::default(),
        };
        let (cryptogram, script) = (key(), key());
        (Some(version), IssuerKeys::Cash { cryptogram, script })
    }

    #[test]
    fn the_version_that_a_card_told_chooses_its_keys_and_none_the_first() {
        let versions = Versions(vec![cash(7, 0x22), cash(3, 0x44)]);
        let hsm = KeysByIndustry(BTreeMap::from([("0003".to_owned(), versions)]));
        let of = |card: &CardIdentity| hsm.arpc(("0003", card), 1, [9; 8], *b"00");
        let untold = CardIdentity::of(&[0x62, 0x00], &[]);
        let [seven, three, nine] = [7, 3, 9].map(|version| untold.clone().told(version));
        assert_eq!(of(&untold), of(&seven), "the first");
        assert_ne!(of(&seven), of(&three));
        assert_eq!(of(&nine), Err(HsmError::Version));
        let known = [&untold, &seven, &three, &nine].map(|card| hsm.knows("0003", card));
        assert_eq!(known, [true, true, true, false]);
        assert!(!hsm.knows("0001", &seven), "no keys at all");
    }
}
