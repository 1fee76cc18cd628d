//! The app's side: a session as the window has it, and a person who waits for nothing.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ipc::{Command, TransactionKind};
use session::shells::MemoryVault;
use session::{Clock, Parts as Shells, Session};
use tapfill_tests::Person;
use tempfile::TempDir;

use super::{AMOUNT, Commands, Parts};
use crate::Failure;
use crate::desk::Desk;
use crate::stage::{Customer, NOW_MS, PASSWORD, Stage};
use crate::terminal::Terminal;

/// The bank's own: it stands still.
struct Still;

impl Clock for Still {
    fn now_ms(&self) -> u64 {
        NOW_MS
    }
}

pub(super) struct App {
    person: Person,
    _dir: TempDir,
}

impl App {
    pub(super) async fn start(
        stage: &Stage,
        customer: &Customer,
        desk: &Desk,
    ) -> Result<Self, Failure> {
        let dir = tempfile::tempdir()?;
        let session = Session::start(Shells {
            reader: desk.reader.clone(),
            bank: Terminal::client(stage),
            vault: Arc::new(MemoryVault::default()),
            clock: Arc::new(Still),
            dir: dir.path().to_owned(),
            documents: dir.path().to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            development: true,
        })?;
        let inbox = Terminal::client(stage);
        let person = Person::new(session, inbox, &customer.phone, PASSWORD);
        person.ready().await?;
        Ok(Self { person, _dir: dir })
    }

    /// With what the card was told.
    pub(super) async fn top_up(&mut self, desk: &Desk) -> Result<(Parts, Commands), Failure> {
        let person = &self.person;
        desk.slot.clear();
        let began = Instant::now();
        person.begin(TransactionKind::Topup).await?;
        let seen = person.until("the card", |view| {
            let transaction = view.transaction.as_ref();
            transaction.is_some_and(|transaction| transaction.card.is_some())
        });
        seen.await?;
        let entering = began.elapsed();
        let commands_entering = told(desk);
        let codes = self.codes().await?;
        let presses = PASSWORD.bytes().map(|digit| digit.wrapping_sub(b'0'));
        for digit in presses {
            person.give(Command::PinPress { digit }).await?;
        }
        desk.slot.clear();
        let began = Instant::now();
        let amount = Some(AMOUNT);
        person.give(Command::Submit { amount }).await?;
        person.end().await?;
        let load = began.elapsed();
        let commands = Commands {
            entering: commands_entering,
            load: told(desk),
        };
        person.give(Command::Leave).await?;
        let parts = Parts {
            entering,
            codes,
            load,
            journal: Duration::ZERO,
        };
        Ok((parts, commands))
    }

    /// The time of both requests.
    async fn codes(&self) -> Result<Duration, Failure> {
        let person = &self.person;
        let before = person.codes().await?.into_iter().next();
        let phone = person.phone.clone();
        let began = Instant::now();
        person.give(Command::SendCode { phone }).await?;
        let asked = began.elapsed();
        let mut newest = before.clone();
        while newest == before {
            tokio::time::sleep(Duration::from_millis(5)).await;
            newest = person.codes().await?.into_iter().next();
        }
        let code = newest.ok_or("no code came")?;
        let began = Instant::now();
        person.give(Command::VerifyCode { code }).await?;
        Ok(asked + began.elapsed())
    }
}

fn told(desk: &Desk) -> Vec<Vec<u8>> {
    let record = desk.slot.record().into_iter();
    record.map(|it| it.command).collect()
}
