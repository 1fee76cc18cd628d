//! What all codes by SMS have in common (`docs/protocol.md`, section 4): limits, rests, and that a number which is not on
//! file looks the same.

use serde_json::{Value, json};

use crate::bank::Bank;
use crate::error::Problem;
use crate::sms::Sms;
use crate::store::sms::Asker;
use crate::store::{Conn, commit, counted, customer, outbox};
use crate::vault::random;

/// Sends for one thing: what a person needs, and too few for guessing.
const MOST_SENDS: u32 = 5;

/// What a code is asked for.
pub(super) trait Wanted: Sync {
    /// How many codes this has had, when it may have another one.
    fn sends_so_far(
        &self,
        bank: &Bank,
        conn: &mut Conn,
        now_ms: u64,
    ) -> impl Future<Output = Result<u32, Problem>> + Send;

    /// Keeps what is stored of a new code, the so-manieth; what its SMS says, and to whom.
    fn keep(
        &self,
        bank: &Bank,
        conn: &mut Conn,
        code: (&str, u32),
        now_ms: u64,
    ) -> impl Future<Output = Result<Letter, Problem>> + Send;
}

/// An SMS without its address.
pub(super) struct Letter {
    /// Whose number on file it goes to; never the number that was typed. None: to nobody.
    pub(super) customer: Option<i64>,
    pub(super) card_tail: String,
    pub(super) text: String,
}

/// A number that is not on file gets the same answer, the same limits and, in the store, the same rows.
pub(super) async fn send(
    bank: &Bank,
    asker: &Asker<'_>,
    wanted: &impl Wanted,
) -> Result<Value, Problem> {
    let now_ms = bank.now_ms();
    let asker = asker.counted(bank);
    // Everybody behind one address meets in its count. Of a server that must not be part of the work: one conflict
    // after another would be all that came of it.
    let mut ahead = bank.store.ahead().await?;
    if let Some(conn) = &mut ahead {
        wanted.sends_so_far(bank, conn, now_ms).await?;
        counted::take_alone(conn, &asker, now_ms).await?;
    }
    let is_counted = ahead.take().is_some();
    commit!(bank.store, conn => {
        let sends = wanted.sends_so_far(bank, conn, now_ms).await?;
        if !is_counted {
            counted::take(conn, &asker, now_ms).await?;
        }
        let code = draw()?;
        let letter = wanted.keep(bank, conn, (&code, sends.saturating_add(1)), now_ms).await?;
        queue(bank, conn, (code, letter), now_ms).await
    })?;
    bank.outbox.notify_one();
    let limits = &bank.settings.sms;
    let resend_ms = limits.resend_s.saturating_mul(1_000);
    let valid_ms = limits.valid_s.saturating_mul(1_000);
    Ok(json!({"resend_after_ms": resend_ms, "valid_ms": valid_ms}))
}

/// Whether another code may follow the last one, and so many, now.
pub(super) fn rested(
    bank: &Bank,
    (sent_ms, sends): (u64, u32),
    now_ms: u64,
) -> Result<(), Problem> {
    let resend_ms = bank.settings.sms.resend_s.saturating_mul(1_000);
    let wait_ms = sent_ms.saturating_add(resend_ms).saturating_sub(now_ms);
    let over = sends >= MOST_SENDS;
    if wait_ms == 0 && !over {
        return Ok(());
    }
    let wait_ms = if over {
        resend_ms.max(wait_ms)
    } else {
        wait_ms
    };
    Err(Problem::refused(429, "too-many").with("retry_after_ms", wait_ms))
}

fn draw() -> Result<String, Problem> {
    loop {
        let number = u32::from_be_bytes(random()?);
        // Below the largest multiple of a million in 32 bits every code is equally likely.
        if number < 4_294_000_000 {
            return Ok(format!("{:06}", number % 1_000_000));
        }
    }
}

async fn queue(
    bank: &Bank,
    conn: &mut Conn,
    (code, letter): (String, Letter),
    now_ms: u64,
) -> Result<(), Problem> {
    let phone = match letter.customer {
        Some(customer) => customer::phone_on_file(bank, conn, customer)
            .await?
            .to_string(),
        None => String::new(),
    };
    let sms = Sms {
        phone,
        card_tail: letter.card_tail,
        code,
        text: letter.text,
        sent_ms: now_ms,
    };
    let plain = zeroize::Zeroizing::new(serde_json::to_vec(&sms).map_err(Problem::internal)?);
    outbox::sms(conn, bank.vault.seal("sms", &plain)?, now_ms).await
}
