//! Links that ask this app for a top-up: `tapfill://topup?amount=50`.
//!
//! Any web page and any program can send one. So a link names an operation and at most an amount, both of which the
//! person sees before anything begins; it can't name a card, a phone number or anything that proves something. What
//! is not exactly of this shape is refused whole: a link that is half understood would ask for something else than
//! its sender meant.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]
#![warn(missing_docs)]
#![cfg_attr(test, allow(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use thiserror::Error;

/// What the system hands to this app, up to and with its colon.
pub const SCHEME: &str = "tapfill:";

/// The longest link that is read, in bytes.
pub const MAX_LENGTH: usize = 200;

/// The most yuan that a link may ask for; what a card and an account take is told later, and is less.
pub const MAX_YUAN: u32 = 99_999;

/// A top-up that somebody asks for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct TopupLink {
    /// Fen, more than 0; none when the link leaves it to the person.
    pub amount: Option<u32>,
}

/// Why a link is refused. Carries nothing of the link: whoever wrote it would write into our log.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum LinkError {
    /// Over [`MAX_LENGTH`] bytes.
    #[error("the link is too long")]
    TooLong,
    /// Another scheme, or no `//` behind it.
    #[error("no link of this app")]
    Scheme,
    /// Another operation than `topup`.
    #[error("unknown operation")]
    Operation,
    /// A parameter that is not known here.
    #[error("unknown parameter")]
    Parameter,
    /// A parameter stands twice.
    #[error("a parameter stands twice")]
    Twice,
    /// Not yuan with at most two decimals, nothing at all, or more than [`MAX_YUAN`].
    #[error("bad amount")]
    Amount,
}

impl TopupLink {
    /// Reads a link as the system hands it over. Systems write a scheme in any case and may add one `/` behind the
    /// operation; everything else stands exactly so.
    ///
    /// # Errors
    /// Anything that is not of the one shape above; see [`LinkError`].
    pub fn parse(link: &str) -> Result<Self, LinkError> {
        if link.len() > MAX_LENGTH {
            return Err(LinkError::TooLong);
        }
        let scheme = link.get(..SCHEME.len()).ok_or(LinkError::Scheme)?;
        if !scheme.eq_ignore_ascii_case(SCHEME) {
            return Err(LinkError::Scheme);
        }
        let rest = link
            .get(SCHEME.len()..)
            .and_then(|it| it.strip_prefix("//"));
        let rest = rest.ok_or(LinkError::Scheme)?;
        let (operation, query) = match rest.split_once('?') {
            Some((operation, query)) => (operation, Some(query)),
            None => (rest, None),
        };
        if operation.strip_suffix('/').unwrap_or(operation) != "topup" {
            return Err(LinkError::Operation);
        }
        let mut amount = None;
        for parameter in query.into_iter().flat_map(|query| query.split('&')) {
            let value = parameter.strip_prefix("amount=");
            let value = value.ok_or(LinkError::Parameter)?;
            if amount.is_some() {
                return Err(LinkError::Twice);
            }
            amount = Some(fen(value).ok_or(LinkError::Amount)?);
        }
        Ok(Self { amount })
    }
}

/// `50`, `50.5` or `50.05` yuan as fen: digits alone, no leading zero, no sign, no exponent, no escapes.
fn fen(text: &str) -> Option<u32> {
    let (yuan, decimals) = match text.split_once('.') {
        Some((yuan, decimals)) => (yuan, Some(decimals)),
        None => (text, None),
    };
    let yuan = digits(yuan, 5)?;
    let decimals = match decimals {
        None => 0,
        Some(one) if one.len() == 1 => digits_with_zeros(one)?.checked_mul(10)?,
        Some(two) if two.len() == 2 => digits_with_zeros(two)?,
        Some(_) => return None,
    };
    let fen = yuan.checked_mul(100)?.checked_add(decimals)?;
    let most = MAX_YUAN.checked_mul(100)?;
    (1..=most).contains(&fen).then_some(fen)
}

fn digits(text: &str, most: usize) -> Option<u32> {
    let good = (1..=most).contains(&text.len()) && (text == "0" || !text.starts_with('0'));
    good.then_some(())?;
    digits_with_zeros(text)
}

fn digits_with_zeros(text: &str) -> Option<u32> {
    // `parse` alone would take a sign.
    text.bytes()
        .all(|byte| byte.is_ascii_digit())
        .then_some(())?;
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn amount(link: &str) -> Result<Option<u32>, LinkError> {
        TopupLink::parse(link).map(|link| link.amount)
    }

    #[test]
    fn an_amount_is_yuan_with_at_most_two_decimals() {
        for (text, fen) in [
            ("50", 5000),
            ("50.5", 5050),
            ("50.05", 5005),
            ("0.01", 1),
            ("99999", 9_999_900),
        ] {
            let link = format!("tapfill://topup?amount={text}");
            assert_eq!(amount(&link), Ok(Some(fen)), "{text}");
        }
    }

    #[test]
    fn a_link_may_leave_the_amount_to_the_person() {
        for link in ["tapfill://topup", "tapfill://topup/", "TAPFILL://topup"] {
            assert_eq!(amount(link), Ok(None), "{link}: as systems write it");
        }
    }

    #[test]
    fn what_is_no_amount_is_refused_rather_than_guessed() {
        for text in [
            "",
            "0",
            "0.00",
            "-5",
            "+5",
            "05",
            "5.",
            ".5",
            "5.005",
            "5,00",
            "5e3",
            "5%30",
            "５０",
            "5 0",
            "100000",
            "99999.01",
            "4294967296",
            "50#x",
            "NaN",
        ] {
            let link = format!("tapfill://topup?amount={text}");
            assert_eq!(amount(&link), Err(LinkError::Amount), "{text:?}");
        }
    }

    #[test]
    fn nothing_but_the_amount_may_be_named() {
        for (query, why) in [
            ("", LinkError::Parameter),
            ("amount", LinkError::Parameter),
            ("Amount=50", LinkError::Parameter),
            ("phone=13800006021", LinkError::Parameter),
            ("amount=50&card=4471", LinkError::Parameter),
            ("amount=50&", LinkError::Parameter),
            ("amount=50&amount=50", LinkError::Twice),
        ] {
            let link = format!("tapfill://topup?{query}");
            assert_eq!(amount(&link), Err(why), "{query:?}");
        }
    }

    #[test]
    fn another_operation_or_scheme_is_none_of_ours() {
        for link in [
            "tapfill://",
            "tapfill://erase",
            "tapfill://Topup",
            "tapfill://topup//",
            "tapfill://topup/now",
            "tapfill://topup#amount=50",
            "tapfill://user@topup",
            "tapfill://topup:80?amount=50",
        ] {
            assert_eq!(amount(link), Err(LinkError::Operation), "{link}");
        }
        for link in [
            "",
            "tap",
            "tapfill:topup",
            "tapfill:/topup",
            "https://topup",
            " tapfill://topup",
        ] {
            assert_eq!(amount(link), Err(LinkError::Scheme), "{link:?}");
        }
        let long = format!("tapfill://topup?amount={}", "5".repeat(MAX_LENGTH));
        assert_eq!(amount(&long), Err(LinkError::TooLong));
    }

    proptest! {
        #[test]
        fn every_amount_survives_being_written_and_read(fen in 1_u32..=9_999_900) {
            let link = format!("tapfill://topup?amount={}.{:02}", fen / 100, fen % 100);
            prop_assert_eq!(amount(&link), Ok(Some(fen)));
        }

        #[test]
        fn no_text_makes_it_panic_or_ask_for_too_much(text in "\\PC*", tail in "[a-z=&.0-9?/]{0,40}") {
            for link in [text.clone(), format!("tapfill://topup{text}"), format!("tapfill://topup?{tail}")] {
                if let Ok(Some(fen)) = amount(&link) {
                    prop_assert!((1..=9_999_900).contains(&fen), "{}", link);
                }
            }
        }
    }
}
