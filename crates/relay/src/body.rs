use std::fmt;

use serde::{Deserialize, Serialize};

use crate::MessageError;
use crate::tlv;

/// The most fields that one message may carry.
pub const MAX_FIELDS: usize = 64;

const LONGEST_TEXT: usize = 32;

/// What a transaction is for (tag C0).
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Operation {
    /// 01: read the card.
    Balance,
    /// 02: load money.
    TopUp,
    /// 03: settle and, where needed, finish a load.
    ReTopUp,
    /// 04: make the card usable.
    Activation,
}

impl Operation {
    /// The byte that travels.
    pub fn code(self) -> u8 {
        match self {
            Self::Balance => 1,
            Self::TopUp => 2,
            Self::ReTopUp => 3,
            Self::Activation => 4,
        }
    }

    /// The operation of a byte; none for an unknown one.
    pub fn of(code: u8) -> Option<Self> {
        match code {
            1 => Some(Self::Balance),
            2 => Some(Self::TopUp),
            3 => Some(Self::ReTopUp),
            4 => Some(Self::Activation),
            _ => None,
        }
    }
}

/// One named value (tag D0).
#[derive(Clone, Eq, PartialEq)]
pub struct Field {
    /// 1 to 32 of `a-z 0-9 _`.
    pub name: String,
    /// The value's bytes; what they mean is the industry's matter.
    pub value: Vec<u8>,
}

/// The objects of a relay message; which ones stand where is told in the protocol's section 1.1.
#[derive(Clone, Default, Eq, PartialEq)]
pub struct Body {
    /// C0.
    pub operation: Option<Operation>,
    /// C1, random, made by the app.
    pub transaction: Option<[u8; 16]>,
    /// C2, from 1.
    pub step: Option<u8>,
    /// C3, fen.
    pub amount: Option<u32>,
    /// C4, 12 BCD digits.
    pub terminal: Option<[u8; 6]>,
    /// C5, 12 or 20 bytes.
    pub pin_block: Option<Vec<u8>>,
    /// C6.
    pub sms_proof: Option<[u8; 16]>,
    /// C7, 1 to 32 of `a-z 0-9 _ -`.
    pub phase: Option<String>,
    /// C8, 1 to 32 of `a-z 0-9 _ -`.
    pub outcome: Option<String>,
    /// C9, 1 to 32 printable ASCII characters.
    pub reference: Option<String>,
    /// CA.
    pub about: Option<[u8; 16]>,
    /// CB.
    pub package_version: Option<u32>,
    /// CC: present as 01, or absent.
    pub refund: bool,
    /// D0, each name once.
    pub fields: Vec<Field>,
}

impl Body {
    /// The value of a field.
    pub fn field(&self, name: &str) -> Option<&[u8]> {
        self.fields
            .iter()
            .find(|field| field.name == name)
            .map(|field| field.value.as_slice())
    }

    /// Adds a field at the end.
    pub fn put(&mut self, name: &str, value: impl Into<Vec<u8>>) {
        self.fields.push(Field {
            name: name.to_owned(),
            value: value.into(),
        });
    }

    pub(crate) fn parse(mut bytes: &[u8]) -> Result<Self, MessageError> {
        let mut body = Self::default();
        while !bytes.is_empty() {
            let (object, rest) = tlv::take(bytes)?;
            body.accept(object.tag, object.value)?;
            bytes = rest;
        }
        Ok(body)
    }

    pub(crate) fn encode_into(&self, out: &mut Vec<u8>) -> Result<(), MessageError> {
        self.check_shapes()?;
        let mut put = |tag, value: Option<&[u8]>| match value {
            Some(value) => tlv::put(out, tag, value),
            None => Ok(()),
        };
        put(
            0xC0,
            self.operation
                .map(|it| [it.code()])
                .as_ref()
                .map(<[u8; 1]>::as_slice),
        )?;
        put(0xC1, self.transaction.as_ref().map(<[u8; 16]>::as_slice))?;
        put(
            0xC2,
            self.step.map(|it| [it]).as_ref().map(<[u8; 1]>::as_slice),
        )?;
        put(
            0xC3,
            self.amount
                .map(u32::to_be_bytes)
                .as_ref()
                .map(<[u8; 4]>::as_slice),
        )?;
        put(0xC4, self.terminal.as_ref().map(<[u8; 6]>::as_slice))?;
        put(0xC5, self.pin_block.as_deref())?;
        put(0xC6, self.sms_proof.as_ref().map(<[u8; 16]>::as_slice))?;
        put(0xC7, self.phase.as_deref().map(str::as_bytes))?;
        put(0xC8, self.outcome.as_deref().map(str::as_bytes))?;
        put(0xC9, self.reference.as_deref().map(str::as_bytes))?;
        put(0xCA, self.about.as_ref().map(<[u8; 16]>::as_slice))?;
        put(
            0xCB,
            self.package_version
                .map(u32::to_be_bytes)
                .as_ref()
                .map(<[u8; 4]>::as_slice),
        )?;
        put(0xCC, self.refund.then_some(&[1]))?;
        for field in &self.fields {
            put(0xD0, Some(&field.object()?))?;
        }
        Ok(())
    }

    fn accept(&mut self, tag: u8, value: &[u8]) -> Result<(), MessageError> {
        let bad = MessageError::Value(tag);
        match tag {
            0xC0 => once(
                tag,
                &mut self.operation,
                byte(tag, value).map(Operation::of)?.ok_or(bad)?,
            ),
            0xC1 => once(tag, &mut self.transaction, exact(tag, value)?),
            0xC2 => once(tag, &mut self.step, byte(tag, value)?),
            0xC3 => once(
                tag,
                &mut self.amount,
                u32::from_be_bytes(exact(tag, value)?),
            ),
            0xC4 => once(tag, &mut self.terminal, terminal(exact(tag, value)?)?),
            0xC5 => once(tag, &mut self.pin_block, pin_block(value)?.to_vec()),
            0xC6 => once(tag, &mut self.sms_proof, exact(tag, value)?),
            0xC7 => once(tag, &mut self.phase, word(tag, value)?),
            0xC8 => once(tag, &mut self.outcome, word(tag, value)?),
            0xC9 => once(tag, &mut self.reference, printable(tag, value)?),
            0xCA => once(tag, &mut self.about, exact(tag, value)?),
            0xCB => once(
                tag,
                &mut self.package_version,
                u32::from_be_bytes(exact(tag, value)?),
            ),
            0xCC => match (self.refund, value) {
                (false, [1]) => {
                    self.refund = true;
                    Ok(())
                }
                (true, [1]) => Err(MessageError::Twice(tag)),
                _ => Err(bad),
            },
            0xD0 => self.accept_field(Field::of_object(value)?),
            other => Err(MessageError::Tag(other)),
        }
    }

    fn accept_field(&mut self, field: Field) -> Result<(), MessageError> {
        if self.fields.len() >= MAX_FIELDS || self.field(&field.name).is_some() {
            return Err(MessageError::Fields);
        }
        self.fields.push(field);
        Ok(())
    }

    fn check_shapes(&self) -> Result<(), MessageError> {
        self.terminal.map(terminal).transpose()?;
        self.pin_block.as_deref().map(pin_block).transpose()?;
        self.phase
            .as_ref()
            .map(|it| word(0xC7, it.as_bytes()))
            .transpose()?;
        self.outcome
            .as_ref()
            .map(|it| word(0xC8, it.as_bytes()))
            .transpose()?;
        self.reference
            .as_ref()
            .map(|it| printable(0xC9, it.as_bytes()))
            .transpose()?;
        let mut names: Vec<&str> = self
            .fields
            .iter()
            .map(|field| field.name.as_str())
            .collect();
        names.sort_unstable();
        names.dedup();
        if names.len() != self.fields.len() || names.len() > MAX_FIELDS {
            return Err(MessageError::Fields);
        }
        Ok(())
    }
}

impl Field {
    fn of_object(value: &[u8]) -> Result<Self, MessageError> {
        let bad = MessageError::Value(0xD0);
        let (&length, rest) = value.split_first().ok_or(bad)?;
        let (name, value) = rest.split_at_checked(usize::from(length)).ok_or(bad)?;
        let name = String::from_utf8(name.to_vec()).map_err(|_| bad)?;
        if is_field_name(&name) {
            Ok(Self {
                name,
                value: value.to_vec(),
            })
        } else {
            Err(bad)
        }
    }

    fn object(&self) -> Result<Vec<u8>, MessageError> {
        let bad = MessageError::Value(0xD0);
        let length = u8::try_from(self.name.len()).map_err(|_| bad)?;
        if !is_field_name(&self.name) {
            return Err(bad);
        }
        Ok([&[length], self.name.as_bytes(), &self.value].concat())
    }
}

/// Shows which objects there are; values that could be secret or name a card as lengths only.
impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Body")
            .field("operation", &self.operation)
            .field("step", &self.step)
            .field("amount", &self.amount)
            .field("phase", &self.phase)
            .field("outcome", &self.outcome)
            .field("reference", &self.reference)
            .field("fields", &self.fields)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({} bytes)", self.name, self.value.len())
    }
}

fn once<T>(tag: u8, place: &mut Option<T>, value: T) -> Result<(), MessageError> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(MessageError::Twice(tag)),
    }
}

fn exact<const N: usize>(tag: u8, value: &[u8]) -> Result<[u8; N], MessageError> {
    value.try_into().map_err(|_| MessageError::Value(tag))
}

fn byte(tag: u8, value: &[u8]) -> Result<u8, MessageError> {
    exact::<1>(tag, value).map(|[byte]| byte)
}

fn terminal(bytes: [u8; 6]) -> Result<[u8; 6], MessageError> {
    let digits = bytes.iter().all(|byte| byte >> 4 <= 9 && byte & 0x0F <= 9);
    if digits {
        Ok(bytes)
    } else {
        Err(MessageError::Value(0xC4))
    }
}

fn pin_block(value: &[u8]) -> Result<&[u8], MessageError> {
    if matches!(value.len(), 12 | 20) {
        Ok(value)
    } else {
        Err(MessageError::Value(0xC5))
    }
}

fn word(tag: u8, value: &[u8]) -> Result<String, MessageError> {
    text(tag, value, |byte| {
        byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_')
    })
}

fn printable(tag: u8, value: &[u8]) -> Result<String, MessageError> {
    text(tag, value, |byte| byte.is_ascii_graphic())
}

fn text(tag: u8, value: &[u8], fits: impl Fn(u8) -> bool) -> Result<String, MessageError> {
    let good = (1..=LONGEST_TEXT).contains(&value.len()) && value.iter().all(|&byte| fits(byte));
    if !good {
        return Err(MessageError::Value(tag));
    }
    String::from_utf8(value.to_vec()).map_err(|_| MessageError::Value(tag))
}

fn is_field_name(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    (1..=LONGEST_TEXT).contains(&name.len()) && name.bytes().all(fits)
}
