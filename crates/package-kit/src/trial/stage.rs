//! A bank, a card, the app's session and a person, in this process.

use std::path::Path;
use std::sync::Arc;

use bank::{Config, Money, Running, Settings};
use bank_client::{BankClient, Profile};
use ipc::{AppView, ReaderKind};
use session::shells::{MemoryVault, SimulatedReader};
use session::{Parts, Session, SystemClock};
use tapfill_tests::Person;
use tempfile::TempDir;
use virtual_card::{AnyProfile, Slot};

use crate::anatomy::Anatomy;
use crate::bank_config::{BankConfig, Customer};

/// What is tried, with what.
pub(crate) struct Setting {
    pub(crate) anatomy: Anatomy,
    pub(crate) card: AnyProfile,
    pub(crate) config: BankConfig,
}

pub(crate) struct Stage {
    pub(crate) person: Person,
    pub(crate) slot: Slot,
    vault: Arc<MemoryVault>,
    dir: TempDir,
    bank: Running,
    profile: Profile,
    customer: Customer,
    /// Money of the bank at the start.
    before: Money,
    /// Money of the card at the start, less what it spent, fen.
    first: i64,
    /// Commands that the card received before the slot was cleared.
    heard: Vec<Vec<u8>>,
    mark: usize,
}

impl Stage {
    /// With the first start done and the package there.
    pub(crate) async fn new(setting: &Setting, card: AnyProfile) -> Result<Self, String> {
        let dir = tempfile::tempdir().map_err(|why| why.to_string())?;
        let settings = Settings::parse(&setting.config.text).map_err(|why| why.to_string())?;
        let config = Config::new(&dir.path().join("bank"), settings);
        let bank = bank::start(config.with_inbox().on_free_ports()).await;
        let bank = bank.map_err(|why| format!("the bank does not start: {why}"))?;
        let profile = std::fs::read(&bank.profile_path).map_err(|why| why.to_string())?;
        let profile = Profile::parse(&profile).map_err(|why| why.to_string())?;
        let customer = setting.config.customer.clone().unwrap_or(Customer {
            phone: String::new(),
            password: String::new(),
        });
        let first = balance(&card);
        let slot = Slot::with_card(card.into_card());
        let vault = Arc::new(MemoryVault::default());
        let person = person(&profile, &slot, &vault, dir.path(), &customer)?;
        let stage = Self {
            before: bank.money().await?,
            person,
            slot,
            vault,
            dir,
            bank,
            profile,
            customer,
            first,
            heard: Vec::new(),
            mark: 0,
        };
        stage.has_package(&setting.anatomy).await?;
        Ok(stage)
    }

    async fn has_package(&self, anatomy: &Anatomy) -> Result<(), String> {
        self.person.ready().await.map_err(text)?;
        let (industry, version) = (anatomy.package.industry(), anatomy.package.version());
        let here = |view: &AppView| {
            let mut packages = view.packages.iter();
            let taken =
                packages.any(|it| it.industry == industry.as_str() && it.version == version);
            taken || !view.refused_packages.is_empty()
        };
        let view = self.person.until("the package", here).await.map_err(text)?;
        match view.refused_packages.first() {
            Some(refused) => Err(format!(
                "the app refuses it: {} {}",
                refused.code.as_str(),
                refused.why
            )),
            None => Ok(()),
        }
    }

    pub(crate) async fn end(self) {
        self.bank.stop().await;
    }

    /// The app ends here and starts again on the same device.
    pub(crate) async fn restart_app(&mut self) -> Result<(), String> {
        self.person = person(
            &self.profile,
            &self.slot,
            &self.vault,
            self.dir.path(),
            &self.customer,
        )?;
        self.person.ready().await.map(drop).map_err(text)
    }

    /// Fen.
    pub(crate) fn card_balance(&self) -> i64 {
        self.slot.memory().map_or(0, |card| balance(&card))
    }

    /// The card pays somewhere else.
    pub(crate) fn spend(&mut self, fen: u32) -> Result<(), String> {
        if !self.slot.spend(fen) {
            return Err(format!("the card can't pay {fen} fen"));
        }
        self.first = self.first.saturating_sub(fen.into());
        Ok(())
    }

    /// Disarms all faults; what the card received is kept.
    pub(crate) fn disarm(&mut self) {
        let record = self.slot.record().into_iter();
        self.heard.extend(record.map(|it| it.command));
        self.slot.clear();
    }

    pub(crate) fn begin_check(&mut self) {
        self.slot.clear();
        self.heard.clear();
        self.mark = 0;
    }

    /// From here on, [`Stage::since_mark`].
    pub(crate) fn mark(&mut self) {
        self.disarm();
        self.mark = self.heard.len();
    }

    /// What the card received since the mark.
    pub(crate) fn since_mark(&mut self) -> Vec<Vec<u8>> {
        self.disarm();
        self.heard.split_at(self.mark).1.to_vec()
    }

    /// What the card received in this check.
    pub(crate) fn all_heard(&mut self) -> Vec<Vec<u8>> {
        self.disarm();
        std::mem::take(&mut self.heard)
    }

    /// The card lies on the reader, whole, and the app knows.
    pub(crate) async fn card_there(&mut self) -> Result<(), String> {
        self.disarm();
        self.slot.insert();
        let there = |view: &AppView| view.reader.state == ReaderKind::Card;
        self.person
            .until("the card", there)
            .await
            .map(drop)
            .map_err(text)
    }

    /// The bank's own invariants, and its money and the card's together: nothing lost, nothing made.
    pub(crate) async fn money_is_whole(&self) -> Result<(), String> {
        let report = self.bank.check().await?;
        if let Some(finding) = report.findings.first() {
            return Err(format!("the books: {} {}", finding.rule, finding.place));
        }
        let whole = report.money.outside_cards() + self.card_balance();
        let expected = self.before.outside_cards() + self.first;
        // what is on the card and not yet reported counts twice until the bank hears of it
        let unreported = match report.open_loads {
            0 => 0,
            _ => report.money.in_transit,
        };
        match (expected..=expected + unreported).contains(&whole) {
            true => Ok(()),
            false => Err(format!("money: {whole} fen, not {expected}")),
        }
    }

    /// The same, with no load in doubt, and the app knows it.
    pub(crate) async fn is_settled(&self) -> Result<(), String> {
        let nothing = |view: &AppView| view.pending.is_empty();
        self.person
            .until("nothing waits", nothing)
            .await
            .map_err(text)?;
        self.money_is_whole().await?;
        match self.bank.check().await?.open_loads {
            0 => Ok(()),
            open => Err(format!("{open} loads are in doubt")),
        }
    }
}

pub(crate) fn balance(card: &AnyProfile) -> i64 {
    match card {
        AnyProfile::Purse(purse) => purse.balance.into(),
        AnyProfile::ElectronicCash(cash) => cash.balance.into(),
        AnyProfile::Recorded(_) => 0,
    }
}

pub(crate) fn text(why: impl std::fmt::Display) -> String {
    why.to_string()
}

fn person(
    profile: &Profile,
    slot: &Slot,
    vault: &Arc<MemoryVault>,
    dir: &Path,
    customer: &Customer,
) -> Result<Person, String> {
    let client = || BankClient::new(profile.clone()).map_err(text);
    let session = Session::start(Parts {
        reader: Arc::new(SimulatedReader::new(slot.clone())),
        bank: client()?,
        vault: vault.clone(),
        clock: Arc::new(SystemClock),
        dir: dir.join("app"),
        documents: dir.join("documents"),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        development: true,
    });
    let session = session.map_err(text)?;
    let Customer { phone, password } = customer;
    Ok(Person::new(session, client()?, phone, password))
}
