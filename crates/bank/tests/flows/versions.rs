//! Issuer keys of two versions, as `docs/operations.md` says: side by side, then the new ones alone.

use bank::{IssuerKeyUse, Report};

use crate::card::{Card, DEMO_KEYS, IssuerKeys};
use crate::resume::Resume;
use crate::rotation::{NEXT, exchanged};
use crate::stage::Stage;
use crate::terminal::{Terminal, new_id, outcome};

const AMOUNT: u32 = 5_000;
/// Among the bytes of an INITIALIZE reply.
const VERSION_AT: usize = 6;

/// The new keys with their version.
fn retired(text: String) -> String {
    let keys = "[industry.keys]\n";
    let version = format!("{keys}version = {}\n", NEXT.version);
    exchanged(text).replacen(keys, &version, 1)
}

/// And the old ones beside them.
fn both(text: String) -> String {
    let IssuerKeys { version, load, tac } = DEMO_KEYS;
    let last = "maintenance = \"33445566778899AABBCCDDEEFF001122\"\n";
    let other = format!(
        "{last}\n[[industry.other_keys]]\nversion = {version}\nload = \"{load}\"\ntac = \"{tac}\"\n"
    );
    let text = retired(text);
    assert!(text.contains(last), "{text}");
    text.replacen(last, &other, 1)
}

fn new_card() -> Card {
    Card::new("00006217000000008826", true, 0).under(NEXT)
}

async fn checked(stage: &Stage, change: impl Fn(String) -> String) -> Report {
    let config = stage.config_with(change);
    let report = bank::check(&config.dir, Some(&config.settings)).await;
    report.unwrap()
}

/// Version, whether it is in the configuration, open loads: of the first industry.
fn versions(report: &Report) -> Vec<(u8, bool, i64)> {
    let ours = report.issuer_keys.iter().filter(|it| it.industry == "0001");
    let read = |it: &IssuerKeyUse| (it.version.unwrap(), it.known, it.open_loads);
    ours.map(read).collect()
}

/// A top-up's first answer.
async fn asked(terminal: &mut Terminal, stage: &Stage, card: &mut Card) -> String {
    let id = new_id();
    let proof = terminal.sms_proof(stage, &id, card).await;
    let load = terminal.load_message(id, card, (AMOUNT, proof));
    outcome(&terminal.relay(&load).await).to_owned()
}

#[tokio::test]
async fn cards_of_both_versions_are_loaded_until_the_old_one_is_retired_and_then_nothing_of_it_moves()
 {
    let stage = Stage::new().await;
    let (mut terminal, mut old) = (stage.terminal().await, Card::demo());
    let done = terminal.top_up(&stage, &mut old, AMOUNT).await;
    assert_eq!(
        outcome(&done),
        "ok",
        "keys without a version are everybody's"
    );

    let stage = stage.restarted_with(both).await;
    terminal.reach(&stage);
    let mut new = new_card();
    for card in [&mut old, &mut new] {
        stage.clock.advance(1_000);
        let done = terminal.top_up(&stage, card, AMOUNT).await;
        assert_eq!(outcome(&done), "ok", "both are in use");
    }
    stage.clock.advance(1_000);
    let (_, data) = terminal.issued(&stage, &mut old, AMOUNT).await;
    old.credit(&data).unwrap();
    let report = checked(&stage, both).await;
    assert_eq!(versions(&report), [(2, true, 0), (1, true, 1)]);

    let stage = stage.restarted_with(retired).await;
    terminal.reach(&stage);
    let before = stage.bank.money().await.unwrap();
    let refused = Resume::of(None).decide(&mut terminal, &mut old).await;
    assert_eq!(outcome(&refused), "card-key-unknown");
    assert!(refused.body.reference.is_some(), "which load waits");
    let mut other = Card::new("00006217000000008826", true, 0);
    stage.clock.advance(1_000);
    let refused = asked(&mut terminal, &stage, &mut other).await;
    assert_eq!(refused, "card-key-unknown");
    assert_eq!(stage.bank.money().await.unwrap(), before, "nothing moved");
    let phases = [
        "confirmed",
        "confirmed",
        "confirmed",
        "in-doubt",
        "declined",
    ];
    assert_eq!(stage.phases().await, phases);
    let report = checked(&stage, retired).await;
    assert_eq!(versions(&report), [(2, true, 0), (1, false, 1)]);
    stage.clock.advance(1_000);
    let done = terminal.top_up(&stage, &mut new, AMOUNT).await;
    assert_eq!(outcome(&done), "ok", "the new ones go on");

    // The table is back: what waits comes to its end.
    let stage = stage.restarted_with(both).await;
    terminal.reach(&stage);
    let resume = Resume::of(None);
    let asked = resume.open(&mut terminal, &old).await;
    let done = resume.prove(&mut terminal, &old, &asked).await;
    assert_eq!(outcome(&done), "ok");
    stage.close(5 * i64::from(AMOUNT)).await;
}

#[tokio::test]
async fn a_version_that_was_changed_on_its_way_chooses_keys_that_know_no_such_card() {
    let stage = Stage::new().await.restarted_with(both).await;
    let mut terminal = stage.terminal().await;
    for (told, expected) in [(NEXT.version, "card-mac-bad"), (9, "card-key-unknown")] {
        let (mut card, id) = (Card::demo(), new_id());
        let proof = terminal.sms_proof(&stage, &id, &card).await;
        let mut load = terminal.load_message(id, &mut card, (AMOUNT, proof));
        let mut fields = load.body.fields.iter_mut();
        let init = fields.find(|field| field.name == "init").unwrap();
        init.value[VERSION_AT] = told;
        assert_eq!(outcome(&terminal.relay(&load).await), expected, "{told}");
        stage.clock.advance(1_000);
    }
    stage.close(0).await;
}

#[tokio::test]
async fn a_load_waits_for_the_card_of_its_own_version() {
    let stage = Stage::new().await.restarted_with(both).await;
    let (mut terminal, mut card) = (stage.terminal().await, Card::demo());
    terminal.issued(&stage, &mut card, AMOUNT).await;
    let mut made_anew = card.clone().under(NEXT);
    let refused = Resume::of(None).decide(&mut terminal, &mut made_anew).await;
    assert_eq!(outcome(&refused), "card-mac-bad");
    let resume = Resume::of(None);
    let answer = resume.decide(&mut terminal, &mut card).await;
    let done = resume.credit(&mut terminal, &mut card, &answer).await;
    assert_eq!(outcome(&done), "ok");
    stage.close(i64::from(AMOUNT)).await;
}

#[tokio::test]
async fn an_answer_to_a_credit_whose_keys_were_taken_away_meanwhile_leaves_the_load_in_doubt() {
    let stage = Stage::new().await.restarted_with(both).await;
    let (mut terminal, mut card) = (stage.terminal().await, Card::demo());
    let (id, data) = terminal.issued(&stage, &mut card, AMOUNT).await;
    let tac = card.credit(&data);
    let stage = stage.restarted_with(retired).await;
    terminal.reach(&stage);
    let credit = terminal.credit_message(relay::Operation::TopUp, (id, 2), tac);
    assert_eq!(outcome(&terminal.relay(&credit).await), "in-doubt");
    assert_eq!(stage.phases().await, ["in-doubt"]);

    let stage = stage.restarted_with(both).await;
    terminal.reach(&stage);
    let resume = Resume::of(None);
    let asked = resume.open(&mut terminal, &card).await;
    let done = resume.prove(&mut terminal, &card, &asked).await;
    assert_eq!(outcome(&done), "ok");
    stage.close(i64::from(AMOUNT)).await;
}
