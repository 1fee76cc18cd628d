//! A connection to a server, and for how long its answers are waited for.
//!
//! A machine that loses its power or its network says nothing any more, and nobody hears of that for many minutes: without
//! an end to waiting, its connections would keep all lanes, while new ones could long be had elsewhere.
//!
//! Inside a transaction a statement that nobody waits for goes out with the next one that somebody does, as one group;
//! then all answers are heard, and the first failure is what is told. With the last group goes COMMIT: of a group of which
//! one statement fails the server skips those behind it. What fails without the server's knowledge, a row that had to be
//! there, is heard before COMMIT is sent.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::timeout;

use crate::error::Problem;
use crate::store::row::Row;
use crate::store::server::{Event, Failed, InServer, Leased, Pool, ServerRow, Tag};
use crate::store::sql::Value;
use crate::store::statements;

/// A statement of a request takes milliseconds, and where others are in its way some seconds.
const PATIENCE: Duration = Duration::from_secs(10);

/// Between two rows of a read that takes as long as there is to read.
const LONG: Duration = Duration::from_secs(600);

/// Statements of one group: their answers wait on the way while the server is still being asked.
const GROUP: usize = 64;

/// A statement with its values.
pub(crate) type Asked = (Cow<'static, str>, Vec<Value>);

/// One that belongs to somebody. What is left in the middle of a statement is of no use to others, and is closed.
pub(crate) struct Served {
    /// None when it is given back.
    conn: Option<Leased>,
    patience: Duration,
    /// A group was sent, and its end was not heard.
    is_asked: bool,
    transaction: Transaction,
    /// What is wanted of those whose answers were not heard, the oldest first.
    wanted: VecDeque<Want>,
    /// What was heard before somebody asked for it.
    kept: Vec<Vec<ServerRow>>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Transaction {
    /// Each statement is a commit of its own.
    None,
    /// It begins with the next group.
    Unsent,
    Open,
    /// Nothing of it will be made.
    Failed,
}

/// What is wanted of an answer.
enum Want {
    /// That it is no failure.
    Done,
    /// That it changed a row; otherwise this is why not.
    Changed(fn() -> Problem),
    /// Its rows, by this ticket.
    Kept(Ticket),
    /// Its rows, at once.
    Rows,
}

/// The place of an answer that is heard later.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(crate) struct Ticket(usize);

/// Why a group was not done.
enum Missed {
    /// Nothing came in time.
    Silent,
    Failed(Failed),
    /// It was, but not as it was wanted.
    Unwanted(Problem),
}

impl Missed {
    /// Where nothing was made: a transaction whose connection ends is undone.
    #[track_caller]
    fn undone(self) -> Problem {
        match self {
            Self::Silent => Problem::overtaken("a server that says nothing"),
            Self::Failed(failed) => failed.into(),
            Self::Unwanted(problem) => problem,
        }
    }

    /// Of a group with COMMIT in it. One whose answer was lost may have been made.
    #[track_caller]
    fn committed(self) -> Problem {
        match self {
            Self::Silent => Problem::late(),
            Self::Failed(failed) if failed.is_open() => {
                log::warn!("a commit whose outcome is unknown: {failed}");
                Problem::late()
            }
            Self::Failed(_) | Self::Unwanted(_) => self.undone(),
        }
    }
}

impl From<Failed> for Missed {
    fn from(failed: Failed) -> Self {
        Self::Failed(failed)
    }
}

impl Served {
    pub(crate) async fn take(pool: &Pool) -> Result<Self, Problem> {
        Ok(Self {
            conn: Some(pool.lease().await?),
            patience: PATIENCE,
            is_asked: false,
            transaction: Transaction::None,
            wanted: VecDeque::new(),
            kept: Vec::new(),
        })
    }

    /// For reads that see one moment, however much there is to read.
    pub(crate) fn patient(mut self) -> Self {
        self.patience = LONG;
        self
    }

    /// Opens a transaction, with its first statement.
    pub(crate) fn begin(&mut self, how: &'static str) -> Result<(), Problem> {
        self.transaction = Transaction::Unsent;
        self.ask((how.into(), Vec::new()), Want::Done)
    }

    /// Makes what was done last. An answer that does not come leaves open whether it was made.
    pub(crate) async fn commit(mut self) -> Result<(), Problem> {
        let is_unsure = |want: &Want| matches!(want, Want::Changed(_));
        if self.wanted.iter().any(is_unsure) {
            self.hear(unasked).await.map_err(Missed::undone)?;
        }
        if self.transaction == Transaction::Failed {
            return Err(Problem::internal("a commit of what has failed"));
        }
        self.ask(("COMMIT".into(), Vec::new()), Want::Done)?;
        let done = self.hear(unasked).await.map_err(Missed::committed)?;
        self.transaction = Transaction::None;
        match done.verb.as_str() {
            "COMMIT" => Ok(()),
            // What a server says of a transaction that it has given up.
            other => Err(Problem::internal(format!("a commit that was a {other}"))),
        }
    }

    /// Undoes it; the database does when this connection ends.
    pub(crate) async fn rollback(mut self) -> Result<(), Problem> {
        let Some(mut conn) = self.conn.take().filter(|_| !self.is_asked) else {
            return Ok(());
        };
        if matches!(self.transaction, Transaction::Open | Transaction::Failed) {
            conn = undone(conn).await?;
        }
        conn.give_back();
        Ok(())
    }

    /// How many rows it changed.
    pub(crate) async fn execute(&mut self, asked: Asked) -> Result<u64, Problem> {
        self.ask(asked, Want::Done)?;
        let done = self.hear(unasked).await;
        let done = done.map_err(|missed| self.lost(missed))?;
        Ok(done.changed)
    }

    /// Nobody waits for its answer, which must be no failure.
    pub(crate) async fn send(&mut self, asked: Asked) -> Result<(), Problem> {
        self.tell(asked, Want::Done).await
    }

    /// The same of one that must change a row.
    pub(crate) async fn send_one(
        &mut self,
        asked: Asked,
        why_not: fn() -> Problem,
    ) -> Result<(), Problem> {
        self.tell(asked, Want::Changed(why_not)).await
    }

    /// Its rows are heard later.
    pub(crate) async fn ask_for(&mut self, asked: Asked) -> Result<Ticket, Problem> {
        let ticket = Ticket(self.kept.len());
        self.kept.push(Vec::new());
        self.tell(asked, Want::Kept(ticket)).await?;
        Ok(ticket)
    }

    /// The rows of one that was asked before.
    pub(crate) async fn kept<T: Row>(&mut self, ticket: Ticket) -> Result<Vec<T>, Problem> {
        let is_it = |want: &Want| matches!(want, Want::Kept(it) if *it == ticket);
        if self.wanted.iter().any(is_it) {
            self.hear(unasked).await.map_err(Missed::undone)?;
        }
        let rows = self.kept.get_mut(ticket.0).map(std::mem::take);
        rows.unwrap_or_default().iter().map(read).collect()
    }

    pub(crate) async fn all<T: Row>(&mut self, asked: Asked) -> Result<Vec<T>, Problem> {
        let mut rows = Vec::new();
        let take = |row| {
            rows.push(row);
            Ok(())
        };
        self.each(asked, take).await?;
        Ok(rows)
    }

    pub(crate) async fn optional<T: Row>(&mut self, asked: Asked) -> Result<Option<T>, Problem> {
        let mut found = None;
        let take = |row| {
            found.get_or_insert(row);
            Ok(())
        };
        self.each(asked, take).await?;
        Ok(found)
    }

    /// Hands each row to `take` as it comes.
    pub(crate) async fn each<T: Row>(
        &mut self,
        asked: Asked,
        mut take: impl FnMut(T) -> Result<(), Problem>,
    ) -> Result<(), Problem> {
        self.ask(asked, Want::Rows)?;
        let take = |row: ServerRow| take(read(&row)?);
        self.hear(take).await.map_err(Missed::undone).map(drop)
    }

    async fn tell(&mut self, asked: Asked, want: Want) -> Result<(), Problem> {
        self.ask(asked, want)?;
        // Where there is no transaction nothing is done later.
        if self.transaction == Transaction::None || self.wanted.len() >= GROUP {
            let heard = self.hear(unasked).await;
            heard.map_err(|missed| self.lost(missed))?;
        }
        Ok(())
    }

    /// Of a write: one that is a commit of its own may have been made.
    #[track_caller]
    fn lost(&self, missed: Missed) -> Problem {
        match self.transaction {
            Transaction::None => missed.committed(),
            Transaction::Unsent | Transaction::Open | Transaction::Failed => missed.undone(),
        }
    }

    fn ask(&mut self, (text, values): Asked, want: Want) -> Result<(), Problem> {
        if self.transaction == Transaction::Failed {
            return Err(Problem::internal("more of what has failed"));
        }
        let conn = self.conn.as_mut().ok_or_else(given_back)?;
        conn.wire.ask(text, &values)?;
        self.wanted.push_back(want);
        Ok(())
    }

    /// Sends what was asked, and hears all of it; what the last one did.
    async fn hear(
        &mut self,
        take: impl FnMut(ServerRow) -> Result<(), Problem>,
    ) -> Result<Tag, Missed> {
        let heard = self.hear_group(take).await;
        let is_gone = match &heard {
            Err(Missed::Silent) => true,
            Err(Missed::Failed(failed)) => failed.is_open(),
            Err(Missed::Unwanted(_)) | Ok(_) => false,
        };
        if let Some(conn) = self.conn.as_ref().filter(|_| is_gone) {
            conn.forget_others();
        }
        if heard.is_err() && self.transaction != Transaction::None {
            self.transaction = Transaction::Failed;
        }
        heard
    }

    async fn hear_group(
        &mut self,
        mut take: impl FnMut(ServerRow) -> Result<(), Problem>,
    ) -> Result<Tag, Missed> {
        let conn = self.conn.as_mut().ok_or_else(given_back);
        let Leased { wire, .. } = conn.map_err(Missed::Unwanted)?;
        self.is_asked = true;
        if self.transaction == Transaction::Unsent {
            self.transaction = Transaction::Open;
        }
        statements::way();
        within(self.patience, wire.send()).await?;
        let mut missed = None;
        let mut last = Tag::default();
        loop {
            let event = match within(self.patience, wire.event()).await {
                Ok(event) => event,
                // The server's last word says more than the end of its connection.
                Err(ended) => return Err(missed.unwrap_or(ended)),
            };
            match event {
                Event::Row(row) => match self.wanted.front() {
                    Some(Want::Rows) => take(row).map_err(Missed::Unwanted)?,
                    Some(Want::Kept(Ticket(place))) => {
                        if let Some(rows) = self.kept.get_mut(*place) {
                            rows.push(row);
                        }
                    }
                    Some(Want::Done | Want::Changed(_)) | None => {}
                },
                Event::Done(tag) => {
                    if let Some(Want::Changed(why_not)) = self.wanted.pop_front()
                        && tag.changed == 0
                    {
                        missed.get_or_insert_with(|| Missed::Unwanted(why_not()));
                    }
                    last = tag;
                }
                Event::Failed(said) => {
                    self.wanted.clear();
                    missed.get_or_insert(Missed::Failed(Failed::Said(said)));
                }
                Event::Ready => break,
            }
        }
        self.is_asked = false;
        missed.map_or(Ok(last), Err)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let Some(conn) = self.conn.take().filter(|_| !self.is_asked) else {
            return;
        };
        match self.transaction {
            Transaction::None | Transaction::Unsent => conn.give_back(),
            Transaction::Open | Transaction::Failed => {
                if let Ok(runtime) = Handle::try_current() {
                    runtime.spawn(async { undone(conn).await.map(Leased::give_back) });
                }
            }
        }
    }
}

fn given_back() -> Problem {
    Problem::internal("a connection that was given back")
}

/// Of those whose rows nobody wants at once.
fn unasked(_row: ServerRow) -> Result<(), Problem> {
    Err(Problem::internal("a row that nobody asked for"))
}

fn read<T: InServer>(row: &ServerRow) -> Result<T, Problem> {
    T::read(row).map_err(Problem::internal)
}

/// Takes it out of its transaction, for whoever has it next.
async fn undone(mut conn: Leased) -> Result<Leased, Problem> {
    let wire = &mut conn.wire;
    wire.unask();
    wire.ask("ROLLBACK".into(), &[])?;
    let undone = async {
        within(PATIENCE, wire.send()).await?;
        while !matches!(within(PATIENCE, wire.event()).await?, Event::Ready) {}
        Ok::<_, Missed>(())
    };
    undone.await.map_err(Missed::undone)?;
    Ok(conn)
}

/// When everybody has given theirs back; those that nobody answers are left to the system.
pub(crate) async fn close(pool: &Pool) {
    if !pool.close(PATIENCE).await {
        log::warn!("the store's server says nothing: its connections are left");
    }
}

/// What comes within this time.
async fn within<T>(
    patience: Duration,
    answer: impl Future<Output = Result<T, Failed>>,
) -> Result<T, Missed> {
    let Ok(answer) = timeout(patience, answer).await else {
        log::warn!("the store's server says nothing");
        return Err(Missed::Silent);
    };
    Ok(answer?)
}

#[cfg(test)]
mod tests;
