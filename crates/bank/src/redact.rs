//! A second look at every line of the log. Nothing secret is logged on purpose; an error of a library, or a mistake, is
//! stopped here.

/// Digits of a phone number in China, and the fewest of anything that could be a card's number. Twelve are a terminal's,
/// thirteen a time in milliseconds.
const PHONE: usize = 11;
const CARD: usize = 14;
const LONGEST_CARD: usize = 20;
/// A DES key has 16 hex digits; incidents have 12.
const KEY: usize = 16;

/// `text` with the last four of any phone or card number, and nothing of any key.
pub fn redacted(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut word = String::new();
    for letter in text.chars() {
        if letter.is_ascii_alphanumeric() {
            word.push(letter);
            continue;
        }
        push(&mut out, &word);
        word.clear();
        out.push(letter);
    }
    push(&mut out, &word);
    out
}

fn push(out: &mut String, word: &str) {
    let digits = word.bytes().all(|byte| byte.is_ascii_digit());
    let hex = word.bytes().all(|byte| byte.is_ascii_hexdigit());
    let length = word.len();
    if digits && (length == PHONE || (CARD..=LONGEST_CARD).contains(&length)) {
        out.push_str("...");
        out.push_str(word.get(length.saturating_sub(4)..).unwrap_or_default());
    } else if hex && length >= KEY {
        out.push_str("[hidden]");
    } else {
        out.push_str(word);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_phones_and_cards_keep_their_last_four_and_keys_nothing() {
        for (from, to) in [
            ("to 13800006021.", "to ...6021."),
            ("card 6200000000000005520", "card ...5520"),
            ("serial 00006217000000004471 of", "serial ...4471 of"),
            (
                "load = \"00112233445566778899AABBCCDDEEFF\"",
                "load = \"[hidden]\"",
            ),
            ("k=0011223344556677889900112233445566778899", "k=[hidden]"),
            ("des 0123456789ABCDEF", "des [hidden]"),
        ] {
            assert_eq!(redacted(from), to);
        }
    }

    #[test]
    fn what_the_log_is_for_stays() {
        let line = "incident 0f1e2d3c4b5a: replay at 481516234215, TF-7K2M-9VQX at 1795428001000 ms, 5000 fen";
        assert_eq!(redacted(line), line);
    }
}
