//! A card's profile, whatever its technology.

use crate::card::Card;
use crate::cash::{CashCard, CashProfile};
use crate::profile::{CardProfile, ProfileError};
use crate::recorded::{RecordedCard, RecordedProfile};
use crate::smart_card::SmartCard;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// A card as JSON. The member `technology` says of which kind; without it, it is a purse.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "technology", rename_all = "kebab-case")]
pub enum AnyProfile {
    /// A PBOC electronic purse.
    Purse(CardProfile),
    /// PBOC electronic cash.
    ElectronicCash(CashProfile),
    /// A table of commands and answers.
    Recorded(RecordedProfile),
}

impl AnyProfile {
    /// Reads a profile from JSON text.
    ///
    /// # Errors
    /// `ProfileError::Json` when the text is no profile.
    pub fn from_json(text: &str) -> Result<Self, ProfileError> {
        #[derive(Deserialize)]
        struct Tagged {
            technology: Option<IgnoredAny>,
        }
        match serde_json::from_str::<Tagged>(text)?.technology {
            None => CardProfile::from_json(text).map(Self::Purse),
            Some(IgnoredAny) => Ok(serde_json::from_str(text)?),
        }
    }

    /// Reads a profile from a file.
    ///
    /// # Errors
    /// `ProfileError` when the file can't be read or is no profile.
    pub fn from_file(path: &Path) -> Result<Self, ProfileError> {
        let text = std::fs::read_to_string(path).map_err(|source| ProfileError::File {
            path: path.to_owned(),
            source,
        })?;
        Self::from_json(&text)
    }

    /// A demo card by name: those of [`CardProfile::named`], [`CashProfile::named`] and
    /// [`RecordedProfile::named`].
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        CardProfile::named(name)
            .map(Self::Purse)
            .or_else(|| CashProfile::named(name).map(Self::ElectronicCash))
            .or_else(|| RecordedProfile::named(name).map(Self::Recorded))
    }

    /// A demo card by name, JSON text (from its first brace), or a file's path.
    ///
    /// # Errors
    /// `ProfileError` when there is no such file or the text is no profile.
    pub fn find(text: &str) -> Result<Self, ProfileError> {
        match Self::named(text) {
            Some(profile) => Ok(profile),
            None if text.starts_with('{') => Self::from_json(text),
            None => Self::from_file(Path::new(text)),
        }
    }

    /// A card without power, whose memory is lost when it is dropped.
    #[must_use]
    pub fn into_card(self) -> Box<dyn SmartCard> {
        match self {
            Self::Purse(profile) => Card::new(profile).into(),
            Self::ElectronicCash(profile) => CashCard::new(profile).into(),
            Self::Recorded(profile) => RecordedCard::new(profile).into(),
        }
    }

    /// A card that lives in `file`: read from it if it exists, else made from this profile.
    ///
    /// # Errors
    /// `ProfileError` when the file can't be read, is no profile, or can't be written.
    pub fn into_stored_card(self, file: PathBuf) -> Result<Box<dyn SmartCard>, ProfileError> {
        let profile = if file.exists() {
            Self::from_file(&file)?
        } else {
            self
        };
        Ok(match profile {
            Self::Purse(profile) => Card::kept_in(file, profile)?.into(),
            Self::ElectronicCash(profile) => CashCard::kept_in(file, profile)?.into(),
            Self::Recorded(profile) => RecordedCard::kept_in(file, profile)?.into(),
        })
    }
}

macro_rules! boxed {
    ($($card:ident),*) => {$(
        impl From<$card> for Box<dyn SmartCard> {
            fn from(card: $card) -> Self {
                Box::new(card)
            }
        }
    )*};
}

boxed!(Card, CashCard, RecordedCard);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_technology_says_of_which_kind_a_profile_is() {
        for name in [
            "demo",
            "demo-pin",
            "campus",
            "campus-blocked",
            "cash",
            "cash-inactive",
        ] {
            let profile = AnyProfile::find(name).unwrap();
            let text = serde_json::to_string(&profile).unwrap();
            assert_eq!(AnyProfile::from_json(&text).unwrap(), profile, "{name}");
        }
        let bare = serde_json::to_string(&CardProfile::demo()).unwrap();
        let purse = AnyProfile::Purse(CardProfile::demo());
        assert_eq!(AnyProfile::find(&bare).unwrap(), purse, "no technology");
        let cash = serde_json::to_string(&AnyProfile::find("cash").unwrap()).unwrap();
        assert!(
            cash.starts_with(r#"{"technology":"electronic-cash","#),
            "{cash}"
        );
    }

    #[test]
    fn an_unknown_technology_or_member_is_refused() {
        assert!(AnyProfile::from_json(r#"{"technology":"abacus"}"#).is_err());
        let cash = serde_json::to_string(&AnyProfile::find("cash").unwrap()).unwrap();
        let odd = cash.replacen('{', r#"{"colour":1,"#, 1);
        assert!(AnyProfile::from_json(&odd).is_err(), "{odd}");
    }
}
