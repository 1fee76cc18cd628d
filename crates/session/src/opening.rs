//! The app's opening `A` messages: all that the app itself ever writes into a relay message.

use envelope::pin::{self, Format, PinDigits};
use ipc::TransactionKind;
use relay::{Body, IndustryCode, Letter, Message, Operation};

use crate::failure::Failure;
use crate::run::operation;
use crate::terminal::{TerminalLink, random};

/// What a transaction is opened with, apart from its id.
#[derive(Default)]
pub(crate) struct Terms<'a> {
    pub(crate) amount: Option<u32>,
    pub(crate) pin: Option<&'a PinDigits>,
    pub(crate) sms_proof: Option<[u8; 16]>,
    pub(crate) about: Option<[u8; 16]>,
    pub(crate) refund: bool,
}

/// The opening message of `docs/protocol.md`, 1.1.
pub(crate) fn opening(
    link: &TerminalLink,
    kind: TransactionKind,
    id: [u8; 16],
    industry: IndustryCode,
    terms: &Terms<'_>,
) -> Result<Vec<u8>, Failure> {
    let operation = operation(kind);
    // A balance works before this device has a terminal number, and without a bank.
    let terminal = match operation {
        Operation::Balance => link.terminal().map(|t| t.bcd()).unwrap_or_default(),
        Operation::TopUp | Operation::ReTopUp | Operation::Activation => link.terminal()?.bcd(),
    };
    let body = Body {
        operation: Some(operation),
        transaction: Some(id),
        amount: terms.amount,
        terminal: Some(terminal),
        pin_block: terms.pin.map(|pin| pin_block(link, pin)).transpose()?,
        sms_proof: terms.sms_proof,
        about: terms.about,
        refund: terms.refund,
        ..Body::default()
    };
    let message = Message {
        letter: Letter::A,
        industry,
        body,
    };
    message.encode().map_err(|_| ipc::Code::MessageBad.into())
}

/// Key id (4) || PIN block: the key's name travels with the block, so that a message sent again under a renewed
/// key stays the same message.
pub(crate) fn pin_block(link: &TerminalLink, digits: &PinDigits) -> Result<Vec<u8>, Failure> {
    let key = link.working_key()?;
    let terminal = link.terminal()?;
    let mut fill = [0; 8];
    random(&mut fill)?;
    let facts = key.facts();
    let block = pin::block(
        digits,
        &pin::pin_key(&key, &terminal),
        Format::of(facts.suite),
        &terminal,
        &fill,
    )
    .map_err(|_| Failure::from(ipc::Code::PasswordShort))?;
    Ok([facts.id.to_be_bytes().as_slice(), &block].concat())
}
