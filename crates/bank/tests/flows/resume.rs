use relay::{Message, Operation};

use crate::card::Card;
use crate::stage::Stage;
use crate::terminal::{Terminal, message, new_id, number, outcome, phase};

const AMOUNT: u32 = 5_000;

/// The steps of a re-top-up as the driver takes them.
pub(crate) struct Resume {
    id: [u8; 16],
    about: Option<[u8; 16]>,
    refund: bool,
}

impl Resume {
    pub(crate) fn of(about: Option<[u8; 16]>) -> Self {
        Self {
            id: new_id(),
            about,
            refund: false,
        }
    }

    /// Of whatever waits on the card.
    pub(crate) fn wish(refund: bool) -> Self {
        Self {
            refund,
            ..Self::of(None)
        }
    }

    pub(crate) fn id(&self) -> [u8; 16] {
        self.id
    }

    /// The person wants the money back.
    pub(crate) fn refund_of(about: [u8; 16]) -> Self {
        Self {
            refund: true,
            ..Self::of(Some(about))
        }
    }

    pub(crate) async fn open(&self, terminal: &mut Terminal, card: &Card) -> Message {
        let mut body = terminal.body(Operation::ReTopUp, self.id, 1, "resume");
        body.about = self.about;
        body.refund = self.refund;
        body.put("file15", card.file15());
        body.put("balance", card.balance.to_be_bytes());
        terminal.relay(&message(body)).await
    }

    /// GET TRANSACTION PROVE with n + 1, then with n, and the log.
    pub(crate) async fn prove(
        &self,
        terminal: &mut Terminal,
        card: &Card,
        asked: &Message,
    ) -> Message {
        assert_eq!(phase(asked), "prove");
        let counter =
            |name: &str| u16::from_be_bytes(asked.body.field(name).unwrap().try_into().unwrap());
        let (after, before) = (counter("after"), counter("before"));
        let mut body = terminal.body(Operation::ReTopUp, self.id, 2, "prove");
        if let Some(proof) = card.prove(after) {
            body.put("proof", proof);
        }
        if let Some(proof) = card.prove(before) {
            body.put("proof_before", proof);
        }
        body.put("log", card.log_bytes());
        terminal.relay(&message(body)).await
    }

    async fn initialize(
        &self,
        terminal: &mut Terminal,
        card: &mut Card,
        asked: &Message,
    ) -> Message {
        assert_eq!(number(asked, "amount"), AMOUNT);
        self.initialize_any(terminal, card, asked).await
    }

    pub(crate) async fn initialize_any(
        &self,
        terminal: &mut Terminal,
        card: &mut Card,
        asked: &Message,
    ) -> Message {
        assert_eq!(phase(asked), "load");
        let init = card.initialize(number(asked, "amount"), terminal.bcd());
        let mut body = terminal.body(Operation::ReTopUp, self.id, 3, "load");
        body.put("init", init);
        body.put("balance", card.balance.to_be_bytes());
        terminal.relay(&message(body)).await
    }

    /// INITIALIZE over the number that the bank made for it.
    pub(crate) async fn witness(
        &self,
        terminal: &mut Terminal,
        card: &mut Card,
        (asked, step): (&Message, u8),
    ) -> Message {
        assert_eq!(phase(asked), "refund");
        let number = asked.body.field("witness").unwrap().try_into().unwrap();
        let init = card.initialize(self::number(asked, "amount"), number);
        self.send_witness(terminal, init, step).await
    }

    async fn send_witness(&self, terminal: &mut Terminal, init: Vec<u8>, step: u8) -> Message {
        let mut body = terminal.body(Operation::ReTopUp, self.id, step, "refund");
        body.put("init", init);
        terminal.relay(&message(body)).await
    }

    /// Up to the bank's answer to the fresh INITIALIZE.
    pub(crate) async fn decide(&self, terminal: &mut Terminal, card: &mut Card) -> Message {
        let asked = self.open(terminal, card).await;
        let asked = self.prove(terminal, card, &asked).await;
        self.initialize(terminal, card, &asked).await
    }

    pub(crate) async fn credit(
        &self,
        terminal: &mut Terminal,
        card: &mut Card,
        asked: &Message,
    ) -> Message {
        assert_eq!(phase(asked), "credit");
        let tac = card.credit(asked.body.field("credit_data").unwrap());
        let credited = terminal.credit_message(Operation::ReTopUp, (self.id, 4), tac);
        terminal.relay(&credited).await
    }
}

#[track_caller]
fn already(answer: &Message) {
    assert_eq!(outcome(answer), "ok");
    assert_eq!(answer.body.field("already"), Some(&[1][..]));
    assert_eq!(answer.body.amount, Some(AMOUNT));
    assert!(answer.body.reference.is_some());
}

#[tokio::test]
async fn a_tac_by_805a_confirms_the_load() {
    let stage = Stage::new().await;
    let (mut terminal, mut card) = (stage.terminal().await, Card::demo());
    let (id, data) = terminal.issued(&stage, &mut card, AMOUNT).await;
    card.credit(&data).unwrap();
    let resume = Resume::of(Some(id));
    let asked = resume.open(&mut terminal, &card).await;
    let done = resume.prove(&mut terminal, &card, &asked).await;
    already(&done);
    assert_eq!(number(&done, "new_balance"), 17_850);
    already(&Resume::of(Some(id)).open(&mut terminal, &card).await);
    stage.close(5_000).await;
}

#[tokio::test]
async fn a_card_that_was_not_credited_is_loaded_again_without_a_second_debit() {
    let stage = Stage::new().await;
    let (mut terminal, mut card) = (stage.terminal().await, Card::demo());
    let (id, dead) = terminal.issued(&stage, &mut card, AMOUNT).await;
    let resume = Resume::of(Some(id));
    let asked = resume.decide(&mut terminal, &mut card).await;
    let credit = asked.body.field("credit_data").unwrap().to_vec();
    assert_ne!(credit, dead);
    let done = resume.credit(&mut terminal, &mut card, &asked).await;
    assert_eq!(outcome(&done), "ok");
    assert!(done.body.field("already").is_none());
    assert_eq!(stage.bank.money().await.unwrap().customers, 995_000);
    stage.close(5_000).await;
}

#[tokio::test]
async fn the_proof_of_an_earlier_load_proves_nothing_about_this_one() {
    let stage = Stage::new().await;
    let (mut terminal, mut card) = (stage.terminal().await, Card::demo());
    assert_eq!(
        outcome(&terminal.top_up(&stage, &mut card, AMOUNT).await),
        "ok"
    );
    let (id, _) = terminal.issued(&stage, &mut card, AMOUNT).await;
    let resume = Resume::of(Some(id));
    let asked = resume.open(&mut terminal, &card).await;
    assert!(
        card.prove(card.counter).is_some(),
        "the earlier load's proof answers for n"
    );
    let asked = resume.prove(&mut terminal, &card, &asked).await;
    let asked = resume.initialize(&mut terminal, &mut card, &asked).await;
    assert_eq!(
        outcome(&resume.credit(&mut terminal, &mut card, &asked).await),
        "ok"
    );
    stage.close(10_000).await;
}

#[tokio::test]
async fn counter_and_balance_confirm_where_the_card_gives_no_proof() {
    let stage = Stage::new().await;
    let (mut terminal, mut card) = (stage.terminal().await, Card::demo());
    let (id, data) = terminal.issued(&stage, &mut card, AMOUNT).await;
    card.credit(&data).unwrap();
    card.forget_proof();
    already(&Resume::of(Some(id)).decide(&mut terminal, &mut card).await);
    stage.close(5_000).await;
}

#[tokio::test]
async fn what_was_spent_since_is_taken_from_the_log() {
    let stage = Stage::new().await;
    let (mut terminal, mut card) = (stage.terminal().await, Card::demo());
    let (_, data) = terminal.issued(&stage, &mut card, AMOUNT).await;
    card.credit(&data).unwrap();
    card.forget_proof();
    card.spend(200);
    card.spend(300);
    already(&Resume::of(None).decide(&mut terminal, &mut card).await);
    stage.close(5_000).await;
}

#[tokio::test]
async fn a_balance_that_contradicts_moves_nothing_and_waits_for_people() {
    let stage = Stage::new().await;
    let (mut terminal, mut card) = (stage.terminal().await, Card::demo());
    let (id, data) = terminal.issued(&stage, &mut card, AMOUNT).await;
    card.credit(&data).unwrap();
    card.forget_proof();
    card.balance -= 700;
    let end = Resume::of(Some(id)).decide(&mut terminal, &mut card).await;
    assert_eq!((outcome(&end), end.body.amount), ("manual", Some(AMOUNT)));
    assert_eq!(
        outcome(&Resume::of(Some(id)).open(&mut terminal, &card).await),
        "manual"
    );
    assert_eq!(stage.bank.money().await.unwrap().in_transit, 5_000);
    stage.close(5_000).await;
}

#[tokio::test]
async fn any_other_counter_moves_nothing_and_waits_for_people() {
    for shift in [-1_i32, 2] {
        let stage = Stage::new().await;
        let (mut terminal, mut card) = (stage.terminal().await, Card::demo());
        let (id, _) = terminal.issued(&stage, &mut card, AMOUNT).await;
        card.counter = u16::try_from(i32::from(card.counter) + shift).unwrap();
        let end = Resume::of(Some(id)).decide(&mut terminal, &mut card).await;
        assert_eq!(outcome(&end), "manual", "counter {shift}");
        stage.close(0).await;
    }
}

#[tokio::test]
async fn another_card_leaves_the_load_pending() {
    let stage = Stage::new().await;
    let (mut terminal, mut card) = (stage.terminal().await, Card::demo());
    let (id, data) = terminal.issued(&stage, &mut card, AMOUNT).await;
    let other = Card::inactive();
    let end = Resume::of(Some(id)).open(&mut terminal, &other).await;
    assert_eq!((outcome(&end), end.body.amount), ("in-doubt", Some(AMOUNT)));
    let tac = card.credit(&data);
    let late = terminal
        .relay(&terminal.credit_message(Operation::TopUp, (id, 2), tac))
        .await;
    assert_eq!(outcome(&late), "ok");
    stage.close(5_000).await;
}

#[tokio::test]
async fn a_forged_initialize_decides_nothing() {
    let stage = Stage::new().await;
    let (mut terminal, mut card) = (stage.terminal().await, Card::demo());
    let (id, data) = terminal.issued(&stage, &mut card, AMOUNT).await;
    card.credit(&data).unwrap();
    let forged = Resume::of(Some(id));
    let asked = forged.open(&mut terminal, &card).await;
    let mut silent = card.clone();
    silent.forget_proof();
    forged.prove(&mut terminal, &silent, &asked).await;
    let mut init = card.clone().initialize(AMOUNT, terminal.bcd());
    init[5] = 7;
    let mut body = terminal.body(Operation::ReTopUp, forged.id, 3, "load");
    body.put("init", init);
    assert_eq!(
        outcome(&terminal.relay(&message(body)).await),
        "card-mac-bad"
    );
    let honest = Resume::of(Some(id));
    let asked = honest.open(&mut terminal, &card).await;
    already(&honest.prove(&mut terminal, &card, &asked).await);
    stage.close(5_000).await;
}

#[tokio::test]
async fn a_top_up_that_never_came_is_void_and_a_late_copy_can_never_debit() {
    let stage = Stage::new().await;
    let (mut terminal, mut card) = (stage.terminal().await, Card::demo());
    let id = new_id();
    let proof = terminal.sms_proof(&stage, &id, &card).await;
    let late = terminal.load_message(id, &mut card, (AMOUNT, proof));
    let end = Resume::of(Some(id)).open(&mut terminal, &card).await;
    assert_eq!(outcome(&end), "nothing-pending");
    assert_eq!(outcome(&terminal.relay(&late).await), "voided");
    assert_eq!(
        outcome(&Resume::of(None).open(&mut terminal, &card).await),
        "nothing-pending"
    );
    stage.close(0).await;
}

#[tokio::test]
async fn another_device_can_finish_the_load() {
    let stage = Stage::new().await;
    let (mut terminal, mut card) = (stage.terminal().await, Card::demo());
    let (id, _) = terminal.issued(&stage, &mut card, AMOUNT).await;
    let mut other = stage.terminal().await;
    let resume = Resume::of(None);
    let asked = resume.decide(&mut other, &mut card).await;
    assert_eq!(
        outcome(&resume.credit(&mut other, &mut card, &asked).await),
        "ok"
    );
    already(&Resume::of(Some(id)).open(&mut terminal, &card).await);
    let late = terminal.credit_message(Operation::TopUp, (id, 2), None);
    already(&terminal.relay(&late).await);
    stage.close(5_000).await;
}

#[tokio::test]
async fn a_re_top_up_that_is_torn_itself_is_settled_by_the_next() {
    let stage = Stage::new().await;
    let (mut terminal, mut card) = (stage.terminal().await, Card::demo());
    let (id, _) = terminal.issued(&stage, &mut card, AMOUNT).await;
    let first = Resume::of(Some(id)).decide(&mut terminal, &mut card).await;
    let second = Resume::of(Some(id)).decide(&mut terminal, &mut card).await;
    assert_eq!((phase(&first), phase(&second)), ("credit", "credit"));
    assert!(
        card.clone()
            .credit(first.body.field("credit_data").unwrap())
            .is_none(),
        "dead"
    );
    card.credit(second.body.field("credit_data").unwrap())
        .unwrap();
    let last = Resume::of(Some(id));
    let asked = last.open(&mut terminal, &card).await;
    already(&last.prove(&mut terminal, &card, &asked).await);
    stage.close(5_000).await;
}

#[tokio::test]
async fn a_restarted_bank_goes_on_where_it_stopped() {
    let stage = Stage::new().await;
    let (mut terminal, mut card) = (stage.terminal().await, Card::demo());
    let before = std::fs::read_to_string(&stage.bank.profile_path).unwrap();
    let (id, data) = terminal.issued(&stage, &mut card, AMOUNT).await;
    let stage = stage.restarted().await;
    let after = std::fs::read_to_string(&stage.bank.profile_path).unwrap();
    for name in [
        "authority_pem",
        "pins",
        "enrolment_hpke",
        "enrolment_signer",
        "package_signer",
    ] {
        let value =
            |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap()[name].clone();
        assert_eq!(value(&before), value(&after), "{name}");
    }
    terminal.client = Terminal::client(&stage);
    let tac = card.credit(&data);
    let done = terminal
        .relay(&terminal.credit_message(Operation::TopUp, (id, 2), tac))
        .await;
    assert_eq!(outcome(&done), "ok");
    stage.close(5_000).await;
}

#[tokio::test]
async fn the_money_goes_back_when_the_card_signs_that_it_was_not_credited() {
    let stage = Stage::new().await;
    let (mut terminal, mut card) = (stage.terminal().await, Card::demo());
    let (id, dead) = terminal.issued(&stage, &mut card, AMOUNT).await;
    let resume = Resume::refund_of(id);
    let asked = resume.open(&mut terminal, &card).await;
    let asked = resume.prove(&mut terminal, &card, &asked).await;
    let done = resume.witness(&mut terminal, &mut card, (&asked, 3)).await;
    assert_eq!(outcome(&done), "refunded");
    assert_eq!(done.body.amount, Some(AMOUNT));
    assert!(done.body.reference.is_some() && done.body.field("time").is_some());
    assert_eq!(card.credit(&dead), None, "the MAC2 died with its session");
    let again = Resume::of(Some(id)).open(&mut terminal, &card).await;
    assert_eq!(outcome(&again), "refunded", "whoever asks hears the same");
    assert_eq!(again.body.reference, done.body.reference);
    terminal.top_up(&stage, &mut card, 2_000).await;
    stage.close(2_000).await;
}

#[tokio::test]
async fn a_load_that_is_on_the_card_is_not_refunded() {
    let stage = Stage::new().await;
    let (mut terminal, mut card) = (stage.terminal().await, Card::demo());
    let (id, data) = terminal.issued(&stage, &mut card, AMOUNT).await;
    card.credit(&data).unwrap();
    card.forget_proof();
    let resume = Resume::refund_of(id);
    let asked = resume.open(&mut terminal, &card).await;
    let asked = resume.prove(&mut terminal, &card, &asked).await;
    let done = resume.witness(&mut terminal, &mut card, (&asked, 3)).await;
    already(&done);
    stage.close(5_000).await;
}

#[tokio::test]
async fn an_initialize_that_was_kept_from_before_gives_no_money_back() {
    let stage = Stage::new().await;
    let (mut terminal, mut card) = (stage.terminal().await, Card::demo());
    // A terminal that lies keeps what the card said before it was credited.
    let kept = card.initialize(1, terminal.bcd());
    let (id, data) = terminal.issued(&stage, &mut card, AMOUNT).await;
    card.credit(&data).unwrap();
    card.forget_proof();
    let resume = Resume::refund_of(id);
    let asked = resume.open(&mut terminal, &card).await;
    let asked = resume.prove(&mut terminal, &card, &asked).await;
    assert_eq!(phase(&asked), "refund");
    let answer = resume.send_witness(&mut terminal, kept, 3).await;
    assert_eq!(outcome(&answer), "card-mac-bad");
    already(&Resume::of(Some(id)).decide(&mut terminal, &mut card).await);
    stage.close(5_000).await;
}

#[tokio::test]
async fn no_money_goes_back_while_another_terminal_holds_a_newer_mac2() {
    let stage = Stage::new().await;
    let (mut one, mut two) = (stage.terminal().await, stage.terminal().await);
    let mut card = Card::demo();
    let (id, _) = one.issued(&stage, &mut card, AMOUNT).await;
    let refund = Resume::refund_of(id);
    let asked = refund.open(&mut one, &card).await;
    let asked = refund.prove(&mut one, &card, &asked).await;
    let number = asked.body.field("witness").unwrap().try_into().unwrap();
    let late = card.initialize(1, number);
    let again = Resume::of(Some(id));
    let credit = again.decide(&mut two, &mut card).await;
    // A third contact puts the load in doubt again before the delayed message comes.
    Resume::of(Some(id)).open(&mut two, &card).await;
    let answer = refund.send_witness(&mut one, late, 3).await;
    assert_eq!(outcome(&answer), "in-doubt");
    let done = again.credit(&mut two, &mut card, &credit).await;
    assert_eq!(outcome(&done), "ok", "the newer MAC2 was good all the time");
    stage.close(5_000).await;
}
