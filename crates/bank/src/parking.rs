//! HTTP/1.1 with a terminal that is silent most of the time.
//!
//! Between two requests HTTP/1.1 knows nothing that would have to be kept, but the library that speaks it keeps its
//! buffers. So a connection is taken from it after each answer, and given to it anew when the next request begins.

use std::convert::Infallible;
use std::future::Future;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use axum::body::{Body, Bytes};
use axum::extract::ConnectInfo;
use axum::http::{Request, Response};
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use hyper::server::conn::http1::Connection;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, timeout_at};
use tower::ServiceExt;

use crate::crowd::Presence;
use crate::listening::{Server, Stop, Tls, goodbye, led, silent};
use crate::peer::PeerKey;

/// Who is at the other end of a connection.
pub(crate) struct Visitor {
    pub(crate) server: Arc<Server>,
    pub(crate) presence: Arc<Presence>,
    pub(crate) address: SocketAddr,
    pub(crate) key: PeerKey,
}

/// Serves one connection to its end; the next request's head must be there by `head_by`.
pub(crate) async fn http1(
    visitor: Arc<Visitor>,
    mut stream: Tls,
    mut head_by: Instant,
    mut stop: Stop,
) {
    let mut early = Bytes::new();
    loop {
        if early.is_empty() {
            let begins = tokio::select! {
                seen = timeout_at(head_by, stream.fill_buf()) => {
                    seen.is_ok_and(|seen| seen.is_ok_and(|bytes| !bytes.is_empty()))
                }
                () = stop.told() => false,
            };
            if !begins {
                return goodbye(stream).await;
            }
        }
        let talked = Box::pin(talk(&visitor, stream, early, head_by, &mut stop)).await;
        let Some(left) = talked else { return };
        (stream, early) = left;
        head_by = Instant::now() + visitor.server.patience.next_request;
    }
}

/// One request, or a few that come at once. What is left for the next are the stream and what has been read from it
/// already; nothing when the connection has ended.
async fn talk(
    visitor: &Arc<Visitor>,
    stream: Tls,
    early: Bytes,
    head_by: Instant,
    stop: &mut Stop,
) -> Option<(Tls, Bytes)> {
    let turn = Arc::<Turn>::default();
    let line = Line {
        stream,
        early,
        turn: turn.clone(),
    };
    let visit = Visit {
        turn: turn.clone(),
        visitor: visitor.clone(),
    };
    let conn = visitor
        .server
        .http1
        .serve_connection(TokioIo::new(line), visit);
    let mut talk = Talk { conn, turn };
    let turn = talk.turn.clone();
    let end = |talk: Pin<&mut Talk>| Pin::new(&mut talk.get_mut().conn).graceful_shutdown();
    let silent = silent(&turn, head_by);
    match led(Pin::new(&mut talk), end, silent, stop.told()).await {
        Some(After::Nothing) => {
            let parts = talk.conn.into_parts();
            Some((parts.io.into_inner().stream, parts.read_buf))
        }
        Some(After::Over) | None => None,
    }
}

/// Ends when the connection does, or as soon as it has nothing on its way.
struct Talk {
    conn: Connection<TokioIo<Line>, Visit>,
    turn: Arc<Turn>,
}

enum After {
    Nothing,
    Over,
}

impl Future for Talk {
    type Output = After;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<After> {
        match Pin::new(&mut self.conn).poll(cx) {
            Poll::Ready(Ok(()) | Err(_)) => Poll::Ready(After::Over),
            // It would have been ready, had one of both asked for its end.
            Poll::Pending if self.turn.is_over() => Poll::Ready(After::Nothing),
            Poll::Pending => Poll::Pending,
        }
    }
}

/// How far the request is that came last. All of it is read and written within the connection's task, but for what
/// HTTP/2 has in work.
#[derive(Default)]
pub(crate) struct Turn {
    came: AtomicBool,
    read: AtomicBool,
    answered: AtomicBool,
    flushed: AtomicBool,
    work: Mutex<Work>,
}

/// Requests that are not answered yet, and when the last one was.
#[derive(Default)]
struct Work {
    requests: usize,
    ended: Option<Instant>,
}

/// One request in work, until its answer is there or nobody wants it any more.
struct InWork(Arc<Turn>);

impl InWork {
    fn begins(turn: Arc<Turn>) -> Self {
        turn.with_work(|work| work.requests = work.requests.saturating_add(1));
        Self(turn)
    }
}

impl Drop for InWork {
    fn drop(&mut self) {
        self.0.with_work(|work| {
            work.requests = work.requests.saturating_sub(1);
            work.ended = Some(Instant::now());
        });
    }
}

impl Turn {
    fn begins(&self) {
        for over in [&self.read, &self.answered, &self.flushed] {
            over.store(false, Ordering::Relaxed);
        }
        self.came.store(true, Ordering::Relaxed);
    }

    /// Since when nothing is in work; nothing while something is, or before the first request.
    pub(crate) fn at_rest_since(&self) -> Option<Instant> {
        self.with_work(|work| work.ended.filter(|_| work.requests == 0))
    }

    fn with_work<T>(&self, look: impl FnOnce(&mut Work) -> T) -> T {
        look(&mut self.work.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether there was a request at all.
    pub(crate) fn has_come(&self) -> bool {
        self.came.load(Ordering::Relaxed)
    }

    /// Whether it has been read and its answer is with the peer, both to the end. Of a body that nobody has read to the
    /// end the rest may still come, and is not a request.
    fn is_over(&self) -> bool {
        [&self.read, &self.answered, &self.flushed]
            .iter()
            .all(|over| over.load(Ordering::Relaxed))
    }
}

/// The connection as HTTP sees it.
struct Line {
    stream: Tls,
    early: Bytes,
    turn: Arc<Turn>,
}

impl AsyncRead for Line {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.early.is_empty() {
            return Pin::new(&mut self.stream).poll_read(cx, buf);
        }
        let most = self.early.len().min(buf.remaining());
        buf.put_slice(&self.early.split_to(most));
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Line {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.turn.flushed.store(false, Ordering::Relaxed);
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.turn.flushed.store(false, Ordering::Relaxed);
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// It is flushed when all has been written: HTTP keeps nothing back.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = ready!(Pin::new(&mut self.stream).poll_flush(cx));
        self.turn.flushed.store(flushed.is_ok(), Ordering::Relaxed);
        Poll::Ready(flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// The bank, as one connection sees it.
pub(crate) struct Visit {
    pub(crate) turn: Arc<Turn>,
    pub(crate) visitor: Arc<Visitor>,
}

impl hyper::service::Service<Request<Incoming>> for Visit {
    type Response = Response<ToTheEnd<Body>>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let turn = self.turn.clone();
        turn.begins();
        let mut request =
            request.map(|body| Body::new(ToTheEnd::of(body, turn.clone(), |turn| &turn.read)));
        let visitor = &self.visitor;
        let extensions = request.extensions_mut();
        extensions.insert(ConnectInfo(visitor.address));
        extensions.insert(visitor.presence.clone());
        extensions.insert(visitor.key);
        let answer = visitor.server.routes.clone().oneshot(request);
        let in_work = InWork::begins(turn.clone());
        Box::pin(async move {
            let answer = answer.await?;
            drop(in_work);
            Ok(answer.map(|body| ToTheEnd::of(body, turn, |turn| &turn.answered)))
        })
    }
}

/// A body that tells when all of it has been taken.
pub(crate) struct ToTheEnd<B> {
    body: B,
    turn: Arc<Turn>,
    end: fn(&Turn) -> &AtomicBool,
}

impl<B: HttpBody> ToTheEnd<B> {
    fn of(body: B, turn: Arc<Turn>, end: fn(&Turn) -> &AtomicBool) -> Self {
        let this = Self { body, turn, end };
        if this.body.is_end_stream() {
            this.taken();
        }
        this
    }

    fn taken(&self) {
        (self.end)(&self.turn).store(true, Ordering::Relaxed);
    }
}

impl<B: HttpBody + Unpin> HttpBody for ToTheEnd<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        if frame.is_none() || self.body.is_end_stream() {
            self.taken();
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests;
