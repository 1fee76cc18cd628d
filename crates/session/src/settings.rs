use std::path::{Path, PathBuf};

use ipc::{LimitsView, PurseView, SettingsView};
use serde::{Deserialize, Serialize};

use crate::card_mark::CardMark;
use crate::disk::{self, DiskError};

/// What the app remembers between starts, apart from the journal. No secret, no full card number.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub(crate) struct Settings {
    pub(crate) version: u32,
    pub(crate) view: Option<SettingsView>,
    pub(crate) reader: Option<String>,
    /// 12 digits; there as soon as this device was enrolled once, so that an emptied keystore is not taken
    /// for a first start.
    pub(crate) terminal: Option<String>,
    pub(crate) purses: Vec<PurseView>,
    /// Limits for one load by industry, as the bank last told: fen.
    pub(crate) limits: Vec<(String, BankLimits)>,
    /// Names the list of packages that was taken as a whole; asked again, the bank answers "as before".
    pub(crate) packages_etag: Option<String>,
    /// Unfinished loads that the system has told of already.
    pub(crate) told_loads: Vec<String>,
    /// Bank's clock minus this device's, ms.
    pub(crate) clock_offset_ms: i64,
}

/// Limits for loads of one industry, fen.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct BankLimits {
    pub(crate) min_amount: u32,
    pub(crate) max_amount: u32,
    pub(crate) max_balance: u32,
}

impl BankLimits {
    /// What a card with this balance can still take.
    pub(crate) fn room(self, balance: u32) -> LimitsView {
        let room = self.max_balance.saturating_sub(balance);
        LimitsView {
            min: self.min_amount,
            max: self.max_amount.min(room),
        }
    }
}

/// The settings file.
pub(crate) struct SettingsFile {
    path: PathBuf,
    pub(crate) now: Settings,
    /// Something is remembered that the file does not have.
    unkept: bool,
}

impl SettingsFile {
    pub(crate) fn open(dir: &Path) -> Result<Self, DiskError> {
        let path = dir.join("settings.json");
        let now = match disk::read(&path) {
            Ok(settings) => settings.unwrap_or_default(),
            // Settings can be chosen again; a start that fails for them would be worse.
            Err(DiskError::Damaged) => Settings::default(),
            Err(error) => return Err(error),
        };
        let unkept = false;
        Ok(Self { path, now, unkept })
    }

    /// Changes the settings and keeps them.
    pub(crate) fn change(&mut self, change: impl FnOnce(&mut Settings)) -> Result<(), DiskError> {
        let mut next = self.now.clone();
        change(&mut next);
        next.version = 1;
        disk::write_atomic(&self.path, &next)?;
        self.now = next;
        self.unkept = false;
        Ok(())
    }

    /// Puts a purse that was just read at the top of the list. The file has it with [`Self::keep`]: a person sees the
    /// card before the disk does, and what is lost by a power cut between is what an earlier look at it said.
    pub(crate) fn saw(&mut self, purse: PurseView) {
        const MOST_PURSES: usize = 20;
        let card = CardMark::from(&purse);
        let purses = &mut self.now.purses;
        purses.retain(|known| !card.is(&known.into()));
        purses.insert(0, purse);
        purses.truncate(MOST_PURSES);
        self.unkept = true;
    }

    /// Writes what is only remembered so far.
    pub(crate) fn keep(&mut self) {
        if !std::mem::take(&mut self.unkept) {
            return;
        }
        if let Err(error) = self.change(|_| {}) {
            log::warn!("a purse was not remembered: {error}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_is_remembered_at_once_and_in_the_file_when_it_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        let purse = PurseView {
            industry: "0001".to_owned(),
            name: ipc::LocalName::default(),
            tail: "4471".to_owned(),
            mark: Some(7),
            balance: 12_850,
            seen_ms: 1,
            expiry: None,
            active: true,
        };
        let mut settings = SettingsFile::open(dir.path()).unwrap();
        settings.saw(purse.clone());
        assert_eq!(settings.now.purses, std::slice::from_ref(&purse));
        let kept = || SettingsFile::open(dir.path()).unwrap().now.purses;
        assert!(kept().is_empty(), "nobody waits for the disk");
        settings.keep();
        assert_eq!(kept(), std::slice::from_ref(&purse));
        settings.saw(PurseView { balance: 1, ..purse });
        settings.change(|now| now.reader = None).unwrap();
        assert_eq!(kept().first().unwrap().balance, 1, "along with the rest");
    }
}
