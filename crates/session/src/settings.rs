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
        Ok(Self { path, now })
    }

    /// Changes the settings and keeps them.
    pub(crate) fn change(&mut self, change: impl FnOnce(&mut Settings)) -> Result<(), DiskError> {
        let mut next = self.now.clone();
        change(&mut next);
        next.version = 1;
        disk::write_atomic(&self.path, &next)?;
        self.now = next;
        Ok(())
    }

    /// Puts a purse that was just read at the top of the list.
    pub(crate) fn saw(&mut self, purse: PurseView) -> Result<(), DiskError> {
        const MOST_PURSES: usize = 20;
        let card = CardMark::from(&purse);
        self.change(|settings| {
            settings.purses.retain(|known| !card.is(&known.into()));
            settings.purses.insert(0, purse);
            settings.purses.truncate(MOST_PURSES);
        })
    }
}
