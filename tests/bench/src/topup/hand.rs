//! The floor: the commands that the app sent, by the PC/SC library, and its requests, by the HTTP client. Only what
//! can't be the same twice is made anew: the card's opening, the bank's answer to it, envelopes and codes.

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use pcsc::{Card, Disposition};
use relay::{Message, Operation};
use serde_json::json;
use tempfile::TempDir;

use super::{AMOUNT, Commands, Parts};
use crate::Failure;
use crate::desk::{Desk, transmit};
use crate::stage::{Customer, PASSWORD, newest_code, next_code};
use crate::terminal::{Terminal, message, new_id, outcome, phase};

const INITIALIZE_FOR_LOAD: [u8; 4] = [0x80, 0x50, 0x00, 0x02];
const CREDIT_FOR_LOAD: [u8; 2] = [0x80, 0x52];
const READ_FILE_15: [u8; 3] = [0x00, 0xB0, 0x95];
const GET_BALANCE: [u8; 2] = [0x80, 0x5C];
/// Where INITIALIZE has the terminal's number: after header, key and amount.
const TERMINAL_AT: std::ops::Range<usize> = 10..16;
/// Where the bank's data are in CREDIT FOR LOAD.
const DATA_AT: std::ops::Range<usize> = 5..16;

/// Bytes of a state in the journal, of which a file has two.
const SLOT: usize = 4096;

pub(super) struct Hand {
    dir: TempDir,
    terminal: Arc<Terminal>,
    phone: String,
    tail: String,
}

/// What the card said in a load.
#[derive(Default)]
struct Said {
    file15: Vec<u8>,
    balance: Vec<u8>,
    init: Vec<u8>,
    tac: Vec<u8>,
}

impl Hand {
    pub(super) fn new(terminal: Terminal, customer: &Customer) -> Result<Self, Failure> {
        let digits = hex::encode(customer.serial);
        Ok(Self {
            dir: tempfile::tempdir()?,
            terminal: Arc::new(terminal),
            phone: customer.phone.clone(),
            tail: digits[digits.len() - 4..].to_owned(),
        })
    }

    pub(super) async fn top_up(
        &mut self,
        desk: &Desk,
        commands: &Commands,
    ) -> Result<Parts, Failure> {
        // The app asks these while the card is read.
        let terminal = self.terminal.clone();
        let asked = tokio::spawn(async move {
            let key_id = terminal.key.as_ref().map(|key| key.facts().id);
            let query = json!({ "key_id": key_id });
            terminal.ask("/v1/key-query", query).await?;
            terminal.client.warm().await
        });
        let began = Instant::now();
        read(desk, &commands.entering)?;
        let entering = began.elapsed();
        asked.await??;
        let id = new_id();
        let (codes, proof) = self.codes(&id).await?;
        let began = Instant::now();
        self.load(desk, &commands.load, (id, proof)).await?;
        let load = began.elapsed();
        Ok(Parts {
            entering,
            codes,
            load,
            journal: self.journal()?,
        })
    }

    async fn codes(&self, id: &[u8; 16]) -> Result<(Duration, [u8; 16]), Failure> {
        let client = self.terminal.client.clone();
        let before = newest_code(&client, &self.phone).await;
        let began = Instant::now();
        self.terminal.send_code(id, &self.tail, &self.phone).await;
        let asked = began.elapsed();
        let code = next_code(&client, &self.phone, before.as_deref()).await;
        let began = Instant::now();
        let proof = self.terminal.verify(id, &code).await?;
        Ok((asked + began.elapsed(), proof))
    }

    /// What the app writes in a load: before it asks, before the card is changed, after that, and at the end. The file
    /// is there since the SMS was waited for; each state goes over one of its halves.
    fn journal(&self) -> Result<Duration, Failure> {
        let path = self.dir.path().join("journal");
        let mut ready = File::create(&path)?;
        ready.write_all(&[b' '; 2 * SLOT])?;
        ready.sync_all()?;
        let began = Instant::now();
        for at in [0, SLOT, 0, SLOT] {
            let mut file = File::options().write(true).open(&path)?;
            file.seek(SeekFrom::Start(at.try_into()?))?;
            file.write_all(&[b'x'; SLOT])?;
            file.sync_data()?;
        }
        Ok(began.elapsed())
    }

    async fn load(
        &mut self,
        desk: &Desk,
        commands: &[Vec<u8>],
        (id, proof): ([u8; 16], [u8; 16]),
    ) -> Result<(), Failure> {
        let mut card = desk.bare()?;
        let transaction = card.transaction()?;
        let mut said = Said::default();
        for command in commands {
            let mut command = command.clone();
            if command.starts_with(&INITIALIZE_FOR_LOAD) {
                command[TERMINAL_AT].copy_from_slice(&self.terminal.bcd());
            }
            if command.starts_with(&CREDIT_FOR_LOAD) {
                let opening = self.opening(id, proof, &said);
                let answer = self.terminal()?.relay(&opening).await;
                assert_eq!(phase(&answer), "credit");
                let data = answer.body.field("credit_data").ok_or("no data")?;
                command[DATA_AT].copy_from_slice(data);
            }
            let reply = transmit(&transaction, &command)?;
            said.take(&command, reply);
        }
        let tac = said.tac.as_slice().try_into()?;
        let step = (id, 2);
        let credit = self
            .terminal
            .credit_message(Operation::TopUp, step, Some(tac));
        let done = self.terminal()?.relay(&credit).await;
        assert_eq!(outcome(&done), "ok");
        transaction
            .end(Disposition::LeaveCard)
            .map_err(|(_, error)| error)?;
        left(card)
    }

    /// Nobody asks beside it any more.
    fn terminal(&mut self) -> Result<&mut Terminal, Failure> {
        Arc::get_mut(&mut self.terminal).ok_or("the terminal is still asked".into())
    }

    fn opening(&self, id: [u8; 16], proof: [u8; 16], said: &Said) -> Message {
        let mut body = self.terminal.body(Operation::TopUp, id, 1, "load");
        body.amount = Some(AMOUNT);
        body.pin_block = Some(self.terminal.pin_block(PASSWORD));
        body.sms_proof = Some(proof);
        body.put("file15", said.file15.as_slice());
        body.put("balance", said.balance.as_slice());
        body.put("init", said.init.as_slice());
        message(body)
    }
}

impl Said {
    fn take(&mut self, command: &[u8], mut reply: Vec<u8>) {
        reply.truncate(reply.len().saturating_sub(2));
        if command.starts_with(&READ_FILE_15) {
            self.file15 = reply;
        } else if command.starts_with(&GET_BALANCE) {
            self.balance = reply;
        } else if command.starts_with(&INITIALIZE_FOR_LOAD) {
            self.init = reply;
        } else if command.starts_with(&CREDIT_FOR_LOAD) {
            self.tac = reply;
        }
    }
}

fn read(desk: &Desk, commands: &[Vec<u8>]) -> Result<(), Failure> {
    let mut card = desk.bare()?;
    let transaction = card.transaction()?;
    for command in commands {
        transmit(&transaction, command)?;
    }
    transaction
        .end(Disposition::LeaveCard)
        .map_err(|(_, error)| error)?;
    left(card)
}

/// Dropping it would reset the card.
fn left(card: Card) -> Result<(), Failure> {
    Ok(card
        .disconnect(Disposition::LeaveCard)
        .map_err(|(_, error)| error)?)
}
