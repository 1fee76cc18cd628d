//! The bank that a package is tried with: the author's own configuration, or one out of the card's profile.

use std::path::Path;

use toml::{Table, Value};
use virtual_card::{
    AnyProfile, CardProfile, CashKeySource, CashProfile, KeySource, Level, Part, SecretKey,
};

use crate::anatomy::Anatomy;
use crate::trial::cards;

/// Codes and tries enough for every check.
const MANY: i64 = 100_000;
/// Fen; enough for every check.
const RICH: i64 = 100_000_000;

/// A bank's configuration, and its customer with the card.
#[derive(Debug)]
pub(crate) struct BankConfig {
    pub(crate) text: String,
    pub(crate) customer: Option<Customer>,
    /// Fen: the smallest load.
    pub(crate) min_amount: u32,
    /// Fen: the largest load.
    pub(crate) max_amount: u32,
}

#[derive(Clone, Debug)]
pub(crate) struct Customer {
    pub(crate) phone: String,
    pub(crate) password: String,
}

/// Out of the card's profile: its issuer's keys and recipe, one customer whose card it is.
pub(crate) fn derived(anatomy: &Anatomy, card: &AnyProfile) -> Result<Table, String> {
    let mut table = Table::new();
    let mut bank = Table::new();
    bank.insert("name".to_owned(), "Trial".into());
    table.insert("bank".to_owned(), bank.into());
    let Some(serial) = serial(card) else {
        return Ok(table);
    };
    let code = anatomy.package.industry().to_string();
    let limits = anatomy.package.limits();
    let mut industry = match card {
        AnyProfile::Purse(profile) => of_purse(anatomy, profile)?,
        AnyProfile::ElectronicCash(profile) => of_cash(profile),
        AnyProfile::Recorded(_) => Table::new(),
    };
    industry.insert("code".to_owned(), code.clone().into());
    for (name, fen) in [
        (
            "min_amount",
            limits.min_amount.max(100).min(limits.max_amount),
        ),
        ("max_amount", limits.max_amount),
        ("max_balance", limits.max_balance),
    ] {
        industry.insert(name.to_owned(), i64::from(fen).into());
    }
    let card = strings(&[("industry", &code), ("serial", &serial)]);
    let mut customer = strings(&[("phone", "13800006021"), ("password", "246810")]);
    customer.insert("balance".to_owned(), RICH.into());
    customer.insert("card".to_owned(), vec![Value::from(card)].into());
    table.insert("industry".to_owned(), vec![Value::from(industry)].into());
    table.insert("customer".to_owned(), vec![Value::from(customer)].into());
    Ok(table)
}

/// What the bank calls the card; none for cards that are only read.
fn serial(card: &AnyProfile) -> Option<String> {
    match card {
        AnyProfile::Purse(profile) => Some(hex::encode(profile.serial)),
        AnyProfile::ElectronicCash(profile) => {
            let digits = hex::encode_upper(profile.pan.to_bcd(0));
            Some(digits.trim_end_matches('F').to_owned())
        }
        AnyProfile::Recorded(_) => None,
    }
}

fn of_purse(anatomy: &Anatomy, profile: &CardProfile) -> Result<Table, String> {
    let (keys, levels) = match &profile.keys {
        KeySource::Card(keys) => (keys, Vec::new()),
        KeySource::Issuer { keys, recipe } => {
            let levels: Result<Vec<String>, String> = recipe.iter().map(level).collect();
            (keys, levels?)
        }
    };
    let mut industry = Table::new();
    let unblock = anatomy.has_phase("unblock");
    let activation = if unblock { "unblock" } else { "enable-flag" };
    industry.insert("activation".to_owned(), activation.into());
    let levels: Vec<Value> = levels.into_iter().map(Value::from).collect();
    industry.insert("recipe".to_owned(), levels.into());
    let keys = [
        ("load", &keys.load),
        ("tac", &keys.tac),
        ("maintenance", &keys.maintenance),
    ];
    industry.insert("keys".to_owned(), key_table(&keys).into());
    Ok(industry)
}

fn of_cash(profile: &CashProfile) -> Table {
    let (keys, levels): (_, Vec<Value>) = match &profile.keys {
        CashKeySource::Card(keys) => (keys, Vec::new()),
        CashKeySource::Issuer(keys) => (keys, vec!["pan-psn".into()]),
    };
    let mut industry = strings(&[("scheme", "cash")]);
    industry.insert("recipe".to_owned(), levels.into());
    let keys = [("cryptogram", &keys.cryptogram), ("script", &keys.mac)];
    industry.insert("keys".to_owned(), key_table(&keys).into());
    industry
}

fn key_table(keys: &[(&str, &SecretKey)]) -> Table {
    let entry = |(name, key): &(&str, &SecretKey)| {
        let digits = hex::encode(key.0.expose().as_slice());
        ((*name).to_owned(), Value::from(digits))
    };
    keys.iter().map(entry).collect()
}

/// A level as the bank's configuration writes it. The card's own cuts and fills; the bank's must say so.
fn level(level: &Level) -> Result<String, String> {
    let mut length = 0_usize;
    let mut parts = Vec::new();
    for part in &level.0 {
        let (text, bytes) = match part {
            Part::Serial(from, to) => (format!("serial[{from}..{to}]"), to.saturating_sub(*from)),
            Part::Issuer(from, to) => (format!("issuer[{from}..{to}]"), to.saturating_sub(*from)),
            Part::Uid(from, to) => (format!("uid[{from}..{to}]"), to.saturating_sub(*from)),
            Part::Hex(bytes) => (hex::encode(bytes), bytes.len()),
        };
        length = length.saturating_add(bytes);
        parts.push(text);
    }
    match 8_usize.checked_sub(length) {
        None => {
            return Err(
                "a level of the card's recipe has over 8 bytes: give --bank-config".to_owned(),
            );
        }
        Some(0) => {}
        Some(missing) => parts.push("00".repeat(missing)),
    }
    Ok(parts.join(" + "))
}

/// The configuration cut down to this industry, with the package from `folder` alone and room for many loads.
pub(crate) fn adapted(
    mut table: Table,
    anatomy: &Anatomy,
    card: &AnyProfile,
    folder: &Path,
    signer: &[u8; 32],
) -> Result<BankConfig, String> {
    let code = anatomy.package.industry().to_string();
    let own = |entry: &Value, name: &str| entry.get(name).and_then(Value::as_str) == Some(&code);
    let industries = entries(&mut table, "industry")?;
    industries.retain(|industry| own(industry, "code"));
    let limit = |name: &str, otherwise: u32| {
        let set = industries.first().and_then(|it| it.get(name)?.as_integer());
        set.and_then(|fen| u32::try_from(fen).ok())
            .unwrap_or(otherwise)
    };
    let limits = anatomy.package.limits();
    let min_amount = limit("min_amount", 100).max(limits.min_amount);
    let max_amount = limit("max_amount", 50_000).min(limits.max_amount);
    if industries.is_empty() && !anatomy.package.reads_only() {
        return Err(format!(
            "the bank's configuration has no [[industry]] of code {code}"
        ));
    }
    let customer = holder(&mut table, &code, card)?;
    if customer.is_none() && !anatomy.package.reads_only() {
        let serial = serial(card).unwrap_or_default();
        return Err(format!(
            "no customer of the bank has the card {code} {serial}"
        ));
    }
    let bank = entry(&mut table, "bank")?;
    for name in ["security_url", "transaction_url"] {
        bank.remove(name);
    }
    bank.insert("packages".to_owned(), folder.display().to_string().into());
    bank.insert("package_signer".to_owned(), hex::encode(signer).into());
    let sms = entry(&mut table, "sms")?;
    for per in ["number", "terminal", "address", "prefix"] {
        sms.insert(format!("per_{per}_per_hour"), MANY.into());
    }
    let limits = entry(&mut table, "limits")?;
    limits.insert("requests_per_terminal_per_minute".to_owned(), 0.into());
    let text = toml::to_string(&table).map_err(|why| why.to_string())?;
    Ok(BankConfig {
        text,
        customer,
        min_amount,
        max_amount,
    })
}

/// The customer who has the card. Cards of other industries go; another card of this kind comes, for the check that it
/// never gets what was meant for the first.
fn holder(table: &mut Table, code: &str, card: &AnyProfile) -> Result<Option<Customer>, String> {
    let is = |card: &Value, name: &str, wanted: Option<&str>| {
        let written = card.get(name).and_then(Value::as_str);
        matches!((written, wanted), (Some(a), Some(b)) if a.eq_ignore_ascii_case(b))
    };
    let other = cards::another(card).as_ref().and_then(serial);
    let serial = serial(card);
    let mut found = None;
    for customer in entries(table, "customer")? {
        let customer = customer.as_table_mut().ok_or("[[customer]] is no table")?;
        customer.insert("balance".to_owned(), RICH.into());
        let text = |name: &str| {
            customer
                .get(name)
                .and_then(Value::as_str)
                .map(str::to_owned)
        };
        let (phone, password) = (text("phone"), text("password"));
        let cards = entries(customer, "card")?;
        cards.retain(|card| {
            is(card, "industry", Some(code)) && !is(card, "serial", other.as_deref())
        });
        let holds = cards
            .iter()
            .any(|card| is(card, "serial", serial.as_deref()));
        if let (true, Some(phone), Some(password)) = (holds, phone, password) {
            let other = other
                .iter()
                .map(|serial| strings(&[("industry", code), ("serial", serial)]));
            cards.extend(other.map(Value::from));
            found = Some(Customer { phone, password });
        }
    }
    Ok(found)
}

fn strings(pairs: &[(&str, &str)]) -> Table {
    let pair = |(name, text): &(&str, &str)| ((*name).to_owned(), Value::from(*text));
    pairs.iter().map(pair).collect()
}

fn entry<'t>(table: &'t mut Table, name: &str) -> Result<&'t mut Table, String> {
    let slot = table.entry(name).or_insert_with(|| Table::new().into());
    let bad = || format!("the bank's configuration: [{name}] is no table");
    slot.as_table_mut().ok_or_else(bad)
}

fn entries<'t>(table: &'t mut Table, name: &str) -> Result<&'t mut Vec<Value>, String> {
    let slot = table
        .entry(name)
        .or_insert_with(|| Vec::<Value>::new().into());
    let bad = || format!("the bank's configuration: [[{name}]] is no list");
    slot.as_array_mut().ok_or_else(bad)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(code: &str, card: &str) -> Result<BankConfig, String> {
        let file = format!("{code}.json");
        let mut all = industries::ALL.iter();
        let text = all.find(|(name, _)| *name == file).map(|(_, text)| *text);
        let anatomy = Anatomy::parse(text.unwrap_or_default()).map_err(|why| why.to_string())?;
        let card = AnyProfile::named(card).ok_or("no such card")?;
        let table = derived(&anatomy, &card)?;
        adapted(table, &anatomy, &card, Path::new("/packages"), &[7; 32])
    }

    #[test]
    fn a_bank_comes_out_of_each_demo_cards_profile() {
        for (code, card, holds) in [
            ("0001", "demo", r#"recipe = ["serial[2..10]"]"#),
            (
                "0002",
                "campus",
                r#"recipe = ["issuer[2..4] + 000000000000", "serial[2..10]"]"#,
            ),
            ("0002", "campus", r#"activation = "unblock""#),
            ("0003", "cash", r#"serial = "6200000000000005520""#),
            ("0003", "cash", r#"scheme = "cash""#),
            ("TUNI", "t-union", r#"packages = "/packages""#),
        ] {
            let config = config(code, card).unwrap_or_else(|why| panic!("{code}: {why}"));
            assert!(config.text.contains(holds), "{holds}: {}", config.text);
            let settings = bank::Settings::parse(&config.text).map(drop);
            assert_eq!(settings, Ok(()), "{code}: {}", config.text);
            assert_eq!(config.customer.is_some(), code != "TUNI", "{code}");
        }
    }

    #[test]
    fn a_bank_of_another_industry_or_without_the_card_is_told() {
        let anatomy = Anatomy::parse(industries::ALL[0].1).unwrap_or_else(|why| panic!("{why}"));
        let card = AnyProfile::Purse(CardProfile::demo());
        let adapt = |text: &str| {
            let table = text.parse().unwrap_or_else(|why| panic!("{why}"));
            adapted(table, &anatomy, &card, Path::new("p"), &[7; 32]).map(drop)
        };
        let none = adapt("[bank]\nname = \"A\"");
        assert!(none.is_err_and(|why| why.contains("no [[industry]] of code 0001")));
        let nobody = adapt("[[industry]]\ncode = \"0001\"");
        assert!(nobody.is_err_and(|why| why.contains("no customer")));
    }
}
