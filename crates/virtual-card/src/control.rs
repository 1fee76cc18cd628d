//! A slot worked from outside: one command per line over loopback TCP, one line in answer.
//!
//! | line | does |
//! |---|---|
//! | `insert`, `remove` | puts the card in, takes it out |
//! | `replace CARD` | takes the card out and puts another in |
//! | `swap CARD` | the same between two polls: the reader notices nothing |
//! | `tear INS before\|during\|after [nth]` | arms a tear; INS in hexadecimal or `any` |
//! | `garbage [INS]`, `truncate [INS]` | spoils the next reply |
//! | `slow MS` | every command takes that much longer |
//! | `jitter MS [COMMANDS]` | one command of three takes that much longer; heals after COMMANDS |
//! | `spend FEN` | the card pays somewhere else |
//! | `clear` | disarms faults, forgets the record |
//! | `status`, `record` | JSON |
//!
//! CARD is a demo card's name, a profile's path, or the profile as JSON on the same line.
//! Answers: `ok`, `ok JSON`, or `error CODE TEXT`.

use crate::any::AnyProfile;
use crate::fault::{Fault, Moment};
use crate::slot::{Recorded, Slot};
use crate::smart_card::SmartCard;
use serde::Serialize;
use std::io;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// Longest line, with its end.
const LINE_LIMIT: u64 = 64 * 1024;

/// Serves the slot to everyone who connects. Runs until dropped.
///
/// # Errors
/// When the listener fails.
pub async fn serve(listener: TcpListener, slot: Slot) -> io::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        let slot = slot.clone();
        tokio::spawn(async move {
            if let Err(error) = talk(stream, &slot).await {
                log::debug!("control connection ended: {error}");
            }
        });
    }
}

async fn talk(stream: TcpStream, slot: &Slot) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let (read, mut write) = stream.into_split();
    let mut read = BufReader::new(read);
    loop {
        let mut line = Vec::new();
        (&mut read)
            .take(LINE_LIMIT)
            .read_until(b'\n', &mut line)
            .await?;
        if line.is_empty() {
            return Ok(());
        }
        let ended = line.ends_with(b"\n");
        let mut reply = match String::from_utf8(line) {
            Ok(_) if !ended => "error too-long the line has no end".to_owned(),
            Ok(text) => obey(slot, text.trim()),
            Err(_) => "error text the line is not UTF-8".to_owned(),
        };
        reply.push('\n');
        write.write_all(reply.as_bytes()).await?;
        if !ended {
            return Ok(());
        }
    }
}

/// Does what one line says and returns the answer, without the line's end.
#[must_use]
pub fn obey(slot: &Slot, line: &str) -> String {
    let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
    match perform(slot, word, rest.trim()) {
        Ok(None) => "ok".to_owned(),
        Ok(Some(json)) => format!("ok {json}"),
        Err(Refused { code, text }) => format!("error {code} {}", text.replace('\n', " ")),
    }
}

struct Refused {
    code: &'static str,
    text: String,
}

fn refused(code: &'static str, text: impl ToString) -> Refused {
    Refused {
        code,
        text: text.to_string(),
    }
}

fn perform(slot: &Slot, word: &str, rest: &str) -> Result<Option<String>, Refused> {
    match word {
        "insert" if slot.insert() => {}
        "insert" => return Err(refused("no-card", "there is no card outside of the slot")),
        "remove" if slot.remove() => {}
        "remove" => return Err(refused("empty", "the slot is empty")),
        "replace" => slot.replace(card(rest)?),
        "swap" => slot.swap(card(rest)?),
        "spend" if slot.spend(number(rest)?) => {}
        "spend" => return Err(refused("card", "the card can't pay this")),
        "tear" => slot.arm(tear(rest)?),
        "garbage" => slot.arm(Fault::Garbage {
            ins: instruction(rest)?,
        }),
        "truncate" => slot.arm(Fault::Truncate {
            ins: instruction(rest)?,
        }),
        "jitter" => slot.arm(jitter(rest)?),
        "slow" => slot.arm(Fault::Slow { ms: number(rest)? }),
        "clear" => slot.clear(),
        "status" => return json(&slot.status()).map(Some),
        "record" => {
            let heads: Vec<Head> = slot.record().iter().map(Head::of).collect();
            return json(&heads).map(Some);
        }
        _ => return Err(refused("unknown", "no such command")),
    }
    Ok(None)
}

/// A recorded command without its data.
#[derive(Serialize)]
struct Head {
    head: String,
    length: usize,
    reply_length: usize,
    status: String,
}

impl Head {
    fn of(recorded: &Recorded) -> Self {
        let head = recorded.command.get(..5).unwrap_or(&recorded.command);
        let status = recorded.reply.last_chunk::<2>().map(hex::encode_upper);
        Self {
            head: hex::encode_upper(head),
            length: recorded.command.len(),
            reply_length: recorded.reply.len(),
            status: status.unwrap_or_default(),
        }
    }
}

fn card(text: &str) -> Result<Box<dyn SmartCard>, Refused> {
    AnyProfile::find(text)
        .map(AnyProfile::into_card)
        .map_err(|error| refused("profile", error))
}

fn tear(text: &str) -> Result<Fault, Refused> {
    let mut words = text.split_whitespace();
    let ins = instruction(
        words
            .next()
            .ok_or_else(|| refused("usage", "tear INS MOMENT [nth]"))?,
    )?;
    let moment = match words.next() {
        Some("before") => Moment::Before,
        Some("during") => Moment::During,
        Some("after") => Moment::After,
        Some(_) | None => return Err(refused("usage", "before, during or after")),
    };
    let nth = words.next().map_or(Ok(1), number)?;
    if nth == 0 || words.next().is_some() {
        return Err(refused("usage", "nth is from 1, and the last word"));
    }
    Ok(Fault::Tear { ins, moment, nth })
}

fn jitter(text: &str) -> Result<Fault, Refused> {
    let (ms, commands) = text.split_once(' ').unwrap_or((text, ""));
    let commands = commands.trim();
    let commands = (!commands.is_empty()).then(|| number(commands));
    Ok(Fault::Jitter {
        ms: number(ms)?,
        commands: commands.transpose()?,
        seed: 1,
    })
}

fn instruction(text: &str) -> Result<Option<u8>, Refused> {
    if text.is_empty() || text == "any" {
        return Ok(None);
    }
    u8::from_str_radix(text, 16)
        .map(Some)
        .map_err(|error| refused("usage", error))
}

fn number<N: std::str::FromStr<Err = std::num::ParseIntError>>(text: &str) -> Result<N, Refused> {
    text.parse().map_err(|error| refused("usage", error))
}

fn json(value: &impl Serialize) -> Result<String, Refused> {
    serde_json::to_string(value).map_err(|error| refused("json", error))
}
