//! Connections: how many there are, in all and from one address, and how many of them send a body just now.
//!
//! A connection beyond its share is closed before TLS begins, which costs nothing. A body beyond its share is refused with
//! `busy`: whoever sends bodies by drops fills their own share and holds nobody up.

use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Extension;
use axum::middleware::AddExtension;
use axum_server::accept::Accept;
use tokio::net::TcpStream;
use tower::Layer;

/// How many there may be.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Shares {
    pub(crate) connections: usize,
    pub(crate) connections_of_one: usize,
    pub(crate) bodies: usize,
    pub(crate) bodies_of_one: usize,
}

/// All peers of one server.
pub(crate) struct Crowd {
    shares: Shares,
    now: Mutex<Now>,
}

#[derive(Default)]
struct Now {
    all: Counts,
    of: HashMap<IpAddr, Counts>,
}

#[derive(Clone, Copy, Default)]
struct Counts {
    connections: usize,
    bodies: usize,
}

/// One connection that is open.
pub(crate) struct Presence {
    crowd: Arc<Crowd>,
    from: IpAddr,
}

/// One body that is on its way.
pub(crate) struct Sending(Arc<Presence>);

impl Crowd {
    pub(crate) fn new(shares: Shares) -> Arc<Self> {
        Arc::new(Self {
            shares,
            now: Mutex::default(),
        })
    }

    /// None when there are too many already.
    pub(crate) fn enter(self: &Arc<Self>, from: IpAddr) -> Option<Arc<Presence>> {
        let shares = &self.shares;
        self.change(from, |all, one| {
            let room =
                all.connections < shares.connections && one.connections < shares.connections_of_one;
            if room {
                all.connections += 1;
                one.connections += 1;
            }
            room
        })
        .then(|| {
            Arc::new(Presence {
                crowd: self.clone(),
                from,
            })
        })
    }

    pub(crate) fn connections(&self) -> usize {
        let now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        now.all.connections
    }

    fn change<T>(&self, from: IpAddr, change: impl FnOnce(&mut Counts, &mut Counts) -> T) -> T {
        let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        let Now { all, of } = &mut *now;
        let one = of.entry(from).or_default();
        let done = change(all, one);
        if one.connections == 0 && one.bodies == 0 {
            of.remove(&from);
        }
        done
    }
}

impl Presence {
    /// None when too many bodies are on their way already.
    pub(crate) fn sends(self: &Arc<Self>) -> Option<Sending> {
        let shares = self.crowd.shares;
        self.crowd
            .change(self.from, |all, one| {
                let room = all.bodies < shares.bodies && one.bodies < shares.bodies_of_one;
                if room {
                    all.bodies += 1;
                    one.bodies += 1;
                }
                room
            })
            .then(|| Sending(self.clone()))
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        self.crowd.change(self.from, |all, one| {
            all.connections = all.connections.saturating_sub(1);
            one.connections = one.connections.saturating_sub(1);
        });
    }
}

impl Drop for Sending {
    fn drop(&mut self) {
        self.0.crowd.change(self.0.from, |all, one| {
            all.bodies = all.bodies.saturating_sub(1);
            one.bodies = one.bodies.saturating_sub(1);
        });
    }
}

/// Puts the [`Presence`] of a connection into each of its requests, or closes the connection.
#[derive(Clone)]
pub(crate) struct WithPresence<A> {
    pub(crate) inner: A,
    pub(crate) crowd: Arc<Crowd>,
    pub(crate) refused: Arc<dyn Fn() + Send + Sync>,
}

type Accepting<Stream, Service> = Pin<
    Box<dyn Future<Output = io::Result<(Stream, AddExtension<Service, Arc<Presence>>)>> + Send>,
>;

impl<A, S> Accept<TcpStream, S> for WithPresence<A>
where
    A: Accept<TcpStream, S>,
    A::Future: Send + 'static,
    A::Service: Send + 'static,
    A::Stream: Send + 'static,
    S: Send + 'static,
{
    type Stream = A::Stream;
    type Service = AddExtension<A::Service, Arc<Presence>>;
    type Future = Accepting<A::Stream, A::Service>;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        let from = stream
            .peer_addr()
            .map(|address| address.ip().to_canonical());
        let entered = from.map(|from| self.crowd.enter(from));
        let presence = match entered {
            Ok(Some(presence)) => presence,
            Ok(None) => {
                (self.refused)();
                let error = io::Error::other("too many connections");
                return Box::pin(std::future::ready(Err(error)));
            }
            Err(error) => return Box::pin(std::future::ready(Err(error))),
        };
        let accepting = self.inner.accept(stream, service);
        Box::pin(async move {
            let (stream, service) = accepting.await?;
            Ok((stream, Extension(presence).layer(service)))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHARES: Shares = Shares {
        connections: 3,
        connections_of_one: 2,
        bodies: 2,
        bodies_of_one: 1,
    };

    fn address(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    #[test]
    fn one_address_has_its_share_and_others_the_rest() {
        let crowd = Crowd::new(SHARES);
        let first = crowd.enter(address(1)).unwrap();
        let second = crowd.enter(address(1)).unwrap();
        assert!(crowd.enter(address(1)).is_none(), "its share is two");
        let other = crowd.enter(address(2)).unwrap();
        assert!(crowd.enter(address(3)).is_none(), "three in all");
        let body = first.sends().unwrap();
        assert!(second.sends().is_none(), "one body of an address");
        let others = other.sends().unwrap();
        drop((body, others));
        assert!(second.sends().is_some());
        drop((first, second, other));
        assert_eq!(crowd.connections(), 0);
        assert!(
            crowd.now.lock().unwrap().of.is_empty(),
            "nobody is remembered"
        );
    }
}
