//! Institutions' queues (`docs/protocol.md`, section 9): what is asked and what is told, in their JSON forms.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::Zeroizing;

use crate::{Answer, BankClient, ClientError, Proof};

/// The most items of one queue.
pub const MOST_ITEMS: usize = 500;

/// A request of section 3.2 whose forms are known here. The caller proves `PATH` and [`Request::body`], and checks the
/// answer's proof before it reads it.
pub trait Request: Serialize {
    /// Where it is asked.
    const PATH: &'static str;
    /// What is told.
    type Told: DeserializeOwned;

    /// The body, the same bytes whenever asked.
    fn body(&self) -> Zeroizing<String> {
        // No form here has a map with other keys than text, or a number that JSON has not.
        Zeroizing::new(serde_json::to_string(self).unwrap_or_default())
    }
}

/// Asks for the code that opens a queue.
#[derive(Clone, Serialize)]
pub struct QueueSend {
    /// The queue's id, random, made by the app.
    #[serde(serialize_with = "digits")]
    pub queue: [u8; 16],
    /// Of all its cards.
    pub industry: String,
    /// The institution's number, as typed.
    pub phone: String,
    /// How many cards.
    pub cards: u32,
    /// Fen, of all of them.
    pub total: u64,
}

/// A code is on its way, if the number is on file.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
pub struct QueueSent {
    /// When another one may be asked for.
    pub resend_after_ms: u64,
    /// How long the code is good.
    pub valid_ms: u64,
}

/// Pays for a queue and opens it.
#[derive(Clone, Serialize)]
pub struct QueueOpen {
    /// As when the code was asked for.
    #[serde(serialize_with = "digits")]
    pub queue: [u8; 16],
    /// As when the code was asked for.
    pub industry: String,
    /// 6 digits.
    #[serde(serialize_with = "secret")]
    pub code: Zeroizing<String>,
    /// Id of the working key (4) and the block (8 or 16), as in C5.
    #[serde(serialize_with = "digits")]
    pub pin_block: Vec<u8>,
    /// 1 to [`MOST_ITEMS`].
    pub items: Vec<QueueItem>,
}

/// One card's part.
#[derive(Clone, Serialize)]
pub struct QueueItem {
    /// The full number.
    #[serde(serialize_with = "secret")]
    pub card: Zeroizing<String>,
    /// Fen.
    pub amount: u32,
}

/// A queue that is paid.
#[derive(Clone, Copy, Deserialize, Eq, PartialEq)]
pub struct QueueOpened {
    /// C6 of each of its loads.
    #[serde(deserialize_with = "sixteen")]
    pub proof: [u8; 16],
    /// When it closes by itself.
    pub closes_ms: u64,
    /// Fen.
    pub total: u64,
}

/// Asks how a queue stands.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct QueueState {
    /// Its id.
    #[serde(serialize_with = "digits")]
    pub queue: [u8; 16],
    /// A payment that the bank does not know by now is never to be taken.
    pub void: bool,
}

/// Closes a queue: what waits goes back to the account.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct QueueClose {
    /// Its id.
    #[serde(serialize_with = "digits")]
    pub queue: [u8; 16],
}

/// How a queue stands.
#[derive(Clone, Deserialize, Eq, PartialEq)]
pub struct QueueTold {
    /// Whether its items can be loaded.
    pub state: QueueStanding,
    /// When it closes by itself, or closed.
    pub closes_ms: u64,
    /// Fen that were paid.
    pub total: u64,
    /// Fen on cards.
    pub loaded: u64,
    /// Fen that went back to the account.
    pub returned: u64,
    /// C6 of its loads while it is open, for a terminal whose answer to the opening was lost.
    #[serde(default, deserialize_with = "maybe_sixteen")]
    pub proof: Option<[u8; 16]>,
    /// In the order of opening.
    pub items: Vec<QueueItemTold>,
}

/// Whether a queue's items can be loaded.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub enum QueueStanding {
    /// They can.
    Open,
    /// No more.
    Closed,
}

/// How an item stands.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
pub struct QueueItemTold {
    /// See there.
    pub state: QueueItemState,
    /// Of its newest load.
    pub reference: Option<String>,
    /// When that load last moved, or the item's money went back.
    pub time_ms: Option<u64>,
}

/// Where an item's money is.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub enum QueueItemState {
    /// In the queue: its card has not come.
    Waiting,
    /// In a load that is not settled.
    Open,
    /// On the card.
    Loaded,
    /// Back in the account.
    Returned,
    /// Given up by two people of the bank, who could not tell where it is.
    WrittenOff,
}

/// A row that keeps a queue from opening.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
pub struct RefusedRow {
    /// From 0, in the order of the request.
    pub row: usize,
    /// `card-unknown`, `card-blocked`, `card-twice`, `amount-low` or `amount-high`.
    pub code: String,
}

impl RefusedRow {
    /// The rows that a refusal `queue-rows` names in its parameters.
    pub fn of(params: &BTreeMap<String, String>) -> Vec<Self> {
        let rows = params.get("rows").map(|text| serde_json::from_str(text));
        rows.and_then(Result::ok).unwrap_or_default()
    }
}

impl Request for QueueSend {
    const PATH: &'static str = "/v1/queue/send";
    type Told = QueueSent;
}

impl Request for QueueOpen {
    const PATH: &'static str = "/v1/queue/open";
    type Told = QueueOpened;
}

impl Request for QueueState {
    const PATH: &'static str = "/v1/queue/state";
    type Told = QueueTold;
}

impl Request for QueueClose {
    const PATH: &'static str = "/v1/queue/close";
    type Told = QueueTold;
}

impl Answer {
    /// What an answer says to a request, or the refusal. The caller has checked whose answer it is.
    ///
    /// # Errors
    /// [`ClientError::Refused`], or [`ClientError::BadAnswer`] for anything that is not of that form.
    pub fn told<R: Request>(&self) -> Result<R::Told, ClientError> {
        if self.status != 200 {
            return Err(self.refusal());
        }
        serde_json::from_slice(&self.body).map_err(|_| ClientError::BadAnswer)
    }
}

impl BankClient {
    /// Asks for the code that opens a queue. As with [`BankClient::security`] the caller checks the answer's proof, and
    /// then reads it with [`Answer::told`].
    pub async fn queue_send(
        &self,
        proof: &Proof,
        request: &QueueSend,
    ) -> Result<Answer, ClientError> {
        self.request(proof, request).await
    }

    /// Pays for a queue and opens it.
    pub async fn queue_open(
        &self,
        proof: &Proof,
        request: &QueueOpen,
    ) -> Result<Answer, ClientError> {
        self.request(proof, request).await
    }

    /// Asks how a queue stands.
    pub async fn queue_state(
        &self,
        proof: &Proof,
        request: &QueueState,
    ) -> Result<Answer, ClientError> {
        self.request(proof, request).await
    }

    /// Closes a queue.
    pub async fn queue_close(
        &self,
        proof: &Proof,
        request: &QueueClose,
    ) -> Result<Answer, ClientError> {
        self.request(proof, request).await
    }

    async fn request<R: Request>(&self, proof: &Proof, request: &R) -> Result<Answer, ClientError> {
        let body = request.body().to_string();
        self.security(R::PATH, proof, body).await
    }
}

fn digits<S: Serializer>(bytes: &impl AsRef<[u8]>, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&hex::encode(bytes))
}

fn secret<S: Serializer>(text: &Zeroizing<String>, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(text)
}

fn maybe_sixteen<'de, D: Deserializer<'de>>(from: D) -> Result<Option<[u8; 16]>, D::Error> {
    #[derive(Deserialize)]
    struct Sixteen(#[serde(deserialize_with = "sixteen")] [u8; 16]);
    Ok(Option::<Sixteen>::deserialize(from)?.map(|it| it.0))
}

fn sixteen<'de, D: Deserializer<'de>>(from: D) -> Result<[u8; 16], D::Error> {
    let text = String::deserialize(from)?;
    let mut bytes = [0; 16];
    hex::decode_to_slice(text, &mut bytes)
        .map_err(|_| D::Error::custom("expected 16 bytes as 32 hex digits"))?;
    Ok(bytes)
}

/// Shows no proof.
impl fmt::Debug for QueueOpened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "QueueOpened({} fen)", self.total)
    }
}

/// Shows no proof.
impl fmt::Debug for QueueTold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "QueueTold({:?}, {:?})", self.state, self.items)
    }
}

/// Shows neither number nor code.
impl fmt::Debug for QueueOpen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "QueueOpen({} items)", self.items.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_has_the_form_of_the_protocol() {
        let open = QueueOpen {
            queue: [7; 16],
            industry: "0001".to_owned(),
            code: "123456".to_owned().into(),
            pin_block: vec![0xAB; 2],
            items: vec![QueueItem {
                card: "00006217000000004471".to_owned().into(),
                amount: 500,
            }],
        };
        let queue = "07".repeat(16);
        let expected =
            format!(r#"{{"queue":"{queue}","industry":"0001","code":"123456","pin_block":"abab","#)
                + r#""items":[{"card":"00006217000000004471","amount":500}]}"#;
        assert_eq!(*open.body(), expected);
        assert_eq!(
            format!("{open:?}"),
            "QueueOpen(1 items)",
            "no secret in a log"
        );
    }

    #[test]
    fn what_is_told_of_a_queue_is_read() {
        let body = br#"{"state":"open","closes_ms":9,"total":1000,"loaded":500,"returned":0,"items":[
            {"state":"loaded","reference":"TF-1","time_ms":5},{"state":"waiting","reference":null,"time_ms":null}]}"#;
        let answer = Answer {
            status: 200,
            body: body.to_vec(),
            mac: None,
            own_ms: None,
        };
        let told = answer.told::<QueueState>().unwrap();
        assert_eq!((told.state, told.proof), (QueueStanding::Open, None));
        assert_eq!(told.items[1].state, QueueItemState::Waiting);
        assert_eq!(told.items[0].reference.as_deref(), Some("TF-1"));
    }

    #[test]
    fn the_rows_of_a_refusal_are_read() {
        let answer = Answer {
            status: 403,
            body: br#"{"code":"queue-rows","params":{"rows":[{"row":3,"code":"card-twice"}]}}"#
                .to_vec(),
            mac: None,
            own_ms: None,
        };
        let Err(ClientError::Refused { code, params }) = answer.told::<QueueOpen>() else {
            panic!("a refusal")
        };
        let row = RefusedRow {
            row: 3,
            code: "card-twice".to_owned(),
        };
        assert_eq!(
            (code.as_str(), RefusedRow::of(&params)),
            ("queue-rows", vec![row])
        );
    }
}
