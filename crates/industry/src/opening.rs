//! The shapes of openings and ends.

use relay::{Body, IndustryCode, Message, Operation};

/// Protocol, 1.1: what an opening carries, no more and no less.
pub(crate) fn is_opening(operation: Operation, body: &Body) -> bool {
    let (pays, proves) = match operation {
        Operation::TopUp => (true, true),
        Operation::Activation => (false, true),
        Operation::Balance | Operation::ReTopUp => (false, false),
    };
    let expected = Body {
        operation: Some(operation),
        transaction: body.transaction,
        terminal: body.terminal,
        amount: body.amount.filter(|_| pays),
        sms_proof: body.sms_proof.filter(|_| pays),
        pin_block: body.pin_block.clone().filter(|_| proves),
        about: body.about.filter(|_| operation == Operation::ReTopUp),
        refund: body.refund && operation == Operation::ReTopUp,
        ..Body::default()
    };
    *body == expected
        && body.terminal.is_some()
        && body.amount.is_some() == pays
        && body.sms_proof.is_some() == pays
        // A queue's item was paid under a password when the queue was opened.
        && (body.pin_block.is_some() == proves || operation == Operation::TopUp)
}

/// The end of an opening that can't be read: its industry if there is one, and the outcome.
pub(crate) fn unread(opening: &[u8]) -> Vec<u8> {
    let code = opening.get(1..5).and_then(|code| code.try_into().ok());
    let industry = code.and_then(|code| IndustryCode::new(code).ok());
    let industry = industry.map_or(*b"0000", IndustryCode::bytes);
    [b"A".as_slice(), &industry, b"\x01\xC8\x0Bmessage-bad"].concat()
}

/// A closing message; those made here are always of the right form and short.
pub(crate) fn encode(message: Message) -> Vec<u8> {
    let header = [b"A".as_slice(), &message.industry.bytes()].concat();
    message.encode().unwrap_or_else(|_| unread(&header))
}
