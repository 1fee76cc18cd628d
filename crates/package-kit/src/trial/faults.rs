//! What else goes wrong around a load.

use std::collections::BTreeSet;

use ipc::{Code, ContactView, MoneyPlace, ReaderKind, ResumeState};
use tapfill_tests::Trouble;
use virtual_card::{AnyProfile, Fault, Moment};

use super::bench::Bench;
use super::cards;
use super::load::{
    Commands, MOMENTS, balance_is, ready_to_submit, settle, submit, tear, tellable, torn_at_write,
};
use super::reading::spoilt;
use super::stage::{Setting, Stage, text};

/// As slow as cards at the edge of the field.
const SLOW_MS: u64 = 150;

pub(crate) async fn all(bench: &mut Bench<'_>, load: &Commands) -> Result<(), String> {
    spoilt_replies(bench, load).await?;
    contact(bench, load).await?;
    let setting = bench.setting;
    if setting.anatomy.has_phase("open_resume") {
        spending(bench).await?;
        let story = async |stage: &mut Stage| started_again(stage, setting).await;
        bench
            .check("an app that starts again finishes the load", story)
            .await?;
        another_card(bench).await?;
    }
    if setting.anatomy.has_phase("refund") {
        let story = async |stage: &mut Stage| {
            let before = stage.card_balance();
            torn_at_write(stage, setting, Moment::Before).await?;
            let refunded = stage.person.refund().await.map_err(text)?;
            match refunded.resume {
                Some(ResumeState::Refunded) => balance_is(stage, before, 0),
                other => Err(format!("{other:?}")),
            }
        };
        bench
            .check(
                "the money of a load that never reached the card comes back",
                story,
            )
            .await?;
    }
    Ok(())
}

async fn spoilt_replies(bench: &mut Bench<'_>, load: &Commands) -> Result<(), String> {
    let setting = bench.setting;
    let amount = setting.config.min_amount;
    let mut seen = BTreeSet::new();
    for at in tellable(load) {
        if !seen.insert(at.ins) {
            continue;
        }
        for (word, fault) in spoilt(at.ins) {
            let name = format!(
                "top-up with a {word} reply to {}",
                at.name(&setting.anatomy)
            );
            let story = async |stage: &mut Stage| {
                let before = stage.card_balance();
                ready_to_submit(stage).await?;
                stage.slot.arm(fault);
                let ended = submit(stage, amount).await;
                settle(stage, before, amount, ended).await
            };
            bench.check(name, story).await?;
        }
    }
    Ok(())
}

async fn contact(bench: &mut Bench<'_>, load: &Commands) -> Result<(), String> {
    let amount = bench.setting.config.min_amount;
    let story = async |stage: &mut Stage| {
        let before = stage.card_balance();
        ready_to_submit(stage).await?;
        stage.slot.arm(Fault::Slow { ms: SLOW_MS });
        submit(stage, amount).await.map_err(text)?;
        balance_is(stage, before, amount)
    };
    bench
        .check(
            format!("a card that takes {SLOW_MS} ms for each command"),
            story,
        )
        .await?;
    let repeated = load
        .windows(2)
        .position(|pair| matches!(pair, [a, b] if a == b));
    let nth = repeated.and_then(|at| u32::try_from(at.saturating_add(2)).ok());
    let Some(nth) = nth else { return Ok(()) };
    let story = async |stage: &mut Stage| {
        let before = stage.card_balance();
        ready_to_submit(stage).await?;
        stage.slot.arm(tear(nth, Moment::Before));
        let person = &stage.person;
        let given = person.submit(&person.password, Some(amount)).await;
        given.map_err(text)?;
        let hinted = |view: &ipc::AppView| {
            let transaction = view.transaction.as_ref();
            transaction.is_some_and(|it| it.contact == Some(ContactView::Poor))
        };
        person
            .until("a hint to move the card", hinted)
            .await
            .map_err(text)?;
        stage.card_there().await?;
        stage.person.end().await.map_err(text)?;
        balance_is(stage, before, amount)
    };
    bench
        .check(
            "a card that is lost while its contact is measured, and comes back",
            story,
        )
        .await
}

/// Exactly what was loaded: the balance alone would say that nothing happened.
async fn spending(bench: &mut Bench<'_>) -> Result<(), String> {
    let setting = bench.setting;
    let amount = setting.config.min_amount;
    for (word, moment) in MOMENTS {
        let name = format!("spent between a load torn {word} its write and the re-top-up");
        let story = async |stage: &mut Stage| {
            let before = stage.card_balance();
            torn_at_write(stage, setting, moment).await?;
            stage.spend(amount)?;
            stage.person.resume().await.map_err(text)?;
            balance_is(stage, before, 0)
        };
        // a purchase that the bank does not hear of stays between the books of this stage
        bench.check_with(name, setting.card.clone(), story).await?;
    }
    Ok(())
}

async fn started_again(stage: &mut Stage, setting: &Setting) -> Result<(), String> {
    let before = stage.card_balance();
    torn_at_write(stage, setting, Moment::After).await?;
    stage.restart_app().await?;
    if stage.person.look().pending.len() != 1 {
        return Err("it does not say that a load waits".to_owned());
    }
    stage.card_there().await?;
    stage.person.resume().await.map_err(text)?;
    balance_is(stage, before, setting.config.min_amount)
}

async fn another_card(bench: &mut Bench<'_>) -> Result<(), String> {
    let setting = bench.setting;
    let Some(other) = cards::another(&setting.card) else {
        return Ok(());
    };
    let story = async |stage: &mut Stage| {
        let before = stage.card_balance();
        torn_at_write(stage, setting, Moment::Before).await?;
        let first = stage.slot.memory().ok_or("no card")?;
        replace(stage, other).await?;
        match stage.person.resume().await {
            Err(Trouble::Failed(error)) if error.code == Code::CardOther => {
                if error.money != MoneyPlace::InTransit {
                    return Err(format!("the money is said to be {:?}", error.money));
                }
            }
            Err(why) => return Err(text(why)),
            Ok(_) => return Err("it took another card".to_owned()),
        }
        replace(stage, first).await?;
        stage.person.resume().await.map_err(text)?;
        balance_is(stage, before, setting.config.min_amount)
    };
    bench
        .check(
            "another card never gets what was meant for the first",
            story,
        )
        .await
}

/// Takes the card off, and puts another one on when the app has seen that.
async fn replace(stage: &mut Stage, card: AnyProfile) -> Result<(), String> {
    stage.slot.remove();
    let gone = |view: &ipc::AppView| view.reader.state == ReaderKind::Empty;
    stage
        .person
        .until("an empty reader", gone)
        .await
        .map_err(text)?;
    stage.slot.replace(card.into_card());
    stage.card_there().await
}
