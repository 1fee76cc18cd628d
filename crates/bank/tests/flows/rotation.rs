//! Keys that are exchanged as `docs/operations.md` says, in a bank that has cards, loads and terminals.

use crate::card::{Card, IssuerKeys};
use crate::resume::Resume;
use crate::stage::Stage;
use crate::terminal::{outcome, phase};

const AMOUNT: u32 = 5_000;
/// What the demo bank's issuer makes cards with from now on.
pub(crate) const NEXT: IssuerKeys = IssuerKeys {
    version: 2,
    load: "A1112233445566778899AABBCCDDEEFF",
    tac: "B12233445566778899AABBCCDDEEFF00",
};

pub(crate) fn exchanged(text: String) -> String {
    let text = text.replacen("00112233445566778899AABBCCDDEEFF", NEXT.load, 1);
    text.replacen("112233445566778899AABBCCDDEEFF00", NEXT.tac, 1)
}

#[tokio::test]
async fn issuer_keys_that_take_the_place_of_others_know_no_card_of_before() {
    let stage = Stage::new().await;
    let (mut terminal, mut card) = (stage.terminal().await, Card::demo());
    let done = terminal.top_up(&stage, &mut card, AMOUNT).await;
    assert_eq!(outcome(&done), "ok");
    stage.clock.advance(1_000);
    let (_, data) = terminal.issued(&stage, &mut card, AMOUNT).await;
    card.credit(&data).unwrap();

    let stage = stage.restarted_with(exchanged).await;
    terminal.reach(&stage);
    let refused = Resume::of(None).decide(&mut terminal, &mut card).await;
    assert_eq!(
        outcome(&refused),
        "card-mac-bad",
        "its word is under the key of before"
    );
    let phases = ["confirmed", "in-doubt"];
    assert_eq!(stage.phases().await, phases, "nothing moved");
    let mut new = Card::new("00006217000000008826", true, 0).under(NEXT);
    stage.clock.advance(1_000);
    let done = terminal.top_up(&stage, &mut new, AMOUNT).await;
    assert_eq!(outcome(&done), "ok");

    // As they were: what waits comes to its end.
    let stage = stage.restarted().await;
    terminal.reach(&stage);
    let resume = Resume::of(None);
    let asked = resume.open(&mut terminal, &card).await;
    let done = resume.prove(&mut terminal, &card, &asked).await;
    assert_eq!(outcome(&done), "ok");
    assert_eq!(
        stage.phases().await,
        ["confirmed", "confirmed", "confirmed"]
    );
    stage.close(3 * i64::from(AMOUNT)).await;
}

#[cfg(target_os = "linux")]
mod token {
    use std::process::Command;

    use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
    use cryptoki::session::UserType;
    use cryptoki::types::AuthPin;

    use super::{AMOUNT, NEXT, outcome, phase};
    use crate::card::Card;
    use crate::softhsm::{Hsm, module};

    /// Of the program: exit code, and what it said on either way.
    fn told(hsm: &Hsm, words: &[&str]) -> (Option<i32>, String) {
        let output = hsm.bank(words).output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8(said).unwrap())
    }

    #[tokio::test]
    async fn the_wrapping_key_is_exchanged_beside_a_running_bank_and_the_old_one_opens_nothing() {
        let hsm = Hsm::new().with_keys();
        let served = hsm.start();
        let (mut terminal, mut card) = (hsm.terminal().await, Card::demo());
        hsm.top_up(&mut terminal, &mut card).await;
        let reseal = ["reseal", "--label", "files-2"];
        let (code, said) = told(&hsm, &reseal);
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains("hsm-unusable: files-2"), "{said}");
        let generate = ["generate-wrapping-key", "--label", "files-2"];
        assert_eq!(hsm.make_key(&generate, ""), (true, String::new()));
        let signer = hsm.bank_dir().join("receipt-signer.key");
        let before = std::fs::read(&signer).unwrap();
        assert_eq!(told(&hsm, &reseal), (Some(0), "8 files\n".to_owned()));
        // One that was not reached, because the command was cut off.
        std::fs::write(&signer, &before).unwrap();
        assert!(told(&hsm, &reseal).1.starts_with("1 files\n"));
        hsm.top_up(&mut terminal, &mut card).await;

        let (code, said) = told(&hsm, &["check"]);
        assert_eq!(code, Some(1), "the key of before opens nothing: {said}");
        assert!(said.contains("the wrapping key does not open it"), "{said}");
        hsm.configure("wrapping_key = \"files\"", "wrapping_key = \"files-2\"");
        assert_eq!(told(&hsm, &["check"]).0, Some(0));
        drop(served);
        let _served = hsm.start();
        hsm.reach(&mut terminal);
        hsm.top_up(&mut terminal, &mut card).await;
    }

    #[tokio::test]
    async fn issuer_keys_under_new_labels_make_cards_of_theirs_good_at_the_next_start() {
        let hsm = Hsm::new().with_keys();
        let served = hsm.start();
        let (mut terminal, mut card) = (hsm.terminal().await, Card::demo());
        hsm.top_up(&mut terminal, &mut card).await;
        for (name, key) in [("load", NEXT.load), ("tac", NEXT.tac)] {
            hsm.import(&format!("{name}-0001-2"), key);
            let label = |label: &str| format!("\"hsm:{name}-0001{label}\"");
            hsm.configure(&label(""), &label("-2"));
        }
        hsm.top_up(&mut terminal, &mut card).await;
        drop(served);
        let _served = hsm.start();
        hsm.reach(&mut terminal);
        let mut new = Card::new("00006217000000008826", true, 0).under(NEXT);
        hsm.top_up(&mut terminal, &mut new).await;
        let (_, answer) = hsm.asked(&mut terminal, &mut card).await;
        assert_eq!(outcome(&answer), "card-mac-bad");
        let (code, said) = told(&hsm, &["check"]);
        let said: serde_json::Value = serde_json::from_str(&said).unwrap();
        assert_eq!(code, Some(0), "{said}");
        assert_eq!(said["money"]["card_float"], 3 * AMOUNT);
    }

    /// Old and new PIN of the token that the environment names.
    const PINS: &str = "TAPFILL_TEST_PINS";

    /// What the token's own tool does. The library finds the token by its environment: another process it is.
    #[test]
    fn a_pin_is_changed_in_the_token_where_the_environment_asks_for_it() {
        let Ok(pins) = std::env::var(PINS) else {
            return;
        };
        let (old, new) = pins.split_once(' ').unwrap();
        let pin = |text: &str| AuthPin::from(text.to_owned());
        let context = Pkcs11::new(module()).unwrap();
        let arguments = CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK);
        context.initialize(arguments).unwrap();
        let slot = context.get_slots_with_initialized_token().unwrap()[0];
        let session = context.open_rw_session(slot).unwrap();
        session.login(UserType::User, Some(&pin(old))).unwrap();
        session.set_pin(&pin(old), &pin(new)).unwrap();
    }

    fn change_pin(hsm: &Hsm, pins: &str) {
        let (_, module) = module_path!().split_once("::").unwrap();
        let name = "a_pin_is_changed_in_the_token_where_the_environment_asks_for_it";
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", &format!("{module}::{name}")]);
        let output = hsm.with_token(command.env(PINS, pins)).output().unwrap();
        assert!(output.status.success(), "{output:?}");
    }

    #[tokio::test]
    async fn a_pin_that_was_changed_is_needed_at_the_next_start_and_no_sooner() {
        let hsm = Hsm::new().with_keys();
        let served = hsm.start();
        let (mut terminal, mut card) = (hsm.terminal().await, Card::demo());
        change_pin(&hsm, "123456 987654");
        hsm.top_up(&mut terminal, &mut card).await;
        drop(served);
        let (code, said) = hsm.refusal();
        assert_eq!(code, Some(4), "{said}");
        std::fs::write(hsm.dir.path().join("pin"), "987654\n").unwrap();
        let _served = hsm.start();
        hsm.reach(&mut terminal);
        let (_, answer) = hsm.asked(&mut terminal, &mut card).await;
        assert_eq!(phase(&answer), "credit");
    }
}
