//! `cargo xtask demo --headless`: the four transactions without a window, on the same real parts as with one.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use ipc::{ReaderKind, ReceiptView, ResumeState, TransactionView};
use session::shells::{BankClient, OsVault, PcscReader, Profile};
use session::{Parts, Session, SystemClock, Times};
use tapfill_tests::{Person, Trouble};

type Failure = Box<dyn std::error::Error>;

fn main() -> ExitCode {
    let done = tokio::runtime::Runtime::new()
        .map_err(Failure::from)
        .and_then(|runtime| {
            let done = runtime.block_on(demo());
            runtime.shutdown_background();
            done
        });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("stopped: {error}"));
            ExitCode::FAILURE
        }
    }
}

async fn demo() -> Result<(), Failure> {
    let profile = Profile::parse(&std::fs::read(setting("TAPFILL_PROFILE")?)?)?;
    let dir = PathBuf::from(setting("TAPFILL_DIR")?);
    let control = std::env::var("TAPFILL_CARD_CONTROL").ok();
    let started = Instant::now();
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
    let phone = std::env::var("TAPFILL_PHONE").unwrap_or_else(|_| "13800006021".to_owned());
    let password = std::env::var("TAPFILL_PASSWORD").unwrap_or_else(|_| "246810".to_owned());
    let person = Person::new(session, BankClient::new(profile)?, &phone, &password);

    let view = person.ready().await?;
    let terminal = view.terminal.ok_or("no terminal")?;
    step(
        &started,
        &format!(
            "first start: terminal {}, key check {}",
            terminal.id, terminal.key_check_value
        ),
    );
    say("waiting for a card on the reader");
    person
        .until("a card on the reader", |view| {
            view.reader.state == ReaderKind::Card
        })
        .await?;

    let started = Instant::now();
    let card = person.balance().await?.card.ok_or("no card")?;
    step(
        &started,
        &format!(
            "balance: {} on the card ending in {}",
            yuan(card.balance),
            card.tail
        ),
    );
    if !card.active {
        let started = Instant::now();
        person.activate().await?;
        step(&started, "activation: the card is active");
    }
    top_up(&person).await?;
    match control {
        Some(control) => torn(&person, &control).await?,
        None => nothing_waits(&person).await?,
    }
    say("done: every fen is where it should be");
    Ok(())
}

async fn top_up(person: &Person) -> Result<(), Failure> {
    let started = Instant::now();
    let view = person.top_up(5_000).await?;
    step(&started, &format!("top-up: {}", receipt(&view)?));
    for line in &view.steps {
        say(&format!(
            "    {:?}: {} ms",
            line.name,
            line.elapsed_ms.unwrap_or_default()
        ));
    }
    if let Some(times) = person.session.times() {
        parts(&times);
    }
    Ok(())
}

/// Card, network with bank, and what this program adds.
fn parts(times: &Times) {
    let own = times.total_ms - times.card_ms - times.bank_ms;
    say(&format!(
        "    from card to receipt {:.1} ms = card {:.1} + network and bank {:.1} + own {:.1}; {} requests",
        times.total_ms, times.card_ms, times.bank_ms, own, times.requests
    ));
}

/// The card leaves in the middle of CREDIT FOR LOAD, before it took the money and after, and comes back.
async fn torn(person: &Person, control: &str) -> Result<(), Failure> {
    for (moment, expected) in [
        ("before", ResumeState::Loaded),
        ("after", ResumeState::AlreadyOnCard),
    ] {
        order(control, &format!("tear 52 {moment}"))?;
        let started = Instant::now();
        match person.top_up(2_000).await {
            Err(Trouble::Failed(error)) => step(
                &started,
                &format!(
                    "top-up torn {moment} the write: {}, money {:?}",
                    error.code.as_str(),
                    error.money
                ),
            ),
            Ok(_) => return Err("the tear did not happen".into()),
            Err(other) => return Err(other.into()),
        }
        person
            .until("an empty reader", |view| {
                view.reader.state != ReaderKind::Card
            })
            .await?;
        order(control, "insert")?;
        person
            .until("the card again", |view| {
                view.reader.state == ReaderKind::Card
            })
            .await?;
        let started = Instant::now();
        let view = person.resume().await?;
        if view.resume != Some(expected) {
            return Err(format!("re-top-up ended as {:?}", view.resume).into());
        }
        step(
            &started,
            &format!("re-top-up: {:?}, {}", expected, receipt(&view)?),
        );
    }
    Ok(())
}

async fn nothing_waits(person: &Person) -> Result<(), Failure> {
    let started = Instant::now();
    let view = person.resume().await?;
    step(
        &started,
        &format!("re-top-up: {:?}", view.resume.unwrap_or(ResumeState::None)),
    );
    Ok(())
}

fn receipt(view: &TransactionView) -> Result<String, Failure> {
    let ReceiptView {
        amount,
        old_balance,
        new_balance,
        reference,
        ..
    } = view.receipt.clone().ok_or("no receipt")?;
    let money = |fen: Option<u32>| fen.map(yuan).unwrap_or_else(|| "?".to_owned());
    Ok(format!(
        "{}, balance {} -> {}, reference {}",
        money(amount),
        money(old_balance),
        money(new_balance),
        reference.unwrap_or_default()
    ))
}

fn yuan(fen: u32) -> String {
    format!("¥{}.{:02}", fen / 100, fen % 100)
}

fn order(control: &str, line: &str) -> Result<(), Failure> {
    let mut stream = TcpStream::connect(control)?;
    writeln!(stream, "{line}")?;
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer)?;
    if answer.starts_with("ok") {
        Ok(())
    } else {
        Err(format!("{line}: {answer}").into())
    }
}

fn setting(name: &str) -> Result<String, Failure> {
    std::env::var(name).map_err(|_| format!("{name} is not set").into())
}

fn step(started: &Instant, text: &str) {
    say(&format!(
        "{:>7.0} ms  {text}",
        started.elapsed().as_secs_f64() * 1e3
    ));
}

fn say(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}
