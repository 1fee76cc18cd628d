//! Starting and stopping.

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum_server::Handle;
use rustls::ServerConfig;
use serde_json::json;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

use crate::bank::Bank;
use crate::card_hsm::{Holder, IssuerKey, IssuerKeys, KeysByIndustry, Versions};
use crate::check::{self, Money, Report};
use crate::config::{
    Config, IssuerKeyText, IssuerKeyTexts, KeyWithRecipe, KeysOfScheme, LimitSettings, Settings,
};
use crate::console;
use crate::corebank::{self, Core};
use crate::crowd::{Crowd, Shares};
use crate::error::{Problem, StartError};
use crate::files::{Directory, STORE_KEY, restrict};
use crate::http;
use crate::http::admission::Admission;
use crate::http::rates::Rates;
use crate::listening::{self, GRACE, Server, Stop};
use crate::loopback;
use crate::metrics::Metrics;
use crate::packages::Shelf;
use crate::sms::post::{self, Posting};
use crate::sms::sender::Sender;
use crate::store::audit::Heads;
use crate::store::beside::Shards;
use crate::store::{Opening, Place, audit, commit, customer, owner, terminal};
use crate::tls::{self, Identity};
use crate::token::Token;
use crate::vault::Vault;
use crate::worker;

/// How long a command of an operator waits for a store in use.
const PATIENCE: Duration = Duration::from_secs(30);

/// Bodies on their way that are always allowed.
const FEWEST_BODIES: usize = 64;

/// A bank that serves. Dropping it does not stop it: call [`Running::stop`].
pub struct Running {
    /// Address of the security server.
    pub security_addr: SocketAddr,
    /// Address of the transaction server.
    pub transaction_addr: SocketAddr,
    /// Address of metrics and health, where there are any.
    pub metrics_addr: Option<SocketAddr>,
    /// Address of the operators' page, where there is one.
    pub console_addr: Option<SocketAddr>,
    /// The profile that terminals of this bank are installed with.
    pub profile_path: PathBuf,
    bank: Arc<Bank>,
    stopping: watch::Sender<bool>,
    handles: Vec<Handle<SocketAddr>>,
    servers: Vec<JoinHandle<()>>,
    worker: JoinHandle<()>,
    posting: Option<Posting>,
    core: Vec<JoinHandle<()>>,
}

/// Makes what a first start needs, opens the store and serves both addresses.
///
/// # Errors
/// [`StartError`], with a code and what it is about.
pub async fn start(config: Config) -> Result<Running, StartError> {
    let settings = config.settings.clone();
    let dir = directory(&config)?;
    let identity = tls::identity(
        &dir,
        &settings.bank.host_names,
        settings.bank.client_certificates,
    )?;
    let [security, transaction] = listeners(&config)?;
    let metrics = beside(config.metrics.or(settings.bank.metrics))?;
    let console = beside(config.console.or(settings.bank.console))?;
    let bank = Arc::new(bank(&config, &dir).await?);
    customer::seed(&bank).await.map_err(store_failed)?;
    bank.store.count_first().await;
    let mut conn = bank.store.read().await.map_err(store_failed)?;
    corebank::fits(&bank, &mut conn).await?;
    drop(conn);
    let security_addr = address(&security)?;
    let transaction_addr = address(&transaction)?;
    let profile = profile(&bank, &identity, (security_addr, transaction_addr));
    dir.write("profile.json", profile.to_string().as_bytes())?;
    restrict(&dir.path("profile.json"), 0o644)?;
    let security_routes = http::security::routes().merge(http::receipt::routes());
    #[cfg(feature = "development")]
    let security_routes = match &bank.inbox {
        Some(_) => security_routes.merge(http::inbox::routes()),
        None => security_routes,
    };
    let counted = |name, routes| {
        let routes = http::routes(bank.clone(), routes);
        http::metrics::measured(bank.clone(), name, routes)
    };
    let security_routes = counted("security", security_routes);
    let transaction_routes = counted("transaction", http::transaction::routes());
    let (stopping, stop) = watch::channel(false);
    let stop = || Stop(stop.clone());
    let handles: Vec<_> = std::iter::repeat_with(Handle::new).take(2).collect();
    let mut free = handles.iter().cloned();
    let mut handle = || free.next().unwrap_or_default();
    let (tls, other_tls) = (identity.security, identity.transaction);
    let mut servers = vec![
        serve(&bank, security, security_routes, tls, stop())?,
        serve(&bank, transaction, transaction_routes, other_tls, stop())?,
    ];
    let [metrics_addr, console_addr] = [&metrics, &console].map(|it| Some(it.as_ref()?.1));
    if let Some((listener, _)) = metrics {
        let routes = http::metrics::server(bank.clone());
        servers.push(loopback::serve(listener, routes, handle())?);
    }
    if let Some((listener, _)) = console {
        let routes = console::server(bank.clone());
        servers.push(loopback::serve(listener, routes, handle())?);
    }
    let worker = tokio::spawn(worker::run(bank.clone()));
    let posting = post::start(&bank);
    let core = Core::spawn(&bank);
    let profile_path = dir.path("profile.json");
    Ok(Running {
        security_addr,
        transaction_addr,
        metrics_addr,
        console_addr,
        profile_path,
        bank,
        stopping,
        handles,
        servers,
        worker,
        posting,
        core,
    })
}

impl Running {
    /// Lets requests in work finish, closes the store.
    pub async fn stop(self) {
        self.stopping.send_replace(true);
        for handle in &self.handles {
            handle.graceful_shutdown(Some(GRACE));
        }
        for server in self.servers {
            if let Err(error) = server.await {
                log::error!("a server ended badly: {error}");
            }
        }
        // Each connection holds its end of it.
        self.stopping.closed().await;
        // Its end is waited for: a round still in work would find the store closed.
        for own in std::iter::once(self.worker).chain(self.core) {
            own.abort();
            let _aborted = own.await;
        }
        if let Some(posting) = self.posting {
            posting.stop().await;
        }
        #[cfg(feature = "otel")]
        self.bank.spans.close().await;
        self.bank.store.close().await;
    }

    /// Every invariant as a query.
    ///
    /// # Errors
    /// When the store can't be read; the text says why.
    pub async fn check(&self) -> Result<Report, String> {
        check::told_report(&self.bank).await
    }

    /// Where the money is, fen: the bank's part of I14.
    ///
    /// # Errors
    /// When the store can't be read; the text says why.
    pub async fn money(&self) -> Result<Money, String> {
        check::told_money(&self.bank).await
    }

    /// Refuses a terminal from now on; false when there is none of this number (12 digits).
    ///
    /// # Errors
    /// When the number is none, or the store can't be written; the text says why.
    pub async fn revoke(&self, number: &str) -> Result<bool, String> {
        let number: envelope::Terminal = number.parse().map_err(|_| "not 12 digits".to_owned())?;
        let done = revoke(&self.bank, &number).await;
        done.map_err(|error| text(&error))
    }
}

/// Revokes a terminal (12 digits) of the bank in `config.dir`, running or not; false when there is none of it.
///
/// # Errors
/// [`StartError`] when the bank's folder or store can't be used, or the number is none.
pub async fn revoke_terminal(config: Config, number: &str) -> Result<bool, StartError> {
    let number: envelope::Terminal = number
        .parse()
        .map_err(|_| StartError::Store(format!("terminal {number}: not 12 digits")))?;
    let dir = directory(&config)?;
    let bank = bank(&config, &dir).await?;
    let found = revoke(&bank, &number).await.map_err(store_failed);
    bank.store.close().await;
    found
}

pub(crate) fn directory(config: &Config) -> Result<Directory, StartError> {
    let token = config.settings.hsm.as_ref().map(Token::open).transpose()?;
    Directory::open(&config.dir, token.map(Arc::new))
}

/// With its row in the audit log.
async fn revoke(bank: &Bank, number: &envelope::Terminal) -> Result<bool, Problem> {
    commit!(bank.store, conn => {
        let found = terminal::revoke(conn, number).await?;
        if found {
            let subject = number.to_string();
            let what = ("terminal-revoked", subject.as_str(), "{}");
            audit::note(bank, conn, what, bank.now_ms()).await?;
        }
        Ok(found)
    })
}

pub(crate) fn text(error: &Problem) -> String {
    match error {
        Problem::Refused { code, .. } => (*code).to_owned(),
        Problem::Conflict { cause } => cause.clone(),
        Problem::Internal { place, cause } => format!("{cause} at {place}"),
    }
}

pub(crate) fn store_failed(error: Problem) -> StartError {
    match error {
        Problem::Conflict { .. } => StartError::Busy,
        Problem::Refused { .. } | Problem::Internal { .. } => StartError::Store(text(&error)),
    }
}

pub(crate) async fn bank(config: &Config, dir: &Directory) -> Result<Bank, StartError> {
    let settings = config.settings.clone();
    let vault = Arc::new(Vault::new(dir.secret(STORE_KEY)?));
    let hpke_seed = dir.secret("enrolment.key")?;
    let (enrolment_secret, enrolment_public) = envelope::enrol::hpke_key_pair(&hpke_seed);
    let signer = dir.secret("package-signer.key")?;
    let wait = match config.patient {
        true => PATIENCE,
        false => Duration::from_millis(settings.limits.database_wait_ms),
    };
    let store = opening(config, wait).open(&place(&settings, dir)?).await?;
    if !owner::claim(&store, &vault).await.map_err(store_failed)? {
        store.close().await;
        return Err(StartError::another_store_key());
    }
    let hsm = hsm(&settings, dir.token())?;
    let metrics = Metrics::new();
    let core = Core::new(
        settings.core.as_ref(),
        config.clock.clone(),
        metrics.core.clone(),
    );
    let packages = Shelf::load(&settings, &signer)?;
    let identified_by = identified_by(&hsm, &packages)?;
    let sender = Sender::new(&settings, dir)?;
    #[cfg(feature = "development")]
    let inbox = config.dev.then(Arc::<crate::inbox::Inbox>::default);
    #[cfg(feature = "development")]
    let sender = sender.or_inbox(inbox.as_ref());
    Ok(Bank {
        clock: config.clock.clone(),
        hsm: Box::new(hsm),
        packages,
        identified_by,
        enrolment_secret: zeroize::Zeroizing::new(*enrolment_secret.expose()),
        enrolment_public,
        signer_secret: dir.secret("enrolment-signer.key")?,
        receipt_secret: dir.secret("receipt-signer.key")?,
        #[cfg(feature = "development")]
        inbox,
        sender,
        outbox: Notify::new(),
        admission: Admission::new(
            settings.limits.concurrent_requests,
            Duration::from_millis(settings.limits.answer_ms),
        ),
        rates: Rates::new(&settings.limits),
        crowd: Crowd::new(shares(&settings.limits)),
        metrics,
        core: core.map_err(store_failed)?,
        #[cfg(feature = "otel")]
        spans: crate::otel::Spans::to(settings.otel.as_ref())?,
        settings,
        store,
        shards: Shards::new(),
        audit_heads: Heads::default(),
        vault,
    })
}

/// Where the configuration has the store; a file is made, readable by the bank alone.
pub(crate) fn place(settings: &Settings, dir: &Directory) -> Result<Place, StartError> {
    Ok(match settings.place()? {
        Place::File(file) => Place::File(dir.private(&file)?),
        server @ Place::Server(..) => server,
    })
}

#[cfg(not(feature = "simulator"))]
fn opening(_: &Config, wait: Duration) -> Opening {
    Opening::after(wait)
}

#[cfg(feature = "simulator")]
fn opening(config: &Config, wait: Duration) -> Opening {
    let gate = config.commits.clone();
    Opening {
        gate,
        ..Opening::after(wait)
    }
}

fn hsm(settings: &Settings, token: Option<&Arc<Token>>) -> Result<KeysByIndustry, StartError> {
    let key = |(text, recipe): KeyWithRecipe| {
        let holder = match (text, token) {
            (IssuerKeyText::Key(key), _) => Holder::Memory(key),
            (IssuerKeyText::Label(label), Some(token)) => {
                Holder::Token(token.clone(), token.issuer_key(&label)?)
            }
            (IssuerKeyText::Label(label), None) => {
                return Err(StartError::Hsm {
                    what: label,
                    cause: "the configuration has no [hsm]".to_owned(),
                });
            }
        };
        Ok(IssuerKey { holder, recipe })
    };
    let of_version = |IssuerKeyTexts { version, keys }| {
        let made = match keys {
            KeysOfScheme::Purse {
                load,
                tac,
                maintenance,
            } => IssuerKeys::Purse {
                load: key(load)?,
                tac: key(tac)?,
                maintenance: maintenance.map(key).transpose()?,
            },
            KeysOfScheme::Cash { cryptogram, script } => IssuerKeys::Cash {
                cryptogram: key(cryptogram)?,
                script: key(script)?,
            },
        };
        Ok((version, made))
    };
    let mut keys = BTreeMap::new();
    for (at, industry) in settings.industries.iter().enumerate() {
        let texts = industry.issuer_keys(at)?.into_iter();
        let versions: Result<Vec<_>, StartError> = texts.map(of_version).collect();
        keys.insert(industry.code.clone(), Versions(versions?));
    }
    Ok(KeysByIndustry(keys))
}

/// The fields that each industry's recipes need; each must be one of its package's.
fn identified_by(
    hsm: &KeysByIndustry,
    packages: &Shelf,
) -> Result<BTreeMap<String, Vec<String>>, StartError> {
    let mut fields = BTreeMap::new();
    for (code, served) in &packages.served {
        let needed = hsm.fields(code);
        if let Some(field) = needed.iter().find(|field| !served.package.declares(field)) {
            return Err(StartError::Package {
                name: code.clone(),
                cause: format!("a recipe takes bytes from `{field}`, which the package has not"),
            });
        }
        fields.insert(
            code.clone(),
            needed.into_iter().map(str::to_owned).collect(),
        );
    }
    Ok(fields)
}

fn listeners(config: &Config) -> Result<[TcpListener; 2], StartError> {
    let bind = |address: SocketAddr| {
        TcpListener::bind(address).map_err(|error| StartError::Address {
            address: address.to_string(),
            cause: error.to_string(),
        })
    };
    let own = &config.settings.bank;
    Ok([
        bind(config.security.unwrap_or(own.security))?,
        bind(config.transaction.unwrap_or(own.transaction))?,
    ])
}

fn beside(address: Option<SocketAddr>) -> Result<Option<(TcpListener, SocketAddr)>, StartError> {
    address.map(loopback::bind).transpose()
}

fn address(listener: &TcpListener) -> Result<SocketAddr, StartError> {
    listener.local_addr().map_err(|error| StartError::Address {
        address: "unknown".to_owned(),
        cause: error.to_string(),
    })
}

/// Bodies are small and gone in a moment: four for each request in work is plenty, and no address needs more than a quarter.
fn shares(limits: &LimitSettings) -> Shares {
    let bodies = limits
        .concurrent_requests
        .saturating_mul(4)
        .max(FEWEST_BODIES);
    Shares {
        connections: limits.connections,
        connections_of_one: limits.connections_per_address,
        bodies,
        bodies_of_one: bodies / 4,
    }
}

fn serve(
    bank: &Arc<Bank>,
    listener: TcpListener,
    routes: Router,
    tls: Arc<ServerConfig>,
    stop: Stop,
) -> Result<JoinHandle<()>, StartError> {
    let counting = bank.clone();
    let refused = move || counting.metrics.connection_refused();
    let server = Server::new(
        (routes, tls),
        bank.crowd.clone(),
        refused,
        listening::PATIENCE,
    );
    let running = server
        .run(listener, stop)
        .map_err(|error| StartError::Tls(error.to_string()))?;
    Ok(tokio::spawn(running))
}

fn profile(
    bank: &Bank,
    identity: &Identity,
    (security, transaction): (SocketAddr, SocketAddr),
) -> serde_json::Value {
    let settings = &bank.settings.bank;
    let url = |given: &Option<String>, address: SocketAddr| {
        given
            .clone()
            .unwrap_or_else(|| format!("https://{address}"))
    };
    let public = |secret: &[u8; 32]| hex::encode(envelope::package::signer_public(secret));
    let mut profile = json!({
        "name": settings.name,
        "security_url": url(&settings.security_url, security),
        "transaction_url": url(&settings.transaction_url, transaction),
        "authority_pem": identity.authority_pem,
        "pins": identity.pins,
        "enrolment_hpke": hex::encode(bank.enrolment_public),
        "enrolment_signer": public(&bank.signer_secret),
        "package_signer": hex::encode(bank.packages.signer),
        "lowest_suite": bank.settings.keys.lowest_suite,
        "client_certificate": settings.client_certificates,
    });
    // An app of before knows no such field, and refuses what it does not know.
    if let Some(url) = &settings.receipt_url {
        profile["receipt_url"] = json!(url);
    }
    profile
}
