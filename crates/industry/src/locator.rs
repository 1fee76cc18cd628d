//! The application file locator: which records a card wants to be read (EMV Book 3, 10.2).

/// Record number, and P2 of READ RECORD: the file's short id and "P1 is a record number".
pub(crate) type Place = (u8, u8);

/// The places, in order; none when the bytes are no locator or name more than `most`.
pub(crate) fn places(locator: &[u8], most: u8) -> Option<Vec<Place>> {
    let entries = locator.chunks_exact(4);
    if !entries.remainder().is_empty() {
        return None;
    }
    let mut places = Vec::new();
    for entry in entries {
        let [file, first, last, _] = *entry else {
            return None;
        };
        let short_id = file >> 3;
        let is_file = file & 0x07 == 0 && (1..=30).contains(&short_id);
        if !is_file || first == 0 || first > last {
            return None;
        }
        for record in first..=last {
            if places.len() >= usize::from(most) {
                return None;
            }
            places.push((record, file | 0x04));
        }
    }
    Some(places)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_record_of_each_file_has_its_place() {
        let places = places(&[0x08, 1, 2, 0, 0x10, 3, 3, 1], 8).unwrap();
        assert_eq!(places, [(1, 0x0C), (2, 0x0C), (3, 0x14)]);
        assert_eq!(super::places(&[], 8), Some(Vec::new()));
    }

    #[test]
    fn a_locator_that_names_no_file_or_too_much_is_refused() {
        let cases: [&[u8]; 6] = [
            &[0x08, 1, 2],
            &[0x00, 1, 2, 0],
            &[0xF8, 1, 2, 0],
            &[0x09, 1, 2, 0],
            &[0x08, 2, 1, 0],
            &[0x08, 1, 255, 0],
        ];
        for locator in cases {
            assert_eq!(places(locator, 32), None, "{locator:02X?}");
        }
    }
}
