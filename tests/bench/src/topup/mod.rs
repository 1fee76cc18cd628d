//! A whole top-up through the reader: the app's session, and in turn with it the same commands by the bare PC/SC
//! library and the same requests by a bare client. Both load the same card, at the same bank, each time anew.

mod app;
mod hand;

use std::time::Duration;

use crate::desk::Desk;
use crate::figures::{Figure, Limit, Report, Row, Spread};
use crate::stage::Stage;
use crate::{Effort, Failure, Plan};

/// The figure: the app takes no more than this of what is done by hand.
const MOST: f64 = 1.10;
/// Fen; a hundred times that stays far below what the card holds.
const AMOUNT: u32 = 100;
/// What an ended transaction still does must not fall into the next one's time.
const PAUSE: Duration = Duration::from_millis(60);

/// One top-up, by its parts. Waiting for the SMS is nobody's.
#[derive(Clone, Copy)]
pub(super) struct Parts {
    /// Until the card's balance is known.
    entering: Duration,
    /// A code is asked for, and another one is checked.
    codes: Duration,
    /// From the password's last digit to the receipt.
    load: Duration,
    /// By hand, beside all of it: writes as durable as those of the app's journal in a load, and as many.
    journal: Duration,
}

impl Parts {
    fn whole(self) -> Duration {
        self.entering + self.codes + self.load
    }
}

/// What the card was told, by the app: while the person looks, and in the load.
pub(super) struct Commands {
    entering: Vec<Vec<u8>>,
    load: Vec<Vec<u8>>,
}

pub(crate) fn measure(plan: Plan) -> Result<Report, Failure> {
    let (warm_up, repetitions) = match plan.effort {
        Effort::Whole => (10, 200),
        Effort::Quick => (3, 20),
    };
    let runtime = tokio::runtime::Runtime::new()?;
    let measured = runtime.block_on(in_turn(warm_up, repetitions));
    runtime.shutdown_background();
    let (apps, hands) = measured?;
    Ok(report(&apps, &hands))
}

async fn in_turn(warm_up: usize, repetitions: usize) -> Result<(Vec<Parts>, Vec<Parts>), Failure> {
    let mut stage = Stage::start(None, 2).await;
    let (customer, other) = (stage.take(), stage.take());
    let desk = Desk::set(customer.serial).await?;
    let mut app = app::App::start(&stage, &customer, &desk).await?;
    // A terminal of its own, for the customer of the card.
    let mut hand = hand::Hand::new(other.terminal, &customer)?;
    let (mut apps, mut hands) = (Vec::new(), Vec::new());
    for number in 0..warm_up + repetitions {
        let (by_app, commands) = app.top_up(&desk).await?;
        tokio::time::sleep(PAUSE).await;
        let by_hand = hand.top_up(&desk, &commands).await?;
        tokio::time::sleep(PAUSE).await;
        if number >= warm_up {
            apps.push(by_app);
            hands.push(by_hand);
        }
    }
    drop(app);
    let report = stage.check().await?;
    stage.stop().await;
    match report.findings.first() {
        None => Ok((apps, hands)),
        Some(finding) => Err(format!("the books are broken: {finding:?}").into()),
    }
}

fn report(apps: &[Parts], hands: &[Parts]) -> Report {
    type Part = fn(&Parts) -> Duration;
    let parts: [(&str, Part, Option<f64>); 4] = [
        ("entering", |it| it.entering, None),
        ("codes", |it| it.codes, None),
        ("load", |it| it.load, Some(MOST)),
        ("whole top-up", |it| it.whole(), Some(MOST)),
    ];
    let mut report = Report {
        title: "top-up through the reader",
        counted: "top-ups",
        columns: vec!["app", "by hand"],
        repetitions: apps.len(),
        ..Report::default()
    };
    for (name, part, most) in parts {
        let of = |all: &[Parts]| Spread::of(&all.iter().map(part).collect::<Vec<_>>(), 1);
        let (app, hand) = (of(apps), of(hands));
        let medians = (app.median_us, hand.median_us);
        let ratio = Figure::ratio(format!("{name}, app of by hand"), medians);
        report
            .limits
            .extend(most.map(|most| Limit::at_most(&ratio, most)));
        report.figures.push(ratio);
        report.rows.push(Row {
            name: name.to_owned(),
            count: apps.len(),
            spreads: vec![app, hand],
        });
    }
    let medians = |part: Part| {
        let of = |all: &[Parts]| Spread::of(&all.iter().map(part).collect::<Vec<_>>(), 1).median_us;
        (of(apps), of(hands))
    };
    let (app, hand) = medians(|it| it.load);
    let (_, journal) = medians(|it| it.journal);
    report.figures.extend([
        Figure::new("the journal's writes in a load", journal / 1e3, "ms"),
        Figure::ratio("load without them, app of by hand", (app - journal, hand)),
    ]);
    report
}
