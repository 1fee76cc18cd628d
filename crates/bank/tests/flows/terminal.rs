//! A terminal as small as it can be, on `envelope`, `relay` and the pinned client.

use std::path::Path;
use std::sync::Arc;

use bank::{Clock, ManualClock};
use bank_client::{Answer, BankClient, ClientError, Profile, Proof};
use envelope::enrol::{Enrolled, Exchange};
use envelope::keys::{self, KeyFacts, WorkingKey};
use envelope::pin::{self, Format, PinDigits};
use envelope::seal::{self, Header};
use envelope::{Direction, Suite, auth};
use relay::{Body, IndustryCode, Letter, Message, Operation};
use serde_json::{Value, json};

use crate::card::Card;
use crate::stage::{PASSWORD, PHONE, Stage};

/// Version of the packages in `industries`.
const SHIPPED: u32 = 1;

pub(crate) struct Terminal {
    pub(crate) client: BankClient,
    pub(crate) enrolled: Enrolled,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) key: Option<WorkingKey>,
    pub(crate) counter: u64,
}

pub(crate) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).unwrap();
    bytes
}

/// A new transaction id, first attempt.
pub(crate) fn new_id() -> [u8; 16] {
    let mut id: [u8; 16] = random();
    id[15] = 0;
    id
}

pub(crate) fn code(error: ClientError) -> String {
    let ClientError::Refused { code, .. } = error else {
        panic!("no refusal of the bank: {error}");
    };
    code
}

pub(crate) fn number(message: &Message, field: &str) -> u32 {
    u32::from_be_bytes(message.body.field(field).unwrap().try_into().unwrap())
}

#[track_caller]
pub(crate) fn outcome(message: &Message) -> &str {
    assert_eq!(message.letter, Letter::A, "{message:?}");
    message.body.outcome.as_deref().unwrap()
}

#[track_caller]
pub(crate) fn phase(message: &Message) -> &str {
    assert_eq!(message.letter, Letter::I, "{message:?}");
    message.body.phase.as_deref().unwrap()
}

/// Connections of `client` show this terminal's certificate, if the bank wants one.
pub(crate) fn identify(client: &BankClient, enrolled: &Enrolled) {
    let secret = keys::tls_secret(&enrolled.master_key, &enrolled.terminal);
    let terminal = enrolled.terminal.to_string();
    client.identify(&terminal, secret.expose()).unwrap();
}

impl Terminal {
    pub(crate) fn client(stage: &Stage) -> BankClient {
        Self::client_of(&stage.bank.profile_path)
    }

    pub(crate) fn client_of(profile: &Path) -> BankClient {
        let profile = std::fs::read(profile).unwrap();
        BankClient::new(Profile::parse(&profile).unwrap()).unwrap()
    }

    /// The same terminal at a bank that has started again elsewhere.
    pub(crate) fn reach(&mut self, stage: &Stage) {
        self.client = Self::client(stage);
        identify(&self.client, &self.enrolled);
    }

    pub(crate) async fn enrol(stage: &Stage) -> Self {
        Self::enrol_with(Self::client(stage), stage.clock.clone()).await
    }

    pub(crate) async fn enrol_with(client: BankClient, clock: Arc<ManualClock>) -> Self {
        let profile = client.profile();
        let bank_key = profile.enrolment_hpke_key().unwrap();
        let signer = profile.enrolment_signer_key().unwrap();
        let (exchange, request) = Exchange::start(&bank_key, &random(), None, "test").unwrap();
        let answer = client.enrol(request.clone()).await.unwrap();
        let enrolled = exchange.finish(&answer, &signer).unwrap();
        let again = client.enrol(request).await.unwrap();
        let again = exchange.finish(&again, &signer).unwrap();
        assert_eq!(
            again.terminal, enrolled.terminal,
            "the same request is the same enrolment"
        );
        identify(&client, &enrolled);
        Self {
            client,
            enrolled,
            clock,
            key: None,
            counter: 0,
        }
    }

    pub(crate) fn now_ms(&self) -> u64 {
        self.clock.now_ms()
    }

    pub(crate) fn bcd(&self) -> [u8; 6] {
        self.enrolled.terminal.bcd()
    }

    pub(crate) fn proof(&self, path: &str, nonce: [u8; 16], time_ms: u64, body: &str) -> Proof {
        let terminal = self.enrolled.terminal;
        let key = keys::auth_key(&self.enrolled.master_key, &terminal);
        let nonce = hex::encode(nonce);
        let mac = auth::request_mac(&key, path, &terminal, &nonce, time_ms, body.as_bytes());
        Proof {
            terminal: terminal.to_string(),
            nonce,
            time_ms,
            mac: hex::encode(mac),
        }
    }

    /// A request of section 3.2; checks the answer's proof.
    pub(crate) async fn ask(&self, path: &str, body: Value) -> Result<Value, ClientError> {
        let body = body.to_string();
        let proof = self.proof(path, random(), self.clock.now_ms(), &body);
        let answer: Answer = self.client.security(path, &proof, body).await?;
        let key = keys::auth_key(&self.enrolled.master_key, &self.enrolled.terminal);
        if let Some(mac) = &answer.mac {
            let expected = auth::answer_mac(&key, &proof.nonce, answer.status, &answer.body);
            auth::verify(&expected, mac).unwrap();
        }
        if answer.status != 200 {
            return Err(answer.refusal());
        }
        assert!(answer.mac.is_some(), "a good answer is proven");
        Ok(serde_json::from_slice(&answer.body).unwrap())
    }

    pub(crate) async fn fetch_key(&mut self) -> Result<(), ClientError> {
        let answer = self.ask("/v1/working-key", json!({})).await?;
        let text = |name: &str| hex::decode(answer[name].as_str().unwrap()).unwrap();
        let facts = KeyFacts {
            id: answer["key_id"].as_u64().unwrap().try_into().unwrap(),
            suite: Suite::try_from(u8::try_from(answer["suite"].as_u64().unwrap()).unwrap())
                .unwrap(),
            not_before_ms: answer["not_before_ms"].as_u64().unwrap(),
            expires_ms: answer["expires_ms"].as_u64().unwrap(),
        };
        let (master, terminal) = (&self.enrolled.master_key, &self.enrolled.terminal);
        let check = text("key_check_value");
        let key = keys::unwrap_working_key(master, terminal, facts, &check, &text("wrapped"));
        self.key = Some(key.unwrap());
        self.counter = 0;
        Ok(())
    }

    pub(crate) fn seal(&mut self, message: &[u8]) -> Vec<u8> {
        self.counter += 1;
        self.seal_as(message, self.counter, self.clock.now_ms())
    }

    pub(crate) fn seal_as(&self, message: &[u8], counter: u64, time_ms: u64) -> Vec<u8> {
        let key = self.key.as_ref().unwrap();
        let header = Header {
            suite: key.facts().suite,
            direction: Direction::ToBank,
            terminal: self.enrolled.terminal,
            key_id: key.facts().id,
            counter,
            time_ms,
        };
        seal::seal(key, &header, message, &random()).unwrap()
    }

    pub(crate) fn open(&self, answer: &[u8]) -> Vec<u8> {
        let key = self.key.as_ref().unwrap();
        let (header, message) = seal::open(key, answer, Direction::ToTerminal).unwrap();
        assert!(
            header.counter <= self.counter,
            "an answer repeats the counter"
        );
        message.to_vec()
    }

    pub(crate) async fn relay_bytes(&mut self, message: &[u8]) -> Result<Vec<u8>, ClientError> {
        let sealed = self.seal(message);
        let answer = self.client.relay(sealed).await?;
        Ok(self.open(&answer))
    }

    pub(crate) async fn relay(&mut self, message: &Message) -> Message {
        let answer = self.relay_bytes(&message.encode().unwrap()).await.unwrap();
        Message::parse(&answer).unwrap()
    }

    pub(crate) fn pin_block(&self, digits: &str) -> Vec<u8> {
        let key = self.key.as_ref().unwrap();
        let terminal = &self.enrolled.terminal;
        let digits = PinDigits::try_from(digits).unwrap();
        let pin_key = pin::pin_key(key, terminal);
        let block = pin::block(
            &digits,
            &pin_key,
            Format::of(key.facts().suite),
            terminal,
            &random(),
        )
        .unwrap();
        [&key.facts().id.to_be_bytes()[..], &block].concat()
    }

    pub(crate) async fn send_code(&self, id: &[u8; 16], tail: &str, phone: &str) -> Value {
        let body = json!({"transaction": hex::encode(id), "industry": "0001", "card_tail": tail,
            "phone": phone});
        self.ask("/v1/sms/send", body).await.unwrap()
    }

    pub(crate) async fn verify(&self, id: &[u8; 16], code: &str) -> Result<[u8; 16], ClientError> {
        let body = json!({"transaction": hex::encode(id), "code": code});
        let answer = self.ask("/v1/sms/verify", body).await?;
        Ok(hex::decode(answer["proof"].as_str().unwrap())
            .unwrap()
            .try_into()
            .unwrap())
    }

    /// The proof of a right code, read from the inbox.
    pub(crate) async fn sms_proof(&self, stage: &Stage, id: &[u8; 16], card: &Card) -> [u8; 16] {
        let before = stage.codes_now(&card.tail()).await.len();
        self.send_code(id, &card.tail(), PHONE).await;
        let code = stage.code_after(&card.tail(), before).await;
        self.verify(id, &code).await.unwrap()
    }

    /// Step 1 of a top-up, ready to be changed by a test.
    pub(crate) fn load_message(
        &self,
        id: [u8; 16],
        card: &mut Card,
        (amount, proof): (u32, [u8; 16]),
    ) -> Message {
        let init = card.initialize(amount, self.bcd());
        let mut body = self.body(Operation::TopUp, id, 1, "load");
        body.amount = Some(amount);
        body.pin_block = Some(self.pin_block(PASSWORD));
        body.sms_proof = Some(proof);
        body.put("file15", card.file15());
        body.put("balance", card.balance.to_be_bytes());
        body.put("init", init);
        message(body)
    }

    pub(crate) fn body(&self, operation: Operation, id: [u8; 16], step: u8, phase: &str) -> Body {
        Body {
            operation: Some(operation),
            transaction: Some(id),
            step: Some(step),
            terminal: (step == 1).then(|| self.bcd()),
            phase: Some(phase.to_owned()),
            package_version: Some(SHIPPED),
            ..Body::default()
        }
    }

    /// What the card said to CREDIT FOR LOAD.
    pub(crate) fn credit_message(
        &self,
        operation: Operation,
        (id, step): ([u8; 16], u8),
        tac: Option<[u8; 4]>,
    ) -> Message {
        let mut body = self.body(operation, id, step, "credit");
        match tac {
            Some(tac) => {
                body.put("tac", tac);
                body.put("status", [0x90, 0x00]);
            }
            None => body.put("status", [0x93, 0x02]),
        }
        message(body)
    }

    /// A whole top-up up to the bank's MAC2: id and credit data.
    pub(crate) async fn issued(
        &mut self,
        stage: &Stage,
        card: &mut Card,
        amount: u32,
    ) -> ([u8; 16], Vec<u8>) {
        let id = new_id();
        let proof = self.sms_proof(stage, &id, card).await;
        let answer = self
            .relay(&self.load_message(id, card, (amount, proof)))
            .await;
        assert_eq!(phase(&answer), "credit");
        (id, answer.body.field("credit_data").unwrap().to_vec())
    }

    /// A whole top-up.
    pub(crate) async fn top_up(&mut self, stage: &Stage, card: &mut Card, amount: u32) -> Message {
        let (id, data) = self.issued(stage, card, amount).await;
        let tac = card.credit(&data).unwrap();
        self.relay(&self.credit_message(Operation::TopUp, (id, 2), Some(tac)))
            .await
    }
}

pub(crate) fn message(body: Body) -> Message {
    Message {
        letter: Letter::I,
        industry: industry("0001"),
        body,
    }
}

pub(crate) fn industry(code: &str) -> IndustryCode {
    code.parse().unwrap()
}

/// The SMS inbox of the bank with this profile, newest first.
pub(crate) async fn inbox(profile: &Path) -> Vec<Value> {
    let profile = Profile::parse(&std::fs::read(profile).unwrap()).unwrap();
    let authority = reqwest::Certificate::from_pem(profile.authority_pem.as_bytes()).unwrap();
    let provider = rustls::crypto::ring::default_provider();
    let _installed_before = provider.install_default();
    let client = reqwest::Client::builder()
        .add_root_certificate(authority)
        .use_rustls_tls()
        .build()
        .unwrap();
    let url = format!("{}/dev/sms.json", profile.security_url);
    let bytes = client.get(url).send().await.unwrap().bytes().await.unwrap();
    serde_json::from_slice(&bytes).unwrap()
}

impl Stage {
    pub(crate) async fn inbox(&self) -> Vec<Value> {
        inbox(&self.bank.profile_path).await
    }

    /// The newest code for a card; waits for the outbox.
    pub(crate) async fn newest_code(&self, tail: &str) -> String {
        self.code_after(tail, 0).await
    }

    /// The same where the clock stands still: there were `before` codes already.
    pub(crate) async fn code_after(&self, tail: &str, before: usize) -> String {
        for _ in 0..400 {
            let mut codes = self.codes_now(tail).await;
            if codes.len() > before {
                return codes.remove(0);
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        panic!("no code came");
    }

    /// The codes for a card that were sent at this moment of the bank's clock, newest first.
    pub(crate) async fn codes_now(&self, tail: &str) -> Vec<String> {
        let now_ms = self.clock.now_ms();
        let mut codes = Vec::new();
        for sms in self.inbox().await {
            if sms["card_tail"] == tail && sms["sent_ms"] == now_ms {
                assert_eq!(sms["phone"], PHONE, "the number on file");
                codes.push(sms["code"].as_str().unwrap().to_owned());
            }
        }
        codes
    }
}
