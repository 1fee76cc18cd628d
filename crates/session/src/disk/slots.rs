//! A file for a value that changes quickly: it has two slots, the newest state in one and the former in the other. The
//! next state goes over the former, which takes one wait for the disk and leaves the newest alone, however it is cut off.
//!
//! A slot is JSON for people too: a line with its number, length and checksum, the value, and spaces to its end.

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::Path;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{DiskError, read_bytes, text_of, value_of, watched, write_anew};

/// Slots begin and end with the pieces that file systems and disks write, so that none is torn with the other.
const BLOCK: usize = 4096;

/// More than a head takes, with the widest numbers.
const MOST_HEAD: usize = 256;

/// The line before a value.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Head {
    /// Of the state, from 1. Odd ones are in the first slot.
    seq: u64,
    /// Of the value, bytes.
    len: usize,
    /// Of number and value, hex digits.
    sha256: String,
}

/// How this process left a file.
///
/// What an earlier process left is made anew at the next write: what can be read of it need not be on the disk, if a wait
/// for the disk failed back then.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Slots {
    /// Of the newest state; 0 before the first.
    seq: u64,
    /// Of a slot, bytes.
    size: usize,
}

/// Writes a state all or nothing, and returns only when it would survive a power cut. `now` is what the last write of the
/// file gave; after an error that is nothing, and the former state is what counts.
pub(crate) fn write<T: Serialize>(
    now: Option<Slots>,
    path: &Path,
    value: &T,
) -> Result<Slots, DiskError> {
    let text = text_of(value)?;
    let next = now.and_then(|now| now.next(&text));
    if let Some((next, slot)) = next
        && let Some(mut file) = next.open(path)
    {
        watched((path, &slot, Some(next.at())), || {
            Ok(next.put(&mut file, &slot)?)
        })?;
        return Ok(next);
    }
    let (made, bytes) = Slots::first(&text).ok_or(DiskError::Broken)?;
    write_anew(path, &bytes)?;
    Ok(made)
}

/// Makes a file for a value that may come, so that its first state need not wait for a new file.
pub(crate) fn prepare(path: &Path) -> Result<Slots, DiskError> {
    let empty = Slots {
        seq: 0,
        size: BLOCK,
    };
    write_anew(path, &[blank(BLOCK), blank(BLOCK)].concat())?;
    Ok(empty)
}

/// The newest state that is whole, also in a file from before there were slots; `None` when there is no file, or one
/// whose first state never came.
pub(crate) fn read<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, DiskError> {
    let Some(bytes) = read_bytes(path)?.filter(|bytes| !is_empty(bytes)) else {
        return Ok(None);
    };
    value_of(path, newest(&bytes).unwrap_or(&bytes)).map(Some)
}

impl Slots {
    /// A file with its first state. The other slot is written too: whoever has the file has the room for the next one.
    fn first(text: &[u8]) -> Option<(Self, Vec<u8>)> {
        // States grow on their way: the bank's answer, a proof and a receipt come to it.
        let room = text.len().checked_mul(2)?.checked_add(MOST_HEAD)?;
        let size = room.checked_next_multiple_of(BLOCK)?;
        let slots = Self { seq: 1, size };
        let mut bytes = slots.slot(text)?;
        bytes.extend(blank(size));
        Some((slots, bytes))
    }

    /// None: there is no room for it.
    fn next(self, text: &[u8]) -> Option<(Self, Vec<u8>)> {
        let next = Self {
            seq: self.seq.checked_add(1)?,
            ..self
        };
        Some((next, next.slot(text)?))
    }

    fn slot(self, text: &[u8]) -> Option<Vec<u8>> {
        let head = Head {
            seq: self.seq,
            len: text.len(),
            sha256: checksum(self.seq, text),
        };
        let mut slot = serde_json::to_vec(&head).ok()?;
        slot.push(b'\n');
        slot.extend_from_slice(text);
        let rest = self.size.checked_sub(slot.len()).filter(|rest| *rest > 0)?;
        slot.extend(blank(rest));
        Some(slot)
    }

    /// Where the newest state begins.
    fn at(self) -> u64 {
        match self.seq % 2 {
            1 => 0,
            _ => u64::try_from(self.size).unwrap_or(u64::MAX),
        }
    }

    /// The file, if it is still there and as long as it was.
    fn open(self, path: &Path) -> Option<File> {
        let file = File::options().write(true).open(path).ok()?;
        let len = file.metadata().ok()?.len();
        (u64::try_from(self.size.checked_mul(2)?) == Ok(len)).then_some(file)
    }

    fn put(self, medium: &mut impl Medium, slot: &[u8]) -> io::Result<()> {
        let written = medium.put(self.at(), slot);
        if written.is_err() {
            // What counts as not written must not turn up at the next start. If that fails too, the next write makes
            // the file anew.
            let _ = medium.put(self.at(), &blank(self.size));
        }
        written
    }
}

/// What slots are on.
trait Medium {
    /// Writes from there on, and waits for the disk.
    fn put(&mut self, at: u64, bytes: &[u8]) -> io::Result<()>;
}

impl Medium for File {
    fn put(&mut self, at: u64, bytes: &[u8]) -> io::Result<()> {
        self.seek(SeekFrom::Start(at))?;
        self.write_all(bytes)?;
        self.sync_data()
    }
}

/// An empty line.
fn blank(size: usize) -> Vec<u8> {
    let mut line = vec![b' '; size];
    if let Some(last) = line.last_mut() {
        *last = b'\n';
    }
    line
}

fn checksum(seq: u64, text: &[u8]) -> String {
    let sum = Sha256::new()
        .chain_update(seq.to_be_bytes())
        .chain_update(text);
    hex::encode(sum.finalize())
}

/// Both slots as they were made: a cut file is damage.
fn is_empty(bytes: &[u8]) -> bool {
    halves(bytes).is_some_and(|(first, second)| first == second && first == blank(first.len()))
}

fn halves(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let size = bytes.len() / 2;
    let fits = size > 0 && size.is_multiple_of(BLOCK);
    fits.then(|| bytes.split_at(size))
        .filter(|(first, second)| first.len() == second.len())
}

/// The newest value that is whole; none in a file without slots.
fn newest(bytes: &[u8]) -> Option<&[u8]> {
    let (first, second) = halves(bytes)?;
    let slots = [first, second].into_iter().filter_map(whole);
    slots.max_by_key(|(seq, _)| *seq).map(|(_, text)| text)
}

fn whole(slot: &[u8]) -> Option<(u64, &[u8])> {
    let line = slot.iter().position(|byte| *byte == b'\n')?;
    let (head, rest) = slot.split_at_checked(line)?;
    let head: Head = serde_json::from_slice(head).ok()?;
    let text = rest.get(1..)?.get(..head.len)?;
    (checksum(head.seq, text) == head.sha256).then_some((head.seq, text))
}

#[cfg(test)]
mod tests;
