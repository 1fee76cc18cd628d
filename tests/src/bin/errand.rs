//! One transaction on the real parts, told line by line, for whoever kills this program in the middle of it:
//! `errand top-up|resume|refund|balance|activate`.

use std::process::ExitCode;

use ipc::{ReaderKind, TransactionView};
use session::Session;
use tapfill_tests::{Failure, Person, Trouble, device, say};

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
    let (session, inbox) = device()?;
    let person = Person::new(session.clone(), inbox, "13800006021", "246810");
    person.ready().await?;
    let card = |view: &ipc::AppView| view.reader.state == ReaderKind::Card;
    person.until("a card on the reader", card).await?;
    say("ready");
    tokio::spawn(tell_steps(session));
    let ended = match what {
        "top-up" => person.top_up(AMOUNT).await,
        "resume" => person.resume().await,
        "refund" => person.refund().await,
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
