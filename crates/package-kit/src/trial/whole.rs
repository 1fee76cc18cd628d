//! Each transaction from its beginning to its end, and what is refused in between.

use ipc::{Code, MoneyPlace, ResumeState, TransactionKind};
use tapfill_tests::Trouble;

use super::bench::Bench;
use super::cards;
use super::load::{Commands, balance_is, ready_to_submit, submit};
use super::stage::{Stage, text};
use super::torn::is_active;

/// Gives the commands of a load.
pub(crate) async fn all(bench: &mut Bench<'_>) -> Result<Commands, String> {
    let load = top_ups(bench).await?;
    limits(bench).await?;
    states(bench).await?;
    activation(bench).await?;
    Ok(load)
}

async fn top_ups(bench: &mut Bench<'_>) -> Result<Commands, String> {
    let amount = bench.setting.config.min_amount;
    let mut commands = Commands::new();
    let story = async |stage: &mut Stage| {
        let before = stage.card_balance();
        ready_to_submit(stage).await?;
        stage.mark();
        let done = submit(stage, amount).await.map_err(text)?;
        commands = stage.since_mark();
        balance_is(stage, before, amount)?;
        let receipt = done.receipt.ok_or("no receipt")?;
        if receipt.place != MoneyPlace::OnCard {
            return Err(format!("the receipt says {:?}", receipt.place));
        }
        if receipt.new_balance.map(i64::from) != Some(stage.card_balance()) {
            return Err(format!("the receipt says {:?} fen", receipt.new_balance));
        }
        match stage
            .person
            .session
            .times()
            .map(|times| times.requests_before_write)
        {
            Some(1) => Ok(()),
            other => Err(format!("{other:?} round trips while the card waits")),
        }
    };
    bench
        .check("top-up with one round trip while the card waits", story)
        .await?;
    let story = async |stage: &mut Stage| {
        let before = stage.card_balance();
        stage.person.top_up(amount).await.map_err(text)?;
        balance_is(stage, before, amount)
    };
    bench.check("a second top-up", story).await?;
    if bench.setting.anatomy.has_phase("open_resume") {
        let story = async |stage: &mut Stage| {
            let resumed = stage.person.resume().await.map_err(text)?;
            match resumed.resume {
                Some(ResumeState::None) => Ok(()),
                other => Err(format!("{other:?}")),
            }
        };
        bench
            .check("a re-top-up with nothing to finish", story)
            .await?;
    }
    Ok(commands)
}

async fn limits(bench: &mut Bench<'_>) -> Result<(), String> {
    let config = &bench.setting.config;
    let (low, high) = (config.min_amount, config.max_amount);
    for (word, amount) in [
        ("under the least", low.checked_sub(1)),
        ("over the most", high.checked_add(1)),
    ] {
        let Some(amount) = amount.filter(|&fen| fen > 0) else {
            continue;
        };
        let story = async |stage: &mut Stage| {
            let before = stage.card_balance();
            ready_to_submit(stage).await?;
            match submit(stage, amount).await {
                Err(Trouble::Refused(_) | Trouble::Failed(_)) => balance_is(stage, before, 0),
                Err(other) => Err(text(other)),
                Ok(_) => Err("not refused".to_owned()),
            }
        };
        bench
            .check(format!("an amount {word} is refused"), story)
            .await?;
    }
    Ok(())
}

/// A card that can't be loaded is told so before any money moves.
async fn states(bench: &mut Bench<'_>) -> Result<(), String> {
    let setting = bench.setting;
    let anatomy = &setting.anatomy;
    let expired = cards::expired(&setting.card);
    let expired = expired.filter(|_| anatomy.member("card", "expiry").is_some());
    let blocked = cards::blocked(&setting.card).filter(|_| !anatomy.has_phase("unblock"));
    for (name, card, code) in [
        ("an expired card is refused", expired, Code::CardExpired),
        ("a blocked card is refused", blocked, Code::CardAppBlocked),
    ] {
        let Some(card) = card else { continue };
        let story = async |stage: &mut Stage| refused(stage, code).await;
        bench.check_with(name, card, story).await?;
    }
    Ok(())
}

/// At whichever step of a top-up.
async fn refused(stage: &Stage, code: Code) -> Result<(), String> {
    let before = stage.card_balance();
    let person = &stage.person;
    person.begin(TransactionKind::Topup).await.map_err(text)?;
    let read = |view: &ipc::AppView| {
        let transaction = view.transaction.as_ref();
        transaction.is_some_and(|it| it.card.is_some() || it.error.is_some())
    };
    let view = person
        .until("the card or why not", read)
        .await
        .map_err(text)?;
    let early = view.transaction.and_then(|it| it.error);
    let error = match early {
        Some(error) => error,
        None => {
            person.verify().await.map_err(text)?;
            match submit(stage, 100).await {
                Err(Trouble::Failed(error) | Trouble::Refused(error)) => error,
                Err(other) => return Err(text(other)),
                Ok(_) => return Err("not refused".to_owned()),
            }
        }
    };
    if error.code != code || !matches!(error.money, MoneyPlace::Account | MoneyPlace::None) {
        return Err(format!(
            "refused with {}, money: {:?}",
            error.code.as_str(),
            error.money
        ));
    }
    balance_is(stage, before, 0)
}

async fn activation(bench: &mut Bench<'_>) -> Result<(), String> {
    let setting = bench.setting;
    let inactive = cards::inactive(&setting.card, &setting.anatomy);
    let inactive = inactive.filter(|_| setting.anatomy.has_phase("open_activate"));
    let Some(card) = inactive else { return Ok(()) };
    let amount = setting.config.min_amount;
    let story = async |stage: &mut Stage| {
        is_active(stage, false).await?;
        refused(stage, Code::CardNotActive).await?;
        stage.person.activate().await.map_err(text)?;
        is_active(stage, true).await?;
        stage.person.activate().await.map_err(text)?;
        let before = stage.card_balance();
        stage.person.top_up(amount).await.map_err(text)?;
        balance_is(stage, before, amount)
    };
    let name = "a card that is not active is refused, activated, then loaded";
    bench.check_with(name, card, story).await
}
