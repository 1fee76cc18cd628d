//! The provider of SMS that the bank posts to: HTTPS on loopback, and the newest code of each number.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bank::{Clock, SystemClock};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::person::Phones;

const POLL: Duration = Duration::from_millis(5);
/// Who has no code by then asks for another one.
const PATIENCE: Duration = Duration::from_secs(5);
const LONGEST: usize = 16 * 1024;

#[derive(Clone)]
pub(crate) struct Provider {
    /// When it came, with the code.
    codes: Arc<Mutex<HashMap<String, (u64, String)>>>,
    /// How often each SMS came, by its key.
    came: Arc<Mutex<BTreeMap<String, usize>>>,
    answer_after_ms: Arc<AtomicU64>,
    pub(crate) url: String,
    /// Its certificate, as PEM.
    pub(crate) authority: PathBuf,
}

impl Provider {
    pub(crate) async fn start(folder: &Path) -> Self {
        let own = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let authority = folder.join("provider.pem");
        std::fs::write(&authority, own.cert.pem()).unwrap();
        let key = PrivatePkcs8KeyDer::from(own.signing_key.serialize_der());
        let ring = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(ring)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![own.cert.der().clone()], PrivateKeyDer::Pkcs8(key))
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let provider = Self {
            codes: Arc::default(),
            came: Arc::default(),
            answer_after_ms: Arc::default(),
            url: format!(
                "https://localhost:{}/",
                listener.local_addr().unwrap().port()
            ),
            authority,
        };
        let serving = provider.clone();
        tokio::spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                let (acceptor, serving) = (acceptor.clone(), serving.clone());
                tokio::spawn(async move {
                    // A bank that was killed leaves its connection in the middle.
                    if let Ok(stream) = acceptor.accept(tcp).await {
                        let _left = serving.serve(stream).await;
                    }
                });
            }
        });
        provider
    }

    /// How often each SMS came.
    pub(crate) fn times(&self) -> Vec<usize> {
        self.came.lock().unwrap().values().copied().collect()
    }

    /// From now on an answer takes so long.
    #[allow(dead_code)] // a soak's provider answers at once
    pub(crate) fn answer_after(&self, ms: u64) {
        self.answer_after_ms.store(ms, Ordering::SeqCst);
    }

    async fn serve(&self, mut stream: impl AsyncRead + AsyncWrite + Unpin) -> std::io::Result<()> {
        let mut read = Vec::new();
        loop {
            while let Some((length, body)) = request(&read) {
                self.take(body);
                read.drain(..length);
                let wait_ms = self.answer_after_ms.load(Ordering::SeqCst);
                tokio::time::sleep(Duration::from_millis(wait_ms)).await;
                stream
                    .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
                    .await?;
                stream.flush().await?;
            }
            if read.len() > LONGEST || stream.read_buf(&mut read).await? == 0 {
                return Ok(());
            }
        }
    }

    fn take(&self, body: &[u8]) {
        let sms: serde_json::Value = serde_json::from_slice(body).unwrap();
        let (to, text) = (sms["to"].as_str().unwrap(), sms["text"].as_str().unwrap());
        let code = text
            .split_once("Code ")
            .and_then(|(_, rest)| rest.get(..6))
            .unwrap();
        let key = sms["key"].as_str().unwrap().to_owned();
        *self.came.lock().unwrap().entry(key).or_default() += 1;
        let came = (SystemClock.now_ms(), code.to_owned());
        self.codes.lock().unwrap().insert(to.to_owned(), came);
    }
}

/// A whole request at the beginning: its length and its body.
fn request(read: &[u8]) -> Option<(usize, &[u8])> {
    let head = read.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let lines = std::str::from_utf8(&read[..head]).ok()?;
    let length = lines.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        let is_length = name.eq_ignore_ascii_case("content-length");
        is_length.then(|| value.trim().parse::<usize>().ok())?
    });
    let whole = head + length?;
    Some((whole, read.get(head..whole)?))
}

impl Phones for Provider {
    async fn code(&self, phone: &str, since_ms: u64) -> Option<String> {
        let newest = || {
            let codes = self.codes.lock().unwrap();
            let (came_ms, code) = codes.get(phone)?;
            (*came_ms >= since_ms).then(|| code.clone())
        };
        let came = async {
            loop {
                match newest() {
                    Some(code) => return code,
                    None => tokio::time::sleep(POLL).await,
                }
            }
        };
        tokio::time::timeout(PATIENCE, came).await.ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_taken_when_all_of_it_is_here() {
        let whole = b"POST / HTTP/1.1\r\nContent-Length: 4\r\n\r\nbodyPOST";
        assert_eq!(request(whole), Some((42, &b"body"[..])));
        assert_eq!(request(&whole[..41]), None, "a letter is missing");
        assert_eq!(request(&whole[..20]), None, "the head is not over");
    }
}
