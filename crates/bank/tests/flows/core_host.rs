//! A core banking host with books of its own and faults on demand. It shares no code with the bank: its messages are
//! read and written here, by the standard's table of the fields that the bank sends.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

pub(crate) const ACCOUNT: &str = "6222020000000001";
pub(crate) const START: i64 = 1_000_000;

/// What goes wrong with one message.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Fault {
    /// Nothing does.
    None,
    /// Field 39, and nothing booked.
    Refused(&'static str),
    /// It never came.
    Unheard,
    /// Booked, and the answer lost.
    AnswerLost,
    /// Booked, and answered after this long, ms.
    Late(u64),
    Twice,
    /// No message before the answer.
    Garbage,
    /// Booked, and answered under other numbers.
    WrongStan,
    WrongRrn,
    /// Another amount booked than asked for.
    WrongAmount,
    /// Booked, and the connection closed.
    Closed,
    /// Not booked, and the connection closed.
    ClosedBefore,
}

pub(crate) type Fields = BTreeMap<u8, String>;

#[derive(Default)]
pub(crate) struct Books {
    pub(crate) balance: i64,
    /// By field 37: amount, and whether it is booked now.
    pub(crate) loads: BTreeMap<String, (i64, bool)>,
    /// Type, field 37 and field 11 of all that came.
    pub(crate) came: Vec<(String, String, String)>,
    pub(crate) problems: Vec<String>,
}

pub(crate) struct CoreHost {
    pub(crate) address: SocketAddr,
    pub(crate) books: Arc<Mutex<Books>>,
    faults: Arc<Mutex<VecDeque<Fault>>>,
    reversal_faults: Arc<Mutex<VecDeque<Fault>>>,
    serving: JoinHandle<()>,
}

impl Drop for CoreHost {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl CoreHost {
    pub(crate) async fn start() -> Self {
        let books = Books {
            balance: START,
            ..Books::default()
        };
        Self::start_at("127.0.0.1:0", Arc::new(Mutex::new(books))).await
    }

    async fn start_at(address: &str, books: Arc<Mutex<Books>>) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (faults, reversal_faults) = (Arc::default(), Arc::default());
        let desk = Desk {
            books: books.clone(),
            faults: Arc::clone(&faults),
            reversal_faults: Arc::clone(&reversal_faults),
        };
        let serving = tokio::spawn(async move {
            // Ends all connections with it.
            let mut lines = tokio::task::JoinSet::new();
            loop {
                let (line, _) = listener.accept().await.unwrap();
                lines.spawn(desk.clone().serve(line));
            }
        });
        Self {
            address,
            books,
            faults,
            reversal_faults,
            serving,
        }
    }

    /// Gone for a while: what it had booked stays booked.
    pub(crate) async fn gone(self) -> (SocketAddr, Arc<Mutex<Books>>) {
        self.serving.abort();
        while !self.serving.is_finished() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        (self.address, self.books.clone())
    }

    pub(crate) async fn back((address, books): (SocketAddr, Arc<Mutex<Books>>)) -> Self {
        Self::start_at(&address.to_string(), books).await
    }

    /// Of the next loads, one each.
    pub(crate) fn fail(&self, faults: &[Fault]) {
        self.faults.lock().unwrap().extend(faults);
    }

    /// Of the next reversals.
    pub(crate) fn fail_reversals(&self, faults: &[Fault]) {
        self.reversal_faults.lock().unwrap().extend(faults);
    }

    pub(crate) fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap()
    }

    /// How many messages of this type came.
    pub(crate) fn count(&self, mti: &str) -> usize {
        let books = self.books();
        books.came.iter().filter(|(came, ..)| came == mti).count()
    }

    /// The configuration of a bank of this host.
    pub(crate) fn configured(&self, text: &str) -> String {
        let customer = format!("balance = 0\naccount = \"{ACCOUNT}\"");
        let text = text.replacen("balance = 1000000", &customer, 1);
        format!(
            "{text}\n[core]\naddress = \"{}\"\nacquirer = \"12345\"\nterminal = \"TAPFILL1\"\n\
             merchant = \"BANK\"\nprocessing_code = \"600000\"\nanswer_ms = 1000\n",
            self.address
        )
    }
}

#[derive(Clone)]
struct Desk {
    books: Arc<Mutex<Books>>,
    faults: Arc<Mutex<VecDeque<Fault>>>,
    reversal_faults: Arc<Mutex<VecDeque<Fault>>>,
}

impl Desk {
    async fn serve(self, mut line: TcpStream) {
        while let Some(bytes) = read(&mut line).await {
            let (mti, fields) = parse(&bytes);
            if mti == "0800" {
                send(&mut line, &answer(&fields, "0810", "00", &[7, 11, 70])).await;
                continue;
            }
            let rrn = fields[&37].clone();
            let came = (mti.clone(), rrn, fields[&11].clone());
            self.books.lock().unwrap().came.push(came);
            let (of, answer_type) = match mti.as_str() {
                "0200" => (&self.faults, "0210"),
                "0420" | "0421" => (&self.reversal_faults, "0430"),
                other => panic!("the bank sent {other}"),
            };
            let fault = of.lock().unwrap().pop_front().unwrap_or(Fault::None);
            if !self.answered(&mut line, (fault, answer_type), fields).await {
                return;
            }
        }
    }

    /// False when the connection is to be closed.
    async fn answered(
        &self,
        line: &mut TcpStream,
        (fault, mti): (Fault, &str),
        mut fields: Fields,
    ) -> bool {
        let response = match fault {
            Fault::Refused(response) => response.to_owned(),
            Fault::Unheard => return true,
            Fault::ClosedBefore => return false,
            Fault::WrongAmount => {
                fields.insert(4, format!("{:012}", 1));
                self.book(mti, &fields)
            }
            Fault::None
            | Fault::AnswerLost
            | Fault::Late(_)
            | Fault::Twice
            | Fault::Garbage
            | Fault::WrongStan
            | Fault::WrongRrn
            | Fault::Closed => self.book(mti, &fields),
        };
        let echoed = [3, 4, 7, 11, 12, 13, 32, 37, 41, 42, 49];
        match fault {
            Fault::AnswerLost => return true,
            Fault::Closed => return false,
            Fault::Late(after_ms) => tokio::time::sleep(Duration::from_millis(after_ms)).await,
            Fault::Garbage => {
                send(line, b"0210\xFF\xFFnothing that can be read").await;
                send(line, b"").await;
            }
            Fault::WrongStan => drop(fields.insert(11, "999999".to_owned())),
            Fault::WrongRrn => drop(fields.insert(37, "000000000000".to_owned())),
            Fault::None | Fault::Refused(_) | Fault::Twice | Fault::WrongAmount => {}
            Fault::Unheard | Fault::ClosedBefore => unreachable!("it is over by now"),
        }
        let answer = answer(&fields, mti, &response, &echoed);
        send(line, &answer).await;
        if fault == Fault::Twice {
            send(line, &answer).await;
        }
        true
    }

    fn book(&self, mti: &str, fields: &Fields) -> String {
        let mut books = self.books.lock().unwrap();
        let (rrn, amount) = (fields[&37].clone(), fields[&4].parse::<i64>().unwrap());
        if fields[&102] != ACCOUNT || fields[&49] != "156" {
            books
                .problems
                .push(format!("another account or currency: {fields:?}"));
        }
        if mti == "0210" {
            if books.loads.contains_key(&rrn) {
                books.problems.push(format!("asked twice: {rrn}"));
                return "94".to_owned();
            }
            if books.balance < amount {
                return "51".to_owned();
            }
            books.balance -= amount;
            books.loads.insert(rrn, (amount, true));
            return "00".to_owned();
        }
        if !fields[&90].starts_with("0200") || !fields[&90].ends_with("0000001234500000000000") {
            books.problems.push(format!("field 90 is {}", fields[&90]));
        }
        let Some((booked, is_booked)) = books.loads.get(&rrn).copied() else {
            return "25".to_owned();
        };
        if is_booked {
            books.balance += booked;
        }
        books.loads.insert(rrn, (booked, false));
        "00".to_owned()
    }
}

fn answer(fields: &Fields, mti: &str, response: &str, echoed: &[u8]) -> Vec<u8> {
    let mut said: Fields = fields.clone();
    said.retain(|field, _| echoed.contains(field));
    said.insert(39, response.to_owned());
    if mti == "0210" && response == "00" {
        said.insert(38, "A12345".to_owned());
    }
    write(mti, &said)
}

/// Length of a field, and whether two digits of it stand before.
fn length(field: u8) -> (usize, bool) {
    match field {
        3 | 11 | 12 | 38 => (6, false),
        4 | 37 => (12, false),
        7 => (10, false),
        13 => (4, false),
        39 => (2, false),
        41 => (8, false),
        42 => (15, false),
        49 | 70 => (3, false),
        90 => (42, false),
        32 | 102 => (0, true),
        other => panic!("the bank sent field {other}"),
    }
}

fn parse(bytes: &[u8]) -> (String, Fields) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let mti = text(&bytes[..4]);
    let bits = |from: usize| u64::from_be_bytes(bytes[from..from + 8].try_into().unwrap());
    let first = bits(4);
    let both = first >> 63 == 1;
    let second = if both { bits(12) } else { 0 };
    let mut at = if both { 20 } else { 12 };
    let mut fields = Fields::new();
    for field in 2..=128_u8 {
        let half = if field <= 64 { first } else { second };
        if half >> (63 - u32::from(field - 1) % 64) & 1 == 0 {
            continue;
        }
        let (mut length, counted) = length(field);
        if counted {
            length = text(&bytes[at..at + 2]).parse().unwrap();
            at += 2;
        }
        fields.insert(field, text(&bytes[at..at + length]));
        at += length;
    }
    assert_eq!(at, bytes.len(), "the whole message is read");
    (mti, fields)
}

fn write(mti: &str, fields: &Fields) -> Vec<u8> {
    let (mut bits, mut body) = ([0_u64; 2], String::new());
    for (field, value) in fields {
        let number = usize::from(*field) - 1;
        bits[number / 64] |= 1 << (63 - number % 64);
        if length(*field).1 {
            body += &format!("{:02}", value.len());
        }
        body += value;
    }
    let mut bytes = mti.as_bytes().to_vec();
    if bits[1] != 0 {
        bits[0] |= 1 << 63;
    }
    bytes.extend(bits[0].to_be_bytes());
    if bits[1] != 0 {
        bytes.extend(bits[1].to_be_bytes());
    }
    bytes.extend(body.as_bytes());
    bytes
}

async fn read(line: &mut TcpStream) -> Option<Vec<u8>> {
    let length = line.read_u16().await.ok()?;
    let mut bytes = vec![0; length.into()];
    line.read_exact(&mut bytes).await.ok()?;
    Some(bytes)
}

async fn send(line: &mut TcpStream, bytes: &[u8]) {
    let length = u16::try_from(bytes.len()).unwrap().to_be_bytes();
    // A bank that has gone needs no answer.
    let _gone = line.write_all(&[&length[..], bytes].concat()).await;
}
