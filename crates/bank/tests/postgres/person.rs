//! A person whose terminal knows both processes of a bank and asks the other one when one does not answer.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bank::{Clock, ManualClock, SystemClock};
use bank_client::{BankClient, ClientError};
use relay::{Letter, Message, Operation};
use serde_json::{Value, json};

use crate::card::Card;
use crate::terminal::{Terminal, message, new_id, number, outcome, phase};

/// Fen, of each top-up.
pub(crate) const AMOUNT: u32 = 100;
/// More than a process needs to start again, on a machine that does much else.
const PATIENCE: Duration = Duration::from_secs(180);
/// After a process that was not there.
const SHORT: Duration = Duration::from_millis(20);

/// Where codes by SMS come to.
pub(crate) trait Phones: Clone + Send + Sync + 'static {
    /// The newest code for this number that came since then; none when it takes too long.
    fn code(&self, phone: &str, since_ms: u64) -> impl Future<Output = Option<String>> + Send;
}

/// How a top-up breaks off after the bank's approval.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Torn {
    /// The card never got it.
    BeforeCard,
    /// The card got it, and the bank was not told.
    AfterCard,
}

/// What a person's terminal met.
#[derive(Default)]
pub(crate) struct Met {
    /// How long each answer took; the tries without one are not in it.
    pub(crate) accepted: Vec<Duration>,
    /// When each load was over.
    pub(crate) over: Vec<Instant>,
    /// Loads that came to their end by a re-top-up.
    pub(crate) torn: u32,
    /// `busy` and `late`: 503 and 504.
    pub(crate) busy: u32,
    /// `too-many`: 429.
    pub(crate) too_many: u32,
    /// Nobody there, or gone before the answer came.
    pub(crate) unanswered: u32,
    /// The longest time that one request took, with all its repetitions.
    pub(crate) longest: Duration,
}

pub(crate) struct Person<P> {
    phone: String,
    phones: P,
    pub(crate) terminal: Terminal,
    clients: [BankClient; 2],
    at: usize,
    pub(crate) card: Card,
    pub(crate) met: Met,
}

impl<P: Phones> Person<P> {
    /// Enrols at the first process and goes on at the one with number `at`.
    pub(crate) async fn new(
        (phone, serial): (String, &str),
        (clients, at): ([BankClient; 2], usize),
        phones: P,
    ) -> Self {
        let clock = Arc::new(ManualClock::new(SystemClock.now_ms()));
        let mut terminal = Terminal::enrol_with(clients[0].clone(), clock).await;
        terminal.fetch_key().await.unwrap();
        terminal.client = clients[at].clone();
        Self {
            phone,
            phones,
            terminal,
            clients,
            at,
            card: Card::new(serial, true, 0),
            met: Met::default(),
        }
    }

    /// The same question goes again, here or there, as soon as this says.
    async fn next(&mut self, error: ClientError) {
        let pause = match error {
            ClientError::Offline | ClientError::Silent => {
                self.met.unanswered += 1;
                SHORT
            }
            ClientError::Refused { code, params } => {
                match code.as_str() {
                    "busy" | "late" => self.met.busy += 1,
                    "too-many" => self.met.too_many += 1,
                    _ => panic!("refused: {code}"),
                }
                let wait = params.get("retry_after_ms").and_then(|ms| ms.parse().ok());
                wait.map_or(SHORT, Duration::from_millis)
            }
            ClientError::Untrusted(_) | ClientError::BadAnswer => panic!("{error}"),
        };
        self.at = 1 - self.at;
        self.terminal.client = self.clients[self.at].clone();
        tokio::time::sleep(pause).await;
    }

    /// An answer came; `first` is when its question was sent for the first time, `last` for the last.
    fn accepted(&mut self, first: Instant, last: Instant) {
        self.met.accepted.push(last.elapsed());
        self.met.longest = self.met.longest.max(first.elapsed());
    }

    /// A code's own refusals are for the caller.
    async fn ask(&mut self, path: &str, body: &Value) -> Result<Value, String> {
        let first = Instant::now();
        while first.elapsed() < PATIENCE {
            let last = Instant::now();
            match self.terminal.ask(path, body.clone()).await {
                Ok(answer) => {
                    self.accepted(first, last);
                    return Ok(answer);
                }
                Err(ClientError::Refused { code, .. }) if code.starts_with("code-") => {
                    return Err(code);
                }
                Err(error) => self.next(error).await,
            }
        }
        panic!("nobody answers {path}");
    }

    /// One envelope under one counter, sent until its answer is here.
    pub(crate) async fn relay(&mut self, message: &Message) -> Message {
        let sealed = self.terminal.seal(&message.encode().unwrap());
        let first = Instant::now();
        while first.elapsed() < PATIENCE {
            let last = Instant::now();
            match self.terminal.client.relay(sealed.clone()).await {
                Ok(answer) => {
                    self.accepted(first, last);
                    return Message::parse(&self.terminal.open(&answer)).unwrap();
                }
                Err(error) => self.next(error).await,
            }
        }
        panic!("nobody answers a message");
    }

    /// A transaction with the proof of its code, which either process may have delivered, and lost when it was killed:
    /// then it may come late, and be taken for another one's.
    pub(crate) async fn sms_proof(&mut self) -> ([u8; 16], [u8; 16]) {
        for _ in 0..8 {
            let now_ms = SystemClock.now_ms();
            let clock = &self.terminal.clock;
            clock.advance(now_ms.saturating_sub(clock.now_ms()));
            let id = new_id();
            let send = json!({"transaction": hex::encode(id), "industry": "0001",
                "card_tail": self.card.tail(), "phone": self.phone});
            self.ask("/v1/sms/send", &send).await.unwrap();
            let Some(code) = self.phones.code(&self.phone, now_ms).await else {
                continue;
            };
            let verify = json!({"transaction": hex::encode(id), "code": code});
            if let Ok(answer) = self.ask("/v1/sms/verify", &verify).await {
                let proof = hex::decode(answer["proof"].as_str().unwrap()).unwrap();
                return (id, proof.try_into().unwrap());
            }
        }
        panic!("no code came");
    }

    /// A whole load; one that breaks off is brought to its end by a re-top-up, at whichever process answers.
    pub(crate) async fn top_up(&mut self, torn: Option<Torn>) {
        let (id, proof) = self.sms_proof().await;
        let load = self
            .terminal
            .load_message(id, &mut self.card, (AMOUNT, proof));
        let answer = self.relay(&load).await;
        assert_eq!(phase(&answer), "credit");
        let data = answer.body.field("credit_data").unwrap();
        match torn {
            None => {
                let tac = self.card.credit(data);
                let credit = self.terminal.credit_message(Operation::TopUp, (id, 2), tac);
                assert_eq!(outcome(&self.relay(&credit).await), "ok");
            }
            Some(Torn::BeforeCard) => self.resume(self.card.counter.is_multiple_of(2)).await,
            Some(Torn::AfterCard) => {
                self.card.credit(data).unwrap();
                self.resume(false).await;
            }
        }
        self.met.torn += u32::from(torn.is_some());
        self.met.over.push(Instant::now());
    }

    /// Whatever waits on the card comes to its end: on the card, or back to the customer.
    async fn resume(&mut self, refund: bool) {
        let id = new_id();
        let mut step = 1;
        let mut body = self.terminal.body(Operation::ReTopUp, id, step, "resume");
        body.refund = refund;
        body.put("file15", self.card.file15());
        body.put("balance", self.card.balance.to_be_bytes());
        let mut answer = self.relay(&message(body)).await;
        while answer.letter == Letter::I {
            step += 1;
            let next = self.step_of_resume(&answer, (id, step));
            answer = self.relay(&next).await;
        }
        let end = if refund { "refunded" } else { "ok" };
        assert_eq!(outcome(&answer), end);
    }

    /// What the card says to what the bank asks it.
    fn step_of_resume(&mut self, asked: &Message, (id, step): ([u8; 16], u8)) -> Message {
        let phase = phase(asked);
        let field = |name: &str| asked.body.field(name).unwrap();
        let mut body = self.terminal.body(Operation::ReTopUp, id, step, phase);
        match phase {
            "prove" => {
                for (name, counter) in [("proof", "after"), ("proof_before", "before")] {
                    let counter = u16::from_be_bytes(field(counter).try_into().unwrap());
                    if let Some(proof) = self.card.prove(counter) {
                        body.put(name, proof);
                    }
                }
                body.put("log", self.card.log_bytes());
            }
            "load" => {
                let terminal = self.terminal.bcd();
                body.put(
                    "init",
                    self.card.initialize(number(asked, "amount"), terminal),
                );
                body.put("balance", self.card.balance.to_be_bytes());
            }
            "refund" => {
                let witness = field("witness").try_into().unwrap();
                body.put(
                    "init",
                    self.card.initialize(number(asked, "amount"), witness),
                );
            }
            "credit" => {
                let tac = self.card.credit(field("credit_data"));
                return (self.terminal).credit_message(Operation::ReTopUp, (id, step), tac);
            }
            other => panic!("the bank asks for {other}"),
        }
        message(body)
    }
}
