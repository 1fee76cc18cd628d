//! What the checks of loads share.

use ipc::{MoneyPlace, TransactionKind, TransactionView};
use tapfill_tests::Trouble;
use virtual_card::{Fault, Moment};

use super::stage::{Setting, Stage, text};
use crate::anatomy::Anatomy;

pub(crate) const MOMENTS: [(&str, Moment); 3] = [
    ("before", Moment::Before),
    ("during", Moment::During),
    ("after", Moment::After),
];

pub(crate) type Commands = Vec<Vec<u8>>;

/// A command's place in a transaction.
pub(crate) struct At {
    /// From 1, among all commands of the transaction.
    pub(crate) nth: u32,
    pub(crate) ins: u8,
    command: Vec<u8>,
}

impl At {
    /// The package's name of it, with its place.
    pub(crate) fn name(&self, anatomy: &Anatomy) -> String {
        let name = anatomy.command_of(&self.command).unwrap_or("a command");
        format!("{name} (command {})", self.nth)
    }
}

/// The commands of a transaction that differ from the one before them by more than P1: of a repetition, the first.
pub(crate) fn tellable(commands: &[Vec<u8>]) -> Vec<At> {
    let mut found = Vec::new();
    let mut last = None;
    for (nth, command) in (1..).zip(commands) {
        let Some((&[class, ins, _, p2], rest)) = command.split_first_chunk::<4>() else {
            continue;
        };
        let shape = Some((class, ins, p2, rest));
        if last != shape {
            found.push(At {
                nth,
                ins,
                command: command.clone(),
            });
        }
        last = shape;
    }
    found
}

pub(crate) fn tear(nth: u32, moment: Moment) -> Fault {
    Fault::Tear {
        ins: None,
        moment,
        nth,
    }
}

/// Everything that is typed before the card is asked.
pub(crate) async fn ready_to_submit(stage: &Stage) -> Result<(), String> {
    let person = &stage.person;
    person.begin(TransactionKind::Topup).await.map_err(text)?;
    person.verify().await.map_err(text)
}

pub(crate) async fn submit(stage: &Stage, amount: u32) -> Result<TransactionView, Trouble> {
    let person = &stage.person;
    person.submit(&person.password, Some(amount)).await?;
    person.end().await
}

/// A load that is torn at its first write; money has left the account.
pub(crate) async fn torn_at_write(
    stage: &mut Stage,
    setting: &Setting,
    moment: Moment,
) -> Result<(), String> {
    ready_to_submit(stage).await?;
    for head in setting.anatomy.writes() {
        let ins = head.get(1).copied();
        stage.slot.arm(Fault::Tear {
            ins,
            moment,
            nth: 1,
        });
    }
    match submit(stage, setting.config.min_amount).await {
        Err(Trouble::Failed(error)) if error.money == MoneyPlace::InTransit => {}
        Err(other) => return Err(text(other)),
        Ok(_) => return Err("the card was gone, and it ended well".to_owned()),
    }
    stage.money_is_whole().await?;
    stage.card_there().await
}

/// Does what the app says after a load ended in any way; then the load is whole, or never was.
pub(crate) async fn settle(
    stage: &mut Stage,
    before: i64,
    amount: u32,
    ended: Result<TransactionView, Trouble>,
) -> Result<(), String> {
    let error = match ended {
        Ok(_) => return balance_is(stage, before, amount),
        Err(Trouble::Failed(error) | Trouble::Refused(error)) => error,
        Err(other) => return Err(text(other)),
    };
    stage.money_is_whole().await?;
    stage.card_there().await?;
    let untouched = matches!(error.money, MoneyPlace::Account | MoneyPlace::None);
    if untouched && stage.person.look().pending.is_empty() {
        return balance_is(stage, before, 0);
    }
    if !stage.person.look().pending.is_empty() {
        stage.person.resume().await.map_err(text)?;
    }
    balance_is(stage, before, amount)
}

pub(crate) fn balance_is(stage: &Stage, before: i64, more: u32) -> Result<(), String> {
    let (has, wanted) = (stage.card_balance(), before + i64::from(more));
    match has == wanted {
        true => Ok(()),
        false => Err(format!("{has} fen are on the card, not {wanted}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_repetition_the_first_is_told() {
        let log = |record| vec![0x00, 0xB2, record, 0xC4, 0x17];
        let read = vec![0x00, 0xB0, 0x95, 0x00, 0x1E];
        let commands = [read.clone(), read.clone(), log(1), log(2), log(3), read];
        let nth: Vec<u32> = tellable(&commands).iter().map(|at| at.nth).collect();
        assert_eq!(nth, [1, 3, 6]);
    }
}
