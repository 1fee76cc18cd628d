//! Delivery receipts of an SMSC (SMPP 3.4, 5.2.28 and appendix B).

/// What became of a message on its way to the phone.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Arrival {
    Arrived,
    Failed,
}

impl Arrival {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Arrived => "arrived",
            Self::Failed => "failed",
        }
    }

    /// By the number of a message's state; none while it is on its way.
    pub(super) fn of_state(state: u8) -> Option<Self> {
        match state {
            2 => Some(Self::Arrived),
            // Expired, deleted, undeliverable, unknown, rejected.
            3 | 4 | 5 | 7 | 8 => Some(Self::Failed),
            _ => None,
        }
    }
}

/// One receipt: the message as the SMSC calls it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Receipt {
    pub(crate) message: String,
    pub(crate) arrival: Arrival,
}

impl Receipt {
    /// Out of the text that most of them have, `id:... stat:...`; none when it is no receipt, or not the last one.
    pub(super) fn of_text(text: &str) -> Option<Self> {
        let field = |name: &str| {
            let mut words = text.split_ascii_whitespace();
            words.find_map(|word| word.strip_prefix(name))
        };
        let arrival = match field("stat:")? {
            "DELIVRD" => Arrival::Arrived,
            "EXPIRED" | "DELETED" | "UNDELIV" | "UNKNOWN" | "REJECTD" => Arrival::Failed,
            _ => return None,
        };
        let message = field("id:").filter(|id| !id.is_empty())?.to_owned();
        Some(Self { message, arrival })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receipt_says_which_message_and_what_became_of_it() {
        let text = |stat| {
            format!(
                "id:7A31 sub:001 dlvrd:001 submit date:2611281900 done date:2611281901 stat:{stat} err:000 text:[Bank"
            )
        };
        let read = |stat| Receipt::of_text(&text(stat)).map(|it| (it.message, it.arrival));
        assert_eq!(read("DELIVRD"), Some(("7A31".to_owned(), Arrival::Arrived)));
        assert_eq!(read("UNDELIV"), Some(("7A31".to_owned(), Arrival::Failed)));
        assert_eq!(read("ENROUTE"), None, "another one follows");
        for none in ["", "STOP", "stat:DELIVRD", "id: stat:DELIVRD"] {
            assert_eq!(Receipt::of_text(none), None, "{none}");
        }
    }

    #[test]
    fn only_a_last_state_is_an_arrival_or_none() {
        let states: Vec<_> = (0..=9).map(Arrival::of_state).collect();
        let (yes, no) = (Some(Arrival::Arrived), Some(Arrival::Failed));
        let expected = [None, None, yes, no, no, no, None, no, no, None];
        assert_eq!(states, expected);
    }
}
