//! This terminal at its bank: enrolment, keys, authenticated requests, sealed messages.

use std::sync::{Arc, Mutex, PoisonError};

use bank_client::{BankClient, Proof};
use envelope::enrol::{Exchange as Enrolment, Previous};
use envelope::keys::{self, KeyFacts as Facts, MasterKey, WorkingKey};
use envelope::{Suite, Terminal, auth};
use ipc::Code;
use key_vault::KeyVault;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use crate::clock::Clock;
use crate::failure::Failure;
use crate::packages::Offer;

mod exchange;

pub(crate) use exchange::{Spent, Unanswered};

const MASTER_KEY: &str = "master-key";

/// What this device is at the bank. The master key never leaves this module.
#[derive(Clone)]
struct Identity {
    terminal: Terminal,
    suite: Suite,
    master: MasterKey,
}

#[derive(Default)]
struct State {
    identity: Option<Identity>,
    working: Option<Arc<WorkingKey>>,
    /// Counter of the last message sealed under `working`.
    counter: u64,
    /// The bank's clock minus this device's, ms.
    offset_ms: i64,
}

/// What the settings page shows of the keys.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct KeyFacts {
    pub(crate) terminal: String,
    pub(crate) check_value: String,
    pub(crate) expires_ms: Option<u64>,
    pub(crate) suite: u8,
}

/// The answer to a sent code.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(crate) struct SmsSent {
    pub(crate) resend_after_ms: u64,
    pub(crate) valid_ms: u64,
}

/// The answer to `/v1/outcome`; all but the first are absent when the bank knows of no such load.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Outcome {
    pub(crate) outcome: String,
    pub(crate) reference: Option<String>,
    pub(crate) time_ms: Option<u64>,
    pub(crate) old_balance: Option<u32>,
    pub(crate) new_balance: Option<u32>,
}

/// This terminal, shared between the actor and the transactions that it runs.
pub(crate) struct TerminalLink {
    bank: BankClient,
    vault: Arc<dyn KeyVault>,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

impl TerminalLink {
    pub(crate) fn new(
        bank: BankClient,
        vault: Arc<dyn KeyVault>,
        clock: Arc<dyn Clock>,
        offset_ms: i64,
    ) -> Self {
        let state = Mutex::new(State {
            offset_ms,
            ..State::default()
        });
        Self {
            bank,
            vault,
            clock,
            state,
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The bank's time as far as this device knows it, ms.
    pub(crate) fn bank_now_ms(&self) -> u64 {
        let offset = self.state().offset_ms;
        self.clock.now_ms().saturating_add_signed(offset)
    }

    pub(crate) fn clock_offset_ms(&self) -> i64 {
        self.state().offset_ms
    }

    pub(crate) fn bank(&self) -> &BankClient {
        &self.bank
    }

    pub(crate) fn facts(&self) -> Option<KeyFacts> {
        let state = self.state();
        let identity = state.identity.as_ref()?;
        Some(KeyFacts {
            terminal: identity.terminal.to_string(),
            check_value: hex::encode(keys::key_check_value(identity.master.expose())),
            expires_ms: state.working.as_ref().map(|key| key.facts().expires_ms),
            suite: identity.suite.number(),
        })
    }

    pub(crate) fn terminal(&self) -> Result<Terminal, Failure> {
        Ok(self.identity()?.terminal)
    }

    fn identity(&self) -> Result<Identity, Failure> {
        self.state()
            .identity
            .clone()
            .ok_or_else(|| Code::KeyMissing.into())
    }

    /// The person proves that it is them.
    pub(crate) async fn confirm(self: &Arc<Self>) -> Result<(), Failure> {
        self.with_vault(|vault| vault.confirm()).await
    }

    /// Reads the master key from the keystore, with `ask` only when the person confirms. False: there is none.
    pub(crate) async fn unlock(self: &Arc<Self>, ask: bool) -> Result<bool, Failure> {
        if ask {
            self.confirm().await?;
        }
        let secret = self.with_vault(|vault| vault.load(MASTER_KEY)).await?;
        let Some(secret) = secret else {
            return Ok(false);
        };
        let identity = parse_identity(&secret).ok_or(Code::KeystoreBroken)?;
        self.identify(&identity)?;
        self.state().identity = Some(identity);
        Ok(true)
    }

    /// Connections show who this terminal is, where its bank wants that.
    fn identify(&self, identity: &Identity) -> Result<(), Failure> {
        let secret = keys::tls_secret(&identity.master, &identity.terminal);
        let shown = self
            .bank
            .identify(&identity.terminal.to_string(), secret.expose());
        shown.map_err(|error| {
            log::error!("no certificate of this terminal: {error}");
            Code::Internal.into()
        })
    }

    /// First start, or a keystore that lost its content: asks the bank for a master key and keeps it at once.
    pub(crate) async fn enrol(self: &Arc<Self>, previous: Option<String>) -> Result<(), Failure> {
        // A keystore that can't keep the key must stop the enrolment before the bank spends one.
        self.with_vault(|vault| {
            vault
                .store("probe", b"1")
                .and_then(|()| vault.erase("probe"))
        })
        .await?;
        let profile = self.bank.profile();
        let bank_key = profile.enrolment_hpke_key().map_err(|_| Code::ProfileBad)?;
        let signer = profile
            .enrolment_signer_key()
            .map_err(|_| Code::ProfileBad)?;
        let mut seed = Zeroizing::new([0_u8; 80]);
        random(seed.as_mut_slice())?;
        let device = format!("Tapfill {}", std::env::consts::OS);
        let before = self.state().identity.clone();
        let key = before
            .as_ref()
            .map(|identity| keys::auth_key(&identity.master, &identity.terminal));
        let number = previous.and_then(|number| number.parse().ok());
        let previous = before.map(|identity| identity.terminal).or(number);
        let previous = previous.map(|terminal| Previous {
            terminal,
            key: key.as_ref(),
        });
        let (request, json) =
            Enrolment::start(&bank_key, &seed, previous, &device).map_err(|_| Code::EnrolFailed)?;
        let answer = self.bank.enrol(json).await?;
        let enrolled = request
            .finish(&answer, &signer)
            .map_err(|_| Code::EnrolFailed)?;
        if enrolled.suite.number() < profile.lowest_suite {
            return Err(Code::SuiteRefused.into());
        }
        let secret = identity_bytes(enrolled.terminal, enrolled.suite, &enrolled.master_key);
        self.with_vault(move |vault| vault.store(MASTER_KEY, &secret))
            .await?;
        let identity = Identity {
            terminal: enrolled.terminal,
            suite: enrolled.suite,
            master: enrolled.master_key,
        };
        self.identify(&identity)?;
        let now_ms = self.clock.now_ms();
        let mut state = self.state();
        state.offset_ms = offset(enrolled.time_ms, now_ms);
        state.working = None;
        state.identity = Some(identity);
        Ok(())
    }

    /// Forgets every key of this device.
    pub(crate) async fn erase(self: &Arc<Self>) -> Result<(), Failure> {
        self.with_vault(|vault| vault.erase(MASTER_KEY)).await?;
        *self.state() = State::default();
        Ok(())
    }

    async fn with_vault<T: Send + 'static>(
        &self,
        work: impl FnOnce(&dyn KeyVault) -> Result<T, key_vault::VaultError> + Send + 'static,
    ) -> Result<T, Failure> {
        let vault = self.vault.clone();
        let done = tokio::task::spawn_blocking(move || work(vault.as_ref())).await;
        Ok(done.map_err(|_| Code::Internal)??)
    }

    /// Every start with a network: a working key.
    pub(crate) async fn fetch_working_key(&self) -> Result<(), Failure> {
        let identity = self.identity()?;
        let answer: WorkingKeyAnswer = self.security("/v1/working-key", "{}".to_owned()).await?;
        let suite = Suite::try_from(answer.suite).map_err(|_| Code::SuiteRefused)?;
        // No downgrade: neither below what came with the installation nor below what enrolment agreed on.
        if answer.suite < self.bank.profile().lowest_suite || suite < identity.suite {
            return Err(Code::SuiteRefused.into());
        }
        let wrapped = hex::decode(&answer.wrapped).map_err(|_| Code::BankUntrusted)?;
        let facts = Facts {
            id: answer.key_id,
            suite,
            not_before_ms: answer.not_before_ms,
            expires_ms: answer.expires_ms,
        };
        let check_value = hex::decode(&answer.key_check_value).map_err(|_| Code::BankUntrusted)?;
        let terminal = &identity.terminal;
        let key =
            keys::unwrap_working_key(&identity.master, terminal, facts, &check_value, &wrapped)
                .map_err(|_| Code::EnvelopeRefused)?;
        let now_ms = self.clock.now_ms();
        let mut state = self.state();
        state.offset_ms = offset(answer.time_ms, now_ms);
        state.working = Some(Arc::new(key));
        state.counter = 0;
        Ok(())
    }

    /// Every entry into a transaction: asks whether the key is good, and obeys.
    pub(crate) async fn check_key(self: &Arc<Self>) -> Result<(), Failure> {
        let Some(key_id) = self.state().working.as_ref().map(|key| key.facts().id) else {
            return self.fetch_working_key().await;
        };
        let body = format!(r#"{{"key_id":{key_id}}}"#);
        let answer: QueryAnswer = self.security("/v1/key-query", body).await?;
        match answer.answer.as_str() {
            "current" => Ok(()),
            "renew" => self.fetch_working_key().await,
            "enrol" => {
                self.enrol(None).await?;
                self.fetch_working_key().await
            }
            _ => Err(Code::BankUntrusted.into()),
        }
    }

    pub(crate) async fn send_code(
        &self,
        transaction: &str,
        industry: &str,
        tail: &str,
        phone: &str,
    ) -> Result<SmsSent, Failure> {
        let body = serde_json::json!({
            "transaction": transaction, "industry": industry, "card_tail": tail, "phone": phone,
        });
        self.security("/v1/sms/send", body.to_string()).await
    }

    /// The proof for the relay, 16 bytes.
    pub(crate) async fn verify_code(
        &self,
        transaction: &str,
        code: &str,
    ) -> Result<[u8; 16], Failure> {
        let body = serde_json::json!({"transaction": transaction, "code": code});
        let answer: CodeAnswer = self.security("/v1/sms/verify", body.to_string()).await?;
        let mut proof = [0; 16];
        hex::decode_to_slice(&answer.proof, &mut proof).map_err(|_| Code::BankUntrusted)?;
        Ok(proof)
    }

    /// `etag`: of the list that is here.
    pub(crate) async fn packages(&self, etag: Option<&str>) -> Result<Offer, Failure> {
        let body = match etag {
            Some(etag) => serde_json::json!({"etag": etag}),
            None => serde_json::json!({}),
        };
        self.security("/v1/packages", body.to_string()).await
    }

    /// What became of a load: `docs/protocol.md`, 3.3. With `void` one that never reached the bank never will.
    pub(crate) async fn outcome(
        &self,
        (transaction, void): ([u8; 16], bool),
    ) -> Result<Outcome, Failure> {
        let transaction = hex::encode(transaction);
        let body = match void {
            true => serde_json::json!({"transaction": transaction, "void": true}),
            false => serde_json::json!({"transaction": transaction}),
        };
        self.security("/v1/outcome", body.to_string()).await
    }

    /// A request whose forms the bank's client knows.
    pub(crate) async fn ask<R: bank_client::queue::Request>(
        &self,
        request: &R,
    ) -> Result<R::Told, Failure> {
        self.security(R::PATH, request.body().to_string()).await
    }

    /// A request of `docs/protocol.md`, 3.2: proven by this terminal, its answer proven by the bank.
    async fn security<T: DeserializeOwned>(&self, path: &str, body: String) -> Result<T, Failure> {
        match self.security_once(path, body.clone()).await {
            Err(failure) if failure.code == Code::ClockWrong => {
                self.take_bank_time(&failure)?;
                self.security_once(path, body).await
            }
            other => other,
        }
    }

    async fn security_once<T: DeserializeOwned>(
        &self,
        path: &str,
        body: String,
    ) -> Result<T, Failure> {
        let identity = self.identity()?;
        let key = keys::auth_key(&identity.master, &identity.terminal);
        let mut nonce = [0; 16];
        random(&mut nonce)?;
        let nonce = hex::encode(nonce);
        let time_ms = self.bank_now_ms();
        let mac = auth::request_mac(
            &key,
            path,
            &identity.terminal,
            &nonce,
            time_ms,
            body.as_bytes(),
        );
        let terminal = identity.terminal.to_string();
        let proof = Proof {
            terminal,
            nonce: nonce.clone(),
            time_ms,
            mac: hex::encode(mac),
        };
        let answer = self.bank.security(path, &proof, body).await?;
        let expected = auth::answer_mac(&key, &nonce, answer.status, &answer.body);
        let mac = answer.mac.as_deref();
        let proven = mac.is_some_and(|mac| auth::verify(&expected, mac).is_ok());
        if answer.status != 200 {
            let refusal = Failure::from(answer.refusal());
            // An error that the bank could not authenticate says nothing of keys or time; a bad MAC is nobody's.
            return Err(match (mac.is_some(), refusal.code) {
                (true, _) if !proven => Code::BankUntrusted.into(),
                (false, Code::ClockWrong) => Code::BankUntrusted.into(),
                (true | false, _) => refusal,
            });
        }
        if !proven {
            return Err(Code::BankUntrusted.into());
        }
        serde_json::from_slice(&answer.body).map_err(|_| Code::BankUntrusted.into())
    }

    fn take_bank_time(&self, refusal: &Failure) -> Result<(), Failure> {
        let time_ms = refusal
            .params
            .get("time_ms")
            .and_then(|text| text.parse().ok());
        let time_ms: u64 = time_ms.ok_or_else(|| refusal.clone())?;
        let now_ms = self.clock.now_ms();
        self.state().offset_ms = offset(time_ms, now_ms);
        Ok(())
    }

    /// The key for one PIN block, with the id that names it to the bank.
    pub(crate) fn working_key(&self) -> Result<Arc<WorkingKey>, Failure> {
        self.state()
            .working
            .clone()
            .ok_or_else(|| Code::KeyMissing.into())
    }
}

#[derive(Deserialize)]
struct WorkingKeyAnswer {
    key_id: u32,
    suite: u8,
    not_before_ms: u64,
    expires_ms: u64,
    key_check_value: String,
    wrapped: String,
    time_ms: u64,
}

#[derive(Deserialize)]
struct QueryAnswer {
    answer: String,
}

#[derive(Deserialize)]
struct CodeAnswer {
    proof: String,
}

/// Version 1 || terminal (6) || suite (1) || master key (32).
fn identity_bytes(terminal: Terminal, suite: Suite, master: &MasterKey) -> Zeroizing<Vec<u8>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(40));
    bytes.push(1);
    bytes.extend_from_slice(&terminal.bcd());
    bytes.push(suite.number());
    bytes.extend_from_slice(master.expose());
    bytes
}

fn parse_identity(bytes: &[u8]) -> Option<Identity> {
    let (version, rest) = bytes.split_first()?;
    let (terminal, rest) = rest.split_first_chunk::<6>()?;
    let (suite, rest) = rest.split_first()?;
    let master: [u8; 32] = rest.try_into().ok()?;
    (*version == 1).then_some(Identity {
        terminal: Terminal::from_bcd(*terminal).ok()?,
        suite: Suite::try_from(*suite).ok()?,
        master: MasterKey::new(master),
    })
}

fn offset(bank_ms: u64, own_ms: u64) -> i64 {
    let bank = i64::try_from(bank_ms).unwrap_or(i64::MAX);
    let own = i64::try_from(own_ms).unwrap_or(i64::MAX);
    bank.saturating_sub(own)
}

/// Fills `bytes` from the OS.
pub(crate) fn random(bytes: &mut [u8]) -> Result<(), Failure> {
    getrandom::fill(bytes).map_err(|_| Code::Internal.into())
}
