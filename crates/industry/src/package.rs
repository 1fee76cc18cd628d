use std::collections::BTreeMap;
use std::sync::Arc;

use relay::{Body, IndustryCode, Operation};

use crate::command::Command;
use crate::error::{Flaw, broken, rule};
use crate::format::{Document, FieldShape, Kind, Map, Part};
use crate::value;
use crate::{AmountLimits, Facts, LocalName, PackageError, card_map, defined, dol, phase};

/// The longest package, bytes.
pub const MAX_PACKAGE: usize = 65_536;

const FORMAT: u8 = 1;
const MAX_COMMANDS: u32 = 128;
const MAX_BYTES: u32 = 32_768;
const MAX_MEMBERS: usize = 64;
/// Objects and lists in each other; the format has at most 9.
const MAX_DEPTH: usize = 16;
const MAX_FIELD: usize = 256;
const MAX_TIMES: u8 = 32;

/// A checked package. Its signature is the caller's matter (protocol, section 6).
#[derive(Clone, Debug)]
pub struct Package {
    pub(crate) document: Document,
    pub(crate) commands: BTreeMap<String, Command>,
}

impl Package {
    /// Reads and checks a package.
    ///
    /// # Errors
    /// Too large, not of the format, or against one of its rules; told with its place.
    pub fn parse(bytes: &[u8]) -> Result<Self, PackageError> {
        if bytes.len() > MAX_PACKAGE {
            return Err(PackageError::TooLarge { bytes: bytes.len() });
        }
        check_depth(bytes)?;
        let document: Document = serde_json::from_slice(bytes).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            PackageError::Json {
                line,
                column,
                text: message(&error),
            }
        })?;
        check_head(&document)?;
        check_constants(&document)?;
        for (name, shape) in &document.fields.0 {
            check_field(name, shape)?;
        }
        card_map::check(&document.card, &document.fields)?;
        dol::check(&document)?;
        check_members("commands", &document.commands)?;
        let commands = document.commands.0.iter();
        let commands = commands
            .map(|(name, text)| Ok((name.clone(), Command::new(name, text, &document)?)))
            .collect::<Result<_, PackageError>>()?;
        let package = Self { document, commands };
        phase::check(&package)?;
        defined::check(&package)?;
        Ok(package)
    }

    /// The industry that the package is for.
    pub fn industry(&self) -> IndustryCode {
        self.document.industry
    }

    /// Rises with each release of the package.
    pub fn version(&self) -> u32 {
        self.document.version
    }

    /// The purse's name.
    pub fn name(&self) -> &LocalName {
        &self.document.name
    }

    /// ISO 4217 letters.
    pub fn currency(&self) -> &str {
        &self.document.currency
    }

    /// The package's own limits, fen.
    pub fn limits(&self) -> AmountLimits {
        self.document.limits
    }

    /// The applications that the package selects, for systems that want them listed.
    pub fn aids(&self) -> impl Iterator<Item = &[u8]> {
        self.document.aids.iter().map(|aid| aid.0.as_slice())
    }

    /// Whether the package only reads: no command of it changes a card.
    pub fn reads_only(&self) -> bool {
        !self.commands.values().any(|command| command.commits)
    }

    /// The operations that it has.
    pub fn operations(&self) -> impl Iterator<Item = Operation> {
        let all = [
            Operation::Balance,
            Operation::TopUp,
            Operation::ReTopUp,
            Operation::Activation,
        ];
        let has = |operation: &Operation| {
            let phase = phase::opening(*operation);
            self.document.phases.0.contains_key(phase)
        };
        all.into_iter().filter(has)
    }

    /// Whether `field` or `field.part` is declared.
    pub fn declares(&self, reference: &str) -> bool {
        value::slot(&self.document.fields, reference).is_some()
    }

    /// The bytes of `field` or `field.part` in a message; none when it is not there or has a length that the field
    /// can't have.
    pub fn value<'b>(&self, body: &'b Body, reference: &str) -> Option<&'b [u8]> {
        let (name, part) = value::split(reference);
        let shape = self.document.fields.0.get(name)?;
        let bytes = body.field(name)?;
        if shape.times.is_none() && !shape.length.fits(bytes.len()) {
            return None;
        }
        match part {
            None => Some(bytes),
            Some(part) => value::part_of(shape, bytes, part),
        }
    }

    /// The bytes of the card's number in a message, as the card has them.
    pub fn number<'b>(&self, body: &'b Body) -> Option<&'b [u8]> {
        self.value(body, self.document.card.number.as_deref()?)
    }

    /// What a message tells of the card.
    pub fn facts(&self, body: &Body) -> Facts {
        Facts::of(&self.document, |name| self.value(body, name))
    }

    /// The first day on which it may be used, YYYYMMDD.
    pub fn valid_from(&self) -> Option<u32> {
        self.document.valid_from
    }
}

/// The packages of a terminal, one for each industry.
#[derive(Clone, Debug, Default)]
pub struct Packages {
    by_code: BTreeMap<IndustryCode, Arc<Package>>,
}

impl Packages {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a package, or replaces an older one. `today` is YYYYMMDD.
    ///
    /// # Errors
    /// Not yet valid, or older than the one that is there. The same version again is no error and
    /// changes nothing.
    pub fn insert(
        &mut self,
        package: impl Into<Arc<Package>>,
        today: u32,
    ) -> Result<(), PackageError> {
        let package = package.into();
        if let Some(valid_from) = package.valid_from().filter(|&from| from > today) {
            return Err(PackageError::NotYetValid { valid_from });
        }
        let (industry, version) = (package.industry(), package.version());
        if let Some(present) = self.by_code.get(&industry).map(|it| it.version()) {
            if version < present {
                return Err(PackageError::Older {
                    industry,
                    version,
                    present,
                });
            }
            if version == present {
                return Ok(());
            }
        }
        self.by_code.insert(industry, package);
        Ok(())
    }

    /// The package of an industry.
    pub fn package(&self, industry: IndustryCode) -> Option<&Package> {
        self.by_code.get(&industry).map(Arc::as_ref)
    }

    /// All packages, by code.
    pub fn iter(&self) -> impl Iterator<Item = &Package> {
        self.by_code.values().map(Arc::as_ref)
    }

    pub(crate) fn shared(&self, industry: IndustryCode) -> Option<Arc<Package>> {
        self.by_code.get(&industry).cloned()
    }
}

/// True for a name of a field, part, command, phase or constant: 1 to 32 of `a-z 0-9 _`.
pub(crate) fn is_name(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    (1..=32).contains(&name.len()) && name.bytes().all(fits)
}

/// Checks the names and the number of members.
pub(crate) fn check_members<T>(at: &str, members: &Map<T>) -> Result<(), PackageError> {
    if members.0.len() > MAX_MEMBERS {
        return Err(rule(at, format!("at most {MAX_MEMBERS} members")));
    }
    match members.0.keys().find(|name| !is_name(name)) {
        Some(name) => Err(rule(
            format!("{at}.{name}"),
            "a name is 1 to 32 of a-z, 0-9 and _",
        )),
        None => Ok(()),
    }
}

/// Told apart from other errors before anything is read: the reader would stop at the first list that stands in a
/// wrong place, and call it that.
fn check_depth(bytes: &[u8]) -> Result<(), PackageError> {
    let (mut depth, mut line, mut column) = (0_usize, 1_usize, 0_usize);
    let (mut quoted, mut escaped) = (false, false);
    for byte in bytes {
        column = column.saturating_add(1);
        match byte {
            b'\n' => (line, column) = (line.saturating_add(1), 0),
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'[' | b'{' if !quoted => depth = depth.saturating_add(1),
            b']' | b'}' if !quoted => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > MAX_DEPTH {
            return Err(PackageError::TooDeep { line, column });
        }
    }
    Ok(())
}

fn message(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.rsplit_once(" at line ") {
        Some((text, _)) => text.to_owned(),
        None => text,
    }
}

fn check_head(document: &Document) -> Result<(), PackageError> {
    let name = &document.name;
    let limits = document.limits;
    let rules = [
        (
            "format",
            document.format == FORMAT,
            "this reader knows format 1",
        ),
        ("version", document.version >= 1, "counts from 1"),
        (
            "name",
            is_title(&name.zh_cn)
                && name.zh_tw.as_deref().is_none_or(is_title)
                && is_title(&name.en),
            "1 to 64 characters, no controls",
        ),
        (
            "currency",
            is_currency(&document.currency),
            "three capital letters",
        ),
        ("aids", document.aids.len() <= 16, "at most 16"),
        (
            "aids",
            document
                .aids
                .iter()
                .all(|aid| (5..=16).contains(&aid.0.len())),
            "5 to 16 bytes",
        ),
        (
            "valid_from",
            document.valid_from.is_none_or(value::is_date),
            "a day as YYYYMMDD",
        ),
        (
            "limits.min_amount",
            limits.min_amount >= 1,
            "at least 1 fen",
        ),
        (
            "limits.max_amount",
            limits.max_amount >= limits.min_amount,
            "not under min_amount",
        ),
        (
            "limits.max_balance",
            limits.max_balance >= limits.max_amount,
            "not under max_amount",
        ),
        (
            "bounds.commands",
            (1..=MAX_COMMANDS).contains(&document.bounds.commands),
            "1 to 128",
        ),
        (
            "bounds.bytes",
            (1..=MAX_BYTES).contains(&document.bounds.bytes),
            "1 to 32768",
        ),
    ];
    match rules.into_iter().find(|(_, kept, _)| !kept) {
        Some((at, _, why)) if at.starts_with("bounds") => Err(broken(Flaw::Endless, at, why)),
        Some((at, _, why)) => Err(rule(at, why)),
        None => Ok(()),
    }
}

fn is_title(text: &str) -> bool {
    (1..=64).contains(&text.chars().count()) && !text.chars().any(char::is_control)
}

fn is_currency(text: &str) -> bool {
    text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_uppercase())
}

fn check_constants(document: &Document) -> Result<(), PackageError> {
    check_members("constants", &document.constants)?;
    check_members("fields", &document.fields)?;
    for (name, constant) in &document.constants.0 {
        let at = format!("constants.{name}");
        if !(1..=255).contains(&constant.0.len()) {
            return Err(rule(at, "1 to 255 bytes"));
        }
        if value::is_reserved(name) || document.fields.0.contains_key(name) {
            return Err(rule(at, "the name is taken"));
        }
    }
    Ok(())
}

/// What the bank's closing messages call their own fields (protocol, section 1).
const OF_CLOSINGS: [&str; 8] = [
    "already",
    "command",
    "limit",
    "new_balance",
    "old_balance",
    "receipt",
    "time",
    "tries_left",
];

fn check_field(name: &str, shape: &FieldShape) -> Result<(), PackageError> {
    let at = format!("fields.{name}");
    if OF_CLOSINGS.contains(&name) {
        return Err(rule(at, "the name is taken"));
    }
    let (min, max) = (shape.length.min(), shape.length.max());
    if value::is_reserved(name) {
        return Err(rule(at, "the name is taken"));
    }
    if max == 0 || min > max || max > MAX_FIELD {
        return Err(rule(
            at,
            format!("1 to {MAX_FIELD} bytes, min not over max"),
        ));
    }
    if let Some(times) = shape.times
        && (!(1..=MAX_TIMES).contains(&times) || min != max)
    {
        return Err(rule(
            at,
            format!("a list has 1 to {MAX_TIMES} values of one length"),
        ));
    }
    check_kind(&at, shape.kind, shape.length.exact())?;
    check_members(&at, &shape.parts)?;
    for (
        part,
        Part {
            at: start,
            length,
            kind,
        },
    ) in &shape.parts.0
    {
        let at = format!("{at}.parts.{part}");
        let end = usize::from(*start).saturating_add((*length).into());
        if *length == 0 || end > min {
            return Err(rule(at, "reaches beyond the field"));
        }
        check_kind(&at, *kind, Some((*length).into()))?;
    }
    Ok(())
}

fn check_kind(at: &str, kind: Kind, length: Option<usize>) -> Result<(), PackageError> {
    let (fits, why) = match kind {
        Kind::Hex | Kind::Bcd | Kind::BcdTail => (true, ""),
        Kind::Number | Kind::LittleNumber => {
            (matches!(length, Some(1..=4)), "a number has 1 to 4 bytes")
        }
        Kind::BcdNumber => (
            matches!(length, Some(1..=6)),
            "a BCD number has 1 to 6 bytes",
        ),
        Kind::Date => (length == Some(4), "a date has 4 bytes"),
        Kind::ShortDate => (length == Some(3), "a short date has 3 bytes"),
        Kind::Time => (length == Some(3), "a time has 3 bytes"),
        Kind::Flag => (length == Some(1), "a flag has 1 byte"),
    };
    if fits { Ok(()) } else { Err(rule(at, why)) }
}
