//! A configuration that changes while loads are open.

use relay::Operation;

use crate::card::Card;
use crate::stage::Stage;
use crate::terminal::outcome;

const AMOUNT: u32 = 5_000;

#[tokio::test]
async fn a_proof_that_came_while_its_industry_was_not_served_is_taken_when_it_is_again() {
    let stage = Stage::new().await;
    let (mut terminal, mut card) = (stage.terminal().await, Card::demo());
    let (id, data) = terminal.issued(&stage, &mut card, AMOUNT).await;
    let tac = card.credit(&data).unwrap();
    let proof = terminal.credit_message(Operation::TopUp, (id, 2), Some(tac));
    let stage = stage
        .restarted_with(|text| text.replace("\"0001\"", "\"9001\""))
        .await;
    terminal.reach(&stage);
    for _ in 0..2 {
        assert_eq!(outcome(&terminal.relay(&proof).await), "industry-unknown");
    }
    let stage = stage.restarted().await;
    terminal.reach(&stage);
    assert_eq!(
        outcome(&terminal.relay(&proof).await),
        "ok",
        "it is still true"
    );
    stage.close(AMOUNT.into()).await;
}
