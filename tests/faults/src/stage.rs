//! One run's bank, card, app and person, and what must hold of them.

use std::fs;
use std::io::{self, Seek, Write};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

use bank::Money;
use bank_client::BankClient;
use ipc::{Code, Command, HistoryEntry, HistoryState, Reply, Stage as At, TransactionKind};
use key_vault::MemoryVault;
use session::{DiskError, DiskWrite, Parts, Session, Written};
use tempfile::TempDir;
use tokio::time::sleep;
use virtual_card::Slot;

use crate::network::{BankProcess, Network};
use crate::person::{Ended, Person, seen};
use crate::plan::Plan;
use crate::point::{Act, Point, When, Who};
use crate::rare::Rare;
use crate::reader::FaultyReader;
use crate::template::Template;
use crate::world::{AppClock, World};

pub(crate) struct Stage<'a> {
    template: &'a Template,
    dir: TempDir,
    vault: Arc<MemoryVault>,
    pub(crate) world: Arc<World>,
    pub(crate) bank: Arc<BankProcess>,
    pub(crate) slot: Slot,
    pub(crate) person: Person,
    before: Money,
}

/// What does not hold.
pub(crate) type Broken = String;

impl<'a> Stage<'a> {
    /// Everything as the template has it, the app just started.
    pub(crate) async fn new(
        template: &'a Template,
        world: &Arc<World>,
        plan: &Plan,
    ) -> Result<Self, Broken> {
        let wrong = plan.wrong;
        let locks = |rare: &(Point, Rare)| matches!(rare.1, Rare::StoreLocked(_));
        let impatient = plan.rare.iter().any(locks);
        let dir = template.copy().map_err(|error| error.to_string())?;
        let mut config = template.config.clone();
        if impatient {
            config.settings = template.impatient.clone();
        }
        let bank = Arc::new(BankProcess::new(world, dir.path().join("bank"), config));
        let money = bank.with(true, async |bank| bank.money().await).await;
        let before = money.unwrap_or_else(|| Err("no bank".to_owned()))?;
        let slot = world.wallet.slot.clone();
        watch_disk(world);
        let vault = Arc::new(template.vault.copy());
        let session = start(template, (world, &bank), &slot, &vault, &dir)?;
        let person = Person {
            world: world.clone(),
            session,
            slot: slot.clone(),
            bank: bank.clone(),
            wrong,
            mistyped: AtomicU32::new(0),
        };
        Ok(Self {
            template,
            dir,
            vault,
            world: world.clone(),
            bank,
            slot,
            person,
            before,
        })
    }

    /// The app starts again on what its last process left.
    pub(crate) fn restart_app(&mut self) -> Result<(), Broken> {
        self.world.kill_app();
        self.world.tell("the app starts");
        let shells = (&self.world, &self.bank);
        self.person.session = start(self.template, shells, &self.slot, &self.vault, &self.dir)?;
        Ok(())
    }

    /// A copy of the keystore.
    pub(crate) fn vault(&self) -> MemoryVault {
        self.vault.copy()
    }

    pub(crate) fn app_dir(&self) -> std::path::PathBuf {
        self.dir.path().join("app")
    }

    pub(crate) fn bank_dir(&self) -> std::path::PathBuf {
        self.dir.path().join("bank")
    }

    /// I1 to I13, I17 and I18 by the bank's own queries, and I14 as far as it can hold in the middle.
    pub(crate) async fn books(&self) -> Result<(Money, i64), Broken> {
        let report = self.bank.with(true, async |bank| bank.check().await).await;
        let report = report.unwrap_or_else(|| Err("no bank".to_owned()))?;
        if let Some(finding) = report.findings.first() {
            return Err(format!("{}: {}", finding.rule, finding.place));
        }
        let money = report.money;
        let whole = money.outside_cards() + self.world.wallet.gained();
        let expected = self.before.outside_cards();
        // What is on the card and not yet reported counts twice until the bank hears of it; never less.
        let unreported = money.in_transit;
        if !(expected..=expected + unreported).contains(&whole) {
            return Err(format!(
                "I14: {whole} fen instead of {expected}, {unreported} in transit"
            ));
        }
        Ok((money, report.open_loads))
    }

    /// Network, processes, disk and card come back; the person follows the app until nothing waits.
    pub(crate) async fn heal(&mut self, activates: bool) -> Result<(), Broken> {
        self.world.peace();
        self.slot.clear();
        self.world.begin(Act::Healing);
        self.bank.with(true, async |_| ()).await;
        for _ in 0..8 {
            while self.world.requests_under_way() > 0 {
                sleep(Duration::from_secs(5)).await;
            }
            // What struck a slow command before healing began can end only now.
            self.world.peace();
            if !self.world.app_lives() {
                self.restart_app()?;
            }
            self.slot.insert();
            self.person
                .ready()
                .await
                .map_err(|e| format!("healing: {e}"))?;
            let quiet = |view: &ipc::AppView| {
                let transaction = view.transaction.as_ref();
                transaction.is_none_or(|transaction| transaction.can_cancel && !transaction.busy)
            };
            let quiet = self.person.until("a quiet app", quiet).await;
            quiet.map_err(|e| format!("healing: {e}"))?;
            drop(self.person.give(Command::Leave).await);
            // Proofs that wait are sent by themselves.
            sleep(Duration::from_secs(10)).await;
            let (money, open) = self.books().await?;
            let waiting = self.person.look().pending.len();
            let sleeping = activates && self.slot.profile().is_some_and(|c| c.enable_flag == 0);
            self.world.tell(format_args!(
                "{open} loads open at the bank, {waiting} wait in the app"
            ));
            if open == 0 && waiting == 0 && !sleeping {
                return self.settled(&money).await;
            }
            let kind = if open == 0 && waiting == 0 {
                TransactionKind::Activate
            } else {
                TransactionKind::Resume
            };
            let ended = self.person.transact(kind, 0).await;
            self.world.tell(format_args!("{kind:?}: {ended}"));
            match ended {
                Ended::Hangs(what) => return Err(format!("hangs: {what}")),
                Ended::Failed(error) if error.code == Code::CardOther => {
                    self.world.tell("the other card");
                    self.world.wallet.change(true);
                }
                Ended::Done(_) | Ended::Failed(_) | Ended::Refused(_) | Ended::Killed => {}
            }
        }
        Err(format!(
            "I19: nothing settles it: {}",
            seen(&self.person.look())
        ))
    }

    /// After healing: nothing in doubt, every fen in its place, and the app tells the same story.
    async fn settled(&self, money: &Money) -> Result<(), Broken> {
        let gained = self.world.wallet.gained();
        let loaded = money.card_float - self.before.card_float;
        if loaded != gained {
            return Err(format!(
                "I13: the bank loaded {loaded} fen, the card got {gained}"
            ));
        }
        if money.in_transit != 0 {
            return Err(format!(
                "I8: {} fen in transit, no open load",
                money.in_transit
            ));
        }
        let reply = self.person.give(Command::History).await;
        let Ok(Reply::History { entries }) = reply else {
            return Err("the app shows no history".to_owned());
        };
        let told: i64 = entries.iter().map(on_card).sum();
        if told != gained {
            return Err(format!(
                "the app tells of {told} fen on the card, it got {gained}"
            ));
        }
        let shows_error = |view: ipc::AppView| {
            let transaction = view.transaction?;
            (transaction.stage == At::Failed).then_some(transaction.error?.code)
        };
        match shows_error(self.person.look()) {
            Some(code) => Err(format!("healed, and the app shows {}", code.as_str())),
            None => Ok(()),
        }
    }

    pub(crate) async fn close(self) {
        self.world.kill_app();
        session::watch_disk(None);
        self.bank.stop().await;
    }
}

/// Fen that the app says are on the card by this.
fn on_card(entry: &HistoryEntry) -> i64 {
    let loads = matches!(entry.kind, TransactionKind::Topup | TransactionKind::Resume);
    match entry.state {
        HistoryState::Done if loads => entry.receipt.amount.unwrap_or_default().into(),
        HistoryState::Done | HistoryState::Unfinished | HistoryState::NotDone => 0,
    }
}

fn start(
    template: &Template,
    (world, bank): (&Arc<World>, &Arc<BankProcess>),
    slot: &Slot,
    vault: &Arc<MemoryVault>,
    dir: &TempDir,
) -> Result<Session, Broken> {
    let network = Network {
        world: world.clone(),
        bank: bank.clone(),
        slot: slot.clone(),
    };
    let app = dir.path().join("app");
    world.app_starts();
    let session = Session::start(Parts {
        reader: Arc::new(FaultyReader::new(slot, world, bank)),
        bank: BankClient::over(template.profile.clone(), Arc::new(network)),
        vault: vault.clone(),
        clock: Arc::new(AppClock(world.clone())),
        documents: app.join("documents"),
        dir: app,
        version: "simulated".to_owned(),
        development: true,
    });
    let session = session.map_err(|error| format!("the app does not start: {error}"))?;
    world.app_started(session.clone());
    Ok(session)
}

/// The app's disk: full when the world says so, and a place to be killed at.
fn watch_disk(world: &Arc<World>) {
    let world = world.clone();
    session::watch_disk(Some(Rc::new(move |written, write| {
        if world.app_is_dead() {
            return Err(DiskError::Broken);
        }
        let journal = write
            .path
            .components()
            .any(|part| part.as_os_str() == "journal");
        if written == Written::After {
            let how = if write.over.is_some() {
                "in place"
            } else {
                "anew"
            };
            let what = if journal { "the journal" } else { "the rest" };
            world.tell(format_args!("disk: {what}, {how}"));
            return world.disk_strike_after(journal);
        }
        if world.disk_is_full() {
            return Err(DiskError::Full);
        }
        let strike = if journal {
            // A file that is made before there is anything to say is none of the states.
            let says = !write.bytes.trim_ascii().is_empty();
            world.arrive(if says { "journal" } else { "file" })
        } else {
            None
        };
        let Some(strike) = strike.filter(|strike| strike.who == Who::App) else {
            return Ok(());
        };
        match strike.when {
            When::After => {
                world.kill_after_write();
                return Ok(());
            }
            When::During => drop(tear(write, strike.draw)),
            When::Before => {}
        }
        world.kill_app();
        Err(DiskError::Broken)
    })));
}

/// Leaves a part of a write behind: the first bytes of it, somewhere before the end of what it says.
fn tear(write: &DiskWrite<'_>, draw: u64) -> io::Result<()> {
    let says = write.bytes.trim_ascii_end();
    let cut = usize::try_from(draw).unwrap_or_default() % says.len().max(1);
    let part = says.get(..cut).unwrap_or_default();
    let Some(over) = write.over else {
        return fs::write(write.path.with_extension("part"), part);
    };
    let mut file = fs::File::options().write(true).open(write.path)?;
    file.seek(io::SeekFrom::Start(over))?;
    file.write_all(part)
}
