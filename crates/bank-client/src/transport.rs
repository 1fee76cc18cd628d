//! The way to the two servers, apart from what is said on it.

use std::pin::Pin;

use crate::{Answer, ClientError, ProfileError, Way};

/// One of the bank's two servers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Server {
    /// Keys, codes, packages.
    Security,
    /// Sealed relay messages.
    Transaction,
}

/// A request as it goes out. Without a body it is a GET, with one a POST.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// To whom.
    pub server: Server,
    /// Path, from its first slash.
    pub path: String,
    /// Names in small letters, and values.
    pub headers: Vec<(&'static str, String)>,
    /// Body of a POST.
    pub body: Option<Vec<u8>>,
}

impl Outgoing {
    pub(crate) fn get(server: Server, path: &str) -> Self {
        Self {
            server,
            path: path.to_owned(),
            headers: Vec::new(),
            body: None,
        }
    }

    pub(crate) fn post(
        server: Server,
        path: &str,
        content_type: &'static str,
        body: Vec<u8>,
    ) -> Self {
        Self {
            server,
            path: path.to_owned(),
            headers: vec![("content-type", content_type.to_owned())],
            body: Some(body),
        }
    }
}

/// What an attempt to send a request comes to.
pub type Sending<'a> = Pin<Box<dyn Future<Output = Result<Answer, ClientError>> + Send + 'a>>;

/// What a look at the way to a server comes to.
pub type Finding<'a> = Pin<Box<dyn Future<Output = Way> + Send + 'a>>;

/// Carries requests to the bank. Deadlines are its own matter.
pub trait Transport: Send + Sync {
    /// Sends one request and waits for its answer, whatever its status.
    ///
    /// # Errors
    /// [`ClientError::Offline`] and [`ClientError::Untrusted`] only when the request surely never reached the bank.
    fn send(&self, request: Outgoing) -> Sending<'_>;

    /// The way to a server, tried apart from any request. Of a transport without names and connections: nothing.
    fn way(&self, _server: Server) -> Finding<'_> {
        Box::pin(std::future::ready(Way::default()))
    }

    /// From now on connections show this terminal's certificate (12 digits and its Ed25519 secret).
    ///
    /// # Errors
    /// [`ProfileError::Tls`] when that makes no certificate.
    fn identify(&self, terminal: &str, secret: &[u8; 32]) -> Result<(), ProfileError>;
}
