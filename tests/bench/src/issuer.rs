//! The bank's one answer to a load, by the card's own keys: what a bank would do is not what is measured here.

use purse::crypto::{LoadTerms, load_session_key, mac2};
use purse::{HostTime, InitForLoad, cash};
use relay::{Body, Letter, Message};
use virtual_card::{CardProfile, CashProfile};

use crate::Failure;

const AT: HostTime = HostTime {
    date: [0x20, 0x26, 0x11, 0x23],
    time: [0x09, 0x30, 0x00],
};

fn field<'m>(asked: &'m Message, name: &str) -> Result<&'m [u8], Failure> {
    let value = asked.body.field(name);
    value.ok_or_else(|| format!("the driver sent no `{name}`").into())
}

fn answer(asked: &Message, fields: &[(&str, &[u8])]) -> Result<Vec<u8>, Failure> {
    let mut body = Body {
        operation: asked.body.operation,
        transaction: asked.body.transaction,
        step: asked.body.step,
        phase: Some("credit".to_owned()),
        ..Body::default()
    };
    for (name, value) in fields {
        body.put(name, *value);
    }
    let message = Message {
        letter: Letter::I,
        industry: asked.industry,
        body,
    };
    Ok(message.encode()?)
}

/// MAC2 for a purse.
pub(crate) fn credit(
    asked: &Message,
    card: &CardProfile,
    terminal: [u8; 6],
) -> Result<Vec<u8>, Failure> {
    let amount = asked.body.amount.ok_or("no amount")?;
    let init = InitForLoad::parse(field(asked, "init")?)?;
    let terms = LoadTerms::purse(amount, terminal);
    let key = load_session_key(&card.card_keys().load.0, init.random, init.online_counter);
    let data = [&AT.date[..], &AT.time, &mac2(&key, &terms, AT)].concat();
    answer(asked, &[("credit_data", &data)])
}

/// ARPC and script for electronic cash.
pub(crate) fn script(asked: &Message, card: &CashProfile) -> Result<Vec<u8>, Failure> {
    const APPROVED: [u8; 2] = *b"00";
    let amount = asked.body.amount.ok_or("no amount")?;
    let atc = u16::from_be_bytes(field(asked, "atc")?.try_into()?);
    let code = field(asked, "cryptogram")?.try_into()?;
    let keys = card.card_keys();
    let key = cash::session_key(&keys.cryptogram.0, atc);
    let proof = cash::external_authenticate(cash::arpc(&key, code, APPROVED), APPROVED);
    let key = cash::session_key(&keys.mac.0, atc);
    let balance = card.balance.saturating_add(amount);
    let script = cash::put_balance(&key, cash::tag::BALANCE, atc, code, balance)?;
    let data = |command: &[u8]| {
        command
            .get(5..15)
            .map(<[u8]>::to_vec)
            .ok_or("a short command")
    };
    answer(
        asked,
        &[("authority", &data(&proof)?), ("script", &data(&script)?)],
    )
}
