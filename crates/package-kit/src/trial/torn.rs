//! The card torn at each command of each transaction that changes it, before, during and after it, then settled.

use ipc::{Code, TransactionKind};
use tapfill_tests::Trouble;
use virtual_card::Moment;

use super::bench::Bench;
use super::cards;
use super::load::{
    At, Commands, MOMENTS, balance_is, ready_to_submit, settle, submit, tear, tellable,
    torn_at_write,
};
use super::stage::{Stage, text};

pub(crate) async fn all(bench: &mut Bench<'_>, load: &Commands) -> Result<(), String> {
    top_ups(bench, load).await?;
    if bench.setting.anatomy.has_phase("open_resume") {
        re_top_ups(bench).await?;
    }
    activations(bench).await
}

async fn top_ups(bench: &mut Bench<'_>, load: &Commands) -> Result<(), String> {
    let setting = bench.setting;
    let amount = setting.config.min_amount;
    for at in tellable(load) {
        for (word, moment) in MOMENTS {
            let name = format!("top-up torn {word} {}", at.name(&setting.anatomy));
            let story = async |stage: &mut Stage| {
                let before = stage.card_balance();
                ready_to_submit(stage).await?;
                stage.slot.arm(tear(at.nth, moment));
                let ended = submit(stage, amount).await;
                settle(stage, before, amount, ended).await
            };
            bench.check(name, story).await?;
        }
    }
    Ok(())
}

async fn re_top_ups(bench: &mut Bench<'_>) -> Result<(), String> {
    let setting = bench.setting;
    let amount = setting.config.min_amount;
    let mut commands = Commands::new();
    let story = async |stage: &mut Stage| {
        let before = stage.card_balance();
        torn_at_write(stage, setting, Moment::Before).await?;
        stage.mark();
        stage.person.resume().await.map_err(text)?;
        commands = stage.since_mark();
        balance_is(stage, before, amount)
    };
    bench
        .check(
            "a load that never reached the card is loaded by its re-top-up",
            story,
        )
        .await?;
    for at in tellable(&commands) {
        for (word, moment) in MOMENTS {
            let name = format!("re-top-up torn {word} {}", at.name(&setting.anatomy));
            let story = async |stage: &mut Stage| {
                let before = stage.card_balance();
                torn_at_write(stage, setting, Moment::Before).await?;
                stage.slot.arm(tear(at.nth, moment));
                let ended = stage.person.resume().await;
                settle(stage, before, amount, ended).await
            };
            bench.check(name, story).await?;
        }
    }
    Ok(())
}

async fn activations(bench: &mut Bench<'_>) -> Result<(), String> {
    let setting = bench.setting;
    let inactive = cards::inactive(&setting.card, &setting.anatomy);
    let inactive = inactive.filter(|_| setting.anatomy.has_phase("open_activate"));
    let Some(card) = inactive else { return Ok(()) };
    let mut commands = Commands::new();
    let story = async |stage: &mut Stage| {
        ready_to_activate(stage).await?;
        stage.mark();
        activate(stage).await.map_err(text)?;
        commands = stage.since_mark();
        is_active(stage, true).await
    };
    bench.check_with("activation", card.clone(), story).await?;
    for at in tellable(&commands) {
        for (word, moment) in MOMENTS {
            let name = format!("activation torn {word} {}", at.name(&setting.anatomy));
            let story = async |stage: &mut Stage| torn_activation(stage, &at, moment).await;
            bench.check_with(name, card.clone(), story).await?;
        }
    }
    Ok(())
}

async fn ready_to_activate(stage: &Stage) -> Result<(), String> {
    let kind = TransactionKind::Activate;
    stage.person.begin(kind).await.map_err(text)?;
    let there = |view: &ipc::AppView| {
        let transaction = view.transaction.as_ref();
        transaction.is_some_and(|it| it.stage == ipc::Stage::Password && it.card.is_some())
    };
    let shown = stage.person.until("the card", there).await;
    shown.map(drop).map_err(text)
}

async fn activate(stage: &Stage) -> Result<(), Trouble> {
    stage.person.submit(&stage.person.password, None).await?;
    stage.person.end().await.map(drop)
}

async fn torn_activation(stage: &mut Stage, at: &At, moment: Moment) -> Result<(), String> {
    ready_to_activate(stage).await?;
    stage.slot.arm(tear(at.nth, moment));
    match activate(stage).await {
        Err(Trouble::Failed(error)) if error.code == Code::CardLost => {}
        Err(other) => return Err(text(other)),
        Ok(()) => return Err("the card was gone, and it ended well".to_owned()),
    }
    stage.card_there().await?;
    stage.person.activate().await.map_err(text)?;
    is_active(stage, true).await
}

pub(crate) async fn is_active(stage: &Stage, wanted: bool) -> Result<(), String> {
    let shown = stage.person.balance().await.map_err(text)?;
    match shown.card.map(|card| card.active) {
        Some(active) if active == wanted => Ok(()),
        Some(true) => Err("the card is shown as active".to_owned()),
        Some(false) => Err("the card is shown as not active".to_owned()),
        None => Err("no card is shown".to_owned()),
    }
}
