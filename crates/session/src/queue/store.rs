//! Lists that were paid here: a file for each beside the journal, written before what it tells of happens.
//!
//! It has names, last digits, marks, amounts and how each card stands, and the proof that the bank gave for this
//! terminal. No card number.

use std::fs;
use std::path::{Path, PathBuf};

use bank_client::queue::QueueOpen;
use relay::journal::State;
use roster::{Item, Own, Totals};
use serde::{Deserialize, Serialize};

use crate::disk::{self, DiskError};
use crate::journal::Journal;

/// Of what is written.
const VERSION: u32 = 1;
/// Lists that are over are kept for a while, so that their file can be saved again.
const MOST_OVER: usize = 20;

/// A list that was paid, or is about to be.
#[derive(Clone, Deserialize, Serialize)]
pub(crate) struct Paid {
    version: u32,
    /// 32 hex digits.
    pub(crate) id: String,
    /// Of the file.
    pub(crate) name: String,
    pub(crate) industry: String,
    pub(crate) made_ms: u64,
    /// C6 of each load, 32 hex digits; none: the bank's answer has not come.
    pub(crate) proof: Option<String>,
    pub(crate) closes_ms: Option<u64>,
    pub(crate) closed: bool,
    pub(crate) items: Vec<Item>,
    /// What was sent and not answered: the same again gets the same answer. Gone with the app, as it has numbers.
    #[serde(skip)]
    pub(crate) request: Option<QueueOpen>,
}

impl Paid {
    pub(crate) fn new(
        id: [u8; 16],
        name: String,
        industry: String,
        made_ms: u64,
        items: Vec<Item>,
    ) -> Self {
        Self {
            version: VERSION,
            id: hex::encode(id),
            name,
            industry,
            made_ms,
            proof: None,
            closes_ms: None,
            closed: false,
            items,
            request: None,
        }
    }

    pub(crate) fn key(&self) -> Option<[u8; 16]> {
        sixteen(&self.id)
    }

    pub(crate) fn proof(&self) -> Option<[u8; 16]> {
        self.proof.as_deref().and_then(sixteen)
    }

    pub(crate) fn is_over(&self) -> bool {
        Totals::of(&self.items).is_over()
    }

    /// What the journal has of an item.
    pub(crate) fn own(&self, journal: &Journal, index: usize) -> Own {
        let id = self.key().zip(u16::try_from(index).ok());
        let attempt = self.items.get(index).and_then(|item| item.attempt);
        let (Some((id, index)), Some(attempt)) = (id, attempt) else {
            return Own::Nothing;
        };
        let load = envelope::queue::transaction(&id, index, attempt);
        let Some(record) = journal.get(&hex::encode(load)) else {
            return Own::Nothing;
        };
        let reference = record.receipt.reference.clone();
        match record.entry.state {
            State::Done => Own::Done {
                reference,
                time_ms: record.receipt.time_ms,
            },
            State::NotDone { .. } => Own::NotDone,
            State::WrittenOff => Own::WrittenOff,
            State::Asked
            | State::Issued
            | State::Writing
            | State::ToDeliver { .. }
            | State::InDoubt => Own::Open { reference },
        }
    }

    /// Takes what the journal has of each item. True: something changed.
    fn learn(&mut self, journal: &Journal) -> bool {
        let mut changed = false;
        for index in 0..self.items.len() {
            let own = self.own(journal, index);
            if let Some(item) = self.items.get_mut(index) {
                changed |= item.learn(&own, self.closed);
            }
        }
        changed
    }
}

pub(crate) fn sixteen(text: &str) -> Option<[u8; 16]> {
    let mut bytes = [0; 16];
    hex::decode_to_slice(text, &mut bytes).ok()?;
    Some(bytes)
}

/// The folder of lists, newest first.
pub(crate) struct Store {
    dir: PathBuf,
    pub(crate) all: Vec<Paid>,
}

impl Store {
    pub(crate) fn open(dir: &Path) -> Result<Self, DiskError> {
        let dir = dir.join("queues");
        fs::create_dir_all(&dir)?;
        let mut store = Self {
            dir,
            all: Vec::new(),
        };
        for file in fs::read_dir(&store.dir)? {
            let path = file?.path();
            if path.extension().is_none_or(|extension| extension != "json") {
                continue;
            }
            match disk::read::<Paid>(&path) {
                Ok(Some(paid)) if paid.version == VERSION && path == store.path(&paid.id) => {
                    store.all.push(paid);
                }
                // The bank has all of it but the names: what waits goes back when its time is over.
                Ok(_) | Err(DiskError::Damaged | DiskError::Broken | DiskError::Full) => {
                    log::error!("{} is no list of this version", path.display());
                }
            }
        }
        store
            .all
            .sort_by_key(|paid| std::cmp::Reverse(paid.made_ms));
        Ok(store)
    }

    fn path(&self, id: &str) -> PathBuf {
        self.dir.join(format!("{id}.json"))
    }

    pub(crate) fn get(&self, id: &str) -> Option<&Paid> {
        self.all.iter().find(|paid| paid.id == id)
    }

    /// Keeps a list, new or changed. After an error the former state is what counts on the disk; in memory it is the
    /// newer one, which the next write keeps.
    pub(crate) fn keep(&mut self, paid: Paid) -> Result<(), DiskError> {
        let written = disk::write_atomic(&self.path(&paid.id), &paid);
        match self.all.iter_mut().find(|known| known.id == paid.id) {
            Some(known) => *known = paid,
            None if written.is_ok() => self.all.insert(0, paid),
            None => {}
        }
        self.forget_oldest();
        written
    }

    /// Nothing was paid after all.
    pub(crate) fn drop(&mut self, id: &str) {
        self.all.retain(|paid| paid.id != id);
        if let Err(error) = fs::remove_file(self.path(id)) {
            log::warn!("a list was not removed: {error}");
        }
    }

    fn forget_oldest(&mut self) {
        let over = self.all.iter().filter(|paid| paid.is_over());
        let old: Vec<String> = over.skip(MOST_OVER).map(|paid| paid.id.clone()).collect();
        for id in old {
            self.drop(&id);
        }
    }

    /// Takes what the journal has of every load.
    pub(crate) fn learn(&mut self, journal: &Journal) {
        for paid in self.all.clone() {
            let mut paid = paid;
            if !paid.is_over() && paid.learn(journal) {
                let kept = self.keep(paid);
                if let Err(error) = kept {
                    // The journal has it all the same, and is asked again.
                    log::warn!("a list was not kept: {error}");
                }
            }
        }
    }

    /// Money that this device knows of is still in a list.
    pub(crate) fn holds_money(&self) -> bool {
        self.all.iter().any(|paid| !paid.is_over())
    }

    pub(crate) fn erase(&mut self) -> Result<(), DiskError> {
        self.all.clear();
        fs::remove_dir_all(&self.dir)?;
        fs::create_dir_all(&self.dir)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use roster::Standing;

    use super::*;

    fn paid(id: u8, standing: Standing) -> Paid {
        let item = Item {
            name: "Seat 1".to_owned(),
            tail: "4471".to_owned(),
            marks: vec![7],
            amount: 5_000,
            attempt: None,
            standing,
            reference: None,
            time_ms: None,
        };
        let made_ms = u64::from(id);
        Paid::new(
            [id; 16],
            "class".to_owned(),
            "x".to_owned(),
            made_ms,
            vec![item],
        )
    }

    #[test]
    fn a_list_survives_a_restart_without_what_was_sent() {
        let dir = tempfile::tempdir().unwrap();
        let mut store = Store::open(dir.path()).unwrap();
        let mut list = paid(1, Standing::Waiting);
        list.request = Some(QueueOpen {
            queue: [1; 16],
            industry: "x".to_owned(),
            code: "409128".to_owned().into(),
            pin_block: vec![0xAB; 20],
            items: Vec::new(),
        });
        store.keep(list).unwrap();
        store.keep(paid(2, Standing::Waiting)).unwrap();
        let text = fs::read_to_string(store.path(&"01".repeat(16))).unwrap();
        assert!(!text.contains("409128") && !text.contains("abab"), "{text}");
        let store = Store::open(dir.path()).unwrap();
        let ids: Vec<&str> = store.all.iter().map(|it| it.id.as_str()).collect();
        assert_eq!(ids, ["02".repeat(16), "01".repeat(16)], "newest first");
        assert!(store.all.iter().all(|it| it.request.is_none()));
    }

    #[test]
    fn of_lists_that_are_over_the_newest_are_kept_and_of_others_all() {
        let dir = tempfile::tempdir().unwrap();
        let mut store = Store::open(dir.path()).unwrap();
        store.keep(paid(0, Standing::Waiting)).unwrap();
        for id in 1..=25 {
            store.keep(paid(id, Standing::Loaded)).unwrap();
        }
        assert_eq!(store.all.len(), MOST_OVER + 1);
        assert!(store.get(&"00".repeat(16)).is_some(), "it waits");
        assert!(store.get(&"05".repeat(16)).is_none(), "the oldest");
        assert!(store.get(&"19".repeat(16)).is_some(), "the newest");
        assert!(store.holds_money());
        store.drop(&"00".repeat(16));
        assert!(!store.holds_money());
    }

    #[test]
    fn a_file_that_is_no_list_holds_back_no_other() {
        let dir = tempfile::tempdir().unwrap();
        let mut store = Store::open(dir.path()).unwrap();
        store.keep(paid(1, Standing::Waiting)).unwrap();
        fs::write(store.dir.join("x.json"), "{").unwrap();
        fs::copy(store.path(&"01".repeat(16)), store.dir.join("copy.json")).unwrap();
        let store = Store::open(dir.path()).unwrap();
        assert_eq!(store.all.len(), 1);
    }
}
