//! One text for both engines: statements, their values and their rows.
//!
//! Every key begins with the bank: `$1` is its number in every statement, bound before anything else.

use std::borrow::Cow;

use rusqlite::Connection;

use crate::error::Problem;
use crate::store::file::{self, Next, Reader, aside};
use crate::store::group::Turn;
use crate::store::row::{InFile, Row};
use crate::store::served::{Asked, Served, Ticket};
use crate::store::server::Pool;
use crate::store::statements;

/// A connection, inside a transaction or not.
pub(crate) struct Conn {
    link: Link,
    bank: i64,
    chain: i64,
}

enum Link {
    /// Of a file, inside a commit that others share.
    Turn(Turn),
    Reader(Box<Reader>),
    /// Of a server, each statement a commit of its own.
    Free(Served),
    /// Of a server, inside a transaction.
    Within(Served),
}

impl Conn {
    /// In one's turn at writing to a file.
    pub(crate) fn in_turn(turn: Turn, bank: i64) -> Self {
        Self::of(Link::Turn(turn), bank)
    }

    pub(crate) fn reading(reader: Reader, bank: i64) -> Self {
        Self::of(Link::Reader(Box::new(reader)), bank)
    }

    /// A connection to a server whose statements are commits of their own.
    pub(crate) async fn free(pool: &Pool, bank: i64) -> Result<Self, Problem> {
        Ok(Self::of(Link::Free(Served::take(pool).await?), bank))
    }

    /// Inside a transaction of a server that is one with all that run beside it, or is refused; undone unless it is
    /// committed.
    pub(crate) async fn serialisable(
        pool: &Pool,
        (bank, chain): (i64, i64),
    ) -> Result<Self, Problem> {
        let mut served = Served::take(pool).await?;
        served.begin("BEGIN ISOLATION LEVEL SERIALIZABLE")?;
        let conn = Self::of(Link::Within(served), bank);
        Ok(Self { chain, ..conn })
    }

    /// Reads of a server that see one moment, however long they take.
    pub(crate) async fn snapshot(pool: &Pool, bank: i64) -> Result<Self, Problem> {
        let mut served = Served::take(pool).await?;
        let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
        served.begin(begin)?;
        let served = served.patient();
        Ok(Self::of(Link::Within(served), bank))
    }

    fn of(link: Link, bank: i64) -> Self {
        let chain = 0;
        Self { link, bank, chain }
    }

    /// A statement whose `$1` is the bank; the values that follow are `$2`, `$3` and so on.
    pub(crate) fn sql(&mut self, text: impl Text) -> Statement<'_> {
        let text = text.text();
        debug_assert!(text.contains("$1"), "no bank in: {text}");
        let bank = self.bank;
        self.bare(Written(text)).bind(bank)
    }

    /// A statement about the database itself.
    pub(crate) fn bare(&mut self, text: impl Text) -> Statement<'_> {
        statements::one();
        Statement {
            conn: self,
            text: text.text(),
            values: Vec::new(),
        }
    }

    /// The names of the schema's triggers.
    pub(crate) async fn triggers(&mut self) -> Result<Vec<(String,)>, Problem> {
        let text = if self.is_sqlite() {
            "SELECT name FROM sqlite_master WHERE type = 'trigger'"
        } else {
            "SELECT DISTINCT CAST(trigger_name AS TEXT) FROM information_schema.triggers
             WHERE trigger_schema = current_schema()"
        };
        self.bare(text).all().await
    }

    pub(crate) fn is_sqlite(&self) -> bool {
        match self.link {
            Link::Turn(_) | Link::Reader(_) => true,
            Link::Free(_) | Link::Within(_) => false,
        }
    }

    /// The chain of the audit log that this transaction adds to.
    pub(crate) fn chain(&self) -> i64 {
        self.chain
    }

    /// Makes what was done last; outside a transaction it is done already.
    pub(crate) async fn commit(self) -> Result<(), Problem> {
        match self.link {
            Link::Turn(turn) => turn.done().await,
            Link::Within(served) => served.commit().await,
            Link::Reader(_) | Link::Free(_) => Ok(()),
        }
    }

    /// Undoes it.
    pub(crate) async fn rollback(self) -> Result<(), Problem> {
        match self.link {
            Link::Within(served) => served.rollback().await,
            Link::Turn(_) | Link::Reader(_) | Link::Free(_) => Ok(()),
        }
    }
}

/// The text of a statement: of the program alone, and never of what anybody said.
pub(crate) trait Text {
    fn text(self) -> Cow<'static, str>;
}

impl Text for &'static str {
    fn text(self) -> Cow<'static, str> {
        Cow::Borrowed(self)
    }
}

/// One that is put together, of names and places that are the program's own.
pub(crate) struct Made(pub(crate) String);

impl Text for Made {
    fn text(self) -> Cow<'static, str> {
        Cow::Owned(self.0)
    }
}

/// One that was a [`Text`].
struct Written(Cow<'static, str>);

impl Text for Written {
    fn text(self) -> Cow<'static, str> {
        self.0
    }
}

/// A value as both engines take it.
pub(crate) enum Value {
    Number(Option<i64>),
    Text(Option<String>),
    Bytes(Option<Vec<u8>>),
}

/// What can be a value of a statement.
pub(crate) trait Bind: Sized {
    /// `None` is a null of this type.
    fn value(this: Option<Self>) -> Value;
}

macro_rules! bind {
    ($kind:ident: $($from:ty => $into:expr),+ $(,)?) => {$(
        impl Bind for $from {
            fn value(this: Option<Self>) -> Value {
                Value::$kind(this.map($into))
            }
        }
    )+};
}

bind!(Number: i64 => |it| it, u32 => i64::from, u16 => i64::from, u8 => i64::from, bool => i64::from);
bind!(Text: &str => str::to_owned, String => |it| it, &String => String::clone);
bind!(Bytes: &[u8] => <[u8]>::to_vec, Vec<u8> => |it| it, &Vec<u8> => Vec::clone);

impl<const N: usize> Bind for &[u8; N] {
    fn value(this: Option<Self>) -> Value {
        Value::Bytes(this.map(|bytes| bytes.to_vec()))
    }
}

impl<T: Bind> Bind for Option<T> {
    fn value(this: Option<Self>) -> Value {
        T::value(this.flatten())
    }
}

/// A statement with the values that it has so far.
#[must_use]
pub(crate) struct Statement<'c> {
    conn: &'c mut Conn,
    text: Cow<'static, str>,
    values: Vec<Value>,
}

enum Bound<'c> {
    File(InPlace<'c>),
    Server(&'c mut Served, Asked),
}

/// A statement that runs on this thread.
struct InPlace<'c> {
    conn: &'c mut Connection,
    text: Cow<'static, str>,
    values: Vec<Value>,
    is_long: bool,
}

impl InPlace<'_> {
    fn run<T>(self, work: impl FnOnce(&Connection, &str, &[Value]) -> T) -> T {
        let now = || work(self.conn, &self.text, &self.values);
        if self.is_long { aside(now) } else { now() }
    }

    fn each<T: InFile>(
        self,
        mut take: impl FnMut(T) -> Result<(), Problem>,
    ) -> Result<(), Problem> {
        let take = |row| take(row).map(|()| Next::More);
        self.run(|conn, text, values| file::each(conn, (text, values), take))
    }

    fn all<T: InFile>(self) -> Result<Vec<T>, Problem> {
        let mut rows = Vec::new();
        self.each(|row| {
            rows.push(row);
            Ok(())
        })?;
        Ok(rows)
    }

    fn first<T: InFile>(self) -> Result<Option<T>, Problem> {
        let mut found = None;
        let take = |row| {
            found = Some(row);
            Ok::<_, Problem>(Next::Enough)
        };
        self.run(|conn, text, values| file::each(conn, (text, values), take))?;
        Ok(found)
    }
}

impl<'c> Statement<'c> {
    pub(crate) fn bind(mut self, value: impl Bind) -> Self {
        self.values.push(Bind::value(Some(value)));
        self
    }

    /// How many rows it changed.
    pub(crate) async fn execute(self) -> Result<u64, Problem> {
        Ok(match self.bound()? {
            Bound::File(here) => here.run(file::execute)?,
            Bound::Server(served, asked) => served.execute(asked).await?,
        })
    }

    /// Nobody waits for its answer, which must be no failure. A server is told it with what is asked next, at the latest
    /// with the commit.
    pub(crate) async fn send(self) -> Result<(), Problem> {
        match self.bound()? {
            Bound::File(here) => here.run(file::execute).map(drop)?,
            Bound::Server(served, asked) => served.send(asked).await?,
        }
        Ok(())
    }

    /// The same of one that must change a row; otherwise nothing is committed, and this is why.
    pub(crate) async fn send_one(self, why_not: fn() -> Problem) -> Result<(), Problem> {
        match self.bound()? {
            Bound::File(here) => match here.run(file::execute)? {
                0 => Err(why_not()),
                _ => Ok(()),
            },
            Bound::Server(served, asked) => served.send_one(asked, why_not).await,
        }
    }

    /// Its rows are heard later: what is asked meanwhile goes to a server together with it.
    pub(crate) async fn ask<T: Row>(self) -> Result<Later<T>, Problem> {
        Ok(match self.bound()? {
            Bound::File(here) => Later::Here(here.all()?),
            Bound::Server(served, asked) => Later::There(served.ask_for(asked).await?),
        })
    }

    pub(crate) async fn all<T: Row>(self) -> Result<Vec<T>, Problem> {
        match self.bound()? {
            Bound::File(here) => here.all(),
            Bound::Server(served, asked) => served.all(asked).await,
        }
    }

    /// Hands each row to `take` as it comes, for more of them than memory should hold.
    pub(crate) async fn each<T: Row>(
        self,
        take: impl FnMut(T) -> Result<(), Problem>,
    ) -> Result<(), Problem> {
        match self.bound()? {
            Bound::File(here) => here.each(take),
            Bound::Server(served, asked) => served.each(asked, take).await,
        }
    }

    /// The one row that it gives, or none.
    pub(crate) async fn optional<T: Row>(self) -> Result<Option<T>, Problem> {
        match self.bound()? {
            Bound::File(here) => here.first(),
            Bound::Server(served, asked) => served.optional(asked).await,
        }
    }

    pub(crate) async fn one<T: Row>(self) -> Result<T, Problem> {
        let found = self.optional().await?;
        found.ok_or_else(|| Problem::internal("no row of those that are always there"))
    }

    /// The only column of the only row.
    pub(crate) async fn value<T>(self) -> Result<T, Problem>
    where
        (T,): Row,
    {
        let (value,): (T,) = self.one().await?;
        Ok(value)
    }

    fn bound(self) -> Result<Bound<'c>, Problem> {
        let Self { conn, text, values } = self;
        let in_place = |conn, is_long, (text, values)| {
            Ok(Bound::File(InPlace {
                conn,
                text,
                values,
                is_long,
            }))
        };
        let served = match &mut conn.link {
            Link::Turn(turn) => return in_place(turn.conn(), false, (text, values)),
            Link::Reader(reader) => {
                let is_long = reader.is_long();
                return in_place(reader.conn()?, is_long, (text, values));
            }
            Link::Free(served) | Link::Within(served) => served,
        };
        Ok(Bound::Server(served, (text, values)))
    }
}

/// Rows that were asked for, of the same connection.
#[must_use]
pub(crate) enum Later<T> {
    Here(Vec<T>),
    There(Ticket),
}

impl<T: Row> Later<T> {
    pub(crate) async fn heard(self, conn: &mut Conn) -> Result<Vec<T>, Problem> {
        match (self, &mut conn.link) {
            (Self::Here(rows), _) => Ok(rows),
            (Self::There(ticket), Link::Free(served) | Link::Within(served)) => {
                served.kept(ticket).await
            }
            (Self::There(_), Link::Turn(_) | Link::Reader(_)) => {
                Err(Problem::internal("an answer of another connection"))
            }
        }
    }
}
