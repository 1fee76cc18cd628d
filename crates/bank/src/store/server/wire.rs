//! The protocol on one connection: what is asked, and what is heard.

use std::borrow::Cow;
use std::collections::{HashMap, VecDeque};
use std::io;
use std::sync::{Arc, OnceLock};

use bytes::BytesMut;
use postgres_protocol::message::backend::Message;
use postgres_protocol::message::frontend::{self, BindError};
use postgres_protocol::{IsNull, Oid};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::store::sql::Value;

use super::row::{BYTEA, Column, INT8, ServerRow, TEXT, columns};
use super::{Failed, Said};

/// Bytes of a row are in their binary form.
const BINARY: i16 = 1;
/// What the server's word of an idle connection is: outside every transaction.
const IDLE: u8 = b'I';

/// Of a message, bytes: no row comes near, and room is made for what it says.
const LONGEST: u32 = 64 << 20;
/// Bytes that are read at once, where there are so many.
const READ: usize = 16 * 1024;

/// What a connection goes through.
pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// A connection. What is asked goes nowhere until [`Wire::send`], which ends a group; then every event up to
/// [`Event::Ready`] is to be heard. Whoever stops between these leaves it in a state that nobody can use.
pub(crate) struct Wire {
    stream: Box<dyn Stream>,
    unsent: BytesMut,
    unread: BytesMut,
    statements: HashMap<Cow<'static, str>, Arc<Prepared>>,
    /// Statements that ever got a name.
    named: u64,
    /// Those whose answers were not heard to their ends, the oldest first.
    asked: VecDeque<Asked>,
    is_idle: bool,
    /// It said that it can't do what this bank asks: whoever tries again wants another one.
    is_spoilt: bool,
}

/// A statement that the server knows by a name.
struct Prepared {
    name: String,
    /// As soon as the server described them.
    columns: OnceLock<Arc<[Column]>>,
}

struct Asked {
    text: Cow<'static, str>,
    prepared: Arc<Prepared>,
    /// The server has not said yet that it knows it.
    is_new: bool,
}

/// What is heard of a group.
pub(crate) enum Event {
    /// One row of the oldest statement without an end.
    Row(ServerRow),
    /// Its end.
    Done(Tag),
    /// Its failure: those behind it are skipped.
    Failed(Said),
    /// The end of the group.
    Ready,
}

/// What a statement did.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Tag {
    /// `COMMIT`, `INSERT` and so on.
    pub(crate) verb: String,
    /// Rows.
    pub(crate) changed: u64,
}

impl Tag {
    fn read(tag: &str) -> Self {
        let (verb, rest) = tag.split_once(' ').unwrap_or((tag, ""));
        let changed = rest.rsplit(' ').next().and_then(|last| last.parse().ok());
        Self {
            verb: verb.to_owned(),
            changed: changed.unwrap_or(0),
        }
    }
}

impl Wire {
    pub(super) fn new(stream: Box<dyn Stream>) -> Self {
        Self {
            stream,
            unsent: BytesMut::new(),
            unread: BytesMut::new(),
            statements: HashMap::new(),
            named: 0,
            asked: VecDeque::new(),
            is_idle: false,
            is_spoilt: false,
        }
    }

    /// Adds a statement to the next group.
    pub(crate) fn ask(&mut self, text: Cow<'static, str>, values: &[Value]) -> Result<(), Failed> {
        let known = self.statements.get(&text).cloned();
        let is_new = known.is_none();
        let prepared = match known {
            Some(prepared) => prepared,
            None => self.prepare(text.clone(), values)?,
        };
        let name = prepared.name.clone();
        self.asked.push_back(Asked {
            text,
            prepared,
            is_new,
        });
        let formats = [BINARY];
        let bound = frontend::bind(
            "",
            &name,
            formats,
            values,
            |value, into| Ok(encoded(value, into)),
            formats,
            &mut self.unsent,
        );
        bound.map_err(|error| match error {
            BindError::Conversion(error) => Failed::unfit(error),
            BindError::Serialization(error) => Failed::unfit(error),
        })?;
        frontend::execute("", 0, &mut self.unsent).map_err(Failed::unfit)
    }

    fn prepare(
        &mut self,
        text: Cow<'static, str>,
        values: &[Value],
    ) -> Result<Arc<Prepared>, Failed> {
        self.named += 1;
        let name = format!("s{}", self.named);
        let kinds = values.iter().map(kind);
        frontend::parse(&name, &text, kinds, &mut self.unsent).map_err(Failed::unfit)?;
        frontend::describe(b'S', &name, &mut self.unsent).map_err(Failed::unfit)?;
        let prepared = Arc::new(Prepared {
            name,
            columns: OnceLock::new(),
        });
        self.statements.insert(text, prepared.clone());
        Ok(prepared)
    }

    /// Forgets what was asked since the last group.
    pub(crate) fn unask(&mut self) {
        self.unsent.clear();
        while let Some(asked) = self.asked.pop_front() {
            self.forget(&asked);
        }
    }

    /// One that the server does not know.
    fn forget(&mut self, asked: &Asked) {
        if asked.is_new {
            self.statements.remove(&asked.text);
        }
    }

    /// Sends what was asked, as one group.
    pub(crate) async fn send(&mut self) -> Result<(), Failed> {
        frontend::sync(&mut self.unsent);
        self.flush().await
    }

    pub(super) async fn flush(&mut self) -> Result<(), Failed> {
        self.stream.write_all(&self.unsent).await?;
        self.unsent.clear();
        self.stream.flush().await?;
        Ok(())
    }

    pub(super) fn unsent(&mut self) -> &mut BytesMut {
        &mut self.unsent
    }

    pub(crate) async fn event(&mut self) -> Result<Event, Failed> {
        loop {
            let message = self.message().await?;
            if let Message::DataRow(body) = &message {
                let columns = self.columns()?;
                return Ok(Event::Row(ServerRow::new(columns, body)?));
            }
            if let Message::CommandComplete(body) = &message {
                self.asked.pop_front();
                return Ok(Event::Done(Tag::read(body.tag()?)));
            }
            if let Message::ErrorResponse(body) = &message {
                while let Some(asked) = self.asked.pop_front() {
                    self.forget(&asked);
                }
                let said = Said::read(body)?;
                self.is_spoilt |= !said.is_of_rows();
                return Ok(Event::Failed(said));
            }
            if let Message::ReadyForQuery(body) = &message {
                self.is_idle = body.status() == IDLE;
                return Ok(Event::Ready);
            }
            self.learn(&message)?;
        }
    }

    fn columns(&self) -> Result<Arc<[Column]>, Failed> {
        let prepared = self.asked.front().map(|asked| &asked.prepared);
        let columns = prepared.and_then(|prepared| prepared.columns.get());
        columns
            .cloned()
            .ok_or_else(|| Failed::unfit("a row that nobody asked for"))
    }

    /// What the server says of a statement before it runs.
    fn learn(&mut self, message: &Message) -> Result<(), Failed> {
        let Some(asked) = self.asked.front_mut() else {
            return Ok(());
        };
        if let Message::ParseComplete = message {
            asked.is_new = false;
        } else if let Message::RowDescription(body) = message {
            let columns = columns(body)?.into();
            asked.prepared.columns.get_or_init(|| columns);
        }
        Ok(())
    }

    /// The next message that is not the server's own remark.
    pub(super) async fn message(&mut self) -> Result<Message, Failed> {
        loop {
            let length = self.unread.get(1..5).and_then(|it| it.try_into().ok());
            if length
                .map(u32::from_be_bytes)
                .is_some_and(|it| it > LONGEST)
            {
                return Err(Failed::unfit("a message of the store's server is too long"));
            }
            match Message::parse(&mut self.unread)? {
                Some(
                    Message::NoticeResponse(_)
                    | Message::NotificationResponse(_)
                    | Message::ParameterStatus(_),
                ) => {}
                Some(message) => return Ok(message),
                None => {
                    self.unread.reserve(READ);
                    if self.stream.read_buf(&mut self.unread).await? == 0 {
                        return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
                    }
                }
            }
        }
    }

    /// Whether anybody can have it.
    pub(super) fn is_free(&self) -> bool {
        self.is_idle && !self.is_spoilt && self.asked.is_empty() && self.unsent.is_empty()
    }

    pub(super) fn is_idle_now(&mut self) {
        self.is_idle = true;
    }

    /// Ends it with a word.
    pub(super) async fn end(mut self) -> Result<(), Failed> {
        frontend::terminate(&mut self.unsent);
        self.flush().await?;
        Ok(self.stream.shutdown().await?)
    }
}

fn kind(value: &Value) -> Oid {
    match value {
        Value::Number(_) => INT8,
        Value::Text(_) => TEXT,
        Value::Bytes(_) => BYTEA,
    }
}

fn encoded(value: &Value, into: &mut BytesMut) -> IsNull {
    let bytes: Option<&[u8]> = match value {
        Value::Number(Some(number)) => {
            into.extend_from_slice(&number.to_be_bytes());
            return IsNull::No;
        }
        Value::Number(None) => None,
        Value::Text(text) => text.as_ref().map(String::as_bytes),
        Value::Bytes(bytes) => bytes.as_deref(),
    };
    let Some(bytes) = bytes else {
        return IsNull::Yes;
    };
    into.extend_from_slice(bytes);
    IsNull::No
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_message_is_no_longer_than_any_row() {
        let (near, mut far) = tokio::io::duplex(64);
        far.write_all(b"D\xff\xff\xff\xff").await.unwrap();
        let mut wire = Wire::new(Box::new(near));
        let told = wire.message().await.err().map(|failed| failed.to_string());
        assert!(told.is_some_and(|told| told.contains("too long")));
        assert!(wire.unread.capacity() <= 2 * READ);
    }

    #[test]
    fn a_tag_says_what_was_done_and_to_how_many_rows() {
        let tag = |verb: &str, changed| Tag {
            verb: verb.to_owned(),
            changed,
        };
        assert_eq!(Tag::read("INSERT 0 3"), tag("INSERT", 3));
        assert_eq!(Tag::read("UPDATE 12"), tag("UPDATE", 12));
        assert_eq!(Tag::read("COMMIT"), tag("COMMIT", 0));
        assert_eq!(Tag::read("CREATE TABLE"), tag("CREATE", 0));
    }
}
