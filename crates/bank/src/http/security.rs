//! The security server: enrolment, keys, codes, packages, limits.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::Router;
use axum::extract::{ConnectInfo, Request};
use axum::http::HeaderMap;
use axum::response::Response;
use axum::routing::post;
use envelope::auth;
use envelope::enrol::{self, Enrolled, OpenRequest};
use envelope::keys::{self, KeyAnswer, KeyFacts, MasterKey, WorkingKey};
use envelope::{Suite, Terminal};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use crate::bank::Bank;
use crate::config::IndustrySettings;
use crate::error::Problem;
use crate::http::transaction::{MOST_SKEW_MS, owns, terminal_of, usable};
use crate::http::{Asked, limited, problem, respond, told_to_wait};
use crate::store::counted::{self, Counted, Kind};
use crate::store::terminal::{NewTerminal, State, TerminalRow};
use crate::store::{self, Conn, audit, commit, terminal};
use crate::vault::{Purpose, random};

mod codes;
mod outcome;
mod queue;
mod sms;

/// How long the same enrolment request gets the same answer.
const REPEATED_MS: u64 = 10 * 60 * 1_000;

pub(crate) fn routes() -> Router<Arc<Bank>> {
    Router::new()
        .route("/v1/enrol", post(enrol))
        .merge(authenticated())
}

fn authenticated() -> Router<Arc<Bank>> {
    Router::new()
        .route("/v1/working-key", post(signed))
        .route("/v1/key-query", post(signed))
        .route("/v1/sms/send", post(signed))
        .route("/v1/sms/verify", post(signed))
        .route("/v1/packages", post(signed))
        .route("/v1/limits", post(signed))
        .route("/v1/outcome", post(signed))
        .route("/v1/queue/send", post(signed))
        .route("/v1/queue/open", post(signed))
        .route("/v1/queue/state", post(signed))
        .route("/v1/queue/close", post(signed))
}

async fn enrol(
    axum::extract::State(bank): axum::extract::State<Arc<Bank>>,
    request: Request,
) -> Response {
    let work = |bank: Arc<Bank>, asked: Asked| async move {
        let from = address(&asked)?;
        grant(&bank, from, asked.body()).await
    };
    match limited(bank, request, work).await {
        Ok(json) => respond(200, "application/json", json.into_bytes(), None),
        Err(error) => problem(error),
    }
}

async fn grant(bank: &Bank, from: IpAddr, body: &[u8]) -> Result<String, Problem> {
    let text = std::str::from_utf8(body).map_err(|_| Problem::bad_request())?;
    if !serde_json::from_str::<Value>(text).is_ok_and(|value| value.is_object()) {
        return Err(Problem::bad_request());
    }
    let opened = enrol::open_request(&bank.enrolment_secret, text);
    let request = opened.map_err(|_| Problem::envelope_refused())?;
    let now_ms = bank.now_ms();
    let nonce_hash = bank
        .vault
        .hash(Purpose::Enrolment, &[request.request_hash()]);
    let row = commit!(bank.store, conn => {
        match terminal::by_nonce(bank, conn, &nonce_hash).await? {
            // A terminal whose answer was lost asks again at once. Later it is a copy in somebody else's hands.
            Some(row)
                if row.state == State::Active
                    && now_ms < row.enrolled_ms.saturating_add(REPEATED_MS) =>
            {
                Ok(row)
            }
            Some(_) => Err(Problem::refused(409, "replay")),
            None => enrolled(bank, conn, (from, &request, nonce_hash), now_ms).await,
        }
    })?;
    let granted = Enrolled {
        terminal: row.terminal,
        master_key: row.master,
        suite: row.suite,
        time_ms: now_ms,
    };
    let answer = request.answer(&granted, &bank.signer_secret, &random()?);
    answer.map_err(|_| Problem::envelope_refused())
}

/// A terminal that was not known before, within the limits.
async fn enrolled(
    bank: &Bank,
    conn: &mut Conn,
    (from, request, nonce_hash): (IpAddr, &OpenRequest, [u8; 32]),
    now_ms: u64,
) -> Result<TerminalRow, Problem> {
    let replaces = replaces(bank, conn, request).await?;
    let most = bank.settings.limits.enrolments_per_address_per_hour;
    // Many terminals behind one address change their keys on one day: a proven successor counts for itself.
    let counted = [match replaces {
        Some(terminal) => Counted::new(bank, Kind::Enrolment, &terminal.to_string(), most),
        None => Counted::of_address(bank, Kind::Enrolment, from, most),
    }];
    counted::take(conn, &counted, now_ms).await?;
    let new = NewTerminal {
        row: TerminalRow {
            replaces,
            ..new_terminal(bank, conn, now_ms).await?
        },
        previous: request.previous_terminal,
        device: &request.device,
        nonce_hash,
    };
    terminal::insert(bank, conn, &new).await?;
    let id = new.row.terminal.to_string();
    audit::note(bank, conn, ("terminal-enrolled", &id, "{}"), now_ms).await?;
    Ok(new.row)
}

/// The previous terminal, when who asks holds its key: nobody else can end it.
async fn replaces(
    bank: &Bank,
    conn: &mut Conn,
    request: &OpenRequest,
) -> Result<Option<Terminal>, Problem> {
    let Some(previous) = request.previous_terminal else {
        return Ok(None);
    };
    let row = terminal::find(bank, conn, &previous).await?;
    let proven = row.is_some_and(|row| {
        let key = keys::auth_key(&row.master, &row.terminal);
        row.state == State::Active && request.succeeds(&key)
    });
    Ok(proven.then_some(previous))
}

async fn new_terminal(bank: &Bank, conn: &mut Conn, now_ms: u64) -> Result<TerminalRow, Problem> {
    let suite = |number| Suite::try_from(number).map_err(Problem::internal);
    let master = MasterKey::new(random()?);
    loop {
        let bytes: [u8; 6] = random()?;
        // Two digits from each byte; a number that is taken, or all zeros, is drawn again.
        let bcd = bytes.map(|byte| ((byte / 10 % 10) << 4) | (byte % 10));
        let terminal = Terminal::from_bcd(bcd).map_err(Problem::internal)?;
        if bcd != [0; 6] && terminal::find(bank, conn, &terminal).await?.is_none() {
            let (suite, lowest) = (
                suite(bank.settings.keys.suite)?,
                suite(bank.settings.keys.lowest_suite)?,
            );
            return Ok(TerminalRow {
                terminal,
                master,
                suite,
                lowest,
                state: State::Active,
                enrolled_ms: now_ms,
                replaces: None,
            });
        }
    }
}

/// Who asks, proven by the MAC of section 3.2.
struct Caller {
    row: TerminalRow,
    key: keys::AuthKey,
    nonce: String,
}

async fn signed(
    axum::extract::State(bank): axum::extract::State<Arc<Bank>>,
    request: Request,
) -> Response {
    let work = |bank: Arc<Bank>, asked: Asked| async move {
        let caller = authenticate(&bank, &asked).await?;
        let result = match fresh(&bank, &asked, &caller).await {
            Ok(()) => dispatch(&bank, &asked, &caller).await,
            Err(error) => Err(error),
        };
        let wait_s = result.as_ref().err().and_then(Problem::retry_after_s);
        let (status, body) = match result {
            Ok(value) => (200, value.to_string().into_bytes()),
            Err(error) => {
                bank.metrics.refused(&error);
                error.answer()
            }
        };
        let mac = auth::answer_mac(&caller.key, &caller.nonce, status, &body);
        let response = respond(status, "application/json", body, Some(mac));
        Ok(told_to_wait(response, wait_s))
    };
    match limited(bank, request, work).await {
        Ok(response) => response,
        Err(error) => problem(error),
    }
}

async fn authenticate(bank: &Bank, asked: &Asked) -> Result<Caller, Problem> {
    let headers = asked.headers();
    let terminal = terminal_of(header(headers, "tapfill-terminal")?)?;
    let nonce = header(headers, "tapfill-nonce")?.to_owned();
    if nonce.len() != 32 || hex::decode(&nonce).is_err() {
        return Err(Problem::bad_request());
    }
    let time_ms = time(headers)?;
    let mut conn = bank.store.read().await?;
    let row = usable(terminal::find(bank, &mut conn, &terminal).await?)?;
    owns(bank, &row, asked)?;
    let key = keys::auth_key(&row.master, &row.terminal);
    let path = asked.uri().path();
    let mac = auth::request_mac(&key, path, &terminal, &nonce, time_ms, asked.body());
    auth::verify(&mac, header(headers, "tapfill-mac")?).map_err(|_| Problem::envelope_refused())?;
    Ok(Caller { row, key, nonce })
}

/// In time, and not a copy of an earlier request.
async fn fresh(bank: &Bank, asked: &Asked, caller: &Caller) -> Result<(), Problem> {
    bank.rates.terminal(&caller.row.terminal)?;
    let now_ms = bank.now_ms();
    if time(asked.headers())?.abs_diff(now_ms) > MOST_SKEW_MS {
        return Err(Problem::time_skew(now_ms));
    }
    let nonce = hex::decode(&caller.nonce).map_err(|_| Problem::bad_request())?;
    let terminal = &caller.row.terminal;
    if commit!(bank.store, conn => {
        let is_new = terminal::fresh_nonce(conn, terminal, &nonce, now_ms).await?;
        if let Some(replaced) = caller.row.replaces.filter(|_| is_new) {
            terminal::take_over(conn, terminal, &replaced).await?;
            store::queue::inherit(conn, terminal, &replaced).await?;
            let subject = replaced.to_string();
            audit::note(bank, conn, ("terminal-replaced", &subject, "{}"), now_ms).await?;
        }
        Ok::<_, Problem>(is_new)
    })? {
        Ok(())
    } else {
        Err(Problem::refused(409, "replay"))
    }
}

async fn dispatch(bank: &Bank, asked: &Asked, caller: &Caller) -> Result<Value, Problem> {
    let body = asked.body();
    let terminal = caller.row.terminal;
    match asked.uri().path() {
        "/v1/working-key" => {
            parse::<Empty>(body)?;
            working_key(bank, &caller.row).await
        }
        "/v1/key-query" => key_query(bank, &caller.row, &parse(body)?).await,
        "/v1/sms/send" => {
            let from = (terminal, address(asked)?);
            sms::send(bank, from, &parse(body)?).await
        }
        "/v1/sms/verify" => sms::verify(bank, terminal, &parse(body)?).await,
        "/v1/packages" => Ok(packages(bank, &parse(body)?)),
        "/v1/limits" => limits(bank, &parse(body)?),
        "/v1/outcome" => outcome::outcome(bank, terminal, &parse(body)?).await,
        "/v1/queue/send" => {
            let from = (terminal, address(asked)?);
            queue::send(bank, from, &parse(body)?).await
        }
        "/v1/queue/open" => queue::open(bank, terminal, (body, &parse(body)?)).await,
        "/v1/queue/state" => queue::state(bank, terminal, &parse(body)?).await,
        "/v1/queue/close" => queue::close(bank, terminal, &parse(body)?).await,
        _ => Err(Problem::bad_request()),
    }
}

async fn working_key(bank: &Bank, row: &TerminalRow) -> Result<Value, Problem> {
    let now_ms = bank.now_ms();
    let life_ms = bank.settings.keys.working_key_life_s.saturating_mul(1_000);
    let key = commit!(bank.store, conn => {
        let facts = KeyFacts {
            id: terminal::next_key_id(conn, &row.terminal).await?,
            suite: row.suite,
            not_before_ms: now_ms,
            expires_ms: now_ms.saturating_add(life_ms),
        };
        let key = match row.suite {
            Suite::MasterKey => WorkingKey::of_master(facts, &row.master),
            Suite::Des | Suite::Tdes | Suite::AesGcm => WorkingKey::new(facts, random()?),
        };
        terminal::insert_key(bank, conn, &row.terminal, &key).await?;
        let detail = json!({"key_id": facts.id, "expires_ms": facts.expires_ms}).to_string();
        let id = row.terminal.to_string();
        audit::note(bank, conn, ("working-key", &id, &detail), now_ms).await?;
        Ok::<_, Problem>(key)
    })?;
    let facts = key.facts();
    let wrapped = keys::wrap_working_key(&row.master, &row.terminal, &key, &random()?)
        .map_err(Problem::internal)?;
    Ok(json!({
        "key_id": facts.id,
        "suite": facts.suite.number(),
        "not_before_ms": facts.not_before_ms,
        "expires_ms": facts.expires_ms,
        "key_check_value": hex::encode(key.check_value()),
        "wrapped": hex::encode(wrapped),
        "time_ms": now_ms,
    }))
}

async fn key_query(bank: &Bank, row: &TerminalRow, query: &KeyQuery) -> Result<Value, Problem> {
    let now_ms = bank.now_ms();
    let margin_ms = bank
        .settings
        .keys
        .working_key_margin_s
        .saturating_mul(1_000);
    let mut conn = bank.store.read().await?;
    let known = terminal::key(bank, &mut conn, &row.terminal, query.key_id).await?;
    let life_ms = bank.settings.keys.master_key_life_s.saturating_mul(1_000);
    let answer = if now_ms >= row.enrolled_ms.saturating_add(life_ms) {
        KeyAnswer::Enrol
    } else {
        known.map_or(KeyAnswer::Renew, |key| {
            keys::query_answer(key.facts(), now_ms, margin_ms)
        })
    };
    Ok(json!({"answer": answer, "time_ms": now_ms}))
}

fn packages(bank: &Bank, asked: &PackagesQuery) -> Value {
    let shelf = &bank.packages;
    let served = bank.settings.industries.iter();
    let limits: Map<String, Value> = served
        .map(|industry| (industry.code.clone(), limits_of(industry)))
        .collect();
    if asked.etag.as_ref() == Some(&shelf.etag) {
        return json!({"etag": shelf.etag, "limits": limits});
    }
    let signer = hex::encode(shelf.signer);
    let packages: Vec<Value> = shelf
        .served
        .values()
        .map(|served| {
            json!({
                "industry": served.industry,
                "version": served.version,
                "package": hex::encode(&served.bytes),
                "signature": hex::encode(served.signature),
                "signer": signer,
            })
        })
        .collect();
    json!({"etag": shelf.etag, "limits": limits, "packages": packages})
}

fn limits(bank: &Bank, query: &LimitsQuery) -> Result<Value, Problem> {
    // The code of an industry that this bank does not serve is a request that means nothing here.
    let industry = bank
        .industry(&query.industry)
        .ok_or_else(Problem::bad_request)?;
    Ok(limits_of(industry))
}

fn limits_of(industry: &IndustrySettings) -> Value {
    json!({
        "min_amount": industry.min_amount,
        "max_amount": industry.max_amount,
        "max_balance": industry.max_balance,
    })
}

/// Whoever holds the other end of the connection.
fn address(asked: &Asked) -> Result<IpAddr, Problem> {
    let peer = asked.extensions().get::<ConnectInfo<SocketAddr>>();
    let peer = peer.ok_or_else(|| Problem::internal("no peer address"))?;
    Ok(peer.0.ip())
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Result<&'a str, Problem> {
    let value = headers.get(name).and_then(|value| value.to_str().ok());
    value.ok_or_else(Problem::bad_request)
}

fn time(headers: &HeaderMap) -> Result<u64, Problem> {
    let text = header(headers, "tapfill-time")?;
    // Digits alone: a sign or blanks would be covered by another MAC than the one that is checked.
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Problem::bad_request());
    }
    text.parse().map_err(|_| Problem::bad_request())
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    serde_json::from_slice(body).map_err(|_| Problem::bad_request())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Empty {}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PackagesQuery {
    /// Of the list that the terminal has.
    etag: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyQuery {
    key_id: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LimitsQuery {
    industry: String,
}
