//! What a configuration must keep to.

use crate::config::{ConfigError, CustomerSettings, Settings};
use crate::scheme::Scheme;
use crate::store::Place;

impl Settings {
    /// Where the store is.
    pub(crate) fn place(&self) -> Result<Place, ConfigError> {
        let Some(url) = &self.bank.store else {
            return Ok(Place::default());
        };
        Place::parse(url, self.bank.number).map_err(|cause| bad("bank.store", cause))
    }

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        self.check_numbers()?;
        self.sms.check()?;
        #[cfg(feature = "otel")]
        if let Some(otel) = &self.otel {
            otel.check()?;
        }
        #[cfg(not(feature = "otel"))]
        if self.otel.is_some() {
            return Err(bad("otel", "only in a program built with the feature otel"));
        }
        self.place()?;
        self.check_core()?;
        for (at, industry) in self.industries.iter().enumerate() {
            let code = industry.code.parse::<relay::IndustryCode>();
            code.map_err(|_| {
                bad(
                    format!("industry[{at}].code"),
                    "4 digits or capital letters",
                )
            })?;
            if self
                .industries
                .iter()
                .filter(|other| other.code == industry.code)
                .count()
                > 1
            {
                return Err(bad(format!("industry[{at}].code"), "is there twice"));
            }
            industry.issuer_keys(at)?;
            let ordered = industry.min_amount > 0
                && industry.min_amount <= industry.max_amount
                && industry.max_amount <= industry.max_balance;
            if !ordered || industry.max_balance > 0x7FFF_FFFF {
                let rule = "0 < min_amount <= max_amount <= max_balance, in fen";
                return Err(bad(format!("industry[{at}].min_amount"), rule));
            }
        }
        for (at, customer) in self.customers.iter().enumerate() {
            self.check_customer(at, customer)?;
        }
        Ok(())
    }

    fn check_numbers(&self) -> Result<(), ConfigError> {
        let positive = [
            ("keys.working_key_life_s", self.keys.working_key_life_s),
            ("keys.master_key_life_s", self.keys.master_key_life_s),
            ("sms.valid_s", self.sms.valid_s),
            ("sms.proof_valid_s", self.sms.proof_valid_s),
            ("sms.tries", self.sms.tries.into()),
            ("password.tries", self.password.tries.into()),
            ("password.rounds", self.password.rounds.get().into()),
            ("limits.request_timeout_ms", self.limits.request_timeout_ms),
            (
                "limits.concurrent_requests",
                self.limits.concurrent_requests as u64,
            ),
            ("limits.answer_ms", self.limits.answer_ms),
            ("limits.connections", self.limits.connections as u64),
            (
                "limits.connections_per_address",
                self.limits.connections_per_address as u64,
            ),
            ("limits.silence_s", self.limits.silence_s),
            ("limits.doubt_s", self.limits.doubt_s),
            ("limits.queue_s", self.limits.queue_s),
        ];
        // A year is more than any of these can mean, and keeps sums of them far from overflow.
        const MOST: u64 = 366 * 24 * 3600;
        for (field, value) in positive {
            if !(1..=MOST).contains(&value) {
                return Err(bad(field, "a number from 1 to 31622400"));
            }
        }
        let others = [
            self.keys.working_key_margin_s,
            self.sms.resend_s,
            self.password.lock_s,
        ];
        if others.into_iter().any(|value| value > MOST) {
            return Err(bad("keys, sms, password", "times are at most 31622400 s"));
        }
        if self.keys.working_key_margin_s >= self.keys.working_key_life_s {
            return Err(bad(
                "keys.working_key_margin_s",
                "less than working_key_life_s",
            ));
        }
        for (field, suite) in [
            ("keys.suite", self.keys.suite),
            ("keys.lowest_suite", self.keys.lowest_suite),
        ] {
            if suite > 3 {
                return Err(bad(field, "0, 1, 2 or 3"));
            }
        }
        if self.keys.suite < self.keys.lowest_suite {
            return Err(bad("keys.suite", "not below lowest_suite"));
        }
        let urls = [
            ("bank.security_url", &self.bank.security_url),
            ("bank.transaction_url", &self.bank.transaction_url),
            ("bank.receipt_url", &self.bank.receipt_url),
        ];
        for (field, url) in urls {
            if url.as_ref().is_some_and(|url| {
                !url.starts_with("https://")
                    || url.ends_with('/')
                    || url.contains(['?', '#', '@', ' '])
            }) {
                return Err(bad(field, "https://host:port without a final slash"));
            }
        }
        Ok(())
    }

    fn check_customer(&self, at: usize, customer: &CustomerSettings) -> Result<(), ConfigError> {
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        if !digits(&customer.phone) || customer.phone.len() > 15 {
            return Err(bad(format!("customer[{at}].phone"), "up to 15 digits"));
        }
        if !digits(&customer.password) || customer.password.len() != 6 {
            return Err(bad(format!("customer[{at}].password"), "6 digits"));
        }
        if self
            .customers
            .iter()
            .filter(|other| other.phone == customer.phone)
            .count()
            > 1
        {
            return Err(bad(format!("customer[{at}].phone"), "is there twice"));
        }
        for (number, card) in customer.cards.iter().enumerate() {
            let field = |name: &str| format!("customer[{at}].card[{number}].{name}");
            let industry = self.industries.iter().find(|it| it.code == card.industry);
            let Some(industry) = industry else {
                return Err(bad(field("industry"), "the code of an [[industry]] above"));
            };
            let scheme = industry.scheme;
            if card.serial_bytes(scheme).is_none() {
                let rule = match scheme {
                    Scheme::Purse => "10 bytes as 20 hex digits",
                    Scheme::Cash => "the 8 to 19 digits of the card's number",
                };
                return Err(bad(field("serial"), rule));
            }
            let same = self.customers.iter().flat_map(|customer| &customer.cards);
            let same = same.filter(|other| {
                other.industry == card.industry
                    && other.serial_bytes(scheme) == card.serial_bytes(scheme)
            });
            if same.count() > 1 {
                return Err(bad(field("serial"), "is there twice"));
            }
        }
        Ok(())
    }
}

pub(super) fn bad(field: impl Into<String>, cause: impl Into<String>) -> ConfigError {
    ConfigError::Field {
        field: field.into(),
        cause: cause.into(),
    }
}
