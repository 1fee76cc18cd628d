//! What nobody would do on purpose.

use std::time::Duration;

use ipc::{Code, Command, MoneyPlace, Stage as At, TransactionKind};
use virtual_card::{Fault, Moment};

use super::*;
use crate::stage::{CARD_BEFORE, Stage};
use crate::wire::Mode;

/// The whole app dies at random moments (its runtime is shut down), and starts again on the same folder.
#[test]
fn an_app_that_is_killed_at_random_moments_loses_nothing() {
    let outer = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    let mut stage = outer.block_on(Stage::ready());
    // the first app must not live on
    outer.block_on(async {
        stage.restart_app();
    });
    let mut random = rng(7);
    let _sum = CARD_BEFORE;
    let vault = stage.vault.clone();
    let rounds: usize = std::env::var("ROUNDS")
        .ok()
        .and_then(|r| r.parse().ok())
        .unwrap_or(40);
    for _round in 0..rounds {
        let inner = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let person = {
            let _g = inner.enter();
            stage.person_at(&stage.app_dir(), &vault)
        };
        let slow = random(3) * 15;
        stage.slot.clear();
        stage.slot.arm(Fault::Slow { ms: slow });
        let wait = random(900);
        let _kind = outer.block_on(async {
            person.ready().await.unwrap();
            let pending = person.look().pending.len();
            if pending > 0 {
                person.begin(TransactionKind::Resume).await.unwrap();
            } else {
                person.begin(TransactionKind::Topup).await.unwrap();
                person.verify().await.unwrap();
                person.submit("246810", Some(100)).await.unwrap();
            }
            tokio::time::sleep(Duration::from_millis(wait)).await;
            pending
        });
        let view = person.look();
        let _t = view
            .transaction
            .as_ref()
            .map(|t| (t.stage, t.place, t.error.as_ref().map(|e| e.code)));
        inner.shutdown_background();
        drop(person);
        std::thread::sleep(Duration::from_millis(120));
        stage.slot.clear();
        outer.block_on(stage.books_balance());
        let _money = outer.block_on(stage.bank().money()).unwrap();
    }
    let (inner, person) = {
        let inner = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let person = {
            let _g = inner.enter();
            stage.person_at(&stage.app_dir(), &vault)
        };
        (inner, person)
    };
    outer.block_on(async {
        person.ready().await.unwrap();
        if !person.look().pending.is_empty() {
            person.resume().await.unwrap();
        }
        stage.person = person;
        stage.healed().await;
        let money = stage.bank().money().await.unwrap();
        assert_eq!(money.in_transit, 0);
    });
    inner.shutdown_background();
}

/// Any command at any time.
#[tokio::test(flavor = "multi_thread")]
async fn random_commands_and_faults_leave_the_books_right() {
    for seed in 1..=2 {
        let mut stage = Stage::wired().await;
        let mut random = rng(seed);
        let mut last_code = String::new();
        let mut trail: Vec<String> = Vec::new();
        for step in 0..400 {
            let kinds = [
                TransactionKind::Balance,
                TransactionKind::Topup,
                TransactionKind::Topup,
                TransactionKind::Resume,
                TransactionKind::Activate,
            ];
            let n = random(60);
            let command = match n {
                0..=3 => Command::Begin {
                    kind: kinds[random(5) as usize],
                },
                4..=6 => Command::SendCode {
                    phone: "13800006021".to_owned(),
                },
                7..=10 => {
                    if let Ok(codes) = stage.person.codes().await
                        && let Some(c) = codes.first()
                    {
                        last_code = c.clone();
                    }
                    Command::VerifyCode {
                        code: last_code.clone(),
                    }
                }
                11..=13 => {
                    for d in [2, 4, 6, 8, 1, 0] {
                        let _ = stage
                            .person
                            .session
                            .run(Command::PinPress { digit: d })
                            .await;
                    }
                    Command::PinPress {
                        digit: random(12) as u8,
                    }
                }
                14 => Command::PinDelete,
                15..=20 => Command::Submit {
                    amount: [
                        Some(100),
                        Some(150),
                        Some(99),
                        Some(60_000),
                        None,
                        Some(u32::MAX),
                    ][if random(3) == 0 {
                        random(6) as usize
                    } else {
                        0
                    }],
                },
                21..=23 => Command::Retry,
                24..=25 => Command::Leave,
                26 => Command::RenewKey,
                27 => Command::ChooseReader { name: None },
                28 => Command::History,
                29 => Command::ExportHistory {
                    language: ipc::Language::System,
                    state: None,
                },
                30 => {
                    if random(3) == 0 {
                        Command::Enrol
                    } else {
                        Command::RunDiagnostics
                    }
                }
                31 => {
                    if random(4) == 0 {
                        Command::EraseDevice
                    } else {
                        Command::SetTextSize {
                            percent: random(300) as u16,
                        }
                    }
                }
                32..=34 => {
                    let ins = [0xA4, 0xB0, 0x5C, 0x50, 0x52, 0x52, 0x5A][random(7) as usize];
                    let moment =
                        [Moment::Before, Moment::During, Moment::After][random(3) as usize];
                    let fault = match random(6) {
                        0 => Fault::Garbage { ins: Some(ins) },
                        1 => Fault::Truncate { ins: Some(ins) },
                        2 => Fault::Slow { ms: random(30) },
                        _ => tear(ins, moment),
                    };
                    trail.push(format!("{fault:?}"));
                    stage.slot.arm(fault);
                    continue;
                }
                35..=37 => {
                    stage.slot.insert();
                    if random(4) == 0 {
                        stage.slot.clear();
                    }
                    trail.push("insert".into());
                    continue;
                }
                38 => {
                    stage.slot.remove();
                    trail.push("remove".into());
                    continue;
                }
                39 => {
                    let how = [Mode::AnswerLost, Mode::AnswerLostThenDead, Mode::AnswerLost]
                        [random(3) as usize];
                    let after = random(3) as usize;
                    stage.wire().cut_after(after, how, 1 + random(2) as usize);
                    trail.push(format!("{how:?}"));
                    continue;
                }
                40 => {
                    stage.wire().whole();
                    trail.push("whole".into());
                    continue;
                }
                41 => {
                    if random(6) == 0 {
                        stage.stop_bank().await;
                        stage.restart_bank().await;
                        trail.push("bank restarted".into());
                    }
                    continue;
                }
                44..=53 => {
                    let run = |c| stage.person.session.run(c);
                    stage.slot.insert();
                    trail.push("whole top-up".into());
                    if run(Command::Begin {
                        kind: TransactionKind::Topup,
                    })
                    .await
                    .is_err()
                    {
                        continue;
                    }
                    tokio::time::sleep(Duration::from_millis(250)).await;
                    let before = stage.person.codes().await.map(|c| c.len()).unwrap_or(0);
                    if run(Command::SendCode {
                        phone: "13800006021".to_owned(),
                    })
                    .await
                    .is_err()
                    {
                        continue;
                    }
                    for _ in 0..50 {
                        let c = stage.person.codes().await.unwrap_or_default();
                        if c.len() > before {
                            last_code = c[0].clone();
                            break;
                        }
                        tokio::time::sleep(Duration::from_millis(10)).await;
                    }
                    let _ = run(Command::VerifyCode {
                        code: last_code.clone(),
                    })
                    .await;
                    for d in [2, 4, 6, 8, 1, 0] {
                        let _ = run(Command::PinPress { digit: d }).await;
                    }
                    Command::Submit {
                        amount: Some(100 + random(5) as u32),
                    }
                }
                54..=56 => {
                    stage.slot.insert();
                    Command::Begin {
                        kind: TransactionKind::Resume,
                    }
                }
                _ => {
                    tokio::time::sleep(Duration::from_millis(random(400))).await;
                    continue;
                }
            };
            let text = format!("{command:?}");
            let ran =
                tokio::time::timeout(Duration::from_secs(60), stage.person.session.run(command))
                    .await;
            trail.push(format!(
                "{text} -> {}",
                match &ran {
                    Ok(Ok(_)) => "ok".to_owned(),
                    Ok(Err(e)) => format!("{:?}", e.code),
                    Err(_) => "HANGS".to_owned(),
                }
            ));
            let tail = || {
                trail
                    .iter()
                    .rev()
                    .take(40)
                    .rev()
                    .cloned()
                    .collect::<Vec<_>>()
                    .join("\n")
            };
            let ran = ran.unwrap_or_else(|_| panic!("seed {seed} step {step} hangs\n{}", tail()));
            if let Err(e) = ran {
                assert!(
                    e.code != Code::Internal,
                    "seed {seed} step {step}: internal\n{}",
                    tail()
                );
            }
            if step % 20 == 0 {
                let report = stage.bank().check().await.unwrap();
                assert_eq!(
                    report.findings,
                    vec![],
                    "seed {seed} step {step}\n{}",
                    tail()
                );
            }
            // what the app says
            let view = stage.person.look();
            if let Some(t) = &view.transaction
                && t.stage == At::Done
                && t.kind == TransactionKind::Topup
            {
                assert_eq!(t.receipt.as_ref().unwrap().place, MoneyPlace::OnCard);
            }
        }
        // all heals
        stage.slot.clear();
        stage.wire().whole();
        tokio::time::sleep(Duration::from_millis(500)).await;
        stage.slot.insert();
        let tail = trail
            .iter()
            .rev()
            .take(60)
            .rev()
            .cloned()
            .collect::<Vec<_>>()
            .join("\n");
        let quiet = |v: &ipc::AppView| v.transaction.as_ref().is_none_or(|t| t.can_cancel);
        stage
            .person
            .until("quiet", quiet)
            .await
            .unwrap_or_else(|e| panic!("seed {seed}: {e}\n{tail}"));
        let _ = stage.person.give(Command::Leave).await;
        tokio::time::sleep(Duration::from_millis(700)).await;
        stage
            .person
            .ready()
            .await
            .unwrap_or_else(|e| panic!("seed {seed}: {e}\n{tail}"));
        let mut told = vec![];
        for _ in 0..4 {
            let r = stage.person.resume().await;
            told.push(format!(
                "{:?}",
                r.as_ref().map(|t| t.resume).map_err(|e| e.to_string())
            ));
            if r.is_ok() && stage.person.look().pending.is_empty() {
                break;
            }
        }
        let report = stage.bank().check().await.unwrap();
        if report.open_loads == 0 {
            stage.person.look().pending.is_empty();
        }
        stage.healed().await;
    }
}
