//! Institutions' queues: one payment, many cards, on either engine.

mod books;
mod console;
mod elsewhere;
mod items;
mod opening;
mod random;

use bank_client::queue::{
    QueueClose, QueueItem, QueueItemState, QueueOpen, QueueOpened, QueueSend, QueueSent,
    QueueState, QueueTold, Request,
};
use bank_client::{Answer, ClientError, Proof};
use envelope::{auth, keys};
use relay::{Message, Operation};

use crate::card::Card;
use crate::stage::{PASSWORD, PHONE, Stage};
use crate::terminal::{Terminal, phase, random};

/// Fen, of each card.
const AMOUNT: u32 = 5_000;
const DAY_MS: u64 = 24 * 3_600_000;

/// The cards of pupils, whose accounts pay for nothing here.
const PUPILS: [&str; 3] = [
    "00006217000000010001",
    "00006217000000010002",
    "00006217000000010003",
];

/// The demo bank with a family for each pupil, and a card that is blocked.
fn with_pupils(text: String) -> String {
    let card =
        |serial: &str| format!("\n[[customer.card]]\nindustry = \"0001\"\nserial = \"{serial}\"\n");
    let families = PUPILS.iter().enumerate().map(|(at, serial)| {
        let family = format!(
            "\n[[customer]]\nphone = \"1390000000{at}\"\npassword = \"13579{at}\"\nbalance = 0\n"
        );
        family + &card(serial)
    });
    let blocked = card("00006217000000010009") + "status = \"blocked\"\n";
    text + &families.collect::<String>() + &blocked
}

/// A bank with a terminal at a school, and the cards of a class.
struct Class {
    stage: Stage,
    terminal: Terminal,
    cards: Vec<Card>,
    queue: [u8; 16],
}

impl Class {
    async fn new() -> Self {
        Self::with(|text| text).await
    }

    async fn with(change: impl Fn(String) -> String) -> Self {
        let stage = Stage::with(|text| change(with_pupils(text))).await;
        let terminal = stage.terminal().await;
        Self {
            stage,
            terminal,
            cards: PUPILS.map(|serial| Card::new(serial, true, 0)).to_vec(),
            queue: random(),
        }
    }

    fn items(&self) -> Vec<QueueItem> {
        PUPILS.map(|serial| item(serial, AMOUNT)).to_vec()
    }

    /// The body that opens this queue, with a code that was sent for it.
    async fn paying(&self, items: Vec<QueueItem>) -> QueueOpen {
        let code = self.sent(&items).await;
        self.paying_with(&code, items)
    }

    fn paying_with(&self, code: &str, items: Vec<QueueItem>) -> QueueOpen {
        QueueOpen {
            queue: self.queue,
            industry: "0001".to_owned(),
            code: code.to_owned().into(),
            pin_block: self.terminal.pin_block(PASSWORD),
            items,
        }
    }

    /// The code that came for these.
    async fn sent(&self, items: &[QueueItem]) -> String {
        let before = self.stage.codes_now("").await.len();
        self.send(items, PHONE).await.unwrap();
        self.stage.code_after("", before).await
    }

    async fn send(&self, items: &[QueueItem], phone: &str) -> Result<QueueSent, ClientError> {
        let request = QueueSend {
            queue: self.queue,
            industry: "0001".to_owned(),
            phone: phone.to_owned(),
            cards: items.len().try_into().unwrap(),
            total: items.iter().map(|item| u64::from(item.amount)).sum(),
        };
        let proof = proof(&self.terminal, &request);
        let answer = self.terminal.client.queue_send(&proof, &request).await?;
        proven(&self.terminal, &proof, answer).told::<QueueSend>()
    }

    async fn open(&self, request: &QueueOpen) -> Result<QueueOpened, ClientError> {
        let proof = proof(&self.terminal, request);
        let answer = self.terminal.client.queue_open(&proof, request).await?;
        proven(&self.terminal, &proof, answer).told::<QueueOpen>()
    }

    /// All of it: code, password, items.
    async fn opened(&self) -> QueueOpened {
        let request = self.paying(self.items()).await;
        self.open(&request).await.unwrap()
    }

    async fn state(&self) -> QueueTold {
        self.state_at(&self.terminal).await.unwrap()
    }

    async fn state_at(&self, terminal: &Terminal) -> Result<QueueTold, ClientError> {
        self.state_or_void(terminal, false).await
    }

    async fn state_or_void(
        &self,
        terminal: &Terminal,
        void: bool,
    ) -> Result<QueueTold, ClientError> {
        let queue = self.queue;
        let request = QueueState { queue, void };
        let proof = proof(terminal, &request);
        let answer = terminal.client.queue_state(&proof, &request).await?;
        proven(terminal, &proof, answer).told::<QueueState>()
    }

    async fn close_at(&self, terminal: &Terminal) -> Result<QueueTold, ClientError> {
        let request = QueueClose { queue: self.queue };
        let proof = proof(terminal, &request);
        let answer = terminal.client.queue_close(&proof, &request).await?;
        proven(terminal, &proof, answer).told::<QueueClose>()
    }

    async fn close(&self) -> QueueTold {
        self.close_at(&self.terminal).await.unwrap()
    }

    /// Where each item's money is.
    async fn states(&self) -> Vec<QueueItemState> {
        let told = self.state().await;
        told.items.iter().map(|item| item.state).collect()
    }

    /// Step 1 of an item's load, ready to be changed by a test.
    fn load_message(&mut self, place: u16, attempt: u8, proof: [u8; 16]) -> Message {
        let id = self.id(place, attempt);
        let card = &mut self.cards[usize::from(place)];
        let mut message = self.terminal.load_message(id, card, (AMOUNT, proof));
        message.body.pin_block = None;
        message
    }

    fn id(&self, place: u16, attempt: u8) -> [u8; 16] {
        envelope::queue::transaction(&self.queue, place, attempt)
    }

    /// Up to the bank's MAC2.
    async fn issued(&mut self, place: u16, attempt: u8, proof: [u8; 16]) -> Vec<u8> {
        let message = self.load_message(place, attempt, proof);
        let answer = self.terminal.relay(&message).await;
        assert_eq!(phase(&answer), "credit");
        answer.body.field("credit_data").unwrap().to_vec()
    }

    /// A whole load of an item.
    async fn load(&mut self, place: u16, attempt: u8, proof: [u8; 16]) -> Message {
        let data = self.issued(place, attempt, proof).await;
        let tac = self.cards[usize::from(place)].credit(&data).unwrap();
        let step = (self.id(place, attempt), 2);
        let credited = self
            .terminal
            .credit_message(Operation::TopUp, step, Some(tac));
        self.terminal.relay(&credited).await
    }

    /// What the school's account has lost since the beginning, and what waits in queues; fen.
    async fn paid(&self) -> (i64, i64) {
        let now = self.stage.bank.money().await.unwrap();
        (self.stage.money.customers - now.customers, now.queues)
    }
}

fn item(card: &str, amount: u32) -> QueueItem {
    QueueItem {
        card: card.to_owned().into(),
        amount,
    }
}

fn proof<R: Request>(terminal: &Terminal, request: &R) -> Proof {
    terminal.proof(R::PATH, random(), terminal.now_ms(), &request.body())
}

/// Checks the answer's own proof.
fn proven(terminal: &Terminal, proof: &Proof, answer: Answer) -> Answer {
    let key = keys::auth_key(&terminal.enrolled.master_key, &terminal.enrolled.terminal);
    let expected = auth::answer_mac(&key, &proof.nonce, answer.status, &answer.body);
    auth::verify(&expected, answer.mac.as_ref().unwrap()).unwrap();
    answer
}
