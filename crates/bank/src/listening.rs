//! Connections of terminals: let in, their handshake, HTTP/2 or HTTP/1.1 as it was agreed in it, and their end.

use std::future::{Future, pending};
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::ServerConfig;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until, timeout, timeout_at};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::crowd::Crowd;
use crate::parking::{self, Turn, Visit, Visitor};
use crate::peer::PeerKey;
use crate::socket::Socket;

/// How long requests in work may take to finish when the bank stops.
pub(crate) const GRACE: Duration = Duration::from_secs(5);
/// How long a goodbye may take.
const GOODBYE: Duration = Duration::from_secs(1);
/// How often an HTTP/2 connection is asked whether it is there, and how long it may take to say so.
const SIGN_OF_LIFE: Duration = Duration::from_secs(15);
/// The pause after a connection could not be taken: most likely there are no files left, and some are closed meanwhile.
const NO_FILES: Duration = Duration::from_millis(50);

/// The longest head of a request, bytes: a terminal's has 400.
const MOST_HEAD: usize = 16 * 1024;
/// Requests of one connection at once: an app has one or two.
const MOST_STREAMS: u32 = 32;

/// In one piece on the heap: it goes to and fro between those who serve it.
pub(crate) type Tls = Box<TlsStream<Socket>>;

/// How long a peer may take.
#[derive(Clone, Copy)]
pub(crate) struct Patience {
    /// For its first request's head, the TLS handshake included.
    pub(crate) first_request: Duration,
    /// For the next one's head, the silence before it included. With HTTP/2: after the last one that was answered.
    pub(crate) next_request: Duration,
    /// Until it takes another byte of its answer.
    pub(crate) taking: Duration,
}

/// A terminal keeps a connection that it does not use for 50 s: none is closed under a request.
pub(crate) const PATIENCE: Patience = Patience {
    first_request: Duration::from_secs(15),
    next_request: Duration::from_secs(60),
    taking: Duration::from_secs(30),
};

/// One address that terminals connect to.
pub(crate) struct Server {
    pub(crate) routes: Router,
    pub(crate) http1: http1::Builder,
    http2: http2::Builder<TokioExecutor>,
    tls: TlsAcceptor,
    pub(crate) patience: Patience,
    crowd: Arc<Crowd>,
    refused: Box<dyn Fn() + Send + Sync>,
}

/// Learns that the bank stops.
#[derive(Clone)]
pub(crate) struct Stop(pub(crate) watch::Receiver<bool>);

impl Stop {
    /// Returns when it does. A bank that nobody can stop any more goes on.
    pub(crate) async fn told(&mut self) {
        if self.0.wait_for(|stops| *stops).await.is_err() {
            pending().await
        }
    }
}

impl Server {
    /// `refused` counts connections that are not let in.
    pub(crate) fn new(
        (routes, tls): (Router, Arc<ServerConfig>),
        crowd: Arc<Crowd>,
        refused: impl Fn() + Send + Sync + 'static,
        patience: Patience,
    ) -> Arc<Self> {
        let mut http1 = http1::Builder::new();
        http1
            .timer(TokioTimer::new())
            .header_read_timeout(patience.next_request)
            .max_buf_size(MOST_HEAD);
        let mut http2 = http2::Builder::new(TokioExecutor::new());
        http2
            .timer(TokioTimer::new())
            .max_concurrent_streams(MOST_STREAMS)
            .max_header_list_size(MOST_HEAD as u32)
            .keep_alive_interval(SIGN_OF_LIFE)
            .keep_alive_timeout(SIGN_OF_LIFE);
        Arc::new(Self {
            routes,
            http1,
            http2,
            tls: tls.into(),
            patience,
            crowd,
            refused: Box::new(refused),
        })
    }

    /// What serves all who connect, until the bank stops; those who are there by then keep their own [`Stop`].
    ///
    /// # Errors
    /// When the listener can't be had by the runtime.
    pub(crate) fn run(
        self: Arc<Self>,
        listener: TcpListener,
        mut stop: Stop,
    ) -> io::Result<impl Future<Output = ()> + Send + 'static> {
        listener.set_nonblocking(true)?;
        let listener = tokio::net::TcpListener::from_std(listener)?;
        Ok(async move {
            loop {
                let taken = tokio::select! {
                    taken = listener.accept() => taken,
                    () = stop.told() => return,
                };
                match taken {
                    Ok((tcp, address)) => self.let_in(tcp, address, stop.clone()),
                    Err(_) => sleep(NO_FILES).await,
                }
            }
        })
    }

    /// Beyond its share a connection is closed before TLS begins.
    fn let_in(self: &Arc<Self>, tcp: TcpStream, address: SocketAddr, mut stop: Stop) {
        let Some(presence) = self.crowd.enter(address.ip()) else {
            return (self.refused)();
        };
        let server = self.clone();
        // Whatever is large has a box of its own: a task is as large as it ever gets, for as long as it lives.
        tokio::spawn(async move {
            let head_by = Instant::now() + server.patience.first_request;
            let stream = tokio::select! {
                stream = Box::pin(server.handshake(tcp, head_by)) => stream,
                () = stop.told() => None,
            };
            let Some(stream) = stream else { return };
            let visitor = Arc::new(Visitor {
                address,
                presence,
                key: PeerKey::of(stream.get_ref().1.peer_certificates()),
                server,
            });
            match stream.get_ref().1.alpn_protocol() {
                Some(b"h2") => Box::pin(http2(visitor, stream, head_by, stop)).await,
                Some(_) | None => parking::http1(visitor, stream, head_by, stop).await,
            }
        });
    }

    async fn handshake(&self, tcp: TcpStream, by: Instant) -> Option<Tls> {
        // One round trip of a card is worth more than a full packet.
        tcp.set_nodelay(true).ok()?;
        let socket = Socket::new(tcp, self.patience.taking);
        let stream = timeout_at(by, self.tls.accept(socket)).await;
        Some(Box::new(stream.ok()?.ok()?))
    }
}

async fn http2(visitor: Arc<Visitor>, stream: Tls, head_by: Instant, mut stop: Stop) {
    let turn = Arc::<Turn>::default();
    let visit = Visit {
        turn: turn.clone(),
        visitor: visitor.clone(),
    };
    let http2 = &visitor.server.http2;
    let talk = pin!(http2.serve_connection(TokioIo::new(stream), visit));
    let enough = async {
        tokio::select! {
            () = stop.told() => {}
            () = idle(&turn, visitor.server.patience.next_request) => {}
        }
    };
    let end = http2::Connection::graceful_shutdown;
    let _over = led(talk, end, silent(&turn, head_by), enough).await;
}

/// What `talk` ends with, unless it is `silent`, or goes on for too long after its `end`, which comes when it is `enough`.
pub(crate) async fn led<T: Future>(
    mut talk: Pin<&mut T>,
    end: impl FnOnce(Pin<&mut T>),
    silent: impl Future<Output = ()>,
    enough: impl Future<Output = ()>,
) -> Option<T::Output> {
    tokio::select! {
        over = &mut talk => return Some(over),
        () = silent => return None,
        () = enough => {}
    }
    end(talk.as_mut());
    timeout(GRACE, talk).await.ok()
}

/// Returns when no request has come in time.
pub(crate) async fn silent(turn: &Turn, head_by: Instant) {
    sleep_until(head_by).await;
    if turn.has_come() {
        pending().await
    }
}

/// Returns when nothing has been asked for so long, whatever else the peer says: it may send PINGs, take an answer by
/// drops, or give no leave to send one.
async fn idle(turn: &Turn, longest: Duration) {
    let mut until = Instant::now() + longest;
    while until > Instant::now() {
        sleep_until(until).await;
        until = turn.at_rest_since().unwrap_or_else(Instant::now) + longest;
    }
}

/// Nobody waits for long for a peer that does not take it.
pub(crate) async fn goodbye(mut stream: Tls) {
    let _gone = timeout(GOODBYE, stream.shutdown()).await;
}
