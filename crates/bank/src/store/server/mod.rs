//! A server that speaks as PostgreSQL does: connections of our own, whose statements go out together.
//!
//! The protocol's extended half alone is spoken: statements are prepared once on each connection, values and rows are
//! in their binary form. What is asked between two answers that somebody waits for goes out as one group with one Sync at
//! its end, so a group is one way to the server and back, and a server that fails one statement skips those behind it.

mod login;
mod pool;
mod row;
mod target;
mod tls;
mod wire;

use std::fmt::{self, Display};
use std::io;

use fallible_iterator::FallibleIterator;
use postgres_protocol::message::backend::ErrorResponseBody;

use crate::error::Problem;

pub(crate) use pool::{Leased, Pool};
pub(crate) use row::{Cell, InServer, ServerRow, Unreadable};
pub(crate) use target::Target;
pub(crate) use wire::{Event, Tag};

/// SQLSTATEs of what may be tried again: serialisation failure, deadlock, a row that another made first; a server that only
/// reads by now, and a mode or a statement that this connection can't have: another connection may.
const CONFLICTS: [&str; 6] = ["40001", "40P01", "23505", "25006", "0A000", "26000"];

/// Why a server did not do what it was asked.
#[derive(Debug)]
pub(crate) enum Failed {
    /// Its own word.
    Said(Said),
    /// The connection ended or never was.
    Broken(io::Error),
    /// It can't be spoken to like this, now or later.
    Unfit(String),
}

/// What a server says of a failure: never what was in a row or a value.
#[derive(Debug)]
pub(crate) struct Said {
    /// SQLSTATE.
    code: String,
    message: String,
}

impl Said {
    fn read(body: &ErrorResponseBody) -> io::Result<Self> {
        let (mut code, mut message) = (String::new(), String::new());
        let mut fields = body.fields();
        while let Some(field) = fields.next()? {
            let value = || String::from_utf8_lossy(field.value_bytes()).into_owned();
            match field.type_() {
                b'C' => code = value(),
                b'M' => message = value(),
                _ => {}
            }
        }
        Ok(Self { code, message })
    }

    /// Of rows or of another transaction (classes 23 and 40): the connection is as good as before.
    fn is_of_rows(&self) -> bool {
        self.code.starts_with("23") || self.code.starts_with("40")
    }

    /// A server that starts, or has too many connections for the moment.
    fn is_for_now(&self) -> bool {
        self.code == "57P03" || self.code == "53300"
    }
}

impl Failed {
    fn unfit(cause: impl Display) -> Self {
        Self::Unfit(cause.to_string())
    }

    /// Whether a commit that failed so may have been made all the same: the connection broke (class 08), somebody or
    /// the server's own end stopped it (57), or it says itself that it does not know (40003).
    pub(crate) fn is_open(&self) -> bool {
        match self {
            Self::Broken(_) | Self::Unfit(_) => true,
            Self::Said(said) => {
                let open = ["08", "57", "40003"];
                open.iter().any(|class| said.code.starts_with(class))
            }
        }
    }
}

impl Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Said(Said { code, message }) => write!(f, "{message} ({code})"),
            Self::Broken(error) => write!(f, "the connection to the store's server: {error}"),
            Self::Unfit(cause) => f.write_str(cause),
        }
    }
}

impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Self {
        Self::Broken(error)
    }
}

/// A conflict may be tried again; every other failure of the store is internal. Nothing was committed either way.
impl From<Failed> for Problem {
    #[track_caller]
    fn from(failed: Failed) -> Self {
        let is_conflict = match &failed {
            Failed::Broken(_) => true,
            Failed::Unfit(_) => false,
            // Class 57P is a server that stops or starts: the next connection may find it up.
            Failed::Said(said) => {
                CONFLICTS.contains(&said.code.as_str()) || said.code.starts_with("57P")
            }
        };
        match is_conflict {
            true => Self::overtaken(&failed.to_string()),
            false => Self::internal(failed),
        }
    }
}

#[cfg(test)]
mod tests;
