//! What a closing message means: for the journal, for the receipt, for the person.

use industry::Closing;
use ipc::{Code, ReceiptView};
use relay::journal::{Event, State};

use crate::disk::DiskError;
use crate::failure::{Failure, Verdict};
use crate::journal::{Journal, Record};
use crate::terminal::Outcome;

/// What a closing message means for the record of its own transaction.
pub(crate) fn settle(record: &mut Record, closing: &Closing, verdict: Verdict) {
    fill_receipt(&mut record.receipt, closing);
    let asked = matches!(record.entry.state, State::Asked);
    let waits = matches!(record.entry.state, State::ToDeliver { .. });
    match verdict {
        // The bank did not look at what the card said: it is told again when the industry is served again.
        Verdict::NotMoved if waits && closing.outcome == "industry-unknown" => {}
        Verdict::Done => record.apply(Event::Done),
        Verdict::Returned => record.apply(Event::NotDone {
            outcome: closing.outcome.clone(),
        }),
        Verdict::WrittenOff => record.apply(Event::WrittenOff),
        // The bank's first answer was no: nothing left the account.
        Verdict::NotMoved if asked => {
            record.apply(Event::NotDone {
                outcome: closing.outcome.clone(),
            });
        }
        // A first message that the bank could not read came before any debit.
        Verdict::Open if asked && closing.outcome == "message-bad" => {
            record.apply(Event::NotDone {
                outcome: closing.outcome.clone(),
            });
        }
        Verdict::NotMoved | Verdict::Open => record.apply(Event::InDoubt),
    }
}

/// What the end of a re-top-up means for the load that it was about. Only these words of the bank close it: that
/// it is on the card, that it went back, that its people gave it up, or that nothing waits.
pub(crate) fn settle_about(
    journal: &mut Journal,
    about: [u8; 16],
    closing: &Closing,
    verdict: Verdict,
) -> Result<(), Failure> {
    let event = match verdict {
        Verdict::Done => Event::Done,
        Verdict::Returned => Event::NotDone {
            outcome: closing.outcome.clone(),
        },
        Verdict::WrittenOff => Event::WrittenOff,
        Verdict::NotMoved if closing.outcome == "nothing-pending" => Event::NotDone {
            outcome: closing.outcome.clone(),
        },
        Verdict::NotMoved | Verdict::Open => return Ok(()),
    };
    let Some(load) = journal.get(&hex::encode(about)) else {
        return Ok(());
    };
    let mut receipt = load.receipt.clone();
    fill_receipt(&mut receipt, closing);
    journal.settle_about(about, &event, &receipt)?;
    Ok(())
}

/// What the bank says of a load without any card. Only a final word closes it; its reference helps in any case.
pub(crate) fn learn(
    journal: &mut Journal,
    load: [u8; 16],
    told: &Outcome,
) -> Result<(), DiskError> {
    let Some(record) = journal.get(&hex::encode(load)).cloned() else {
        return Ok(());
    };
    let outcome = || told.outcome.clone();
    let event = match told.outcome.as_str() {
        "ok" => Some(Event::Done),
        "refunded" | "declined" | "voided" => Some(Event::NotDone { outcome: outcome() }),
        "written-off" => Some(Event::WrittenOff),
        _open => None,
    };
    let mut receipt = record.receipt.clone();
    receipt.reference = match told.outcome.as_str() {
        // Nothing left the account: there is nothing to ask the bank's people about.
        "declined" | "voided" => None,
        _ => told.reference.clone().or(receipt.reference),
    };
    let Some(event) = event else {
        if receipt == record.receipt {
            return Ok(());
        }
        return journal.keep(Record { receipt, ..record });
    };
    receipt.old_balance = told.old_balance.or(receipt.old_balance);
    receipt.new_balance = told.new_balance.or(receipt.new_balance);
    receipt.time_ms = told.time_ms.unwrap_or(receipt.time_ms);
    journal.settle_about(load, &event, &receipt)
}

fn fill_receipt(receipt: &mut ReceiptView, closing: &Closing) {
    if closing.outcome == "load-open" {
        return;
    }
    receipt.amount = closing.amount.or(receipt.amount);
    receipt.old_balance = closing.old_balance.or(receipt.old_balance);
    receipt.new_balance = closing.new_balance.or(receipt.new_balance);
    receipt.time_ms = closing.time_ms.unwrap_or(receipt.time_ms);
    receipt.reference = closing.reference.clone().or(receipt.reference.take());
    receipt.proof = closing.receipt.clone().or(receipt.proof.take());
}

/// The failure that a closing message tells.
pub(crate) fn refused(closing: &Closing) -> Failure {
    let code = Code::parse(&closing.outcome).unwrap_or(Code::BankError);
    let mut failure = Failure::from(code);
    failure.reference.clone_from(&closing.reference);
    for (name, value) in [
        ("limit", closing.limit.map(|v| v.to_string())),
        ("amount", closing.amount.map(|v| v.to_string())),
        ("tries_left", closing.tries_left.map(|v| v.to_string())),
        ("status", closing.status.clone()),
        ("command", closing.command.clone()),
    ] {
        if let Some(value) = value {
            failure = failure.with(name, value);
        }
    }
    failure
}
