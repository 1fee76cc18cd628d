use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use bank::{Config, Money, Running, Settings};
use bank_client::{BankClient, Profile};
use card_link::{CardReader, SimulatedPhone, System};
use session::shells::{MemoryVault, SimulatedReader};
use session::{Clock, Parts, Session, SystemClock};
use tapfill_tests::{Person, Trouble};
use tempfile::TempDir;
use virtual_card::{AnyProfile, CardProfile, Slot};

use crate::liar::Liar;
use crate::wire::Wire;

/// Balance of the demo card when it comes out of the box, fen.
pub(crate) const CARD_BEFORE: i64 = 12_850;

/// A bank, a card, a terminal and a person.
pub(crate) struct Stage {
    pub(crate) person: Person,
    pub(crate) slot: Slot,
    /// The phone whose reader the app has; none: a desktop's reader.
    pub(crate) phone: Option<SimulatedPhone>,
    pub(crate) vault: Arc<MemoryVault>,
    pub(crate) dir: TempDir,
    /// The app's clock.
    pub(crate) clock: Arc<TestClock>,
    /// Between the app and the transaction server, when the stage was made with one.
    pub(crate) wire: Option<Wire>,
    bank: Option<Running>,
    behind: Option<SocketAddr>,
    settings: String,
    profile: Profile,
    /// Money of the bank at the start.
    before: Money,
    /// Money of the first card at the start, fen.
    first: i64,
}

impl Stage {
    pub(crate) async fn new() -> Self {
        Self::with(CardProfile::demo()).await
    }

    pub(crate) async fn with(card: CardProfile) -> Self {
        Self::made(card, "").await
    }

    /// With a card of any technology, on a demo bank with more lines, and with the first start done.
    pub(crate) async fn with_any(card: AnyProfile, more: &str) -> Self {
        let stage = Self::holding(card, format!("{DEMO}\n{more}")).await;
        stage.person.ready().await.unwrap();
        stage
    }

    /// The same on a demo bank whose configuration was changed.
    pub(crate) async fn at_bank(card: AnyProfile, change: impl FnOnce(&str) -> String) -> Self {
        let stage = Self::holding(card, change(DEMO)).await;
        stage.person.ready().await.unwrap();
        stage
    }

    /// With more lines in the bank's configuration, e.g. a `[keys]` table.
    pub(crate) async fn made(card: CardProfile, more: &str) -> Self {
        Self::of(card, format!("{DEMO}\n{more}")).await
    }

    /// With a bank that asks each terminal for its certificate.
    pub(crate) async fn asking_for_certificates(card: CardProfile, more: &str) -> Self {
        let asking = DEMO.replacen("[bank]\n", "[bank]\nclient_certificates = true\n", 1);
        assert_ne!(asking, DEMO);
        Self::of(card, format!("{asking}\n{more}")).await
    }

    async fn of(card: CardProfile, settings: String) -> Self {
        Self::holding(AnyProfile::Purse(card), settings).await
    }

    async fn holding(card: AnyProfile, settings: String) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let bank = bank::start(config(dir.path(), &settings).on_free_ports())
            .await
            .unwrap();
        let profile = Profile::parse(&std::fs::read(&bank.profile_path).unwrap()).unwrap();
        let before = bank.money().await.unwrap();
        let first = balance(&card);
        let slot = Slot::with_card(card.into_card());
        let vault = Arc::new(MemoryVault::default());
        let clock = Arc::new(TestClock::default());
        let reader = Arc::new(SimulatedReader::new(slot.clone()));
        let person = person(&profile, reader, &vault, &clock, &dir.path().join("app"));
        Self {
            person,
            slot,
            phone: None,
            vault,
            dir,
            clock,
            wire: None,
            bank: Some(bank),
            behind: None,
            settings,
            profile,
            before,
            first,
        }
    }

    /// With the first start done, over a wire to the transaction server that can be cut.
    pub(crate) async fn wired() -> Self {
        let mut stage = Self::new().await;
        let wire = Wire::to(address(&stage.profile.transaction_url)).await;
        stage.behind = Some(address(&stage.profile.transaction_url));
        stage.profile.transaction_url = format!("https://{}", wire.address);
        stage.wire = Some(wire);
        stage.restart_app();
        stage.person.ready().await.unwrap();
        stage
    }

    /// The app on a phone, with the first start done.
    pub(crate) async fn on_phone(system: System) -> Self {
        Self::on_phone_with(CardProfile::demo(), system).await
    }

    pub(crate) async fn on_phone_with(card: CardProfile, system: System) -> Self {
        let mut stage = Self::with(card).await;
        stage.person.ready().await.unwrap();
        stage.phone = Some(SimulatedPhone::start(stage.slot.clone(), system).0);
        stage.restart_app();
        stage.person.ready().await.unwrap();
        stage
    }

    /// The same over a wire that can be cut.
    pub(crate) async fn wired_on_phone(system: System) -> Self {
        let mut stage = Self::wired().await;
        stage.phone = Some(SimulatedPhone::start(stage.slot.clone(), system).0);
        stage.restart_app();
        stage.person.ready().await.unwrap();
        stage
    }

    pub(crate) fn wire(&self) -> &Wire {
        self.wire.as_ref().unwrap()
    }

    /// The same, with the first start done.
    pub(crate) async fn ready() -> Self {
        let stage = Self::new().await;
        stage.person.ready().await.unwrap();
        stage
    }

    pub(crate) fn bank(&self) -> &Running {
        self.bank.as_ref().unwrap()
    }

    /// Of the same bank, for whoever works on it from beside.
    pub(crate) fn bank_config(&self) -> Config {
        config(self.dir.path(), &self.settings)
    }

    pub(crate) fn app_dir(&self) -> std::path::PathBuf {
        self.dir.path().join("app")
    }

    /// The app ends, and starts again with what its profile says now.
    pub(crate) fn restart_with(&mut self, change: impl FnOnce(&mut Profile)) {
        change(&mut self.profile);
        self.restart_app();
    }

    /// What the next start of the app came with.
    pub(crate) fn lowest_suite(&mut self, suite: u8) {
        self.profile.lowest_suite = suite;
    }

    /// The app ends here and starts again on the same device.
    pub(crate) fn restart_app(&mut self) {
        let reader: Arc<dyn CardReader> = match &self.phone {
            None => Arc::new(SimulatedReader::new(self.slot.clone())),
            Some(phone) => {
                let (phone, reader) = SimulatedPhone::start(self.slot.clone(), phone.system());
                self.phone = Some(phone);
                Arc::new(reader)
            }
        };
        self.person = person(
            &self.profile,
            reader,
            &self.vault,
            &self.clock,
            &self.app_dir(),
        );
    }

    /// The app ends here, and with it everything that it was about to write.
    pub(crate) fn stop_app(&self) {
        self.person.session.kill();
    }

    /// The bank blocks the demo card: its holder has lost it.
    pub(crate) async fn block_card(&mut self) {
        let serial = "serial = \"00006217000000004471\"";
        let blocked = format!("{serial}\nstatus = \"blocked\"");
        self.settings = self.settings.replace(serial, &blocked);
        self.stop_bank().await;
        self.start_bank().await;
    }

    /// Another device of the same person, at the same card.
    pub(crate) fn second_device(&self) -> Person {
        self.device_with(MemoryVault::default())
    }

    /// The same with something in its keystore.
    pub(crate) fn device_with(&self, vault: MemoryVault) -> Person {
        let dir = self.dir.path().join("second");
        person(
            &self.profile,
            Arc::new(SimulatedReader::new(self.slot.clone())),
            &Arc::new(vault),
            &self.clock,
            &dir,
        )
    }

    /// What a browser finds at an address of the bank's security server.
    pub(crate) async fn browsed(&self, address: &str) -> Option<String> {
        let path = address.strip_prefix(&self.profile.security_url)?;
        let bank = BankClient::new(self.profile.clone()).unwrap();
        let page = bank.page(path).await.ok()?;
        String::from_utf8(page).ok()
    }

    pub(crate) fn person_at(&self, dir: &Path, vault: &Arc<MemoryVault>) -> Person {
        {
            let reader = Arc::new(SimulatedReader::new(self.slot.clone()));
            person(&self.profile, reader, vault, &self.clock, dir)
        }
    }

    pub(crate) fn person_with(&self, reader: Arc<dyn session::shells::CardReader>) -> Person {
        let dir = self.app_dir();
        let session = Session::start(Parts {
            reader,
            bank: BankClient::new(self.profile.clone()).unwrap(),
            vault: self.vault.clone(),
            clock: self.clock.clone(),
            documents: dir.join("documents"),
            dir,
            version: "test".to_owned(),
            development: true,
        });
        let inbox = BankClient::new(self.profile.clone()).unwrap();
        Person::new(session.unwrap(), inbox, "13800006021", "246810")
    }

    /// The app ends, and starts again with somebody on its way to the bank.
    pub(crate) fn lied_to(&mut self) -> Arc<Liar> {
        let bank = BankClient::new(self.profile.clone()).unwrap();
        let liar = Arc::new(Liar::new(bank, self.vault.clone(), self.slot.clone()));
        let dir = self.app_dir();
        let session = Session::start(Parts {
            reader: Arc::new(SimulatedReader::new(self.slot.clone())),
            bank: BankClient::over(self.profile.clone(), liar.clone()),
            vault: self.vault.clone(),
            clock: self.clock.clone(),
            documents: dir.join("documents"),
            dir,
            version: "test".to_owned(),
            development: true,
        });
        let inbox = BankClient::new(self.profile.clone()).unwrap();
        self.person = Person::new(session.unwrap(), inbox, "13800006021", "246810");
        liar
    }

    pub(crate) async fn stop_bank(&mut self) {
        self.bank.take().unwrap().stop().await;
    }

    /// The bank comes back on the addresses that terminals know.
    pub(crate) async fn start_bank(&mut self) {
        let mut config = config(self.dir.path(), &self.settings);
        config.security = Some(address(&self.profile.security_url));
        config.transaction = Some(address(&self.profile.transaction_url));
        self.bank = Some(bank::start(config).await.unwrap());
    }

    /// Behind the wire, on the addresses that it had.
    pub(crate) async fn restart_bank(&mut self) {
        self.restart_bank_with(str::to_owned).await;
    }

    /// The same with another configuration, this once.
    pub(crate) async fn restart_bank_with(&mut self, change: impl Fn(&str) -> String) {
        let mut config = config(self.dir.path(), &change(&self.settings));
        config.security = Some(address(&self.profile.security_url));
        config.transaction = self.behind.or(Some(address(&self.profile.transaction_url)));
        self.bank = Some(bank::start(config).await.unwrap());
    }

    pub(crate) fn card_balance(&self) -> i64 {
        balance(&self.slot.memory().unwrap())
    }

    /// The card comes back to the reader.
    pub(crate) fn insert(&self) {
        assert!(self.slot.insert(), "a card was waiting");
    }

    /// I1 to I13 by the bank's own queries, and I14: nothing was lost, nothing was made.
    pub(crate) async fn books_balance(&self) {
        let report = self.bank().check().await.unwrap();
        assert_eq!(report.findings, vec![], "every invariant holds");
        let money = report.money;
        let whole = money.outside_cards() + self.card_balance();
        let expected = self.before.outside_cards() + self.first;
        // What is on the card already and not yet reported counts twice until the bank hears of it; never less.
        let unreported = if report.open_loads == 0 {
            0
        } else {
            money.in_transit
        };
        let fits = (expected..=expected + unreported).contains(&whole);
        assert!(
            fits,
            "I14: {whole} is not {expected} (in transit: {})",
            money.in_transit
        );
    }

    /// The same with no load in doubt.
    pub(crate) async fn healed(&self) {
        self.books_balance().await;
        assert_eq!(
            self.bank().check().await.unwrap().open_loads,
            0,
            "I19: nothing stays in doubt"
        );
        assert_eq!(
            self.person.look().pending,
            vec![],
            "and the app says so too"
        );
    }
}

fn balance(card: &AnyProfile) -> i64 {
    match card {
        AnyProfile::Purse(purse) => purse.balance.into(),
        AnyProfile::ElectronicCash(cash) => cash.balance.into(),
        AnyProfile::Recorded(_) => 0,
    }
}

/// Puts the card back, and waits until the app knows.
pub(crate) async fn card_back(stage: &Stage) {
    stage.insert();
    card_there(stage).await;
}

pub(crate) async fn card_there(stage: &Stage) {
    if stage.phone.is_some() {
        // It looks for a card when one is wanted.
        return;
    }
    let there = |view: &ipc::AppView| view.reader.state == ipc::ReaderKind::Card;
    stage.person.until("the card", there).await.unwrap();
}

/// The failure that a transaction ended with.
#[track_caller]
pub(crate) fn failure(result: Result<ipc::TransactionView, Trouble>) -> ipc::ErrorView {
    match result {
        Err(Trouble::Failed(error)) => error,
        Err(other) => panic!("{other}"),
        Ok(view) => panic!("ended well: {view:?}"),
    }
}

const DEMO: &str = include_str!("../../crates/bank/src/demo.toml");

fn config(dir: &Path, settings: &str) -> Config {
    Config::new(&dir.join("bank"), Settings::parse(settings).unwrap()).with_inbox()
}

fn address(url: &str) -> SocketAddr {
    url.trim_start_matches("https://").parse().unwrap()
}

/// The system's clock, moved by so many ms.
#[derive(Default)]
pub(crate) struct TestClock {
    ahead_ms: AtomicI64,
}

impl TestClock {
    pub(crate) fn ahead(&self, ms: i64) {
        self.ahead_ms.store(ms, Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now_ms(&self) -> u64 {
        let ahead_ms = self.ahead_ms.load(Ordering::SeqCst);
        SystemClock.now_ms().saturating_add_signed(ahead_ms)
    }
}

pub(crate) fn person(
    profile: &Profile,
    reader: Arc<dyn CardReader>,
    vault: &Arc<MemoryVault>,
    clock: &Arc<TestClock>,
    dir: &Path,
) -> Person {
    let session = Session::start(Parts {
        reader,
        bank: BankClient::new(profile.clone()).unwrap(),
        vault: vault.clone(),
        clock: clock.clone(),
        dir: dir.to_owned(),
        documents: dir.join("documents"),
        version: "test".to_owned(),
        development: true,
    });
    let inbox = BankClient::new(profile.clone()).unwrap();
    Person::new(session.unwrap(), inbox, "13800006021", "246810")
}
