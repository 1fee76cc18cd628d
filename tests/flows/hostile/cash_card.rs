//! Electronic cash whose card lies to the app: what it asks for is never sent, and the next card is read as ever.

use ipc::{Code, MoneyPlace, Retry};
use virtual_card::{AnyProfile, CardStatus, SmartCard};

use super::failure;
use crate::stage::{Stage, card_there};

/// What a lying card says instead of its own reply.
type Lie = fn(&[u8], Vec<u8>) -> Vec<u8>;

struct LyingCard {
    own: Box<dyn SmartCard>,
    lie: Lie,
}

impl LyingCard {
    fn boxed(lie: Lie) -> Box<dyn SmartCard> {
        let own = AnyProfile::named("cash").unwrap().into_card();
        Box::new(Self { own, lie })
    }
}

impl SmartCard for LyingCard {
    fn atr(&self) -> &[u8] {
        self.own.atr()
    }

    fn powered(&self) -> bool {
        self.own.powered()
    }

    fn power_on(&mut self) {
        self.own.power_on();
    }

    fn power_off(&mut self) {
        self.own.power_off();
    }

    fn transmit(&mut self, command: &[u8]) -> Vec<u8> {
        let reply = self.own.transmit(command);
        (self.lie)(command, reply)
    }

    fn interrupt(&mut self, command: &[u8]) {
        self.own.interrupt(command);
    }

    fn delay_ms(&self) -> u64 {
        self.own.delay_ms()
    }

    fn spend(&mut self, fen: u32) -> bool {
        self.own.spend(fen)
    }

    fn status(&self) -> CardStatus {
        self.own.status()
    }

    fn memory(&self) -> AnyProfile {
        self.own.memory()
    }
}

const SELECT: u8 = 0xA4;
const OPTIONS: u8 = 0xA8;
const RECORD: u8 = 0xB2;
const DATA: u8 = 0xCA;

/// Objects with their status word, instead of every good reply to this instruction.
fn instead(asked: &[u8], reply: Vec<u8>, ins: u8, objects: &str) -> Vec<u8> {
    if asked[1] == ins && reply.ends_with(&[0x90, 0x00]) {
        return hex::decode(format!("{}9000", objects.replace(' ', ""))).unwrap();
    }
    reply
}

/// Lies that stop a card from being read at all.
const UNREADABLE: [(&str, Lie); 10] = [
    ("a list of options for 10,000 bytes", |asked, reply| {
        let list = "9F37FF".repeat(40);
        let bomb = format!("6F81 7F A581 7C 9F3881 78 {list}");
        instead(asked, reply, SELECT, &bomb)
    }),
    ("a list that ends in its middle", |asked, reply| {
        instead(asked, reply, SELECT, "6F 07 A5 05 9F38 02 9F37")
    }),
    ("255 records", |asked, reply| {
        instead(asked, reply, OPTIONS, "770A 82027C00 9404 0801FF00")
    }),
    ("8 files of 255 records", |asked, reply| {
        let locator = "0801FF00 1001FF00 1801FF00 2001FF00 2801FF00 3001FF00 3801FF00 4001FF00";
        instead(
            asked,
            reply,
            OPTIONS,
            &format!("7726 82027C00 9420 {locator}"),
        )
    }),
    ("a record before the first", |asked, reply| {
        instead(asked, reply, OPTIONS, "770A 82027C00 9404 08000100")
    }),
    ("objects in objects", |asked, reply| {
        let nested = (0..60).fold("82027C00".to_owned(), |inside, _| {
            format!("77{:02X}{inside}", inside.len() / 2)
        });
        instead(asked, reply, OPTIONS, &nested)
    }),
    ("a cut object", |asked, reply| {
        instead(asked, reply, OPTIONS, "77 0E 82027C00 9408 0801")
    }),
    ("a length of four bytes", |asked, reply| {
        instead(asked, reply, OPTIONS, "7784FFFFFFFF 82027C00")
    }),
    ("records of nothing", |asked, reply| {
        instead(asked, reply, RECORD, "7000")
    }),
    ("a balance that is no number", |asked, reply| {
        match asked.get(1..4) {
            Some([DATA, 0x9F, 0x79]) => instead(asked, reply, DATA, "9F7906 FFFFFFFFFFFF"),
            _ => reply,
        }
    }),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_card_that_asks_for_too_much_is_told_and_the_next_one_is_read() {
    let stage = Stage::with_any(AnyProfile::named("cash").unwrap(), "").await;
    for (what, lie) in UNREADABLE {
        stage.slot.clear();
        stage.slot.replace(LyingCard::boxed(lie));
        card_there(&stage).await;
        let error = failure(stage.person.balance().await);
        assert_eq!(error.code, Code::CardReplyBad, "{what}");
        let record = stage.slot.record();
        let of_cash = record.iter().filter(|it| it.command[1] != SELECT).count();
        assert!(of_cash <= 17, "{what}: {of_cash} commands");
        let longest = record.iter().map(|it| it.command.len()).max();
        assert!(longest <= Some(261), "{what}");
    }
    stage
        .slot
        .replace(AnyProfile::named("cash").unwrap().into_card());
    card_there(&stage).await;
    let read = stage.person.balance().await.unwrap().card.unwrap();
    assert_eq!(read.industry, "0003");
    stage.healed().await;
}

/// The lists of the cryptograms are in the records: a card is read by them without being asked.
#[tokio::test(flavor = "multi_thread")]
async fn a_card_whose_load_asks_for_too_much_is_never_charged() {
    const LOADS: [(&str, Lie); 2] = [
        ("a first list for 10,000 bytes", |asked, reply| {
            bent(asked, reply, 0x8C)
        }),
        ("a second list for 10,000 bytes", |asked, reply| {
            bent(asked, reply, 0x8D)
        }),
    ];
    let stage = Stage::with_any(AnyProfile::named("cash").unwrap(), "").await;
    let before = stage.card_balance();
    for (what, lie) in LOADS {
        stage.slot.clear();
        stage.slot.replace(LyingCard::boxed(lie));
        card_there(&stage).await;
        let error = failure(stage.person.top_up(500).await);
        assert_eq!(error.code, Code::CardReplyBad, "{what}");
        let asked = |ins: u8| {
            stage
                .slot
                .record()
                .iter()
                .filter(|it| it.command[1] == ins)
                .count()
        };
        if what.starts_with("a first") {
            assert_eq!(
                (error.money, error.retry),
                (MoneyPlace::Account, Retry::Again),
                "{what}"
            );
            assert_eq!(
                (asked(0xAE), asked(0xDA)),
                (0, 0),
                "{what}: nothing was sent"
            );
            assert_eq!(stage.person.look().pending, vec![], "{what}");
        } else {
            assert_eq!(asked(0xAE), 1, "{what}: the second was never asked for");
        }
        stage
            .slot
            .replace(AnyProfile::named("cash").unwrap().into_card());
        card_there(&stage).await;
    }
    assert!(stage.card_balance() >= before);
    stage.books_balance().await;
}

/// The list with this tag in a record, replaced by one that asks for 40 times 255 bytes.
fn bent(asked: &[u8], reply: Vec<u8>, tag: u8) -> Vec<u8> {
    let place = reply.windows(2).position(|pair| {
        asked[1] == RECORD && pair[0] == tag && usize::from(pair[1]) % 3 <= 2 && pair[1] > 10
    });
    match place {
        Some(_) => {
            let list = "9F37FF".repeat(40);
            let record = format!("70817B{tag:02X}8178{list}9000");
            hex::decode(record).unwrap()
        }
        None => reply,
    }
}
