//! Who is signed in: in memory, so that a restart of the bank signs everybody out.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::error::Problem;
use crate::vault::random;

/// Without a request for so long a session ends.
const IDLE_MS: u64 = 15 * 60 * 1_000;
/// And in any case after a shift.
const LONGEST_MS: u64 = 10 * 3_600 * 1_000;
const MOST: usize = 256;

/// What an operator may do.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Role {
    /// Looks.
    Viewer,
    /// Looks, and takes part in decisions.
    Operator,
}

impl Role {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Viewer, Self::Operator];

    /// The word of the command line and of the store.
    pub fn name(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
        }
    }
}

#[derive(Clone)]
struct Session {
    operator: String,
    csrf: String,
    begun_ms: u64,
    seen_ms: u64,
}

/// By the hash of their token: a copy of the memory signs nobody in.
#[derive(Default)]
pub(super) struct Sessions(Mutex<HashMap<[u8; 32], Session>>);

/// Somebody who is signed in.
#[derive(Clone, Debug)]
pub(super) struct Signed {
    pub(super) operator: String,
    pub(super) csrf: String,
}

impl Sessions {
    /// A new session; its token, hex digits.
    pub(super) fn begin(&self, operator: &str, now_ms: u64) -> Result<String, Problem> {
        let token = hex::encode(random::<32>()?);
        let session = Session {
            operator: operator.to_owned(),
            csrf: hex::encode(random::<32>()?),
            begun_ms: now_ms,
            seen_ms: now_ms,
        };
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, session| session.lives(now_ms));
        if all.len() >= MOST {
            return Err(Problem::busy());
        }
        all.insert(key(&token), session);
        Ok(token)
    }

    /// Whose session it is; none when there is no such session, or not any more.
    pub(super) fn find(&self, token: &str, now_ms: u64) -> Option<Signed> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let session = all.get_mut(&key(token))?;
        if !session.lives(now_ms) {
            all.remove(&key(token));
            return None;
        }
        session.seen_ms = now_ms;
        Some(Signed {
            operator: session.operator.clone(),
            csrf: session.csrf.clone(),
        })
    }

    pub(super) fn end(&self, token: &str) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.remove(&key(token));
    }
}

impl Session {
    fn lives(&self, now_ms: u64) -> bool {
        now_ms < self.seen_ms.saturating_add(IDLE_MS)
            && now_ms < self.begun_ms.saturating_add(LONGEST_MS)
    }
}

impl Signed {
    /// Whether a form was made for this very session.
    pub(super) fn made(&self, csrf: &str) -> bool {
        self.csrf.as_bytes().ct_eq(csrf.as_bytes()).into()
    }
}

fn key(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_ends_when_nobody_uses_it_and_at_the_end_of_a_shift() {
        let sessions = Sessions::default();
        let token = sessions.begin("chen", 0).unwrap();
        let mut now = 0;
        while now < LONGEST_MS - IDLE_MS {
            now += IDLE_MS - 1;
            assert_eq!(sessions.find(&token, now).unwrap().operator, "chen");
        }
        assert!(sessions.find(&token, LONGEST_MS).is_none(), "however busy");
        let token = sessions.begin("chen", 0).unwrap();
        assert!(sessions.find(&token, IDLE_MS).is_none());
        assert!(sessions.find(&token, 1).is_none(), "an end is an end");
    }

    #[test]
    fn a_form_is_of_its_own_session() {
        let sessions = Sessions::default();
        let one = sessions.begin("chen", 0).unwrap();
        let two = sessions.begin("chen", 0).unwrap();
        let (one, two) = (
            sessions.find(&one, 1).unwrap(),
            sessions.find(&two, 1).unwrap(),
        );
        assert!(one.made(&one.csrf) && !one.made(&two.csrf) && !one.made(""));
        assert!(sessions.find("", 1).is_none());
    }
}
