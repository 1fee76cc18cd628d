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
    let there = requests(from_client, to_server, state.clone());
    let back = answers(from_server, to_client, state);
    tokio::select! { () = there => {}, () = back => {} }
}

async fn requests(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, state: Arc<State>) {
    let mut shaken = 0;
    let mut buffer = vec![0; 32 * 1024];
    while let Ok(n @ 1..) = from.read(&mut buffer).await {
        shaken += 1;
        // a relay message is longer than a handshake's Finished; ClientHello comes first
        if shaken >= 3
            && state
                .hold
                .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1))
                == Ok(1)
        {
            state.held.store(true, Ordering::SeqCst);
            while !state.released.load(Ordering::SeqCst) {
                tokio::time::sleep(std::time::Duration::from_millis(2)).await;
            }
        }
        if shaken >= 3 && state.swallows() {
            return;
        }
        if to.write_all(&buffer[..n]).await.is_err() {
            return;
        }
    }
}

/// The first answers of a connection are the handshake's; a session is warm before anything is cut.
async fn answers(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, state: Arc<State>) {
    let mut buffer = vec![0; 32 * 1024];
    let mut shaken = 0;
    while let Ok(n @ 1..) = from.read(&mut buffer).await {
        // ServerHello to Finished, then the session tickets: the client's request follows both.
        if shaken >= 2 && state.loses() {
            return;
        }
        shaken += 1;
        if to.write_all(&buffer[..n]).await.is_err() {
            return;
        }
    }
}
