//! A queue's items go onto their cards.

use bank_client::queue::QueueItemState::{Loaded, Open, Returned, Waiting};
use bank_client::queue::QueueStanding;
use relay::{Message, Operation};

use super::{AMOUNT, Class, DAY_MS};
use crate::resume::Resume;
use crate::terminal::{new_id, outcome, phase};

const ONE: i64 = AMOUNT as i64;

/// The refund of a torn load of this card.
async fn refunded(class: &mut Class, place: u16, load: [u8; 16]) -> Message {
    let resume = Resume::refund_of(load);
    let card = &mut class.cards[usize::from(place)];
    let asked = resume.open(&mut class.terminal, card).await;
    let asked = resume.prove(&mut class.terminal, card, &asked).await;
    resume.witness(&mut class.terminal, card, (&asked, 3)).await
}

#[tokio::test]
async fn each_card_gets_its_own_and_who_is_absent_gets_the_money_back_at_the_end() {
    let mut class = Class::new().await;
    let opened = class.opened().await;
    for place in [2, 0] {
        let done = class.load(place, 0, opened.proof).await;
        assert_eq!(outcome(&done), "ok");
        assert_eq!(done.body.amount, Some(AMOUNT));
    }
    assert_eq!(class.paid().await, (3 * ONE, ONE));
    let told = class.state().await;
    assert_eq!(class.states().await, [Loaded, Waiting, Loaded]);
    assert_eq!((told.loaded, told.returned), (10_000, 0));
    let references = class.stage.references().await;
    let told_of = |place: usize| told.items[place].reference.clone();
    assert_eq!(
        [told_of(2), told_of(1), told_of(0)],
        [
            Some(references[0].clone()),
            None,
            Some(references[1].clone())
        ]
    );
    assert!(told.items[0].time_ms.is_some() && told.items[1].time_ms.is_none());
    let closed = class.close().await;
    assert_eq!(closed.state, QueueStanding::Closed);
    assert_eq!(
        (closed.loaded, closed.returned, closed.proof),
        (10_000, 5_000, None)
    );
    assert_eq!(class.paid().await, (2 * ONE, 0));
    class.stage.clock.advance(1_000);
    assert_eq!(class.close().await, closed, "twice is the same as once");
    let late = class.load_message(1, 0, opened.proof);
    assert_eq!(outcome(&class.terminal.relay(&late).await), "queue-closed");
    assert_eq!(class.paid().await, (2 * ONE, 0));
    class.stage.close(2 * ONE).await;
}

#[tokio::test]
async fn the_same_card_twice_is_loaded_once() {
    let mut class = Class::new().await;
    let opened = class.opened().await;
    let data = class.issued(0, 0, opened.proof).await;
    let second = class.load_message(0, 1, opened.proof);
    let answer = class.terminal.relay(&second).await;
    assert_eq!(
        outcome(&answer),
        "load-open",
        "its first load is not settled"
    );
    assert!(answer.body.reference.is_some(), "told which");
    let resume = Resume::of(Some(class.id(0, 0)));
    let credit = resume
        .decide(&mut class.terminal, &mut class.cards[0])
        .await;
    assert!(
        class.cards[0].clone().credit(&data).is_none(),
        "the first MAC2 is dead"
    );
    let done = resume
        .credit(&mut class.terminal, &mut class.cards[0], &credit)
        .await;
    assert_eq!(outcome(&done), "ok");
    let third = class.load_message(0, 2, opened.proof);
    let answer = class.terminal.relay(&third).await;
    assert_eq!(outcome(&answer), "ok");
    assert_eq!(
        answer.body.field("already"),
        Some(&[1][..]),
        "nothing moved"
    );
    assert_eq!(answer.body.reference, done.body.reference);
    assert_eq!(class.cards[0].balance, AMOUNT);
    assert_eq!(class.paid().await, (3 * ONE, 2 * ONE));
    class.stage.close(ONE).await;
}

#[tokio::test]
async fn the_same_message_again_is_the_same_load() {
    let mut class = Class::new().await;
    let opened = class.opened().await;
    let message = class.load_message(0, 0, opened.proof).encode().unwrap();
    let first = class.terminal.relay_bytes(&message).await.unwrap();
    class.stage = class.stage.restarted_with(super::with_pupils).await;
    class.terminal.reach(&class.stage);
    let again = class.terminal.relay_bytes(&message).await.unwrap();
    assert_eq!(first, again, "byte for byte");
    assert_eq!(class.paid().await, (3 * ONE, 2 * ONE), "one debit");
    assert_eq!(class.states().await, [Open, Waiting, Waiting]);
    class.stage.close(0).await;
}

#[tokio::test]
async fn whoever_lacks_something_moves_nothing() {
    let mut class = Class::new().await;
    let opened = class.opened().await;
    let good = class.load_message(0, 0, opened.proof);
    let mut attempt = 0;
    let mut changed = |change: &dyn Fn(&mut Message)| {
        let mut message = good.clone();
        attempt += 1;
        message.body.transaction.as_mut().unwrap()[15] = attempt;
        change(&mut message);
        message
    };
    let cases = [
        (changed(&|it| it.body.sms_proof = None), "sms-proof-bad"),
        (
            changed(&|it| it.body.sms_proof = Some([0; 16])),
            "sms-proof-bad",
        ),
        (
            changed(&|it| it.body.amount = Some(AMOUNT + 1)),
            "message-bad",
        ),
        (
            changed(&|it| it.body.amount = Some(AMOUNT - 1)),
            "message-bad",
        ),
        (
            changed(&|it| it.body.transaction = Some(new_id())),
            "message-bad",
        ),
        (
            changed(&|it| it.body.terminal = Some([9; 6])),
            "message-bad",
        ),
    ];
    for (message, expected) in cases {
        assert_eq!(outcome(&class.terminal.relay(&message).await), expected);
    }
    // Another card of the same class: the first item's id with the second one's card.
    let mut other = class.load_message(1, 0, opened.proof);
    other.body.transaction = Some(class.id(0, 7));
    assert_eq!(outcome(&class.terminal.relay(&other).await), "queue-card");
    let mut stranger = class.stage.terminal().await;
    let mut theirs = class.load_message(0, 8, opened.proof);
    theirs.body.terminal = Some(stranger.bcd());
    let answer = stranger.relay(&theirs).await;
    assert_eq!(
        outcome(&answer),
        "sms-proof-bad",
        "another terminal with the proof"
    );
    assert_eq!(class.paid().await, (3 * ONE, 3 * ONE));
    assert_eq!(class.states().await, [Waiting; 3]);
    let done = class.load(0, 9, opened.proof).await;
    assert_eq!(outcome(&done), "ok", "and the right one still goes");
    class.stage.close(ONE).await;
}

#[tokio::test]
async fn a_refund_makes_the_item_wait_again_and_its_next_load_is_a_new_one() {
    let mut class = Class::new().await;
    let opened = class.opened().await;
    let dead = class.issued(0, 0, opened.proof).await;
    assert_eq!(class.states().await, [Open, Waiting, Waiting]);
    let load = class.id(0, 0);
    let done = refunded(&mut class, 0, load).await;
    assert_eq!(outcome(&done), "refunded");
    assert_eq!(class.cards[0].credit(&dead), None);
    assert_eq!(class.states().await, [Waiting; 3]);
    assert_eq!(class.paid().await, (3 * ONE, 3 * ONE), "back in the queue");
    assert_eq!(class.state().await.items[0].reference, None);
    let done = class.load(0, 1, opened.proof).await;
    assert_eq!(outcome(&done), "ok");
    assert_eq!(class.states().await, [Loaded, Waiting, Waiting]);
    class.stage.close(ONE).await;
}

#[tokio::test]
async fn what_a_closed_queue_still_has_under_way_is_loaded_or_goes_to_the_account() {
    let mut class = Class::new().await;
    let opened = class.opened().await;
    class.issued(0, 0, opened.proof).await;
    class.issued(1, 0, opened.proof).await;
    let closed = class.close().await;
    let states: Vec<_> = closed.items.iter().map(|item| item.state).collect();
    assert_eq!(states, [Open, Open, Returned], "under way goes on");
    assert_eq!(class.paid().await, (2 * ONE, 0));
    let load = class.id(0, 0);
    assert_eq!(outcome(&refunded(&mut class, 0, load).await), "refunded");
    assert_eq!(class.paid().await, (ONE, 0), "to the account");
    let resume = Resume::of(Some(class.id(1, 0)));
    let credit = resume
        .decide(&mut class.terminal, &mut class.cards[1])
        .await;
    assert_eq!(phase(&credit), "credit");
    resume
        .credit(&mut class.terminal, &mut class.cards[1], &credit)
        .await;
    let told = class.state().await;
    assert_eq!(class.states().await, [Returned, Loaded, Returned]);
    assert_eq!((told.loaded, told.returned), (5_000, 10_000));
    assert!(told.items[0].reference.is_some(), "which load came back");
    class.stage.close(ONE).await;
}

#[tokio::test]
async fn a_queue_closes_by_itself_after_its_time() {
    let class = Class::new().await;
    class.opened().await;
    class.stage.clock.advance(30 * DAY_MS - 1);
    tokio::time::sleep(std::time::Duration::from_millis(1_500)).await;
    assert_eq!(class.state().await.state, QueueStanding::Open);
    class.stage.clock.advance(1);
    for _ in 0..100 {
        if class.state().await.state == QueueStanding::Closed {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert_eq!(class.states().await, [Returned; 3]);
    assert_eq!(class.paid().await, (0, 0));
    class.stage.close(0).await;
}

#[tokio::test]
async fn a_void_id_of_an_item_is_void_and_the_next_is_not() {
    let mut class = Class::new().await;
    let opened = class.opened().await;
    let load = class.id(0, 0);
    let ask = serde_json::json!({"transaction": hex::encode(load), "void": true});
    let answer = class.terminal.ask("/v1/outcome", ask).await.unwrap();
    assert_eq!(answer["outcome"], "voided");
    let late = class.load_message(0, 0, opened.proof);
    assert_eq!(outcome(&class.terminal.relay(&late).await), "voided");
    assert_eq!(outcome(&class.load(0, 1, opened.proof).await), "ok");
    class.stage.close(ONE).await;
}

#[tokio::test]
async fn a_full_card_is_refused_and_its_item_waits() {
    let mut class = Class::new().await;
    let opened = class.opened().await;
    class.cards[0].balance = 99_000;
    let message = class.load_message(0, 0, opened.proof);
    let answer = class.terminal.relay(&message).await;
    assert_eq!(outcome(&answer), "balance-limit", "as in any top-up");
    assert_eq!(class.states().await, [Waiting; 3]);
    class.cards[0].balance = 0;
    assert_eq!(outcome(&class.load(0, 1, opened.proof).await), "ok");
    let step = (class.id(0, 0), 2);
    let strange = class.terminal.credit_message(Operation::TopUp, step, None);
    let answer = class.terminal.relay(&strange).await;
    assert_eq!(
        outcome(&answer),
        "step-unknown",
        "what was declined is over"
    );
    class.stage.close(ONE).await;
}
