use std::fs;
use std::path::PathBuf;

use tempfile::TempDir;

use super::*;

/// A folder, and a file with the states 1 to `last` in it, as `state` makes them.
fn kept(last: u64) -> (TempDir, PathBuf, Slots) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("value.json");
    let mut now = None;
    for number in 1..=last {
        now = Some(write(now, &path, &state(number)).unwrap());
    }
    (dir, path, now.unwrap())
}

fn state(number: u64) -> Vec<u64> {
    // Odd states are short, even ones long: what a shorter one leaves of a longer one is none of its own.
    vec![number; if number % 2 == 1 { 8 } else { 20 }]
}

fn seen(path: &Path) -> Result<Option<Vec<u64>>, DiskError> {
    read(path)
}

/// The file's bytes now, and with one more state.
fn around(path: &Path, slots: Slots, number: u64) -> (Vec<u8>, Vec<u8>) {
    let before = fs::read(path).unwrap();
    write(Some(slots), path, &state(number)).unwrap();
    (before, fs::read(path).unwrap())
}

fn up_to(last: usize, new: &[u8], old: &[u8]) -> Vec<u8> {
    [&new[..last], &old[last..]].concat()
}

#[test]
fn a_write_that_is_torn_at_any_byte_leaves_the_former_state_or_is_whole() {
    for last in 1..=3 {
        let (_dir, path, slots) = kept(last);
        let (before, after) = around(&path, slots, last + 1);
        let slot = if last % 2 == 1 { BLOCK } else { 0 };
        let end = slot + after[slot..slot + BLOCK].trim_ascii_end().len();
        for cut in slot..=slot + BLOCK {
            // Pieces reach a disk in any order.
            for torn in [up_to(cut, &after, &before), up_to(cut, &before, &after)] {
                let there = torn[slot..end] == after[slot..end];
                let state = state(if there { last + 1 } else { last });
                let told = newest(&torn).map(|text| serde_json::from_slice(text).unwrap());
                assert_eq!(told, Some(state), "state {last}, cut at {cut}");
            }
        }
    }
}

#[test]
fn a_state_that_is_cut_off_again_and_again_never_costs_the_former_one() {
    let (_dir, path, slots) = kept(2);
    let (before, after) = around(&path, slots, 3);
    for cut in 0..200 {
        fs::write(&path, up_to(cut, &after, &before)).unwrap();
        // The next start goes on with what it finds.
        write(None, &path, &state(4)).unwrap();
        assert_eq!(seen(&path), Ok(Some(state(4))));
    }
}

#[test]
fn two_torn_slots_are_damage_and_so_is_a_file_that_is_cut() {
    let (_dir, path, _) = kept(2);
    let good = fs::read(&path).unwrap();
    let mut torn = good.clone();
    torn[100] ^= 1;
    fs::write(&path, &torn).unwrap();
    assert_eq!(seen(&path), Ok(Some(state(2))), "the newer one is whole");
    torn[BLOCK + 100] ^= 1;
    fs::write(&path, &torn).unwrap();
    assert_eq!(seen(&path), Err(DiskError::Damaged));
    for len in [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK - 1] {
        fs::write(&path, &good[..len]).unwrap();
        assert_eq!(seen(&path), Err(DiskError::Damaged), "{len} bytes");
    }
}

#[test]
fn a_changed_number_makes_no_old_state_new() {
    let (_dir, path, _) = kept(2);
    let mut bytes = fs::read(&path).unwrap();
    let at = bytes.windows(8).position(|it| it == b"{\"seq\":1").unwrap();
    bytes[at + 7] = b'9';
    fs::write(&path, bytes).unwrap();
    assert_eq!(seen(&path), Ok(Some(state(2))));
}

#[test]
fn a_newest_state_of_another_kind_is_damage_and_not_the_former_one() {
    let (_dir, path, slots) = kept(1);
    write(Some(slots), &path, &"of a later version").unwrap();
    assert_eq!(seen(&path), Err(DiskError::Damaged));
}

#[test]
fn a_file_from_before_slots_is_read_and_its_next_write_gives_it_slots() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("value.json");
    assert_eq!(seen(&path), Ok(None), "no file");
    crate::disk::write_atomic(&path, &state(1)).unwrap();
    assert_eq!(seen(&path), Ok(Some(state(1))));
    // As long as a file with slots, by chance.
    let mut text = fs::read(&path).unwrap();
    text.resize(2 * BLOCK, b' ');
    fs::write(&path, text).unwrap();
    assert_eq!(seen(&path), Ok(Some(state(1))));
    let slots = write(None, &path, &state(2)).unwrap();
    let slots = write(Some(slots), &path, &state(3)).unwrap();
    assert_eq!((slots.seq, seen(&path)), (2, Ok(Some(state(3)))));
}

#[test]
fn people_read_both_states_and_programs_a_stream_of_json() {
    let (_dir, path, _) = kept(3);
    let text = fs::read_to_string(&path).unwrap();
    assert_eq!(text.len(), 2 * BLOCK);
    assert!(text.lines().all(|line| line.is_ascii()));
    let values = serde_json::Deserializer::from_str(&text).into_iter::<serde_json::Value>();
    let values: Vec<_> = values.map(Result::unwrap).collect();
    assert_eq!(values.len(), 4, "two heads, two states");
    assert_eq!(values[1], serde_json::json!(state(3)));
    assert_eq!(values[3], serde_json::json!(state(2)));
}

#[test]
fn a_state_that_outgrows_its_slot_gets_a_larger_file() {
    let (_dir, path, small) = kept(2);
    let large = vec![7_u64; 2_000];
    let slots = write(Some(small), &path, &large).unwrap();
    assert_eq!((slots.seq, slots.size > small.size), (1, true));
    assert_eq!(seen(&path), Ok(Some(large)));
    let slots = write(Some(slots), &path, &state(4)).unwrap();
    assert_eq!(slots.seq, 2, "in the slot beside it");
    assert_eq!(seen(&path), Ok(Some(state(4))));
    for len in (0..3 * BLOCK).step_by(7) {
        let text = vec![b'x'; len];
        let (slots, bytes) = Slots::first(&text).unwrap();
        assert_eq!(bytes.len(), 2 * slots.size, "{len} bytes");
        assert_eq!(newest(&bytes), Some(text.as_slice()), "{len} bytes");
    }
}

#[test]
fn a_file_that_somebody_else_changed_is_made_anew() {
    let (_dir, path, slots) = kept(2);
    for other in [None, Some(b"{}".as_slice()), Some(&[b'x'; 3 * BLOCK])] {
        match other {
            Some(bytes) => fs::write(&path, bytes).unwrap(),
            None => fs::remove_file(&path).unwrap(),
        }
        assert_eq!(write(Some(slots), &path, &state(3)).unwrap().seq, 1);
        assert_eq!(seen(&path), Ok(Some(state(3))));
    }
}

#[test]
fn a_file_that_was_made_ready_says_nothing_until_its_first_state_is_whole() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("value.json");
    let ready = prepare(&path).unwrap();
    assert_eq!(seen(&path), Ok(None));
    let empty = fs::read(&path).unwrap();
    fs::write(&path, &empty[..BLOCK]).unwrap();
    assert_eq!(seen(&path), Err(DiskError::Damaged), "cut");
    fs::write(&path, &empty).unwrap();
    let (before, after) = around(&path, ready, 1);
    assert_eq!(seen(&path), Ok(Some(state(1))));
    assert_eq!(after[BLOCK..], empty[BLOCK..], "in the first slot");
    let end = after[..BLOCK].trim_ascii_end().len();
    for cut in 1..end {
        fs::write(&path, up_to(cut, &after, &before)).unwrap();
        assert_eq!(seen(&path), Err(DiskError::Damaged), "torn at {cut}: told");
    }
}

#[test]
fn a_first_state_that_is_too_large_for_what_was_made_ready_makes_its_own_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("value.json");
    let ready = prepare(&path).unwrap();
    let large = vec![7_u64; 2_000];
    write(Some(ready), &path, &large).unwrap();
    assert_eq!(seen(&path), Ok(Some(large)));
}

/// A disk that refuses its first write, with that many bytes of it there.
struct Refusing {
    shown: Vec<u8>,
    written: Option<usize>,
}

impl Medium for Refusing {
    fn put(&mut self, at: u64, bytes: &[u8]) -> io::Result<()> {
        let at = usize::try_from(at).map_err(io::Error::other)?;
        let refused = self.written.take();
        let written = refused.unwrap_or(bytes.len());
        self.shown[at..at + written].copy_from_slice(&bytes[..written]);
        match refused {
            Some(_) => Err(io::ErrorKind::StorageFull.into()),
            None => Ok(()),
        }
    }
}

#[test]
fn a_refused_write_does_not_count_however_much_of_it_is_there() {
    let (_dir, path, slots) = kept(2);
    let shown = fs::read(&path).unwrap();
    let text = text_of(&state(3)).unwrap();
    let (next, slot) = slots.next(&text).unwrap();
    let former = text_of(&state(2)).unwrap();
    for written in 0..=BLOCK {
        let mut disk = Refusing {
            shown: shown.clone(),
            written: Some(written),
        };
        assert!(next.put(&mut disk, &slot).is_err(), "it was refused");
        let told = newest(&disk.shown);
        assert_eq!(told, Some(former.as_slice()), "{written} bytes were there");
    }
}
