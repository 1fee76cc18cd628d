//! Connections: how many there are, in all and from one address, and how many of them send a body just now.
//!
//! A connection beyond its share is closed before TLS begins, which costs nothing. A body beyond its share is refused with
//! `busy`: whoever sends bodies by drops fills their own share and holds nobody up.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use crate::subscriber::Subscriber;

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
    of: HashMap<Subscriber, Counts>,
}

#[derive(Clone, Copy, Default)]
struct Counts {
    connections: usize,
    bodies: usize,
}

/// One connection that is open.
pub(crate) struct Presence {
    crowd: Arc<Crowd>,
    from: Subscriber,
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
        let from = Subscriber::of(from);
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

    fn change<T>(&self, from: Subscriber, change: impl FnOnce(&mut Counts, &mut Counts) -> T) -> T {
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
    fn a_line_of_ipv6_has_one_share_for_all_its_addresses() {
        let crowd = Crowd::new(SHARES);
        let of = |address: &str| crowd.enter(address.parse().unwrap());
        let open = (of("2001:db8:1:2::1"), of("2001:db8:1:2::2"));
        assert!(open.0.is_some() && open.1.is_some());
        assert!(of("2001:db8:1:2::3").is_none(), "its share is two");
        assert!(of("2001:db8:1:3::1").is_some(), "another line");
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
