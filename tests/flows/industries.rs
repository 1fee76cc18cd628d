//! Every industry that is shipped, with all four transactions, whole and torn: one app, one relay, other data.

use ipc::{Code, MoneyPlace, ResumeState, Retry, TransactionKind};
use virtual_card::{AnyProfile, Fault, Moment};

use crate::stage::{Stage, card_back, failure};

/// A second technology counts differently: a card of each, and the commands of its load.
const INDUSTRIES: [(&str, &[u8], u8); 3] = [
    ("demo", &[0xA4, 0xB0, 0x5C, 0x50, 0x52], 0x52),
    ("campus", &[0xA4, 0xB0, 0x20, 0x5C, 0x50, 0x52], 0x52),
    ("cash", &[0xA4, 0xA8, 0xB2, 0xCA, 0xAE, 0x82, 0xDA], 0xDA),
];

const MOMENTS: [Moment; 3] = [Moment::Before, Moment::During, Moment::After];

async fn stage(card: &str) -> Stage {
    Stage::with_any(AnyProfile::named(card).unwrap(), "").await
}

#[tokio::test(flavor = "multi_thread")]
async fn each_industry_shows_its_balance_and_log_and_takes_a_top_up() {
    for (card, industry, tail) in [
        ("demo", "0001", "4471"),
        ("campus", "0002", "5317"),
        ("cash", "0003", "5520"),
    ] {
        let stage = stage(card).await;
        let before = stage.card_balance();
        let shown = stage.person.balance().await.unwrap().card.unwrap();
        assert_eq!(
            (shown.industry.as_str(), shown.tail.as_str()),
            (industry, tail)
        );
        assert_eq!(i64::from(shown.balance), before);
        assert!(
            shown.active && shown.log.len() >= 2 && shown.expiry.is_some(),
            "{card}"
        );
        let receipt = stage.person.top_up(2_000).await.unwrap().receipt.unwrap();
        assert_eq!(receipt.place, MoneyPlace::OnCard, "{card}");
        assert_eq!(
            receipt.new_balance.map(i64::from),
            Some(before + 2_000),
            "{card}"
        );
        assert_eq!(stage.card_balance(), before + 2_000, "{card}");
        let times = stage.person.session.times().unwrap();
        assert_eq!(
            times.requests_before_write, 1,
            "{card}: one round trip while the card waits"
        );
        // A second one: electronic cash sends another number of script commands then.
        stage.person.top_up(300).await.unwrap();
        assert_eq!(stage.card_balance(), before + 2_300, "{card}");
        stage.healed().await;
    }
}

/// Over the air such a card's list asks for the terminal's qualifiers beside the amount, and it pays a terminal that
/// offers qPBOC.
#[tokio::test(flavor = "multi_thread")]
async fn a_card_that_can_pay_at_once_is_loaded_and_not_charged() {
    let Some(AnyProfile::ElectronicCash(mut cash)) = AnyProfile::named("cash") else {
        panic!("electronic cash is a demo card");
    };
    let list = "9F6604 9F0206 9F0306 9F1A02 9505 5F2A02 9A03 9C01 9F3704";
    cash.pdol = hex::decode(list.replace(' ', "")).unwrap();
    let stage = Stage::with_any(AnyProfile::ElectronicCash(cash), "").await;
    let before = stage.card_balance();
    let shown = stage.person.balance().await.unwrap().card.unwrap();
    assert_eq!(i64::from(shown.balance), before);
    let loaded = stage.person.top_up(2_000).await;
    assert_eq!(stage.card_balance(), before + 2_000, "{loaded:?}");
    stage.healed().await;
}

/// The demo bank's keys of electronic cash, and those that came after.
const KEYS: [[&str; 2]; 2] = [
    [
        "445566778899AABBCCDDEEFF00112233",
        "5566778899AABBCCDDEEFF0011223344",
    ],
    [
        "C4556677889900AABBCCDDEEFF112233",
        "D5667788990011AABBCCDDEEFF223344",
    ],
];

/// Electronic cash of this derivation key index.
fn cash_of(index: u8) -> AnyProfile {
    let Some(AnyProfile::ElectronicCash(mut cash)) = AnyProfile::named("cash") else {
        panic!("electronic cash is a demo card");
    };
    cash.key_index = index;
    let text = serde_json::to_string(&AnyProfile::ElectronicCash(cash)).unwrap();
    let [old, new] = KEYS;
    let text = match index {
        1 => text,
        _ => text.replace(old[0], new[0]).replace(old[1], new[1]),
    };
    AnyProfile::from_json(&text).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn electronic_cash_is_loaded_under_the_keys_of_the_version_that_it_tells() {
    let both = |demo: &str| {
        let [[old, script], [new, new_script]] = KEYS;
        let keys = format!("cryptogram = \"{old}\"\nscript = \"{script}\"\n");
        assert!(demo.contains(&keys));
        let versions = format!(
            "version = 2\ncryptogram = \"{new}\"\nscript = \"{new_script}\"\n\
             [[industry.other_keys]]\nversion = 1\n{keys}"
        );
        demo.replacen(&keys, &versions, 1)
    };
    for index in [1, 2] {
        let stage = Stage::at_bank(cash_of(index), both).await;
        let before = stage.card_balance();
        stage.person.top_up(2_000).await.unwrap();
        assert_eq!(stage.card_balance(), before + 2_000, "version {index}");
        stage.healed().await;
    }
    let stage = Stage::at_bank(cash_of(3), both).await;
    let refused = failure(stage.person.top_up(2_000).await);
    let told = (refused.code, refused.money, refused.retry);
    let expected = (Code::CardKeyUnknown, MoneyPlace::Account, Retry::No);
    assert_eq!(told, expected);
    stage.healed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_industry_activates_its_cards_in_its_own_way() {
    for card in ["demo-inactive", "campus-blocked", "cash-inactive"] {
        let stage = stage(card).await;
        assert!(
            !stage.person.balance().await.unwrap().card.unwrap().active,
            "{card}"
        );
        let refused = failure(stage.person.top_up(1_000).await);
        assert_eq!(
            (refused.code, refused.money),
            (Code::CardNotActive, MoneyPlace::Account)
        );
        stage.person.activate().await.unwrap();
        assert!(
            stage.person.balance().await.unwrap().card.unwrap().active,
            "{card}"
        );
        stage.person.top_up(1_000).await.unwrap();
        assert_eq!(stage.card_balance(), 1_000, "{card}");
        stage.person.activate().await.unwrap();
        stage.healed().await;
    }
}

/// One load that is torn, then settled; true when money had moved.
async fn torn_and_settled(stage: &Stage, ins: u8, nth: u32, moment: Moment) -> bool {
    let before = stage.card_balance();
    stage.person.begin(TransactionKind::Topup).await.unwrap();
    stage.person.verify().await.unwrap();
    stage.slot.arm(Fault::Tear {
        ins: Some(ins),
        moment,
        nth,
    });
    stage.person.submit("246810", Some(100)).await.unwrap();
    let error = failure(stage.person.end().await);
    assert_eq!(error.code, Code::CardLost, "{ins:02X} {moment:?}");
    stage.books_balance().await;
    stage.slot.clear();
    card_back(stage).await;
    if error.retry == Retry::Again {
        assert_eq!(error.money, MoneyPlace::Account, "{ins:02X} {moment:?}");
        assert_eq!(
            stage.card_balance(),
            before,
            "{ins:02X} {moment:?}: nothing moved"
        );
        return false;
    }
    assert_eq!(error.money, MoneyPlace::InTransit, "{ins:02X} {moment:?}");
    let loaded = stage.card_balance() == before + 100;
    let resumed = stage.person.resume().await.unwrap();
    let want = match loaded {
        true => ResumeState::AlreadyOnCard,
        false => ResumeState::Loaded,
    };
    assert_eq!(resumed.resume, Some(want), "{ins:02X} {moment:?}");
    assert_eq!(stage.card_balance(), before + 100, "{ins:02X} {moment:?}");
    true
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_of_each_industry_torn_at_any_command_of_a_load_is_settled() {
    for (card, commands, write) in INDUSTRIES {
        let stage = stage(card).await;
        for &ins in commands {
            for moment in MOMENTS {
                let moved = torn_and_settled(&stage, ins, 1, moment).await;
                let expected = ins == write || (card == "cash" && ins == 0x82);
                assert_eq!(moved, expected, "{card} {ins:02X} {moment:?}");
                stage.healed().await;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn electronic_cash_torn_at_its_second_script_or_its_certificate_is_settled() {
    let stage = stage("cash").await;
    // From here on every other load has two script commands.
    stage.person.top_up(100).await.unwrap();
    for (ins, nth) in [(0xDA, 1), (0xDA, 2), (0xAE, 2)] {
        for moment in MOMENTS {
            for _ in 0..2 {
                if stage_has_two_scripts(&stage) || nth == 1 || ins == 0xAE {
                    torn_and_settled(&stage, ins, nth, moment).await;
                } else {
                    stage.person.top_up(100).await.unwrap();
                }
                stage.healed().await;
            }
        }
    }
}

fn stage_has_two_scripts(stage: &Stage) -> bool {
    stage.slot.cash_profile().unwrap().scripts == 1
}

#[tokio::test(flavor = "multi_thread")]
async fn spending_between_a_torn_load_and_its_re_top_up_hides_nothing() {
    for (card, _, write) in INDUSTRIES {
        for moment in MOMENTS {
            let stage = stage(card).await;
            let before = stage.card_balance();
            stage.person.begin(TransactionKind::Topup).await.unwrap();
            stage.person.verify().await.unwrap();
            stage.slot.arm(Fault::Tear {
                ins: Some(write),
                moment,
                nth: 1,
            });
            stage.person.submit("246810", Some(1_000)).await.unwrap();
            failure(stage.person.end().await);
            stage.slot.clear();
            // Exactly what was loaded: the balance alone says "nothing happened".
            assert!(stage.slot.spend(1_000), "{card}: a purchase elsewhere");
            card_back(&stage).await;
            stage.person.resume().await.unwrap();
            assert_eq!(
                stage.card_balance(),
                before,
                "{card} {moment:?}: loaded once, spent once"
            );
            let report = stage.bank().check().await.unwrap();
            assert_eq!(
                (report.findings, report.open_loads),
                (vec![], 0),
                "{card} {moment:?}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_industry_gives_money_back_on_the_cards_own_proof() {
    for (card, _, write) in INDUSTRIES {
        let stage = stage(card).await;
        let before = stage.card_balance();
        stage.person.begin(TransactionKind::Topup).await.unwrap();
        stage.person.verify().await.unwrap();
        stage.slot.arm(Fault::Tear {
            ins: Some(write),
            moment: Moment::Before,
            nth: 1,
        });
        stage.person.submit("246810", Some(1_000)).await.unwrap();
        failure(stage.person.end().await);
        stage.slot.clear();
        card_back(&stage).await;
        let refunded = stage.person.refund().await.unwrap();
        assert_eq!(refunded.resume, Some(ResumeState::Refunded), "{card}");
        assert_eq!(stage.card_balance(), before, "{card}");
        stage.healed().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_in_the_pocket_is_read_without_a_bank_and_refuses_the_rest_clearly() {
    for (card, industry) in [
        ("t-union", "TUNI"),
        ("beijing", "BJMT"),
        ("wuhan", "WHTC"),
        ("shenzhen", "SZTC"),
        ("toll", "TOLL"),
    ] {
        let mut stage = stage(card).await;
        stage.stop_bank().await;
        let shown = stage.person.balance().await.unwrap().card.unwrap();
        assert_eq!(shown.industry, industry, "{card}");
        assert!(shown.balance > 0 && shown.tail.len() == 4, "{card}");
        assert!(!shown.log.is_empty(), "{card}: its own records");
        let refused = failure(stage.person.resume().await);
        assert_eq!(refused.code, Code::CardReadOnly, "{card}");
    }
}
