//! Institutions' queues (`docs/protocol.md`, section 9): one payment for many cards.

mod opening;

use std::net::IpAddr;

use envelope::Terminal;
use ledger::QueueId;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::bank::Bank;
use crate::error::Problem;
use crate::http::security::codes::{self, Letter, Wanted, rested};
use crate::queues;
use crate::store::queue::{ItemLine, ItemState, QueueRow};
use crate::store::queue_code::{self, CodeRow};
use crate::store::sms::Asker;
use crate::store::{Conn, commit, customer, queue};

pub(super) use opening::open;

/// The most items of one queue.
const MOST_ITEMS: usize = 500;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Send {
    #[serde(with = "hex::serde")]
    queue: [u8; 16],
    industry: String,
    phone: String,
    cards: u32,
    total: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Query {
    #[serde(with = "hex::serde")]
    queue: [u8; 16],
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct State {
    #[serde(with = "hex::serde")]
    queue: [u8; 16],
    /// A payment that never came here shall never come.
    #[serde(default)]
    void: bool,
}

pub(super) async fn send(
    bank: &Bank,
    (terminal, address): (Terminal, IpAddr),
    asked: &Send,
) -> Result<Value, Problem> {
    shape(bank, asked)?;
    paid_here(bank)?;
    let asker = Asker {
        terminal: &terminal,
        phone: &asked.phone,
        address,
    };
    codes::send(bank, &asker, &OfQueue { terminal, asked }).await
}

/// A queue is paid from accounts of this store alone.
fn paid_here(bank: &Bank) -> Result<(), Problem> {
    match bank.core.host() {
        Some(_) => Err(Problem::refused(403, "queue-unserved")),
        None => Ok(()),
    }
}

fn shape(bank: &Bank, asked: &Send) -> Result<(), Problem> {
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let phone = (1..=15).contains(&asked.phone.len()) && digits(&asked.phone);
    let cards = usize::try_from(asked.cards).is_ok_and(|it| (1..=MOST_ITEMS).contains(&it));
    let known = bank.industry(&asked.industry).is_some();
    if phone && cards && known && asked.total > 0 {
        Ok(())
    } else {
        Err(Problem::bad_request())
    }
}

/// The code that opens one queue.
struct OfQueue<'a> {
    terminal: Terminal,
    asked: &'a Send,
}

impl Wanted for OfQueue<'_> {
    async fn sends_so_far(
        &self,
        bank: &Bank,
        conn: &mut Conn,
        now_ms: u64,
    ) -> Result<u32, Problem> {
        let Some(before) = queue_code::find(conn, QueueId(self.asked.queue)).await? else {
            return Ok(0);
        };
        if before.terminal != self.terminal || before.spent {
            return Err(Problem::refused(403, "code-unknown"));
        }
        rested(bank, (before.sent_ms, before.sends), now_ms)?;
        Ok(before.sends)
    }

    /// The SMS says what its code is good for.
    async fn keep(
        &self,
        bank: &Bank,
        conn: &mut Conn,
        (code, sends): (&str, u32),
        now_ms: u64,
    ) -> Result<Letter, Problem> {
        let asked = self.asked;
        let customer = customer::of_phone(bank, conn, &asked.phone).await?;
        if customer.is_none() {
            // Nobody outside learns it; whoever runs the bank looks for it here.
            log::info!("a queue's code was asked for a phone number that is not on file");
        }
        let mut row = CodeRow {
            queue: QueueId(asked.queue),
            terminal: self.terminal,
            industry: asked.industry.clone(),
            customer,
            cards: asked.cards,
            total: asked.total,
            code_hash: Vec::new(),
            sent_ms: now_ms,
            sends,
            tries_left: bank.settings.sms.tries,
            spent: false,
        };
        row.code_hash = row.hash_of(bank, code).to_vec();
        queue_code::save(conn, &row).await?;
        let text = format!(
            "[{}] Code {code} for paying {}.{:02} yuan for {} cards. Valid {} min. Tell it to nobody.",
            bank.settings.bank.name,
            row.total / 100,
            row.total % 100,
            row.cards,
            bank.settings.sms.valid_s / 60,
        );
        let card_tail = String::new();
        Ok(Letter {
            customer,
            card_tail,
            text,
        })
    }
}

pub(super) async fn state(
    bank: &Bank,
    terminal: Terminal,
    asked: &State,
) -> Result<Value, Problem> {
    if asked.void {
        void(bank, terminal, QueueId(asked.queue)).await?;
    }
    let mut conn = bank.store.snapshot().await?;
    let row = own(&mut conn, terminal, asked.queue).await?;
    let items = queue::items(&mut conn, row.id).await?;
    Ok(told(bank, &row, &items))
}

/// Without its code nothing opens a queue that is not there by now.
async fn void(bank: &Bank, terminal: Terminal, queue: QueueId) -> Result<(), Problem> {
    let now_ms = bank.now_ms();
    commit!(bank.store, conn => {
        let code = queue_code::find(conn, queue).await?;
        let own = code.is_some_and(|code| code.terminal == terminal && !code.spent);
        if own && queue::find(conn, queue).await?.is_none() {
            queue_code::spend(conn, queue, now_ms).await?;
        }
        Ok(())
    })
}

/// Closing twice is the same as once.
pub(super) async fn close(
    bank: &Bank,
    terminal: Terminal,
    asked: &Query,
) -> Result<Value, Problem> {
    let now_ms = bank.now_ms();
    let (row, items) = commit!(bank.store, conn => {
        let mut row = own(conn, terminal, asked.queue).await?;
        if row.is_open() {
            queue::close(bank, conn, &row, (json!("terminal"), now_ms)).await?;
            row.closed_ms = Some(now_ms);
        }
        let items = queue::items(conn, row.id).await?;
        Ok::<_, Problem>((row, items))
    })?;
    Ok(told(bank, &row, &items))
}

/// A queue that this terminal opened: nobody else's is told from none.
async fn own(conn: &mut Conn, terminal: Terminal, queue: [u8; 16]) -> Result<QueueRow, Problem> {
    let found = queue::find(conn, QueueId(queue)).await?;
    let own = found.filter(|row| row.terminal == terminal);
    own.ok_or_else(|| Problem::refused(403, "queue-unknown"))
}

fn told(bank: &Bank, row: &QueueRow, items: &[ItemLine]) -> Value {
    let sum = |state| queues::sum(items, &[state]);
    let item = |item: &ItemLine| {
        let since_ms = (item.state != ItemState::Waiting).then_some(item.changed_ms);
        json!({"state": item.state.name(), "reference": item.reference, "time_ms": since_ms})
    };
    let proof = row.is_open().then(|| hex::encode(queues::proof(bank, row)));
    json!({
        "state": if row.is_open() { "open" } else { "closed" },
        "closes_ms": row.closed_ms.unwrap_or(row.closes_ms),
        "total": row.total,
        "loaded": sum(ItemState::Loaded),
        "returned": sum(ItemState::Returned),
        "proof": proof,
        "items": items.iter().map(item).collect::<Vec<_>>(),
    })
}
