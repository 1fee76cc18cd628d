//! Balance and log: what every package has.

use ipc::{Code, TransactionKind};
use tapfill_tests::Trouble;
use virtual_card::{AnyProfile, Fault};

use super::bench::Bench;
use super::load::{MOMENTS, tear, tellable};
use super::stage::{Stage, text};

pub(crate) async fn all(bench: &mut Bench<'_>) -> Result<(), String> {
    let setting = bench.setting;
    let industry = setting.anatomy.package.industry().to_string();
    let mut commands = Vec::new();
    bench
        .check("balance and log are what the card has", async |stage| {
            let shown = stage.person.balance().await.map_err(text)?;
            let shown = shown.card.ok_or("no card is shown")?;
            commands = stage.since_mark();
            if shown.industry != industry {
                return Err(format!("taken for a card of industry {}", shown.industry));
            }
            match &setting.card {
                AnyProfile::Recorded(_) => Ok(()),
                AnyProfile::Purse(card) => {
                    same(shown.balance, card.balance, shown.log.len(), card.log.len())
                }
                AnyProfile::ElectronicCash(card) => {
                    same(shown.balance, card.balance, shown.log.len(), card.log.len())
                }
            }
        })
        .await?;
    for at in tellable(&commands) {
        for moment in MOMENTS {
            let name = format!("balance torn {} {}", moment.0, at.name(&setting.anatomy));
            bench
                .check(name, async |stage| {
                    stage.slot.arm(tear(at.nth, moment.1));
                    let ended = stage.person.balance().await;
                    lost(ended.map(drop))?;
                    stage.card_there().await?;
                    stage.person.balance().await.map(drop).map_err(text)
                })
                .await?;
        }
        for (word, fault) in spoilt(at.ins) {
            let name = format!(
                "balance with a {word} reply to {}",
                at.name(&setting.anatomy)
            );
            bench
                .check(name, async |stage| spoilt_balance(stage, fault).await)
                .await?;
        }
    }
    if setting.anatomy.package.reads_only() {
        return bench
            .check("what only reads refuses the rest", async |stage| {
                for kind in [TransactionKind::Resume, TransactionKind::Topup] {
                    let ended = match stage.person.begin(kind).await {
                        Ok(()) => stage.person.end().await.map(drop),
                        refused => refused,
                    };
                    match ended {
                        Err(Trouble::Failed(error) | Trouble::Refused(error))
                            if error.code == Code::CardReadOnly => {}
                        Err(other) => return Err(text(other)),
                        Ok(()) => return Err("not refused".to_owned()),
                    }
                }
                Ok(())
            })
            .await;
    }
    Ok(())
}

fn same(shown: u32, card: u32, shown_log: usize, card_log: usize) -> Result<(), String> {
    if shown != card {
        return Err(format!("{shown} fen are shown, {card} are on the card"));
    }
    if shown_log != card_log {
        return Err(format!(
            "{shown_log} records are shown, the card has {card_log}"
        ));
    }
    Ok(())
}

/// Replies that are not what the card said.
pub(crate) fn spoilt(ins: u8) -> [(&'static str, Fault); 2] {
    let ins = Some(ins);
    [
        ("garbled", Fault::Garbage { ins }),
        ("cut", Fault::Truncate { ins }),
    ]
}

/// It may end in any way but by a person waiting for ever, and the next one is right.
async fn spoilt_balance(stage: &mut Stage, fault: Fault) -> Result<(), String> {
    stage.slot.arm(fault);
    if let Err(never @ Trouble::Never(..)) = stage.person.balance().await {
        return Err(text(never));
    }
    stage.card_there().await?;
    stage.person.balance().await.map(drop).map_err(text)
}

pub(crate) fn lost(ended: Result<(), Trouble>) -> Result<(), String> {
    match ended {
        Err(Trouble::Failed(error)) if error.code == Code::CardLost => Ok(()),
        Err(other) => Err(text(other)),
        Ok(()) => Err("the card was gone, and it ended well".to_owned()),
    }
}
