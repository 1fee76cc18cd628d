//! A command APDU, taken apart.

use crate::quirks::BlockedSelect;
use purse::Status;

/// A short command APDU.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Command<'a> {
    pub(crate) head: [u8; 4],
    pub(crate) data: &'a [u8],
    pub(crate) le: Option<u8>,
}

impl<'a> Command<'a> {
    /// Takes a short APDU of any of the four cases apart; anything else is 6700.
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Self, Status> {
        let (&head, body) = bytes.split_first_chunk::<4>().ok_or(Status::WrongLength)?;
        let (data, le) = match body {
            [] => (&body[..0], None),
            [le] => (&body[..0], Some(*le)),
            [0, ..] => return Err(Status::WrongLength),
            [lc, rest @ ..] => match rest.split_at_checked(usize::from(*lc)) {
                Some((data, [])) => (data, None),
                Some((data, [le])) => (data, Some(*le)),
                Some(_) | None => return Err(Status::WrongLength),
            },
        };
        Ok(Self { head, data, le })
    }

    pub(crate) fn exact<const N: usize>(&self) -> Result<&'a [u8; N], Status> {
        self.data.try_into().map_err(|_| Status::WrongLength)
    }
}

/// A refusal: a status, sometimes with data (SELECT of a blocked application).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) data: Vec<u8>,
    pub(crate) status: Status,
}

impl Refusal {
    /// SELECT of a blocked application.
    pub(crate) fn blocked(how: BlockedSelect, fci: Vec<u8>) -> Self {
        let (data, status) = match how {
            BlockedSelect::Bare => (Vec::new(), Status::FunctionNotSupported),
            BlockedSelect::WithFci => (fci, Status::FunctionNotSupported),
            BlockedSelect::Warning => (fci, Status::SelectedInvalidated),
        };
        Self { data, status }
    }
}

impl From<Status> for Refusal {
    fn from(status: Status) -> Self {
        Self {
            data: Vec::new(),
            status,
        }
    }
}

/// Data of a command that was done, or why it was not.
pub(crate) type Answer = Result<Vec<u8>, Refusal>;

pub(crate) fn refuse<T>(status: Status) -> Result<T, Refusal> {
    Err(status.into())
}

/// Data and status word, as they travel.
pub(crate) fn reply(answer: Answer) -> Vec<u8> {
    let (mut data, status) = match answer {
        Ok(data) => (data, Status::Ok),
        Err(refusal) => (refusal.data, refusal.status),
    };
    data.extend(status.word().to_be_bytes());
    data
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_four_cases_are_taken_apart() {
        let parts =
            |bytes: &[u8]| Command::parse(bytes).map(|command| (command.data.to_vec(), command.le));
        assert_eq!(parts(&[0, 0x84, 0, 0]), Ok((vec![], None)));
        assert_eq!(parts(&[0, 0x84, 0, 0, 4]), Ok((vec![], Some(4))));
        assert_eq!(parts(&[0, 0x20, 0, 0, 1, 9]), Ok((vec![9], None)));
        assert_eq!(parts(&[0, 0xA4, 4, 0, 1, 9, 0]), Ok((vec![9], Some(0))));
    }

    #[test]
    fn cut_overlong_and_extended_commands_are_6700() {
        for bytes in [
            &[0, 1, 2][..],
            &[0, 1, 2, 3, 2, 9],
            &[0, 1, 2, 3, 1, 9, 0, 0],
            &[0, 1, 2, 3, 0, 0, 1, 9],
        ] {
            assert_eq!(
                Command::parse(bytes).unwrap_err(),
                Status::WrongLength,
                "{bytes:02X?}"
            );
        }
    }
}
