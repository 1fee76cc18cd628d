//! Terminals that are connected and do nothing: TLS connections to the bank's own program, each of which asks for the
//! bank's health now and then, as whatever keeps a connection does. Looked at is the bank's process from outside; the
//! kernel's buffers are not in it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bank_client::Profile;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, watch};
use tokio_rustls::TlsConnector;

use crate::figures::{Figure, Limit, Report};
use crate::served::Served;
use crate::{Effort, Failure, Plan};

/// The figure, kB for each.
const MOST_KB: f64 = 20.0;
/// The bank lets go of one that says nothing for a minute.
const SIGN_OF_LIFE: Duration = Duration::from_secs(20);
/// Handshakes at once: more of them only wait for a core.
const AT_ONCE: usize = 32;
/// Each has said something again meanwhile, and what was set free is back.
const SETTLED: Duration = Duration::from_secs(25);
/// What a process needs beside its connections.
const OTHER_FILES: u64 = 512;

const CONFIGURATION: &str = "[bank]\nname = \"Bench\"\n\
    [limits]\nconnections = 40000\nconnections_per_address = 40000\n";

const HEALTH: &[u8] = b"GET /v1/health HTTP/1.1\r\nhost: localhost\r\n\r\n";

/// What a terminal needs to connect.
#[derive(Clone)]
struct Way {
    connector: TlsConnector,
    address: SocketAddr,
    handshakes: Arc<Semaphore>,
}

pub(crate) fn measure(plan: Plan) -> Result<Report, Failure> {
    let terminals = match plan.effort {
        Effort::Whole => 10_000,
        Effort::Quick => 2_000,
    };
    let terminals = within_file_limit(terminals)?;
    let bank = Served::start(CONFIGURATION)?;
    let way = Way::to(&bank.profile)?;
    let runtime = tokio::runtime::Runtime::new()?;
    // The first connections make what all others share.
    runtime.block_on(connected(&way, terminals / 20, async || Ok(())))?;
    std::thread::sleep(Duration::from_secs(1));
    let before_kb = bank.memory_kb()?;
    let held = runtime.block_on(connected(&way, terminals, async || {
        tokio::time::sleep(SETTLED).await;
        bank.memory_kb()
    }));
    let (held_kb, lost) = held?;
    runtime.shutdown_background();
    if lost > 0 {
        return Err(format!("{lost} of {terminals} connections were lost").into());
    }
    let each = (held_kb - before_kb) / terminals as f64;
    let each = Figure::new("bank's memory for an idle terminal", each, "kB");
    Ok(Report {
        title: "idle terminals",
        limits: vec![Limit::at_most(&each, MOST_KB)],
        figures: vec![
            each,
            Figure::new("bank without them", before_kb / 1e3, "MB"),
            Figure::new("bank with them", held_kb / 1e3, "MB"),
        ],
        repetitions: terminals,
        ..Report::default()
    })
}

/// Connects so many, does `meanwhile`, and lets go of them; with how many were lost by then.
async fn connected<T>(
    way: &Way,
    terminals: usize,
    meanwhile: impl AsyncFnOnce() -> Result<T, Failure>,
) -> Result<(T, usize), Failure> {
    let (end, ended) = watch::channel(false);
    let (here, mut arrivals) = watch::channel(0_usize);
    let here = Arc::new(here);
    let tasks: Vec<_> = (0..terminals)
        .map(|_| {
            let (way, ended, here) = (way.clone(), ended.clone(), here.clone());
            tokio::spawn(async move { way.terminal(ended, &here).await.map_err(|e| e.to_string()) })
        })
        .collect();
    let all = arrivals.wait_for(|count| *count == terminals);
    let patience = Duration::from_secs(120);
    let arrived = tokio::time::timeout(patience, all).await;
    arrived.map_err(|_| "not all terminals could connect")??;
    let done = meanwhile().await?;
    let _nobody_left = end.send(true);
    let mut lost = 0;
    for task in tasks {
        lost += usize::from(task.await?.is_err());
    }
    Ok((done, lost))
}

impl Way {
    fn to(profile: &Profile) -> Result<Self, Failure> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(
            profile.authority_pem.as_bytes(),
        )?)?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let url = profile.transaction_url.trim_start_matches("https://");
        Ok(Self {
            connector: Arc::new(config).into(),
            address: url.parse()?,
            handshakes: Arc::new(Semaphore::new(AT_ONCE)),
        })
    }

    /// One terminal, until the end.
    async fn terminal(
        self,
        mut ended: watch::Receiver<bool>,
        here: &watch::Sender<usize>,
    ) -> Result<(), Failure> {
        let leave = self.handshakes.acquire().await?;
        let tcp = TcpStream::connect(self.address).await?;
        tcp.set_nodelay(true)?;
        let name = ServerName::try_from("localhost")?;
        let mut stream = self.connector.connect(name, tcp).await?;
        let mut answer = [0; 512];
        let mut leave = Some(leave);
        loop {
            stream.write_all(HEALTH).await?;
            let length = stream.read(&mut answer).await?;
            if !answer[..length].starts_with(b"HTTP/1.1 200") {
                return Err("no answer".into());
            }
            if leave.take().is_some() {
                here.send_modify(|count| *count += 1);
            }
            let wait = tokio::time::timeout(SIGN_OF_LIFE, ended.wait_for(|ended| *ended));
            if wait.await.is_ok() {
                return Ok(());
            }
        }
    }
}

/// Both this process and the bank hold one file for each connection.
#[cfg(unix)]
fn within_file_limit(terminals: usize) -> Result<usize, Failure> {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let needed = u64::try_from(terminals)? + OTHER_FILES;
    let mut limit = getrlimit(Resource::Nofile);
    if limit.maximum.is_some_and(|most| most < needed) {
        return Err(format!("{needed} open files are needed: ulimit -Hn {needed}").into());
    }
    limit.current = limit.current.map(|now| now.max(needed));
    setrlimit(Resource::Nofile, limit)?;
    Ok(terminals)
}

#[cfg(not(unix))]
fn within_file_limit(terminals: usize) -> Result<usize, Failure> {
    let _files = OTHER_FILES;
    Ok(terminals)
}
