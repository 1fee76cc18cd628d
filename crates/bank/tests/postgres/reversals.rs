//! Two processes that owe one core banking host the same reversals.

use std::time::Duration;

use crate::card::Card;
use crate::core_host::{CoreHost, Fault};
use crate::hosted_stage::{LONG_MS, close, top_up, until};
use crate::stage::Stage;
use crate::terminal::outcome;

const LOADS: usize = 6;

#[tokio::test]
async fn what_two_processes_owe_is_sent_by_one_of_them_each_time() {
    let Some(store) = crate::engine::store() else {
        return;
    };
    let host = CoreHost::start().await;
    let stage = Stage::on(Some(store), |text| host.configured(&text)).await;
    let second = bank::start(stage.config_with(|text| host.configured(&text))).await;
    let second = second.unwrap();
    host.fail(&[Fault::AnswerLost; LOADS]);
    host.fail_reversals(&[Fault::Unheard; LOADS]);
    let (mut terminal, mut card) = (stage.terminal().await, Card::demo());
    for _ in 0..LOADS {
        let end = top_up(&stage, &mut terminal, &mut card).await;
        assert_eq!(outcome(&end), "in-doubt");
    }
    until(&host, "0420", LOADS).await;
    for _ in 0..10 {
        if host.count("0421") >= LOADS {
            break;
        }
        tokio::time::sleep(Duration::from_millis(3_000)).await;
        // All are due at this very moment, for both.
        stage.clock.advance(LONG_MS);
    }
    stage.clock.advance(LONG_MS);
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    let sent = (host.count("0420"), host.count("0421"));
    assert_eq!(sent, (LOADS, LOADS), "each time one of them sent it");
    second.stop().await;
    close(stage, host, 0).await;
}
