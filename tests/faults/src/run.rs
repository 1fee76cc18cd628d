//! One seed, one run.

use std::sync::Arc;
use std::time::Duration;

use ipc::{Phase, TransactionKind};
use tokio::time::{Instant, sleep};

use crate::cards::{Kind, PLAIN};
use crate::person::Ended;
use crate::plan::Plan;
use crate::point::{Act, Cell, Point, When, Who};
use crate::random::Random;
use crate::stage::{Broken, Stage};
use crate::template::{Template, TemplateError, Templates, package_with_pin};
use crate::wallet::Wallet;
use crate::world::World;

/// What a run left behind.
pub(crate) struct Report {
    pub(crate) card: &'static str,
    pub(crate) struck: Vec<Cell>,
    pub(crate) rare: Vec<&'static str>,
    pub(crate) points: Vec<Point>,
    pub(crate) trace: Vec<String>,
    pub(crate) simulated: Duration,
    pub(crate) broken: Option<Broken>,
}

/// The same, and the trace that the app exports at the end.
#[cfg(test)]
pub(crate) fn exported(templates: &Templates, plan: &Plan) -> (Report, String) {
    use std::cell::RefCell;
    use std::rc::Rc;

    let lines: Rc<RefCell<Vec<String>>> = Rc::default();
    let told = lines.clone();
    session::watch_trace(Some(Rc::new(move |line| {
        if let Ok(line) = serde_json::to_string(line) {
            told.borrow_mut().push(line);
        }
    })));
    let report = run(templates, plan, false);
    session::watch_trace(None);
    let head = format!(
        "{{\"tapfill_trace\":{},\"version\":\"simulated\",\"system\":\"none\"}}",
        session::TRACE_FORMAT
    );
    let lines = lines.borrow();
    (report, format!("{head}\n{}\n", lines.join("\n")))
}

/// Runs a plan on a copy of the template, on a clock that nothing but the plan moves.
pub(crate) fn run(templates: &Templates, plan: &Plan, aloud: bool) -> Report {
    let runtime = match simulated_time() {
        Ok(runtime) => runtime,
        Err(error) => panic!("no runtime: {error}"),
    };
    runtime.block_on(async {
        let began = Instant::now();
        let world = Arc::new(World::new(plan, wallet(plan), aloud));
        let whole = whole(templates.of(plan.card), &world, plan);
        let broken = whole.await.err();
        if let Some(broken) = &broken {
            world.tell(format_args!("BROKEN: {broken}"));
        }
        Report {
            card: plan.card.name,
            struck: world.struck(),
            rare: world.rare_struck(),
            points: world.points(),
            trace: world.trace(),
            simulated: began.elapsed(),
            broken,
        }
    })
}

pub(crate) fn simulated_time() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
}

pub(crate) fn wallet(plan: &Plan) -> Wallet {
    let (active, sleeping) = (plan.card.active(), plan.card.inactive());
    match plan.act {
        Act::Activation => Wallet::new(sleeping, active),
        Act::Start
        | Act::Balance
        | Act::TopUp
        | Act::ResumeNotLoaded
        | Act::ResumeLoaded
        | Act::LateReport
        | Act::Healing => Wallet::new(active, plan.card.second()),
    }
}

async fn whole(template: &Template, world: &Arc<World>, plan: &Plan) -> Result<(), Broken> {
    world.tell(format_args!("seed {}, card {}", plan.seed, plan.card.name));
    let mut stage = Stage::new(template, world, plan).await?;
    let mut random = Random::new(plan.seed ^ 0xAC75);
    let outcome = acts(&mut stage, plan, &mut random).await;
    stage.close().await;
    outcome
}

async fn acts(stage: &mut Stage<'_>, plan: &Plan, random: &mut Random) -> Result<(), Broken> {
    stage.world.begin(Act::Start);
    settle_start(stage).await?;
    let amount = 100 + u32::try_from(random.below(20)).unwrap_or_default() * 50;
    match plan.act {
        Act::Start => {
            stage.restart_app()?;
            settle_start(stage).await?;
        }
        Act::Balance => act(stage, random, Act::Balance, TransactionKind::Balance, 0).await?,
        Act::TopUp => act(stage, random, Act::TopUp, TransactionKind::Topup, amount).await?,
        Act::ResumeNotLoaded | Act::ResumeLoaded => {
            act_once(stage, Act::TopUp, TransactionKind::Topup, amount).await?;
            act(stage, random, plan.act, TransactionKind::Resume, 0).await?;
        }
        Act::LateReport => {
            act_once(stage, Act::TopUp, TransactionKind::Topup, amount).await?;
            stage.world.kill_app();
            stage.world.network_off(0);
            stage.world.begin(Act::LateReport);
            stage.restart_app()?;
            settle_start(stage).await?;
            sleep(Duration::from_secs(20)).await;
        }
        Act::Activation => {
            let kind = TransactionKind::Activate;
            act(stage, random, Act::Activation, kind, 0).await?;
        }
        Act::Healing => {}
    }
    stage.books().await?;
    stage.heal(plan.act == Act::Activation).await?;
    if random.one_in(4) {
        // What came before must not stand in the way of the next load.
        act_once(stage, Act::Healing, TransactionKind::Topup, 200).await?;
        stage.heal(false).await?;
    }
    Ok(())
}

/// Until the app is ready or has found out that it can't be; after a kill once more.
async fn settle_start(stage: &mut Stage<'_>) -> Result<(), Broken> {
    for _ in 0..3 {
        if !stage.world.app_lives() {
            stage.restart_app()?;
        }
        match stage.person.ready().await {
            Err(Ended::Killed) => {}
            Err(Ended::Hangs(_)) if stage.person.look().phase != Phase::Ready => {}
            Err(ended @ Ended::Hangs(_)) => return Err(format!("start: {ended}")),
            Ok(()) | Err(Ended::Done(_) | Ended::Failed(_) | Ended::Refused(_)) => return Ok(()),
        }
    }
    Ok(())
}

async fn act_once(
    stage: &mut Stage<'_>,
    act: Act,
    kind: TransactionKind,
    amount: u32,
) -> Result<Ended, Broken> {
    stage.world.begin(act);
    let ended = stage.person.transact(kind, amount).await;
    stage.world.tell(format_args!("{kind:?}: {ended}"));
    match ended {
        Ended::Hangs(what) => Err(format!("hangs: {what}")),
        Ended::Done(_) | Ended::Failed(_) | Ended::Refused(_) | Ended::Killed => Ok(ended),
    }
}

/// A transaction, and what a person does when it ends badly: sometimes again, sometimes a re-top-up, sometimes nothing.
async fn act(
    stage: &mut Stage<'_>,
    random: &mut Random,
    act: Act,
    kind: TransactionKind,
    amount: u32,
) -> Result<(), Broken> {
    let mut ended = act_once(stage, act, kind, amount).await?;
    for _ in 0..random.below(3) {
        if let Ended::Done(_) = ended {
            return Ok(());
        }
        stage.books().await?;
        sleep(Duration::from_millis(random.below(60_000))).await;
        if !stage.world.app_lives() {
            stage.restart_app()?;
            settle_start(stage).await?;
        }
        let waits = !stage.person.look().pending.is_empty();
        let next = if waits { TransactionKind::Resume } else { kind };
        drop(stage.person.give(ipc::Command::Leave).await);
        ended = act_once(stage, act, next, amount).await?;
    }
    Ok(())
}

/// Terminals enrol at the templates' banks, once for all runs.
pub(crate) fn templates() -> Result<Templates, TemplateError> {
    Ok(Templates {
        shipped: template(None)?,
        with_pin: template(Some(package_with_pin()?))?,
    })
}

fn template(package: Option<String>) -> Result<Template, TemplateError> {
    let plain = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    let bare = plain.block_on(Template::without_terminal(package))?;
    simulated_time()?.block_on(async {
        let plan = Plan::plain(PLAIN, Act::Start);
        let world = Arc::new(World::new(&plan, wallet(&plan), false));
        let stage = Stage::new(&bare, &world, &plan).await;
        let stage = stage.map_err(TemplateError::Terminal)?;
        let ready = stage.person.ready().await;
        ready.map_err(|ended| TemplateError::Terminal(ended.to_string()))?;
        world.kill_app();
        stage.bank.stop().await;
        let whole = bare.with(&stage.app_dir(), &stage.bank_dir(), stage.vault())?;
        stage.close().await;
        Ok(whole)
    })
}

/// What `act` needs of the main fault to be there at all.
pub(crate) fn preparation(act: Act, card: Kind) -> Option<Cell> {
    let at = |step: &str, nth, who, when| Cell {
        point: Point {
            act: Act::TopUp,
            step: step.to_owned(),
            nth,
        },
        who,
        when,
    };
    match act {
        Act::ResumeNotLoaded => Some(at(card.write, 1, Who::Card, When::Before)),
        Act::ResumeLoaded => Some(at(card.write, 1, Who::Card, When::After)),
        Act::LateReport => Some(at(card.write, 1, Who::Network, When::After)),
        Act::Start | Act::Balance | Act::TopUp | Act::Activation | Act::Healing => None,
    }
}
