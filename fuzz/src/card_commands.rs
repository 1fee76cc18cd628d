//! The virtual card under any commands: its balance moves by the right MAC alone.

use purse::crypto::{
    LoadTerms, PurchaseTerms, load_session_key, mac2, purchase_mac1, purchase_session_key,
};
use purse::{HostTime, TransactionType, command, secure};
use virtual_card::{BlockedSelect, Card, CardProfile, Overflow};

use crate::input::Input;

/// The random of every card here, so that its keys can be worked out beside it.
const RANDOM: [u8; 4] = [0x11; 4];
const AT: HostTime = HostTime {
    date: [0x20, 0x26, 0x11, 0x21],
    time: [0x10, 0x58, 0x00],
};
const MOST_COMMANDS: usize = 64;

/// First byte: the card. Second: how it differs from others. Then commands.
pub fn run(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let mut profile = match input.byte() % 5 {
        0 => CardProfile::demo(),
        1 => CardProfile::demo_inactive(),
        2 => CardProfile::demo_expired(),
        3 => CardProfile::demo_blocked(),
        _ => CardProfile::demo_pin(),
    };
    let quirks = input.byte();
    let bit = |place: u8| quirks >> place & 1 == 1;
    profile.quirks.contact_61xx = bit(0);
    profile.quirks.contact_6cxx = bit(1);
    profile.quirks.log_at_once = bit(2);
    profile.quirks.balance_top_bit = bit(3);
    profile.quirks.drops_proof_at_initialize = bit(4);
    profile.quirks.prove_needs_pin = bit(5);
    if bit(6) {
        profile.quirks.overflow = Overflow::Credit;
        profile.quirks.blocked_select = BlockedSelect::WithFci;
    }
    if bit(7) {
        profile.online_counter = u16::MAX - 2;
        profile.offline_counter = u16::MAX - 2;
    }
    let card = Card::new(profile).with_random(|bytes| bytes.fill(RANDOM[0]));
    let mut host = Host {
        card,
        load: None,
        purchase: None,
    };
    for _ in 0..MOST_COMMANDS {
        if input.is_empty() {
            break;
        }
        host.act(&mut input);
    }
}

struct Host {
    card: Card,
    /// Terms and counter of the last INITIALIZE FOR LOAD that the card took.
    load: Option<(LoadTerms, u16)>,
    /// Terms and counter of the last INITIALIZE FOR PURCHASE that the card took.
    purchase: Option<(PurchaseTerms, u16)>,
}

impl Host {
    fn act(&mut self, input: &mut Input<'_>) {
        let keys = self.card.profile().card_keys();
        let command = match input.byte() % 16 {
            0 => self.select(),
            1 => command::initialize_for_load(1, small(input), input.array()),
            2 => command::credit_for_load(AT, self.right_mac2()),
            3 => command::credit_for_load(AT, input.array()),
            4 => command::initialize_for_purchase(1, small(input), input.array()),
            5 => {
                let number = input.number();
                command::debit_for_purchase(number, AT, self.right_mac1(number))
            }
            6 => command::get_transaction_prove(TransactionType::Load, number(input)),
            7 => command::verify(input.short()).unwrap_or_default(),
            8 => {
                let kept = self.memory();
                self.card.interrupt(input.short());
                assert_eq!(self.memory(), kept, "no power, no change");
                self.power();
                return;
            }
            9 => {
                self.power();
                assert!(self.card.transmit(&command::get_uid()).len() >= 2);
                return;
            }
            10 => {
                self.card.power_off();
                assert!(self.card.transmit(input.short()).is_empty(), "no power");
                self.power();
                return;
            }
            11 | 12 => {
                self.send(&command::get_challenge());
                let head = [input.byte(), input.byte(), input.byte(), input.byte()];
                let data = input.short();
                let maintenance = &keys.maintenance.0;
                secure::command(maintenance, RANDOM, head, data).unwrap_or_default()
            }
            13 => command::get_response(input.byte()),
            14 => command::read_log_record(input.byte()),
            _ => input.short().to_vec(),
        };
        self.send(&command);
    }

    fn power(&mut self) {
        self.card.power_on();
        (self.load, self.purchase) = (None, None);
    }

    fn select(&mut self) -> Vec<u8> {
        if !self.card.powered() {
            self.power();
        }
        command::select(&command::PURSE_AID).expect("a short name")
    }

    /// Balance and counters of load and purchase.
    fn memory(&self) -> (u32, u16, u16) {
        let profile = self.card.profile();
        (
            profile.balance,
            profile.online_counter,
            profile.offline_counter,
        )
    }

    fn send(&mut self, bytes: &[u8]) {
        let (balance, online, offline) = self.memory();
        let powered = self.card.powered();
        let reply = self.card.transmit(bytes);
        assert_eq!(reply.is_empty(), !powered);
        assert!(!powered || (2..=258).contains(&reply.len()));
        let (new_balance, new_online, new_offline) = self.memory();
        let max = self.card.profile().max_balance;
        assert!(new_balance <= max, "never above the highest");
        if (new_balance, new_online, new_offline) != (balance, online, offline) {
            if new_online != online {
                let (terms, counter) = self.load.take().expect("a load was begun");
                assert_eq!(counter, online);
                assert_eq!((new_online, new_offline), (online + 1, offline));
                assert_eq!(new_balance, balance + terms.amount);
                self.was_right(bytes, &terms, online);
            } else {
                let (terms, counter) = self.purchase.take().expect("a purchase was begun");
                assert_eq!(counter, offline);
                assert_eq!(new_offline, offline + 1);
                assert_eq!(new_balance, balance - terms.amount);
                assert_eq!(bytes.get(..2), Some(&[0x80, 0x54][..]));
            }
            (self.load, self.purchase) = (None, None);
        }
        let taken = matches!(reply.last_chunk(), Some([0x90, 0x00] | [0x61, _]));
        self.note(bytes, taken);
    }

    /// The command that moved the balance was CREDIT, with the MAC that only the issuer can make.
    fn was_right(&self, bytes: &[u8], terms: &LoadTerms, counter: u16) {
        assert_eq!(bytes.get(..2), Some(&[0x80, 0x52][..]));
        let data: [u8; 11] = bytes[5..16].try_into().expect("time and MAC");
        let [d0, d1, d2, d3, h, m, s, code @ ..] = data;
        let at = HostTime {
            date: [d0, d1, d2, d3],
            time: [h, m, s],
        };
        let load = self.card.profile().card_keys().load;
        let key = load_session_key(&load.0, RANDOM, counter);
        assert_eq!(code, mac2(&key, terms, at), "the issuer's MAC");
    }

    fn note(&mut self, bytes: &[u8], taken: bool) {
        let (Some([0x80, 0x50, kind, 0x02, 11]), Some(data), true) =
            (bytes.first_chunk(), bytes.get(5..16), taken)
        else {
            return;
        };
        let [_, a, b, c, d, terminal @ ..]: [u8; 11] = data.try_into().expect("11 bytes");
        let amount = u32::from_be_bytes([a, b, c, d]);
        let (_, online, offline) = self.memory();
        (self.load, self.purchase) = (None, None);
        if *kind == 0 {
            self.load = Some((LoadTerms::purse(amount, terminal), online));
        } else {
            let terms = PurchaseTerms {
                amount,
                kind: TransactionType::Purchase,
                terminal,
                terminal_number: 0,
                at: AT,
            };
            self.purchase = Some((terms, offline));
        }
    }

    fn right_mac2(&self) -> [u8; 4] {
        let Some((terms, counter)) = &self.load else {
            return [0; 4];
        };
        let load = self.card.profile().card_keys().load;
        mac2(&load_session_key(&load.0, RANDOM, *counter), terms, AT)
    }

    fn right_mac1(&self, terminal_number: u32) -> [u8; 4] {
        let Some((terms, counter)) = &self.purchase else {
            return [0; 4];
        };
        let purchase = self.card.profile().card_keys().purchase;
        let key = purchase_session_key(&purchase.0, RANDOM, *counter, terminal_number);
        let terms = PurchaseTerms {
            terminal_number,
            ..*terms
        };
        purchase_mac1(&key, &terms)
    }
}

/// Mostly an amount that a card can hold.
fn small(input: &mut Input<'_>) -> u32 {
    match input.byte() {
        0xFF => input.number(),
        scale => u32::from(number(input)) << (scale & 3),
    }
}

fn number(input: &mut Input<'_>) -> u16 {
    u16::from_be_bytes(input.array())
}
