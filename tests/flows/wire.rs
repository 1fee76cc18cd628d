//! A wire to the transaction server that can be cut: between the session and the bank, on loopback.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub(crate) enum Mode {
    /// Everything goes through.
    Whole,
    /// Requests arrive; the answer is cut off with its connection, and nobody answers from then on.
    AnswerLostThenDead,
    /// Requests arrive; each answer is cut off with its connection, as often as [`Wire::cut`] says.
    AnswerLost,
    /// Nobody answers.
    Dead,
    /// A request is cut off with its connection before it arrives, and nobody answers from then on.
    RequestLostThenDead,
}

const MODES: [Mode; 5] = [
    Mode::Whole,
    Mode::AnswerLostThenDead,
    Mode::AnswerLost,
    Mode::Dead,
    Mode::RequestLostThenDead,
];

struct State {
    mode: AtomicU8,
    left: AtomicUsize,
    skip: AtomicUsize,
    /// 0: off; n: the n-th request from now is held; the rest pass.
    hold: AtomicUsize,
    held: std::sync::atomic::AtomicBool,
    released: std::sync::atomic::AtomicBool,
    lost: AtomicUsize,
}

pub(crate) struct Wire {
    pub(crate) address: SocketAddr,
    state: Arc<State>,
}

impl Wire {
    pub(crate) async fn to(bank: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State {
            mode: AtomicU8::new(Mode::Whole as u8),
            left: AtomicUsize::new(0),
            skip: AtomicUsize::new(0),
            hold: AtomicUsize::new(0),
            held: Default::default(),
            released: Default::default(),
            lost: AtomicUsize::new(0),
        });
        let shared = state.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                if shared.mode() == Mode::Dead {
                    continue;
                }
                tokio::spawn(carry(client, bank, shared.clone()));
            }
        });
        Self { address, state }
    }

    pub(crate) fn cut(&self, mode: Mode, answers: usize) {
        self.state.left.store(answers, Ordering::SeqCst);
        self.state.mode.store(mode as u8, Ordering::SeqCst);
    }

    /// The same after so many whole answers, or requests where those are lost.
    pub(crate) fn cut_after(&self, skip: usize, mode: Mode, answers: usize) {
        self.state.skip.store(skip, Ordering::SeqCst);
        self.cut(mode, answers);
    }

    pub(crate) fn hold(&self, nth: usize) {
        self.state.released.store(false, Ordering::SeqCst);
        self.state.held.store(false, Ordering::SeqCst);
        self.state.hold.store(nth, Ordering::SeqCst);
    }
    pub(crate) fn is_held(&self) -> bool {
        self.state.held.load(Ordering::SeqCst)
    }
    /// # Panics
    /// When nothing was held for half a minute.
    pub(crate) async fn until_held(&self) {
        let until = tokio::time::Instant::now() + Duration::from_secs(30);
        while !self.is_held() {
            assert!(tokio::time::Instant::now() < until, "nothing was held");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    pub(crate) fn release(&self) {
        self.state.released.store(true, Ordering::SeqCst);
    }

    pub(crate) fn whole(&self) {
        self.cut(Mode::Whole, 0);
    }

    /// How many answers were cut off.
    pub(crate) fn lost(&self) -> usize {
        self.state.lost.load(Ordering::SeqCst)
    }
}

impl State {
    fn mode(&self) -> Mode {
        MODES[usize::from(self.mode.load(Ordering::SeqCst))]
    }

    /// True: this request is lost.
    fn swallows(&self) -> bool {
        if self.mode() != Mode::RequestLostThenDead {
            return false;
        }
        let passes = self
            .skip
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1));
        if passes.is_err() {
            self.mode.store(Mode::Dead as u8, Ordering::SeqCst);
        }
        passes.is_err()
    }

    /// True: this answer is lost.
    fn loses(&self) -> bool {
        let cutting = matches!(self.mode(), Mode::AnswerLost | Mode::AnswerLostThenDead);
        if cutting
            && self
                .skip
                .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1))
                .is_ok()
        {
            return false;
        }
        let loses = cutting
            && self
                .left
                .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1))
                .is_ok();
        if loses {
            self.lost.fetch_add(1, Ordering::SeqCst);
            if self.left.load(Ordering::SeqCst) == 0 {
                let then = if self.mode() == Mode::AnswerLostThenDead {
                    Mode::Dead
                } else {
                    Mode::Whole
                };
                self.mode.store(then as u8, Ordering::SeqCst);
            }
        }
        loses
    }
}

async fn carry(client: TcpStream, bank: SocketAddr, state: Arc<State>) {
    let Ok(server) = TcpStream::connect(bank).await else {
        return;
    };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let turns = Turns::default();
    let there = requests(from_client, to_server, &state, &turns);
    let back = answers(from_server, to_client, &state, &turns);
    tokio::select! { () = there => {}, () = back => {} }
}

/// What went over one connection so far.
#[derive(Default)]
struct Turns {
    requests: AtomicUsize,
    answers: AtomicUsize,
}

impl Turns {
    /// The record that is looked at is the first one of a request: the one before was answered.
    fn asks(&self) -> bool {
        let answers = self.answers.load(Ordering::SeqCst);
        let next = self.requests.compare_exchange(
            answers,
            answers + 1,
            Ordering::SeqCst,
            Ordering::SeqCst,
        );
        next.is_ok()
    }

    /// The same of an answer.
    fn answers(&self) -> bool {
        let requests = self.requests.load(Ordering::SeqCst);
        self.answers.swap(requests, Ordering::SeqCst) != requests
    }
}

/// A record of TLS 1.3, its header included. Nobody can say how a stream falls into pieces; its records are its own.
async fn record(from: &mut OwnedReadHalf) -> Option<Vec<u8>> {
    let mut record = vec![0; 5];
    from.read_exact(&mut record).await.ok()?;
    let length = u16::from_be_bytes([record[3], record[4]]);
    record.resize(5 + usize::from(length), 0);
    from.read_exact(&mut record[5..]).await.ok()?;
    Some(record)
}

/// The record is enciphered.
fn is_sealed(record: &[u8]) -> bool {
    record[0] == 23
}

async fn requests(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, state: &State, turns: &Turns) {
    let mut sealed = 0;
    while let Some(record) = record(&mut from).await {
        sealed += usize::from(is_sealed(&record));
        // the first one is the handshake's Finished
        if sealed >= 2 && is_sealed(&record) && turns.asks() {
            let next = |n: usize| n.checked_sub(1);
            let order = Ordering::SeqCst;
            if state.hold.fetch_update(order, order, next) == Ok(1) {
                state.held.store(true, Ordering::SeqCst);
                while !state.released.load(Ordering::SeqCst) {
                    tokio::time::sleep(std::time::Duration::from_millis(2)).await;
                }
            }
            if state.swallows() {
                return;
            }
        }
        if to.write_all(&record).await.is_err() {
            return;
        }
    }
}

async fn answers(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, state: &State, turns: &Turns) {
    let mut sealed = 0;
    while let Some(record) = record(&mut from).await {
        sealed += usize::from(is_sealed(&record));
        // the first one has the handshake from its second message to Finished, the second one the session's tickets
        if sealed >= 3 && is_sealed(&record) && turns.answers() && state.loses() {
            return;
        }
        if to.write_all(&record).await.is_err() {
            return;
        }
    }
}
