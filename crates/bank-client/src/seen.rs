//! Somebody who looks on: what was sent and how it ended, never what stands in it.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::transport::{Finding, Outgoing, Sending, Server, Transport};
use crate::{Answer, ClientError, ProfileError};

/// One request that ended.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// Path, from its first slash.
    pub path: &'a str,
    /// Bytes of its body.
    pub sent: usize,
    /// What came of it.
    pub outcome: &'a Result<Answer, ClientError>,
    /// How long it took.
    pub took: Duration,
}

/// Told of each request at its end.
pub type Onlooker = Arc<dyn Fn(Seen<'_>) + Send + Sync>;

pub(crate) struct Watched {
    pub(crate) inner: Arc<dyn Transport>,
    pub(crate) onlooker: Onlooker,
}

impl Transport for Watched {
    fn send(&self, request: Outgoing) -> Sending<'_> {
        let path = request.path.clone();
        let sent = request.body.as_ref().map(Vec::len).unwrap_or_default();
        let sending = self.inner.send(request);
        Box::pin(async move {
            let started = Instant::now();
            let outcome = sending.await;
            (self.onlooker)(Seen {
                path: &path,
                sent,
                outcome: &outcome,
                took: started.elapsed(),
            });
            outcome
        })
    }

    fn way(&self, server: Server) -> Finding<'_> {
        self.inner.way(server)
    }

    fn identify(&self, terminal: &str, secret: &[u8; 32]) -> Result<(), ProfileError> {
        self.inner.identify(terminal, secret)
    }
}
