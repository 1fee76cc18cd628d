//! The transactions of `docs/protocol.md`, 1.1, as the transaction server runs them: each request is one commit.

mod activation;
mod asked;
mod closing;
mod hosted;
mod queue;
mod resume;
mod topup;

use std::sync::atomic::Ordering;

use envelope::Terminal;
use industry::Facts;
use relay::{Body, IndustryCode, Letter, Message, Operation};
use subtle::ConstantTimeEq;

use crate::bank::Bank;
use crate::clock::host_time;
use crate::config::IndustrySettings;
use crate::corebank::{Ask, Said};
use crate::error::Problem;
use crate::scheme::{CardIdentity, Order};
use crate::store::Conn;
use crate::store::exchange::{self, Exchange};
use crate::store::load::LoadRow;

use asked::Password;
pub(crate) use asked::{Asked, LATE_PASSWORD_MS, prepare};

/// What one step works on.
struct Step<'a> {
    bank: &'a Bank,
    now_ms: u64,
    terminal: Terminal,
    industry: IndustryCode,
    operation: Operation,
    exchange: Exchange,
    /// The store does not have the transaction yet.
    is_new: bool,
    body: &'a Body,
    password: Password,
}

/// What a message leads to.
pub(crate) enum Ran {
    /// The reply, stored with all that the message causes.
    Replied(Vec<u8>),
    /// A core banking host is to be asked, after the commit; [`settle`] goes on with what it said.
    Asks(Ask),
}

/// What a step leads to.
enum Next {
    Say(Message),
    Ask(Ask),
}

/// The reply to a message, stored with all that it causes; the caller commits.
pub(crate) async fn run(
    bank: &Bank,
    conn: &mut Conn,
    asked: &Asked,
    now_ms: u64,
) -> Result<Ran, Problem> {
    match begin(bank, conn, asked, now_ms).await? {
        Begun::Replied(reply) => Ok(Ran::Replied(reply)),
        Begun::Step(mut step) => match step.take(conn).await? {
            Next::Say(message) => step.finish(conn, asked, &message).await.map(Ran::Replied),
            Next::Ask(ask) => {
                step.keep_exchange(conn).await?;
                Ok(Ran::Asks(ask))
            }
        },
    }
}

/// The reply to a message whose host was asked, stored with all that its answer causes; the caller commits.
pub(crate) async fn settle(
    bank: &Bank,
    conn: &mut Conn,
    asked: &Asked,
    (ask, said): (&Ask, &Said),
    now_ms: u64,
) -> Result<Vec<u8>, Problem> {
    match begin(bank, conn, asked, now_ms).await? {
        Begun::Replied(reply) => Ok(reply),
        Begun::Step(mut step) => {
            step.exchange.awaits = None;
            let message = step.settle(conn, ask, said).await?;
            step.finish(conn, asked, &message).await
        }
    }
}

/// Where a message stands among those of its transaction.
enum Begun<'a> {
    /// Nothing new is to be done.
    Replied(Vec<u8>),
    Step(Box<Step<'a>>),
}

async fn begin<'a>(
    bank: &'a Bank,
    conn: &mut Conn,
    asked: &'a Asked,
    now_ms: u64,
) -> Result<Begun<'a>, Problem> {
    let replied = |message: &Message| encode(message).map(Begun::Replied);
    let Some(message) = &asked.message else {
        return replied(&bad_message(asked.industry, &Body::default()));
    };
    let body = &message.body;
    let (Some(operation), Some(id), Some(number)) = (body.operation, body.transaction, body.step)
    else {
        return replied(&bad_message(asked.industry, body));
    };
    let end = |outcome| Message::closing(asked.industry, operation, id, outcome);
    let exchange = asked.exchange(operation, id);
    let begins = number == 1 && message.letter == Letter::I && exchange.awaits.is_some();
    // Who runs again was in somebody's way, maybe of who began the same.
    let looks = asked.looks_first.swap(true, Ordering::Relaxed) || !begins;
    let found = match looks {
        true => exchange::find(conn, &id).await?,
        false => None,
    };
    let is_new = found.is_none();
    let exchange = if let Some(found) = found {
        let ours = found.terminal == asked.terminal;
        // What comes next was never answered.
        if (number != found.next_step || number == u8::MAX)
            && let Some((hash, reply)) = exchange::reply(bank, conn, &id, number).await?
        {
            let same: bool = hash.ct_eq(&asked.hash[..]).into();
            return if same && (ours || brings_proof(body)) {
                Ok(Begun::Replied(reply))
            } else {
                replied(&end("step-conflict"))
            };
        }
        found
    } else if begins {
        exchange
    } else {
        return replied(&end("step-unknown"));
    };
    let ours = exchange.terminal == asked.terminal;
    let fits = message.letter == Letter::I
        && (ours || brings_proof(body))
        && exchange.operation == operation.code()
        && exchange.industry == asked.industry.as_str()
        && exchange.next_step == number
        && exchange.awaits.is_some();
    if !fits {
        return replied(&end("step-unknown"));
    }
    let step = Step {
        bank,
        now_ms,
        terminal: asked.terminal,
        industry: asked.industry,
        operation,
        exchange,
        is_new,
        body,
        password: asked.password,
    };
    if step.exchange.load.is_some()
        && let Some(refusal) = step.refused_industry()
    {
        // Nothing is kept: what the card has proved is still true when the industry is served again.
        return replied(&step.end(refusal));
    }
    if !ours && !step.is_proven(conn).await? {
        return replied(&end("step-unknown"));
    }
    Ok(Begun::Step(Box::new(step)))
}

/// A card's TAC proves the same whoever brings it: a terminal that had to enrol again still has it in its journal.
fn brings_proof(body: &Body) -> bool {
    let proof = body.field("tac").or(body.field("certificate"));
    body.phase.as_deref() == Some("credit") && proof.is_some()
}

fn first_phase(operation: Operation) -> Option<&'static str> {
    match operation {
        Operation::TopUp => Some("load"),
        Operation::ReTopUp => Some("resume"),
        Operation::Activation => Some("activate"),
        Operation::Balance => None,
    }
}

fn bad_message(industry: IndustryCode, body: &Body) -> Message {
    let body = Body {
        operation: body.operation,
        transaction: body.transaction,
        outcome: Some("message-bad".to_owned()),
        ..Body::default()
    };
    Message {
        letter: Letter::A,
        industry,
        body,
    }
}

fn encode(message: &Message) -> Result<Vec<u8>, Problem> {
    message.encode().map_err(Problem::internal)
}

impl Step<'_> {
    /// One step: the driver ran the phase that was asked for, and says so.
    async fn take(&mut self, conn: &mut Conn) -> Result<Next, Problem> {
        let awaits = self.exchange.awaits.take().unwrap_or_default();
        if self.body.phase.as_deref() != Some(awaits.as_str()) {
            return Ok(Next::Say(self.end("message-bad")));
        }
        if let Some(refusal) = self.refused_industry() {
            return Ok(Next::Say(self.end(refusal)));
        }
        if (self.operation, awaits.as_str()) == (Operation::TopUp, "load") {
            return self.top_up(conn).await;
        }
        self.go_on_from(&awaits, conn).await.map(Next::Say)
    }

    /// A step that asks nobody outside.
    async fn go_on_from(&mut self, awaits: &str, conn: &mut Conn) -> Result<Message, Problem> {
        match (self.operation, awaits) {
            (Operation::TopUp | Operation::ReTopUp, "credit") => self.credited(conn).await,
            (Operation::ReTopUp, "resume") => self.resume(conn).await,
            (Operation::ReTopUp, "prove") => self.proven(conn).await,
            (Operation::ReTopUp, "load") => self.load_again(conn).await,
            (Operation::ReTopUp, "refund") => self.refund(conn).await,
            (Operation::Activation, "activate") => self.activate(conn).await,
            (Operation::Activation, "enable") => self.enabled(conn).await,
            _ => Ok(self.end("step-unknown")),
        }
    }

    /// Stores what is said to the terminal.
    async fn finish(
        &mut self,
        conn: &mut Conn,
        asked: &Asked,
        message: &Message,
    ) -> Result<Vec<u8>, Problem> {
        let reply = encode(message)?;
        let (now_ms, number) = (self.now_ms, self.exchange.next_step);
        self.exchange.next_step = number.saturating_add(1);
        self.keep_exchange(conn).await?;
        let place = (&self.exchange.id, number);
        exchange::keep_reply(self.bank, conn, place, (&asked.hash, &reply), now_ms).await?;
        Ok(reply)
    }

    async fn keep_exchange(&self, conn: &mut Conn) -> Result<(), Problem> {
        match self.is_new {
            true => exchange::begin(conn, &self.exchange, self.now_ms).await,
            false => exchange::save(conn, &self.exchange, self.now_ms).await,
        }
    }

    fn refused_industry(&self) -> Option<&'static str> {
        let code = self.industry.as_str();
        let served = self
            .bank
            .packages
            .get(code)
            .filter(|_| self.bank.industry(code).is_some());
        let Some(served) = served else {
            return Some("industry-unknown");
        };
        // Money that waits for its outcome is not kept waiting by a package that was replaced meanwhile.
        let first = self.exchange.next_step == 1 && self.operation != Operation::ReTopUp;
        // Nobody can have a package whose day has not come.
        let is_due = served.package.valid_from() <= self.today().or(Some(u32::MAX));
        (first && is_due && self.body.package_version? < served.version).then_some("package-old")
    }

    /// YYYYMMDD.
    fn today(&self) -> Option<u32> {
        hex::encode(host_time(self.now_ms)?.date).parse().ok()
    }

    /// What the industry's package makes of this message's card.
    fn facts(&self) -> Facts {
        let served = self.bank.packages.get(self.industry.as_str());
        served
            .map(|it| it.package.facts(self.body))
            .unwrap_or_default()
    }

    fn is_active(&self) -> bool {
        self.facts().active == Some(true)
    }

    fn identity(&self) -> Option<CardIdentity> {
        self.bank.identity(self.industry.as_str(), self.body)
    }

    fn settings(&self) -> Result<&IndustrySettings, Problem> {
        let settings = self.bank.industry(self.industry.as_str());
        settings.ok_or_else(|| Problem::internal("the industry went away"))
    }

    /// The bank's `I` as the scheme has it; `comes_back` is the phase that answers it.
    fn go_on_with(&mut self, order: Order, comes_back: &str) -> Message {
        let mut message = self.go_on(order.phase);
        self.exchange.awaits = Some(comes_back.to_owned());
        for (name, value) in order.fields {
            message.body.put(name, value);
        }
        message
    }

    /// The bank's `I`: the phase to run next.
    fn go_on(&mut self, phase: &str) -> Message {
        self.exchange.awaits = Some(phase.to_owned());
        let body = Body {
            operation: Some(self.operation),
            transaction: Some(self.exchange.id),
            step: Some(self.exchange.next_step),
            phase: Some(phase.to_owned()),
            ..Body::default()
        };
        Message {
            letter: Letter::I,
            industry: self.industry,
            body,
        }
    }

    fn end(&self, outcome: &str) -> Message {
        Message::closing(self.industry, self.operation, self.exchange.id, outcome)
    }

    fn end_limit(&self, outcome: &str, limit: u32) -> Message {
        let mut message = self.end(outcome);
        message.body.put("limit", limit.to_be_bytes());
        message
    }

    /// An end that names a load.
    fn end_about(&self, outcome: &str, row: &LoadRow) -> Message {
        let mut message = self.end(outcome);
        message.body.reference = Some(row.reference.clone());
        let amount = row.load.order().amount;
        message.body.amount = (amount > 0).then_some(amount);
        message
    }

    fn field<const N: usize>(&self, name: &str) -> Option<[u8; N]> {
        self.body.field(name)?.try_into().ok()
    }
}
