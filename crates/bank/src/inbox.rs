//! The development inbox for SMS: in memory, shown on a page and as JSON.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use crate::sms::Sms;

const KEPT: usize = 100;

/// Newest first; nothing reaches a disk.
#[derive(Default)]
pub(crate) struct Inbox(Mutex<VecDeque<Sms>>);

impl Inbox {
    pub(crate) fn push(&self, sms: Sms) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.push_front(sms);
        all.truncate(KEPT);
    }

    pub(crate) fn all(&self) -> Vec<Sms> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
            .cloned()
            .collect()
    }
}
