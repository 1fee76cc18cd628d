//! `cargo xtask demo --headless`: the four transactions without a window, on the same real parts as with one.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use ipc::{
    Code, ErrorView, MoneyPlace, ReaderKind, ReceiptView, ResumeState, Retry, TransactionView,
};
use session::Times;
use tapfill_tests::{Failure, Person, Trouble, device, say};

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
    ends_with_its_parent();
    let control = std::env::var("TAPFILL_CARD_CONTROL").ok();
    let started = Instant::now();
    let (session, inbox) = device()?;
    let phone = std::env::var("TAPFILL_PHONE").unwrap_or_else(|_| "13800006021".to_owned());
    let password = std::env::var("TAPFILL_PASSWORD").unwrap_or_else(|_| "246810".to_owned());
    let person = Person::new(session, inbox, &phone, &password);

    let view = told(person.ready().await)?;
    let terminal = view.terminal.ok_or("no terminal")?;
    step(
        &started,
        &format!(
            "start: terminal {}, key check {}",
            terminal.id, terminal.key_check_value
        ),
    );
    card_on_reader(&person).await?;
    let started = Instant::now();
    let card = told(person.balance().await)?.card.ok_or("no card")?;
    step(
        &started,
        &format!(
            "balance: {} on the card ending in {}",
            yuan(card.balance),
            card.tail
        ),
    );
    // What an earlier run left unfinished comes first: a new load would be refused.
    resume(&person).await?;
    let started = Instant::now();
    match (card.active, person.activate().await) {
        (true, Ok(_)) => step(&started, "activation: the card was active already"),
        (false, Ok(_)) => step(&started, "activation: the card is active now"),
        (_, Err(trouble)) => return Err(words(&trouble).into()),
    }
    top_up(&person).await?;
    match control {
        Some(control) => torn(&person, &control).await?,
        None => {
            say("    torn loads left out: TAPFILL_CARD_CONTROL names nobody who pulls this card")
        }
    }
    say("done: every fen is where it should be");
    Ok(())
}

/// Whoever started this program holds its standard input: when that closes, nobody is left to tell.
fn ends_with_its_parent() {
    if std::env::var_os("TAPFILL_LEASH").is_none() {
        return;
    }
    std::thread::spawn(|| {
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        std::process::exit(1);
    });
}

async fn card_on_reader(person: &Person) -> Result<(), Failure> {
    if person.look().reader.state == ReaderKind::Card {
        return Ok(());
    }
    let seconds = tapfill_tests::PATIENCE.as_secs();
    say(&format!(
        "waiting for a card on the reader (at most {seconds} s)"
    ));
    let here = person.until("a card on the reader", |view| {
        view.reader.state == ReaderKind::Card
    });
    told(here.await).map(drop)
}

async fn top_up(person: &Person) -> Result<(), Failure> {
    let started = Instant::now();
    let view = match person.top_up(5_000).await {
        Ok(view) => view,
        Err(Trouble::Failed(error)) if error.retry == Retry::Resume => {
            step(&started, &format!("top-up: {}", sentence(&error)));
            say("put the same card on the reader again: the re-top-up follows by itself");
            return settle(person).await;
        }
        Err(trouble) => return Err(words(&trouble).into()),
    };
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
                &format!("top-up torn {moment} the write: {}", sentence(&error)),
            ),
            Ok(_) => return Err("the tear did not happen".into()),
            Err(other) => return Err(words(&other).into()),
        }
        let gone = person.until("an empty reader", |view| {
            view.reader.state != ReaderKind::Card
        });
        told(gone.await)?;
        order(control, "insert")?;
        card_on_reader(person).await?;
        let started = Instant::now();
        let view = told(person.resume().await)?;
        if view.resume != Some(expected) {
            return Err(format!("re-top-up ended as {:?}", view.resume).into());
        }
        step(&started, &resumed(&view)?);
    }
    Ok(())
}

/// A card on its way off the reader, or back to it, is lost once more: tried until it lies still.
async fn settle(person: &Person) -> Result<(), Failure> {
    let patience = Instant::now();
    loop {
        card_on_reader(person).await?;
        let started = Instant::now();
        match person.resume().await {
            Ok(view) => {
                step(&started, &resumed(&view)?);
                return Ok(());
            }
            Err(Trouble::Failed(error))
                if error.code == Code::CardLost && patience.elapsed() < tapfill_tests::PATIENCE =>
            {
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
            Err(trouble) => return Err(words(&trouble).into()),
        }
    }
}

async fn resume(person: &Person) -> Result<(), Failure> {
    let started = Instant::now();
    let view = told(person.resume().await)?;
    step(&started, &resumed(&view)?);
    Ok(())
}

fn resumed(view: &TransactionView) -> Result<String, Failure> {
    Ok(match view.resume {
        None | Some(ResumeState::None) => "re-top-up: nothing waits for this card".to_owned(),
        Some(ResumeState::Loaded) => format!("re-top-up: loaded now, {}", receipt(view)?),
        Some(ResumeState::Refunded) => format!("re-top-up: the money is back, {}", receipt(view)?),
        Some(ResumeState::AlreadyOnCard) => {
            format!("re-top-up: it was on the card already, {}", receipt(view)?)
        }
        Some(ResumeState::Running | ResumeState::Failed) => {
            return Err("the re-top-up did not end".into());
        }
    })
}

fn told<T>(result: Result<T, Trouble>) -> Result<T, Failure> {
    result.map_err(|trouble| words(&trouble).into())
}

/// The code, and what the window would say of it.
fn words(trouble: &Trouble) -> String {
    match trouble {
        Trouble::Refused(error) | Trouble::Failed(error) => sentence(error),
        Trouble::Never(..) => trouble.to_string(),
        Trouble::NoMessage => "no SMS came. The bank sends one only when the phone number and the card's \
             serial number are on file together: look into its configuration (docs/testing.md) and its log"
            .to_owned(),
    }
}

fn sentence(error: &ErrorView) -> String {
    let texts: serde_json::Value =
        serde_json::from_str(include_str!("../../../ui/messages/en.json")).unwrap_or_default();
    let code = error.code.as_str();
    let title = texts.pointer(&format!("/code/{code}/title"));
    let title = title
        .and_then(serde_json::Value::as_str)
        .unwrap_or_default();
    let mut told = format!("{code}: {title}");
    for (name, value) in &error.params {
        told.push_str(&format!(", {} {value}", name.replace('_', " ")));
    }
    let money = match error.money {
        MoneyPlace::Account => "in the account",
        MoneyPlace::Unsure => "in the account or on its way; a re-top-up finds out",
        MoneyPlace::InTransit => "kept by the bank for this card",
        MoneyPlace::OnCardUnreported => "on the card; the bank will hear of it",
        MoneyPlace::OnCard => "on the card",
        MoneyPlace::WrittenOff => "given up by the bank's people",
        MoneyPlace::None => return told,
    };
    format!("{told}; the money is {money}")
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

fn step(started: &Instant, text: &str) {
    say(&format!(
        "{:>7.0} ms  {text}",
        started.elapsed().as_secs_f64() * 1e3
    ));
}
