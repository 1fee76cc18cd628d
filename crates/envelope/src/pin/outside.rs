//! PIN blocks of `tests/fixtures/outside/psec`.

use serde::Deserialize;

use super::*;

#[derive(Deserialize)]
struct File {
    format_0: Vec<Clear>,
    format_0_refused: Vec<RefusedClear>,
    format_3: Vec<Clear>,
    format_3_refused: Vec<RefusedClear>,
    format_4: Vec<Sealed>,
    format_4_refused: Vec<RefusedSealed>,
    format_4_field: Vec<Field>,
    format_4_field_refused: Vec<RefusedField>,
    format_4_account: Vec<Account>,
}

#[derive(Deserialize)]
struct Clear {
    pin: String,
    pan: String,
    #[serde(with = "hex")]
    block: [u8; 8],
}

#[derive(Deserialize)]
struct RefusedClear {
    #[serde(with = "hex")]
    block: Vec<u8>,
    pan: String,
    why: String,
}

#[derive(Deserialize)]
struct Sealed {
    #[serde(with = "hex")]
    key: [u8; 16],
    pin: String,
    pan: String,
    #[serde(with = "hex")]
    block: [u8; 16],
}

#[derive(Deserialize)]
struct RefusedSealed {
    #[serde(with = "hex")]
    key: Vec<u8>,
    #[serde(with = "hex")]
    block: Vec<u8>,
    pan: String,
    why: String,
}

#[derive(Deserialize)]
struct Field {
    pin: String,
    #[serde(with = "hex")]
    field: [u8; 16],
}

#[derive(Deserialize)]
struct RefusedField {
    #[serde(with = "hex")]
    field: Vec<u8>,
    why: String,
}

#[derive(Deserialize)]
struct Account {
    pan: String,
    #[serde(with = "hex")]
    account: [u8; 16],
}

fn file() -> File {
    outside_vectors::read("psec/pin_blocks.json")
}

fn typed(pin: &str) -> Vec<u8> {
    pin.bytes().map(|digit| digit - b'0').collect()
}

/// The 12 digits before the check digit: what formats 0 and 3 take of an account.
fn twelve(pan: &str) -> Result<Terminal, Refused> {
    let end = pan.len() - 1;
    pan[end.saturating_sub(12)..end].parse()
}

/// Format 4 takes a whole account of up to 19 digits; a terminal is the account of 12 digits.
fn whole(pan: &str) -> Result<[u8; 16], Refused> {
    let longer = pan.len().saturating_sub(12);
    let text = format!("{:0<32}", format!("{longer:x}{pan:0>12}"));
    let bytes = hex::decode(text).map_err(|_| Refused)?;
    bytes.try_into().map_err(|_| Refused)
}

/// What [`open_block`] of the TDES suites makes of a block in clear.
fn open_clear(clear: &[u8], terminal: &Terminal) -> Result<PinDigits, Refused> {
    let key = PinKey::new([0x5D; 16]);
    let sealed = match clear.try_into() {
        Ok(clear) => encipher_block(&key.0, clear).to_vec(),
        Err(_) => clear.to_vec(),
    };
    open_block(&sealed, &key, Suite::Tdes, terminal)
}

#[test]
fn blocks_of_format_0_are_those_of_psec() {
    for case in file().format_0 {
        let account = account_0(&twelve(&case.pan).unwrap());
        let made = xor(field(&typed(&case.pin), 0x00, &[0x0F; 8]), account);
        assert_eq!(made, case.block, "{}", case.pin);
    }
}

#[test]
fn blocks_of_format_3_are_those_of_psec() {
    for case in file().format_3 {
        let account = account_0(&twelve(&case.pan).unwrap());
        let clear = xor(case.block, account);
        let text = hex::encode(clear);
        let (digits, fill) = text.split_at(2 + case.pin.len());
        assert_eq!(digits, format!("3{:x}{}", case.pin.len(), case.pin));
        assert!(fill.bytes().all(|fill| matches!(fill, b'a'..=b'f')));
        if fill.bytes().all(|fill| fill == b'f') {
            assert_eq!(field(&typed(&case.pin), 0x30, &[0x0F; 8]), clear);
        }
    }
}

#[test]
fn nothing_but_six_digits_is_opened_in_formats_0_and_3() {
    let file = file();
    for case in file.format_0.iter().chain(&file.format_3) {
        assert_ne!(case.pin.len(), PIN_LENGTH);
        let opened = open_clear(&case.block, &twelve(&case.pan).unwrap());
        assert_eq!(opened.map(|_| ()), Err(Refused), "{}", case.pin);
    }
}

#[test]
fn what_psec_refuses_in_formats_0_and_3_is_refused() {
    let file = file();
    for case in file.format_0_refused.iter().chain(&file.format_3_refused) {
        let opened = twelve(&case.pan).and_then(|terminal| open_clear(&case.block, &terminal));
        assert_eq!(opened.map(|_| ()), Err(Refused), "{}", case.why);
    }
}

#[test]
fn blocks_of_format_4_are_those_of_psec() {
    for case in file().format_4 {
        let (key, account) = (Secret::new(case.key), whole(&case.pan).unwrap());
        let clear = decipher_4(&key, case.block, &account);
        let random = clear.last_chunk::<8>().unwrap();
        let field = field_4(&typed(&case.pin), random);
        assert_eq!(field, clear, "{}", case.pan);
        assert_eq!(encipher_4(&key, &field, &account), case.block);
    }
}

#[test]
fn the_block_of_six_digits_opens_for_the_terminal_of_that_account() {
    let cases = file().format_4;
    let six: Vec<&Sealed> = cases.iter().filter(|case| case.pin.len() == 6).collect();
    assert_eq!(six.len(), 1);
    for case in six {
        let terminal: Terminal = format!("{:0>12}", case.pan).parse().unwrap();
        assert_eq!(account_4(&terminal), whole(&case.pan).unwrap());
        let key = PinKey::new(case.key);
        let opened = open_block(&case.block, &key, Suite::AesGcm, &terminal).unwrap();
        assert_eq!(opened.ascii().as_slice(), case.pin.as_bytes());
        let clear = decipher_4(&key.0, case.block, &account_4(&terminal));
        let random = clear.last_chunk::<8>().unwrap();
        let made = block(&opened, &key, Format::Iso4, &terminal, random).unwrap();
        assert_eq!(made, case.block);
    }
}

#[test]
fn what_psec_refuses_in_format_4_is_refused() {
    for case in file().format_4_refused {
        let opened = Secret::<16>::try_from(case.key.as_slice()).and_then(|key| {
            let account = whole(&case.pan)?;
            let block = case.block.as_slice().try_into().map_err(|_| Refused)?;
            let clear = decipher_4(&key, block, &account);
            read_field(&clear[..8], 0x40, |fill| fill == 0x0A)
        });
        assert_eq!(opened.map(|_| ()), Err(Refused), "{}", case.why);
    }
}

#[test]
fn fields_of_format_4_are_those_of_psec() {
    let file = file();
    for case in file.format_4_field {
        let random = case.field.last_chunk::<8>().unwrap();
        assert_eq!(*field_4(&typed(&case.pin), random), case.field);
    }
    for case in file.format_4_account {
        assert_eq!(whole(&case.pan), Ok(case.account));
    }
    let (key, terminal) = (PinKey::new([0x5D; 16]), "001122334455".parse().unwrap());
    for case in file.format_4_field_refused {
        let sealed = match case.field.as_slice().try_into() {
            Ok(field) => encipher_4(&key.0, field, &account_4(&terminal)).to_vec(),
            Err(_) => case.field,
        };
        let opened = open_block(&sealed, &key, Suite::AesGcm, &terminal);
        assert_eq!(opened.map(|_| ()), Err(Refused), "{}", case.why);
    }
}
