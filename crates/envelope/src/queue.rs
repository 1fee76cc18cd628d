//! Transaction ids of a queue's items (`docs/protocol.md`, 9.2): by them the bank knows whose money a load is.

use crate::kdf;

const LABEL: &[u8] = b"tapfill/1/queue-item";

/// What all transaction ids of one item begin with. `place`: from 0, in the order of opening.
pub fn stem(queue: &[u8; 16], place: u16) -> [u8; 15] {
    let hash = kdf::sha256(&[LABEL, queue, &place.to_be_bytes()]);
    let mut stem = [0; 15];
    stem.iter_mut().zip(hash).for_each(|(to, from)| *to = from);
    stem
}

/// The transaction id of an item's attempt.
pub fn transaction(queue: &[u8; 16], place: u16, attempt: u8) -> [u8; 16] {
    let mut id = [attempt; 16];
    let stem = stem(queue, place);
    id.iter_mut().zip(stem).for_each(|(to, from)| *to = from);
    id
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transaction_id_is_the_items_stem_and_the_attempt() {
        // Python's hashlib: sha256(b"tapfill/1/queue-item" + 16 * b"\x07" + place).
        let first = "994e1e44b4747e436e093d8f69f5d0";
        assert_eq!(hex::encode(stem(&[7; 16], 0)), first);
        assert_eq!(
            hex::encode(transaction(&[7; 16], 499, 2)),
            "3e119f39479f9e4da999828d39216002"
        );
    }
}
