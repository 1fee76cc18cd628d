//! One transaction on the real parts, told line by line, for whoever kills this program in the middle of it:
//! `errand top-up|resume|balance|activate`.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use ipc::{ReaderKind, TransactionView};
use session::shells::{BankClient, OsVault, PcscReader, Profile};
use session::{Parts, Session, SystemClock};
use tapfill_tests::{Person, Trouble};

type Failure = Box<dyn std::error::Error>;

/// Fen of one top-up: the least that the demo bank allows, so that hundreds fit on the card.
const AMOUNT: u32 = 100;

fn main() -> ExitCode {
    let what = std::env::args().nth(1).unwrap_or_default();
    let done = tokio::runtime::Runtime::new()
        .map_err(Failure::from)
        .and_then(|runtime| {
            let done = runtime.block_on(errand(&what));
            runtime.shutdown_background();
            done
        });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("stopped {error}"));
            ExitCode::FAILURE
        }
    }
}

async fn errand(what: &str) -> Result<(), Failure> {
    let profile = Profile::parse(&std::fs::read(setting("TAPFILL_PROFILE")?)?)?;
    let dir = PathBuf::from(setting("TAPFILL_DIR")?);
    let session = Session::start(Parts {
        reader: Arc::new(PcscReader::start()),
        bank: BankClient::new(profile.clone())?,
        vault: Arc::new(OsVault::new("org.tapfill.app")),
        clock: Arc::new(SystemClock),
        documents: dir.clone(),
        dir,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        development: true,
    })?;
    let inbox = BankClient::new(profile)?;
    let person = Person::new(session.clone(), inbox, "13800006021", "246810");
    person.ready().await?;
    let card = |view: &ipc::AppView| view.reader.state == ReaderKind::Card;
    person.until("a card on the reader", card).await?;
    say("ready");
    tokio::spawn(tell_steps(session));
    let ended = match what {
        "top-up" => person.top_up(AMOUNT).await,
        "resume" => person.resume().await,
        "balance" => person.balance().await,
        "activate" => person.activate().await,
        other => return Err(format!("unknown errand {other}").into()),
    };
    told(ended);
    say(&format!("pending {}", person.look().pending.len()));
    Ok(())
}

/// A line for each step that begins or ends: the moments at which a kill is worth most.
async fn tell_steps(session: Session) {
    let mut views = session.view();
    let mut told = String::new();
    while views.changed().await.is_ok() {
        let steps = |transaction: &TransactionView| {
            let lines = transaction.steps.iter();
            let lines = lines.map(|line| format!(" {:?} {:?}", line.name, line.state));
            format!("{:?}{}", transaction.stage, lines.collect::<String>())
        };
        let now = views.borrow_and_update().transaction.as_ref().map(steps);
        if let Some(now) = now.filter(|now| *now != told) {
            say(&format!("step {now}"));
            told = now;
        }
    }
}

fn told(ended: Result<TransactionView, Trouble>) {
    match ended {
        Ok(_) => say("end ok"),
        Err(trouble) => say(&format!("end {trouble}")),
    }
}

fn setting(name: &str) -> Result<String, Failure> {
    std::env::var(name).map_err(|_| format!("{name} is not set").into())
}

/// Whoever reads may be gone: then nobody needs to be told.
fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}
