//! Somebody on the app's way to the bank who has the terminal's own keys, as a bank in wrong hands would: answers
//! packages and relay messages with whatever a test wants, and passes on the rest.

use std::sync::{Arc, Mutex};

use bank_client::{
    Answer, BankClient, ClientError, Outgoing, ProfileError, Proof, Sending, Server, Transport,
};
use envelope::keys::{self, KeyFacts, MasterKey, WorkingKey};
use envelope::seal::{self, Header};
use envelope::{Direction, Suite, Terminal, auth};
use relay::Message;
use serde_json::{Value, json};
use session::shells::{KeyVault, MemoryVault};
use virtual_card::Slot;

/// What is answered to a driver's `I`, as it is.
pub(crate) type Lie = Box<dyn FnMut(&Message) -> Vec<u8> + Send>;

#[derive(Default)]
struct State {
    packages: Option<Vec<Value>>,
    lie: Option<Lie>,
    key: Option<Arc<WorkingKey>>,
    told: usize,
    /// Commands on the card when the first lie was told.
    before: Option<usize>,
}

pub(crate) struct Liar {
    bank: BankClient,
    vault: Arc<MemoryVault>,
    slot: Slot,
    state: Mutex<State>,
}

impl Liar {
    pub(crate) fn new(bank: BankClient, vault: Arc<MemoryVault>, slot: Slot) -> Self {
        Self {
            bank,
            vault,
            slot,
            state: Mutex::default(),
        }
    }

    /// From now on these are the bank's packages.
    pub(crate) fn serve(&self, packages: &[Value]) {
        self.state.lock().unwrap().packages = Some(packages.to_vec());
    }

    /// From now on every relay message is answered so, and the codes of SMS are good whatever they are.
    pub(crate) fn tell(&self, lie: Lie) {
        let mut state = self.state.lock().unwrap();
        state.lie = Some(lie);
        (state.told, state.before) = (0, None);
    }

    /// The bank itself answers again.
    pub(crate) fn honest(&self) {
        let mut state = self.state.lock().unwrap();
        (state.lie, state.packages) = (None, None);
    }

    /// Lies that were told since [`Liar::tell`].
    pub(crate) fn told(&self) -> usize {
        self.state.lock().unwrap().told
    }

    /// What the card was sent after the first lie, by its own record.
    pub(crate) fn sent_since(&self) -> Vec<Vec<u8>> {
        let before = self.state.lock().unwrap().before.expect("a lie was told");
        let record = self.slot.record();
        record[before..]
            .iter()
            .map(|it| it.command.clone())
            .collect()
    }

    fn identity(&self) -> (Terminal, MasterKey) {
        let secret = self.vault.load("master-key").unwrap().unwrap();
        let terminal = secret[1..7].try_into().unwrap();
        let master: [u8; 32] = secret[8..].try_into().unwrap();
        (
            Terminal::from_bcd(terminal).unwrap(),
            MasterKey::new(master),
        )
    }

    async fn go(&self, request: Outgoing) -> Result<Answer, ClientError> {
        let lying = self.state.lock().unwrap().lie.is_some();
        match request.path.as_str() {
            "/v1/packages" => {
                let offered = self.state.lock().unwrap().packages.clone();
                let honest = self.pass(request.clone()).await?;
                Ok(match offered {
                    None => honest,
                    Some(packages) => {
                        let mut offer: Value = serde_json::from_slice(&honest.body).unwrap();
                        (offer["etag"], offer["packages"]) = (json!(""), json!(packages));
                        self.proven(&request, &offer)
                    }
                })
            }
            "/v1/working-key" => {
                let answer = self.pass(request).await?;
                self.note_key(&answer);
                Ok(answer)
            }
            "/v1/sms/send" if lying => {
                let sent = json!({"resend_after_ms": 0, "valid_ms": 300_000});
                Ok(self.proven(&request, &sent))
            }
            "/v1/sms/verify" if lying => {
                let proof = json!({"proof": "60".repeat(16)});
                Ok(self.proven(&request, &proof))
            }
            "/v1/relay" if lying => Ok(whole(self.lied(&request))),
            _ => self.pass(request).await,
        }
    }

    /// An answer with the bank's own proof on it.
    fn proven(&self, request: &Outgoing, body: &Value) -> Answer {
        let (terminal, master) = self.identity();
        let body = body.to_string().into_bytes();
        let key = keys::auth_key(&master, &terminal);
        let mac = auth::answer_mac(&key, &header(request, "tapfill-nonce"), 200, &body);
        Answer {
            status: 200,
            body,
            mac: Some(hex::encode(mac)),
            own_ms: None,
        }
    }

    fn note_key(&self, answer: &Answer) {
        let told: Value = serde_json::from_slice(&answer.body).unwrap();
        let number = |name: &str| told[name].as_u64().unwrap();
        let bytes = |name: &str| hex::decode(told[name].as_str().unwrap()).unwrap();
        let facts = KeyFacts {
            id: number("key_id").try_into().unwrap(),
            suite: Suite::try_from(u8::try_from(number("suite")).unwrap()).unwrap(),
            not_before_ms: number("not_before_ms"),
            expires_ms: number("expires_ms"),
        };
        let (terminal, master) = self.identity();
        let (check, wrapped) = (bytes("key_check_value"), bytes("wrapped"));
        let key = keys::unwrap_working_key(&master, &terminal, facts, &check, &wrapped);
        self.state.lock().unwrap().key = Some(Arc::new(key.unwrap()));
    }

    fn lied(&self, request: &Outgoing) -> Vec<u8> {
        let mut state = self.state.lock().unwrap();
        let key = state.key.clone().unwrap();
        let sealed = request.body.as_ref().unwrap();
        let (header, message) = seal::open(&key, sealed, Direction::ToBank).unwrap();
        let message = Message::parse(&message).unwrap();
        state.told += 1;
        let before = self.slot.record().len();
        state.before.get_or_insert(before);
        let lie = (state.lie.as_mut().unwrap())(&message);
        let header = Header {
            direction: Direction::ToTerminal,
            ..header
        };
        seal::seal(&key, &header, &lie, &[7; 12]).unwrap()
    }

    async fn pass(&self, request: Outgoing) -> Result<Answer, ClientError> {
        let path = request.path.clone();
        match (request.server, request.body.clone()) {
            (Server::Transaction, None) => self.bank.warm().await.map(|()| whole(Vec::new())),
            (Server::Transaction, Some(body)) => self.bank.relay(body).await.map(whole),
            (Server::Security, None) if path == "/v1/health" => {
                self.bank.warm_security().await.map(|()| whole(Vec::new()))
            }
            (Server::Security, None) => self.bank.page(&path).await.map(whole),
            (Server::Security, Some(body)) => {
                let body = String::from_utf8(body).unwrap();
                if path == "/v1/enrol" {
                    let answer = self.bank.enrol(body).await;
                    return answer.map(|text| whole(text.into_bytes()));
                }
                let proof = Proof {
                    terminal: header(&request, "tapfill-terminal"),
                    nonce: header(&request, "tapfill-nonce"),
                    time_ms: header(&request, "tapfill-time").parse().unwrap(),
                    mac: header(&request, "tapfill-mac"),
                };
                self.bank.security(&path, &proof, body).await
            }
        }
    }
}

impl Transport for Liar {
    fn send(&self, request: Outgoing) -> Sending<'_> {
        Box::pin(self.go(request))
    }

    fn identify(&self, _: &str, _: &[u8; 32]) -> Result<(), ProfileError> {
        Ok(())
    }
}

fn whole(body: Vec<u8>) -> Answer {
    Answer {
        status: 200,
        body,
        mac: None,
        own_ms: None,
    }
}

fn header(request: &Outgoing, name: &str) -> String {
    let found = request.headers.iter().find(|(known, _)| *known == name);
    found.unwrap().1.clone()
}
