//! The submit_sm of one text.

use std::str::FromStr;
use std::time::Duration;

use rusmpp::pdus::SubmitSm;
use rusmpp::tlvs::MessageSubmissionRequestTlvValue;
use rusmpp::types::{AnyOctetString, COctetString, EmptyOrFullCOctetString, OctetString};
use rusmpp::values::{DataCoding, EsmClass, MessagePayload, Npi, RegisteredDelivery, Ton};

use crate::config::SmppSettings;
use crate::sms::alphabet::{Coding, Encoded};

/// Kinds of numbers (SMPP 3.4, 5.2.5 and 5.2.6).
const INTERNATIONAL: u8 = 1;
const ALPHANUMERIC: u8 = 5;
const ISDN: u8 = 1;

/// esm_class: the bytes begin with a header (SMPP 3.4, 5.2.12).
const WITH_HEADER: u8 = 0x40;
/// registered_delivery: a receipt, whatever becomes of it (SMPP 3.4, 5.2.17).
const WITH_RECEIPT: u8 = 1;

pub(super) struct Address {
    ton: u8,
    npi: u8,
    text: String,
}

impl Address {
    pub(super) fn source(settings: &SmppSettings) -> Self {
        let text = settings.source.clone();
        let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
        let (ton, npi) = if is_number {
            (0, ISDN)
        } else {
            (ALPHANUMERIC, 0)
        };
        Self {
            ton: settings.source_ton.unwrap_or(ton),
            npi: settings.source_npi.unwrap_or(npi),
            text,
        }
    }

    pub(super) fn dest(settings: &SmppSettings, phone: &str) -> Self {
        let ton = if settings.prefix.is_empty() {
            0
        } else {
            INTERNATIONAL
        };
        Self {
            ton: settings.dest_ton.unwrap_or(ton),
            npi: settings.dest_npi.unwrap_or(ISDN),
            text: format!("{}{phone}", settings.prefix),
        }
    }
}

/// What all parts of one SMS share.
pub(super) struct Submits<'a> {
    pub(super) settings: &'a SmppSettings,
    pub(super) source: Address,
    pub(super) dest: Address,
    /// How long its code is still good.
    pub(super) left: Duration,
}

impl Submits<'_> {
    /// None: it can't be said.
    pub(super) fn parts(&self, encoded: &Encoded, reference: u8) -> Option<Vec<SubmitSm>> {
        let parts = encoded.parts(reference)?;
        let last = parts.len().checked_sub(1)?;
        let parts = parts.into_iter().enumerate();
        let made = parts.map(|(at, part)| {
            let class = if part.has_header { WITH_HEADER } else { 0 };
            let mut submit = self.empty(encoded.coding, class, at == last)?;
            submit.set_short_message(OctetString::from_vec(part.bytes).ok()?);
            Some(submit)
        });
        made.collect()
    }

    pub(super) fn payload(&self, encoded: &Encoded) -> Option<SubmitSm> {
        let mut submit = self.empty(encoded.coding, 0, true)?;
        let payload = MessagePayload::new(AnyOctetString::from_vec(encoded.whole()));
        submit.push_tlv(MessageSubmissionRequestTlvValue::MessagePayload(payload));
        Some(submit)
    }

    fn empty(&self, coding: Coding, class: u8, is_last: bool) -> Option<SubmitSm> {
        let wants_receipt = self.settings.receipts && is_last;
        let coding = match coding {
            Coding::Default => DataCoding::McSpecific,
            Coding::Ucs2 => DataCoding::Ucs2,
        };
        let submit = SubmitSm::builder()
            .source_addr_ton(Ton::from(self.source.ton))
            .source_addr_npi(Npi::from(self.source.npi))
            .source_addr(COctetString::from_str(&self.source.text).ok()?)
            .dest_addr_ton(Ton::from(self.dest.ton))
            .dest_addr_npi(Npi::from(self.dest.npi))
            .destination_addr(COctetString::from_str(&self.dest.text).ok()?)
            // By their numbers: the default that this crate has is an acknowledgement.
            .esm_class(EsmClass::from(class))
            .registered_delivery(RegisteredDelivery::from(match wants_receipt {
                true => WITH_RECEIPT,
                false => 0,
            }))
            .validity_period(EmptyOrFullCOctetString::from_str(&relative(self.left)).ok()?)
            .data_coding(coding)
            .build();
        Some(submit)
    }
}

/// From now on, as YYMMDDhhmmsstnnR (SMPP 3.4, 7.1.1.2); at least a second, less than a day.
fn relative(left: Duration) -> String {
    let seconds = left.as_secs().clamp(1, 24 * 3600 - 1);
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    format!("000000{hours:02}{minutes:02}{:02}000R", seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_that_a_code_has_left_is_told() {
        for (seconds, text) in [
            (300, "000000000500000R"),
            (0, "000000000001000R"),
            (3_661, "000000010101000R"),
            (10_000_000, "000000235959000R"),
        ] {
            assert_eq!(relative(Duration::from_secs(seconds)), text);
            assert_eq!(text.len(), 16);
        }
    }
}
