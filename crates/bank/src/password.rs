//! The bank card password: opened from its block, compared slowly, counted in the store.

use envelope::Terminal;
use envelope::keys::WorkingKey;
use envelope::pin::{self, PinDigits};
use subtle::ConstantTimeEq;

use crate::bank::Bank;
use crate::error::Problem;
use crate::store::customer::PasswordRow;

/// Whether the password was right for one customer, before any lock is held.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Compared {
    pub(crate) customer: i64,
    pub(crate) right: bool,
}

/// The id of the working key that a C5 object names, and the block.
pub(crate) fn key_of(c5: &[u8]) -> Option<(u32, &[u8])> {
    let (id, block) = c5.split_first_chunk::<4>()?;
    Some((u32::from_be_bytes(*id), block))
}

pub(crate) fn open(block: &[u8], key: &WorkingKey, terminal: &Terminal) -> Option<PinDigits> {
    pin::open_block(
        block,
        &pin::pin_key(key, terminal),
        key.facts().suite,
        terminal,
    )
    .ok()
}

/// Compares off the reactor: it is slow on purpose.
pub(crate) async fn compare(
    bank: &Bank,
    row: PasswordRow,
    digits: PinDigits,
) -> Result<Compared, Problem> {
    let vault = bank.vault.clone();
    let work = move || {
        let hash = vault.slow_hash(&digits.ascii(), &row.salt, row.rounds);
        Compared {
            customer: row.customer,
            right: hash.ct_eq(&row.hash[..]).into(),
        }
    };
    tokio::task::spawn_blocking(work)
        .await
        .map_err(Problem::internal)
}
