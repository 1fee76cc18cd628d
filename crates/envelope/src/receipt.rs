//! Receipts that anybody can check (`docs/protocol.md`, section 8): the bank signs what a load came to.

use crate::Refused;
use crate::package::{sign, verify};

const LABEL: &[u8] = b"tapfill/1/receipt";

/// What a receipt says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Receipt {
    /// The load's reference for people, `TF-XXXX-XXXX`.
    pub reference: String,
    /// The last four digits of the card.
    pub tail: String,
    /// Fen.
    pub amount: u32,
    /// Fen, before the load.
    pub old_balance: u32,
    /// Fen, after it.
    pub new_balance: u32,
    /// The bank's time, ms since 1970-01-01 UTC.
    pub time_ms: u64,
}

impl Receipt {
    /// The query of the bank's page, `r=..&c=..&a=..&o=..&n=..&t=..&s=SIGNATURE`: what is signed is all before `&s=`.
    pub fn signed(&self, secret: &[u8; 32]) -> String {
        let plain = self.plain();
        let signature = sign(secret, &[LABEL, plain.as_bytes()].concat());
        format!("{plain}&s={}", hex::encode(signature))
    }

    /// Reads such a query.
    ///
    /// # Errors
    /// [`Refused`] for anything but what [`Receipt::signed`] gave under this signer.
    pub fn open(signer: &[u8; 32], query: &str) -> Result<Self, Refused> {
        let (plain, signature) = query.split_once("&s=").ok_or(Refused)?;
        let signature = hex::decode(signature).map_err(|_| Refused)?;
        verify(signer, &[LABEL, plain.as_bytes()].concat(), &signature)?;
        let receipt = Self::parse(plain).ok_or(Refused)?;
        // one text for one receipt
        if receipt.plain() == plain {
            Ok(receipt)
        } else {
            Err(Refused)
        }
    }

    fn plain(&self) -> String {
        let Self {
            reference,
            tail,
            amount,
            old_balance,
            new_balance,
            time_ms,
        } = self;
        format!("r={reference}&c={tail}&a={amount}&o={old_balance}&n={new_balance}&t={time_ms}")
    }

    fn parse(plain: &str) -> Option<Self> {
        let mut parts = plain.split('&');
        let mut next = |name: &str| parts.next()?.strip_prefix(name)?.strip_prefix('=');
        Some(Self {
            reference: next("r")?.to_owned(),
            tail: next("c")?.to_owned(),
            amount: next("a")?.parse().ok()?,
            old_balance: next("o")?.parse().ok()?,
            new_balance: next("n")?.parse().ok()?,
            time_ms: next("t")?.parse().ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::package::signer_public;

    fn receipt() -> Receipt {
        Receipt {
            reference: "TF-7K2M-91QX".to_owned(),
            tail: "4471".to_owned(),
            amount: 5_000,
            old_balance: 12_850,
            new_balance: 17_850,
            time_ms: 1_795_428_000_000,
        }
    }

    #[test]
    fn a_signed_receipt_says_what_was_signed() {
        let query = receipt().signed(&[7; 32]);
        assert!(
            query.starts_with("r=TF-7K2M-91QX&c=4471&a=5000&o=12850&n=17850&t=1795428000000&s=")
        );
        assert_eq!(
            Receipt::open(&signer_public(&[7; 32]), &query),
            Ok(receipt())
        );
    }

    #[test]
    fn a_changed_receipt_and_one_of_another_bank_are_refused() {
        let signer = signer_public(&[7; 32]);
        let query = receipt().signed(&[7; 32]);
        for changed in [
            query.replace("a=5000", "a=50000"),
            query.replace("a=5000", "a=+5000"),
            query.replace("&s=", "&x=1&s="),
            query.replace("4471", "4472"),
            query[..query.len() - 2].to_owned(),
            format!("{query}00"),
            String::new(),
            "&s=".to_owned(),
        ] {
            assert_eq!(Receipt::open(&signer, &changed), Err(Refused), "{changed}");
        }
        assert_eq!(
            Receipt::open(&signer_public(&[8; 32]), &query),
            Err(Refused)
        );
    }
}
