use std::path::{Path, PathBuf};

use ipc::{LimitsView, PurseView, SettingsView};
use serde::{Deserialize, Serialize};

use crate::card_mark::CardMark;
use crate::disk::DiskError;
use crate::disk::slots::{self, Slots};
use crate::journal::Journal;
use crate::remembered::{self, Unsaved};

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
    pub(crate) unsaved: Unsaved,
    slots: Option<Slots>,
}

impl SettingsFile {
    pub(crate) fn open(dir: &Path) -> Result<Self, DiskError> {
        let path = dir.join("settings.json");
        let now = match slots::read(&path) {
            Ok(settings) => settings.unwrap_or_default(),
            // Settings can be chosen again; a start that fails for them would be worse.
            Err(DiskError::Damaged) => Settings::default(),
            Err(error) => return Err(error),
        };
        Ok(Self {
            path,
            now,
            unsaved: Unsaved::Nothing,
            slots: None,
        })
    }

    /// Changes the settings and keeps them.
    pub(crate) fn change(&mut self, change: impl FnOnce(&mut Settings)) -> Result<(), DiskError> {
        let mut next = self.now.clone();
        change(&mut next);
        next.version = 1;
        self.slots = Some(slots::write(self.slots.take(), &self.path, &next)?);
        self.now = next;
        self.unsaved = Unsaved::Nothing;
        Ok(())
    }

    /// The same, and nothing is left in the file of how they were before.
    pub(crate) fn forget(&mut self, change: impl FnOnce(&mut Settings)) -> Result<(), DiskError> {
        self.slots = None;
        self.change(change)
    }

    /// Forgets everything.
    pub(crate) fn erase(&mut self) -> Result<(), DiskError> {
        self.forget(|now| *now = Settings::default())
    }

    /// Puts a purse that was just read at the top of the list; [`save`](Self::save) keeps it.
    pub(crate) fn saw(&mut self, purse: PurseView) {
        let news = remembered::see(&mut self.now.purses, purse);
        self.unsaved = self.unsaved.max(news);
    }

    /// Takes from the journal what a load made of a card that was not looked at since it began: a power cut can come
    /// between the two.
    pub(crate) fn learn(&mut self, journal: &Journal) {
        for (card, balance, began_ms) in journal.balances() {
            let same = |purse: &&mut PurseView| card.is(&CardMark::from(&**purse));
            let purse = self.now.purses.iter_mut().find(same);
            if let Some(purse) = purse.filter(|purse| purse.seen_ms < began_ms) {
                purse.balance = balance;
                purse.seen_ms = began_ms;
                self.unsaved = self.unsaved.max(Unsaved::Balance);
            }
        }
    }

    /// Keeps what was seen. A disk that refuses costs no more than that: the next change of settings tries again.
    pub(crate) fn save(&mut self) {
        if self.unsaved == Unsaved::Nothing {
            return;
        }
        if let Err(error) = self.change(|_| ()) {
            log::warn!("a purse was not remembered: {error}");
            self.unsaved = Unsaved::Nothing;
        }
    }
}

#[cfg(test)]
mod tests {
    use ipc::{CardColour, LocalName};

    use super::*;

    fn purse(tail: &str, balance: u32) -> PurseView {
        PurseView {
            industry: "0001".to_owned(),
            name: LocalName::default(),
            tail: tail.to_owned(),
            mark: Some(7),
            balance,
            seen_ms: u64::from(balance),
            expiry: None,
            active: true,
            label: None,
            colour: CardColour::default(),
        }
    }

    fn on_disk(dir: &Path) -> Vec<(String, u32)> {
        let purses = SettingsFile::open(dir).unwrap().now.purses;
        purses.into_iter().map(|it| (it.tail, it.balance)).collect()
    }

    #[test]
    fn what_was_seen_is_there_at_once_and_on_the_disk_with_the_next_save_of_anything() {
        let dir = tempfile::tempdir().unwrap();
        let mut file = SettingsFile::open(dir.path()).unwrap();
        file.saw(purse("4471", 100));
        assert_eq!(file.now.purses.len(), 1);
        assert_eq!(on_disk(dir.path()), [], "nobody waited for the disk");
        file.save();
        assert_eq!(on_disk(dir.path()), [("4471".to_owned(), 100)]);
        file.saw(purse("4471", 300));
        file.change(|now| now.reader = Some("x".to_owned()))
            .unwrap();
        assert_eq!(file.unsaved, Unsaved::Nothing, "it went along");
        assert_eq!(on_disk(dir.path()), [("4471".to_owned(), 300)]);
    }

    #[test]
    fn a_card_that_is_new_here_is_more_than_how_a_known_one_stands() {
        let dir = tempfile::tempdir().unwrap();
        let mut file = SettingsFile::open(dir.path()).unwrap();
        for (purse, news) in [
            (purse("4471", 100), Unsaved::Card),
            (purse("4471", 200), Unsaved::Balance),
            (purse("8826", 200), Unsaved::Card),
            (purse("4471", 300), Unsaved::Balance),
        ] {
            file.saw(purse.clone());
            assert_eq!(file.unsaved, news, "{purse:?}");
            file.save();
        }
        file.saw(purse("5550", 1));
        file.saw(purse("4471", 400));
        assert_eq!(file.unsaved, Unsaved::Card, "the new one is not forgotten");
        let blocked = PurseView {
            active: false,
            ..purse("4471", 400)
        };
        file.save();
        file.saw(blocked);
        assert_eq!(file.unsaved, Unsaved::Card, "another card than it was");
    }

    #[test]
    fn a_clock_that_was_set_back_makes_no_balance_older() {
        let dir = tempfile::tempdir().unwrap();
        let mut file = SettingsFile::open(dir.path()).unwrap();
        for (balance, seen_ms) in [(14_850, 1_200), (14_350, 1_100)] {
            file.saw(PurseView {
                seen_ms,
                ..purse("4471", balance)
            });
        }
        let purse = &file.now.purses[0];
        assert_eq!((purse.balance, purse.seen_ms), (14_350, 1_200));
    }

    #[test]
    fn nothing_of_what_is_forgotten_is_left_in_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let mut file = SettingsFile::open(dir.path()).unwrap();
        for balance in [100, 200] {
            file.saw(purse("4471", balance));
            file.save();
        }
        let text = || std::fs::read_to_string(dir.path().join("settings.json")).unwrap();
        assert_eq!(text().matches("4471").count(), 2, "as it is, and as it was");
        file.forget(|now| now.purses.clear()).unwrap();
        assert_eq!(text().matches("4471").count(), 0, "one card");
        for balance in [300, 400] {
            file.saw(purse("4471", balance));
            file.save();
        }
        file.erase().unwrap();
        assert_eq!(text().matches("4471").count(), 0, "everything");
    }

    #[test]
    fn a_disk_that_refuses_costs_a_save_and_not_what_the_next_one_keeps() {
        let dir = tempfile::tempdir().unwrap();
        let mut file = SettingsFile::open(dir.path()).unwrap();
        let in_the_way = dir.path().join("settings.part");
        std::fs::create_dir(&in_the_way).unwrap();
        file.saw(purse("4471", 100));
        file.save();
        assert_eq!(
            (on_disk(dir.path()), file.unsaved),
            (vec![], Unsaved::Nothing)
        );
        std::fs::remove_dir(&in_the_way).unwrap();
        file.change(|_| ()).unwrap();
        assert_eq!(on_disk(dir.path()), [("4471".to_owned(), 100)]);
    }
}
