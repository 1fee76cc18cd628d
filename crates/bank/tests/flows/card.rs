//! A card in process: the maths and the state that matter here.

use purse::crypto::{self, LoadTerms};
use purse::{CardKey, File15, HostTime, InitForLoad, LogRecord, MasterKey, TransactionType};

#[derive(Clone)]
pub(crate) struct Card {
    pub(crate) serial: [u8; 10],
    pub(crate) active: bool,
    pub(crate) expiry: [u8; 4],
    pub(crate) balance: u32,
    pub(crate) counter: u16,
    pub(crate) log: Vec<LogRecord>,
    session: Option<(InitForLoad, LoadTerms)>,
    last: Option<(u16, [u8; 4])>,
    randoms: u32,
    keys: IssuerKeys,
}

/// What the keys of a card are made from, and the version that it tells of its load key.
#[derive(Clone, Copy)]
pub(crate) struct IssuerKeys {
    pub(crate) version: u8,
    pub(crate) load: &'static str,
    pub(crate) tac: &'static str,
}

/// The demo bank's.
pub(crate) const DEMO_KEYS: IssuerKeys = IssuerKeys {
    version: 1,
    load: "00112233445566778899AABBCCDDEEFF",
    tac: "112233445566778899AABBCCDDEEFF00",
};

fn key(issuer: &str, serial: &[u8; 10]) -> CardKey {
    let master = MasterKey::from_bytes(&hex::decode(issuer).unwrap()).unwrap();
    purse::diversify(&master, serial[2..].try_into().unwrap())
}

impl Card {
    pub(crate) fn demo() -> Self {
        Self::new("00006217000000004471", true, 12_850)
    }

    pub(crate) fn inactive() -> Self {
        Self::new("00006217000000008826", false, 0)
    }

    pub(crate) fn new(serial: &str, active: bool, balance: u32) -> Self {
        Self {
            serial: hex::decode(serial).unwrap().try_into().unwrap(),
            active,
            expiry: [0x20, 0x34, 0x12, 0x31],
            balance,
            counter: 7,
            log: Vec::new(),
            session: None,
            last: None,
            randoms: 0,
            keys: DEMO_KEYS,
        }
    }

    /// The same, made with other issuer keys.
    #[allow(dead_code)] // most cards are of the demo bank
    pub(crate) fn under(self, keys: IssuerKeys) -> Self {
        Self { keys, ..self }
    }

    pub(crate) fn tail(&self) -> String {
        hex::encode(&self.serial[8..])
    }

    fn load_key(&self) -> CardKey {
        key(self.keys.load, &self.serial)
    }

    fn tac_key(&self) -> CardKey {
        key(self.keys.tac, &self.serial)
    }

    pub(crate) fn file15(&self) -> Vec<u8> {
        File15 {
            issuer: [0x10, 0, 0, 0, 0, 0, 0, 1],
            enable_flag: u8::from(self.active),
            version: 1,
            serial: self.serial,
            start: [0x20, 0x24, 0x01, 0x01],
            expiry: self.expiry,
            issuer_data: [0; 2],
        }
        .encode()
    }

    pub(crate) fn initialize(&mut self, amount: u32, terminal: [u8; 6]) -> Vec<u8> {
        self.randoms += 1;
        let random = (self.randoms * 0x0101_0107).to_be_bytes();
        let terms = LoadTerms::purse(amount, terminal);
        let session = crypto::load_session_key(&self.load_key(), random, self.counter);
        let init = InitForLoad {
            old_balance: self.balance,
            online_counter: self.counter,
            key_version: self.keys.version,
            algorithm: 0,
            random,
            mac1: crypto::mac1(&session, self.balance, &terms),
        };
        self.session = Some((init, terms));
        init.encode()
    }

    /// CREDIT FOR LOAD; the TAC, or none when the card says no.
    pub(crate) fn credit(&mut self, data: &[u8]) -> Option<[u8; 4]> {
        let (init, terms) = self.session.take()?;
        let at = HostTime::new(
            data[..4].try_into().unwrap(),
            data[4..7].try_into().unwrap(),
        )
        .ok()?;
        let session = crypto::load_session_key(&self.load_key(), init.random, self.counter);
        if crypto::mac2(&session, &terms, at) != data[7..] {
            return None;
        }
        self.balance += terms.amount;
        let tac = crypto::tac(&self.tac_key(), self.balance, self.counter, &terms, at);
        self.counter += 1;
        self.last = Some((self.counter, tac));
        self.note(terms.amount, TransactionType::Load, terms.terminal, at);
        Some(tac)
    }

    /// GET TRANSACTION PROVE with the counter after the load.
    pub(crate) fn prove(&self, counter: u16) -> Option<[u8; 8]> {
        let (at, tac) = self.last?;
        let mut proof = [0; 8];
        proof[4..].copy_from_slice(&tac);
        (at == counter).then_some(proof)
    }

    pub(crate) fn forget_proof(&mut self) {
        self.last = None;
    }

    pub(crate) fn spend(&mut self, amount: u32) {
        self.balance -= amount;
        let at = HostTime::new([0x20, 0x26, 1, 2], [1, 2, 3]).unwrap();
        self.note(amount, TransactionType::Purchase, [9; 6], at);
    }

    /// A load by another channel, e.g. the issuer's own machine.
    pub(crate) fn load_elsewhere(&mut self, amount: u32) {
        self.session = None;
        self.balance += amount;
        self.counter += 1;
        self.last = Some((self.counter, [9; 4]));
        let at = HostTime::new([0x20, 0x26, 1, 2], [1, 2, 3]).unwrap();
        self.note(amount, TransactionType::Load, [9; 6], at);
    }

    fn note(&mut self, amount: u32, kind: TransactionType, terminal: [u8; 6], at: HostTime) {
        let (counter, overdraft_limit) = (self.counter, [0; 3]);
        self.log.insert(
            0,
            LogRecord {
                counter,
                overdraft_limit,
                amount,
                kind,
                terminal,
                at,
            },
        );
        self.log.truncate(10);
    }

    pub(crate) fn log_bytes(&self) -> Vec<u8> {
        let joined = |it: &LogRecord| {
            let counter = it.counter.to_be_bytes();
            let amount = it.amount.to_be_bytes();
            let kind = [it.kind.byte()];
            [
                &counter[..],
                &it.overdraft_limit,
                &amount,
                &kind,
                &it.terminal,
                &it.at.date,
                &it.at.time,
            ]
            .concat()
        };
        self.log.iter().flat_map(joined).collect()
    }

    /// UPDATE BINARY of file 15, secured, from offset 8.
    pub(crate) fn update(&mut self, challenge: [u8; 4], update: &[u8]) -> bool {
        let key = key("33445566778899AABBCCDDEEFF001122", &self.serial);
        let (data, mac) = update.split_at(20);
        let head = [0x04, 0xD6, 0x95, 0x08];
        if purse::secure::mac(&key, challenge, head, data).unwrap() != mac {
            return false;
        }
        assert_eq!(data[2..12], self.serial, "the serial stays");
        self.active = data[0] == 1;
        self.expiry = data[16..20].try_into().unwrap();
        true
    }
}
