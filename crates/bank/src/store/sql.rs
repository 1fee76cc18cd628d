//! One text for both engines: statements, their values and their rows.
//!
//! Every key begins with the bank: `$1` is its number in every statement, bound before anything else.

use std::ops::{Deref, DerefMut};

use futures_util::TryStreamExt;
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{
    Arguments, Database, FromRow, PgConnection, Pool, Postgres, SqlSafeStr, SqlStr, Sqlite,
    SqliteConnection, Transaction,
};

use crate::error::Problem;
use crate::store::group::Turn;
use crate::store::statements;

/// A connection, inside a transaction or not.
pub(crate) struct Conn {
    link: Link,
    bank: i64,
    chain: i64,
}

enum Link {
    Sqlite(Held<Sqlite>),
    /// Of SQLite, inside a commit that others share.
    Turn(Turn),
    Postgres(Held<Postgres>),
}

enum Held<DB: Database> {
    Free(PoolConnection<DB>),
    Within(Transaction<'static, DB>),
}

impl<DB: Database> Deref for Held<DB> {
    type Target = DB::Connection;

    fn deref(&self) -> &DB::Connection {
        match self {
            Self::Free(conn) => conn,
            Self::Within(tx) => tx,
        }
    }
}

impl<DB: Database> DerefMut for Held<DB> {
    fn deref_mut(&mut self) -> &mut DB::Connection {
        match self {
            Self::Free(conn) => conn,
            Self::Within(tx) => tx,
        }
    }
}

/// Connections to one database.
#[derive(Clone)]
pub(crate) enum Engine {
    Sqlite(Pool<Sqlite>),
    Postgres(Pool<Postgres>),
}

impl Engine {
    /// A connection whose statements are commits of their own.
    pub(crate) async fn free(&self, bank: i64) -> Result<Conn, Problem> {
        let link = match self {
            Self::Sqlite(pool) => Link::Sqlite(Held::Free(pool.acquire().await?)),
            Self::Postgres(pool) => Link::Postgres(Held::Free(pool.acquire().await?)),
        };
        let chain = 0;
        Ok(Conn { link, bank, chain })
    }

    /// Inside a transaction that `begin` opens; it is undone unless it is committed.
    pub(crate) async fn within(
        &self,
        begin: &'static str,
        (bank, chain): (i64, i64),
    ) -> Result<Conn, Problem> {
        let link = match self {
            Self::Sqlite(pool) => Link::Sqlite(Held::Within(pool.begin_with(begin).await?)),
            Self::Postgres(pool) => Link::Postgres(Held::Within(pool.begin_with(begin).await?)),
        };
        Ok(Conn { link, bank, chain })
    }

    pub(crate) async fn close(&self) {
        match self {
            Self::Sqlite(pool) => pool.close().await,
            Self::Postgres(pool) => pool.close().await,
        }
    }
}

impl Conn {
    /// In one's turn at writing.
    pub(crate) fn in_turn(turn: Turn, bank: i64) -> Self {
        let link = Link::Turn(turn);
        let chain = 0;
        Self { link, bank, chain }
    }

    /// A statement whose `$1` is the bank; the values that follow are `$2`, `$3` and so on.
    pub(crate) fn sql(&mut self, text: impl SqlSafeStr) -> Statement<'_> {
        let text = text.into_sql_str();
        debug_assert!(
            text.as_str().contains("$1"),
            "no bank in: {}",
            text.as_str()
        );
        let bank = self.bank;
        self.bare(text).bind(bank)
    }

    /// A statement about the database itself.
    pub(crate) fn bare(&mut self, text: impl SqlSafeStr) -> Statement<'_> {
        statements::one();
        Statement {
            conn: self,
            text: text.into_sql_str(),
            values: Vec::new(),
        }
    }

    /// The names of the schema's triggers.
    pub(crate) async fn triggers(&mut self) -> Result<Vec<(String,)>, Problem> {
        let text = match self.link {
            Link::Sqlite(_) | Link::Turn(_) => {
                "SELECT name FROM sqlite_master WHERE type = 'trigger'"
            }
            Link::Postgres(_) => {
                "SELECT DISTINCT CAST(trigger_name AS TEXT) FROM information_schema.triggers
                 WHERE trigger_schema = current_schema()"
            }
        };
        self.bare(text).all().await
    }

    pub(crate) fn is_sqlite(&self) -> bool {
        matches!(self.link, Link::Sqlite(_) | Link::Turn(_))
    }

    /// The chain of the audit log that this transaction adds to.
    pub(crate) fn chain(&self) -> i64 {
        self.chain
    }

    /// Makes what was done last; outside a transaction it is done already.
    pub(crate) async fn commit(self) -> Result<(), Problem> {
        let done = match self.link {
            Link::Turn(turn) => return turn.done().await,
            Link::Sqlite(Held::Within(tx)) => tx.commit().await,
            Link::Postgres(Held::Within(tx)) => tx.commit().await,
            Link::Sqlite(Held::Free(_)) | Link::Postgres(Held::Free(_)) => Ok(()),
        };
        done.map_err(Problem::from_commit)
    }

    /// Undoes it.
    pub(crate) async fn rollback(self) -> Result<(), sqlx::Error> {
        match self.link {
            Link::Turn(turn) => {
                turn.undone().await;
                Ok(())
            }
            Link::Sqlite(Held::Within(tx)) => tx.rollback().await,
            Link::Postgres(Held::Within(tx)) => tx.rollback().await,
            Link::Sqlite(Held::Free(_)) | Link::Postgres(Held::Free(_)) => Ok(()),
        }
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

/// Rows that both engines give.
pub(crate) trait Row:
    for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin + 'static
{
}

impl<T> Row for T where
    T: for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin + 'static
{
}

/// A statement with the values that it has so far.
#[must_use]
pub(crate) struct Statement<'c> {
    conn: &'c mut Conn,
    text: SqlStr,
    values: Vec<Value>,
}

enum Bound<'c> {
    Sqlite(&'c mut SqliteConnection, SqliteArguments),
    Postgres(&'c mut PgConnection, PgArguments),
}

impl<'c> Statement<'c> {
    pub(crate) fn bind(mut self, value: impl Bind) -> Self {
        self.values.push(Bind::value(Some(value)));
        self
    }

    /// How many rows it changed.
    pub(crate) async fn execute(self) -> Result<u64, Problem> {
        let (text, bound) = self.bound()?;
        Ok(match bound {
            Bound::Sqlite(conn, values) => {
                let query = sqlx::query_with(text, values);
                query.execute(conn).await?.rows_affected()
            }
            Bound::Postgres(conn, values) => {
                let query = sqlx::query_with(text, values);
                query.execute(conn).await?.rows_affected()
            }
        })
    }

    pub(crate) async fn all<T: Row>(self) -> Result<Vec<T>, Problem> {
        let (text, bound) = self.bound()?;
        Ok(match bound {
            Bound::Sqlite(conn, values) => {
                sqlx::query_as_with(text, values).fetch_all(conn).await?
            }
            Bound::Postgres(conn, values) => {
                sqlx::query_as_with(text, values).fetch_all(conn).await?
            }
        })
    }

    /// Hands each row to `take` as it comes, for more of them than memory should hold.
    pub(crate) async fn each<T: Row>(
        self,
        mut take: impl FnMut(T) -> Result<(), Problem>,
    ) -> Result<(), Problem> {
        let (text, bound) = self.bound()?;
        match bound {
            Bound::Sqlite(conn, values) => {
                let mut rows = sqlx::query_as_with(text, values).fetch(conn);
                while let Some(row) = rows.try_next().await? {
                    take(row)?;
                }
            }
            Bound::Postgres(conn, values) => {
                let mut rows = sqlx::query_as_with(text, values).fetch(conn);
                while let Some(row) = rows.try_next().await? {
                    take(row)?;
                }
            }
        }
        Ok(())
    }

    /// The one row that it gives, or none.
    pub(crate) async fn optional<T: Row>(self) -> Result<Option<T>, Problem> {
        let (text, bound) = self.bound()?;
        Ok(match bound {
            Bound::Sqlite(conn, values) => {
                let query = sqlx::query_as_with(text, values);
                query.fetch_optional(conn).await?
            }
            Bound::Postgres(conn, values) => {
                let query = sqlx::query_as_with(text, values);
                query.fetch_optional(conn).await?
            }
        })
    }

    pub(crate) async fn one<T: Row>(self) -> Result<T, Problem> {
        let found = self.optional().await?;
        found.ok_or_else(|| Problem::internal(sqlx::Error::RowNotFound))
    }

    /// The only column of the only row.
    pub(crate) async fn value<T>(self) -> Result<T, Problem>
    where
        (T,): Row,
    {
        let (value,): (T,) = self.one().await?;
        Ok(value)
    }

    fn bound(self) -> Result<(SqlStr, Bound<'c>), Problem> {
        let Self { conn, text, values } = self;
        let bound = match &mut conn.link {
            Link::Sqlite(conn) => Bound::Sqlite(conn, SqliteArguments::of(values)?),
            Link::Turn(turn) => Bound::Sqlite(turn.conn()?, SqliteArguments::of(values)?),
            Link::Postgres(conn) => Bound::Postgres(conn, PgArguments::of(values)?),
        };
        Ok((text, bound))
    }
}

/// Arguments of one engine, made of values.
trait Of: Sized {
    fn of(values: Vec<Value>) -> Result<Self, Problem>;
}

macro_rules! arguments_of {
    ($($arguments:ty),+) => {$(
        impl Of for $arguments {
            fn of(values: Vec<Value>) -> Result<Self, Problem> {
                let mut arguments = Self::default();
                for value in values {
                    match value {
                        Value::Number(number) => Arguments::add(&mut arguments, number),
                        Value::Text(text) => Arguments::add(&mut arguments, text),
                        Value::Bytes(bytes) => Arguments::add(&mut arguments, bytes),
                    }
                    .map_err(Problem::internal)?;
                }
                Ok(arguments)
            }
        }
    )+};
}

arguments_of!(SqliteArguments, PgArguments);
