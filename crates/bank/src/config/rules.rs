//! What a configuration must keep to.

use purse::MasterKey;

use crate::config::{ConfigError, CustomerSettings, IndustrySettings, Settings};
use crate::recipe::Recipe;
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
        ];
        for (field, url) in urls {
            if url
                .as_ref()
                .is_some_and(|url| !url.starts_with("https://") || url.ends_with('/'))
            {
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

impl IndustrySettings {
    pub(crate) fn issuer_keys(&self, at: usize) -> Result<IssuerKeyTexts, ConfigError> {
        let key = |name: &str, text: &str, recipe: &Recipe| {
            let field = || format!("industry[{at}].keys.{name}");
            if let Some(label) = text.strip_prefix("hsm:") {
                // A key that stays inside can only make others.
                return if label.is_empty() || recipe.is_empty() {
                    Err(bad(
                        field(),
                        "hsm:LABEL, and a recipe of one level at least",
                    ))
                } else {
                    Ok(IssuerKeyText::Label(label.to_owned()))
                };
            }
            let rule = "8 or 16 bytes as hex digits, or hsm:LABEL";
            let bytes = hex::decode(text).map(zeroize::Zeroizing::new);
            let bytes = bytes.map_err(|_| bad(field(), rule))?;
            let key = MasterKey::from_bytes(&bytes).map_err(|_| bad(field(), rule))?;
            Ok(IssuerKeyText::Key(key))
        };
        let recipe = |name: &str, own: &Option<Vec<String>>| {
            let (field, levels) = match own {
                Some(levels) => (format!("industry[{at}].{name}_recipe"), levels),
                None => (format!("industry[{at}].recipe"), &self.recipe),
            };
            Recipe::parse(levels).map_err(|cause| bad(field, cause))
        };
        let pair = |name: &str, text: &Option<String>, own: &Option<Vec<String>>| {
            let missing = || bad(format!("industry[{at}].keys.{name}"), "is missing");
            let text = text.as_ref().ok_or_else(missing)?;
            let recipe = recipe(name, own)?;
            Ok((key(name, text, &recipe)?, recipe))
        };
        let keys = &self.keys;
        match self.scheme {
            Scheme::Purse => {
                if keys.purchase.is_some() {
                    pair("purchase", &keys.purchase, &None)?;
                }
                Ok(IssuerKeyTexts::Purse {
                    load: pair("load", &keys.load, &self.load_recipe)?,
                    tac: pair("tac", &keys.tac, &self.tac_recipe)?,
                    maintenance: pair("maintenance", &keys.maintenance, &self.maintenance_recipe)?,
                })
            }
            Scheme::Cash => Ok(IssuerKeyTexts::Cash {
                cryptogram: pair("cryptogram", &keys.cryptogram, &None)?,
                script: pair("script", &keys.script, &None)?,
            }),
        }
    }
}

/// A key and its recipe as the file gives them.
pub(crate) type KeyWithRecipe = (IssuerKeyText, Recipe);

/// The issuer keys of one industry as the file gives them.
pub(crate) enum IssuerKeyTexts {
    Purse {
        load: KeyWithRecipe,
        tac: KeyWithRecipe,
        maintenance: KeyWithRecipe,
    },
    Cash {
        cryptogram: KeyWithRecipe,
        script: KeyWithRecipe,
    },
}

/// A key, or where it is.
pub(crate) enum IssuerKeyText {
    Key(MasterKey),
    /// Of a key in the security module.
    Label(String),
}

pub(super) fn bad(field: impl Into<String>, cause: impl Into<String>) -> ConfigError {
    ConfigError::Field {
        field: field.into(),
        cause: cause.into(),
    }
}
