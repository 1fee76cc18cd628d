//! A command to the card: by our link, by the bare PC/SC library, and by what programs in other languages use. The
//! same command on the same card, in turn, each in a transaction of its own, from a process that stays.
//!
//! In each round everybody has two turns, the second time in the opposite order. A round's ratio is of both turns of
//! one to both turns of the other. What the fastest peer's two turns differ by is noise: what nobody can be told by.

mod peer;

use std::time::{Duration, Instant};

use card_link::{CardContact, CardReader};
use pcsc::Disposition;

use self::peer::Peer;
use crate::desk::{Desk, transmit};
use crate::figures::{Figure, Limit, Report, Row, Spread};
use crate::stage::DEMO_SERIAL;
use crate::{Effort, Failure, Plan};

/// GET CHALLENGE: answered at once and always, whatever is selected.
pub(super) const COMMAND: [u8; 5] = [0x00, 0x84, 0x00, 0x00, 0x04];

/// One who sends commands.
enum Sender<'d> {
    Link(&'d Desk),
    Bare(&'d Desk),
    Peer(Peer),
}

/// Of one sender, for each round, the times of both turns.
type Rounds = Vec<[Vec<Duration>; 2]>;

pub(crate) fn measure(plan: Plan) -> Result<Report, Failure> {
    let (rounds, commands) = match plan.effort {
        Effort::Whole => (40, 250),
        Effort::Quick => (10, 100),
    };
    let runtime = tokio::runtime::Runtime::new()?;
    let measured = runtime.block_on(async {
        let desk = Desk::set(DEMO_SERIAL).await?;
        let (mut senders, left_out) = senders(&desk)?;
        let rounds = in_turn(&mut senders, rounds, commands).await?;
        Ok::<_, Failure>((rounds, left_out))
    });
    runtime.shutdown_background();
    let (measured, left_out) = measured?;
    report(&measured, left_out, rounds * commands * 2)
}

type Senders<'d> = Vec<(&'static str, Sender<'d>)>;

/// All who can send, and a broken limit for each who can't.
fn senders(desk: &Desk) -> Result<(Senders<'_>, Vec<Limit>), Failure> {
    let mut senders = vec![(LINK, Sender::Link(desk)), ("pcsc", Sender::Bare(desk))];
    let mut left_out = Vec::new();
    for (name, peer) in peer::start(&desk.name) {
        match peer {
            Ok(peer) => senders.push((name, Sender::Peer(peer))),
            Err(why) => left_out.push(Limit::unmeasured(name, why)),
        }
    }
    if senders.len() == 2 {
        let why: Vec<_> = left_out.into_iter().map(|it| it.rule).collect();
        return Err(format!("nobody to compare with: {}", why.join("; ")).into());
    }
    Ok((senders, left_out))
}

/// Ours.
const LINK: &str = "card-link";

async fn in_turn(
    senders: &mut [(&'static str, Sender<'_>)],
    rounds: usize,
    commands: usize,
) -> Result<Vec<(&'static str, Rounds)>, Failure> {
    let mut all: Vec<(&str, Rounds)> = (senders.iter())
        .map(|(name, _)| (*name, Rounds::new()))
        .collect();
    // The first turns of all are for caches and compilers.
    for (_, sender) in &mut *senders {
        sender.send(4 * commands).await?;
    }
    for _ in 0..rounds {
        let mut turns = vec![[Vec::new(), Vec::new()]; senders.len()];
        for at in 0..senders.len() {
            turns[at][0] = senders[at].1.send(commands).await?;
        }
        for at in (0..senders.len()).rev() {
            turns[at][1] = senders[at].1.send(commands).await?;
        }
        for ((_, of_one), turns) in all.iter_mut().zip(turns) {
            of_one.push(turns);
        }
    }
    Ok(all)
}

impl Sender<'_> {
    async fn send(&mut self, commands: usize) -> Result<Vec<Duration>, Failure> {
        match self {
            Self::Link(desk) => by_link(desk.reader.open().await?.as_mut(), commands).await,
            Self::Bare(desk) => by_library(desk, commands),
            Self::Peer(peer) => peer.send(commands),
        }
    }
}

async fn by_link(contact: &mut dyn CardContact, commands: usize) -> Result<Vec<Duration>, Failure> {
    let mut times = Vec::with_capacity(commands);
    for _ in 0..commands {
        let began = Instant::now();
        let reply = contact.transmit(COMMAND.to_vec()).await?;
        times.push(began.elapsed());
        good(&reply)?;
    }
    Ok(times)
}

fn by_library(desk: &Desk, commands: usize) -> Result<Vec<Duration>, Failure> {
    let mut card = desk.bare()?;
    let transaction = card.transaction()?;
    let mut times = Vec::with_capacity(commands);
    for _ in 0..commands {
        let began = Instant::now();
        let reply = transmit(&transaction, &COMMAND)?;
        times.push(began.elapsed());
        good(&reply)?;
    }
    let ended = transaction.end(Disposition::LeaveCard);
    ended.map_err(|(_, error)| error)?;
    let left = card.disconnect(Disposition::LeaveCard);
    Ok(left.map(|()| times).map_err(|(_, error)| error)?)
}

fn good(reply: &[u8]) -> Result<(), Failure> {
    match reply {
        [.., 0x90, 0x00] => Ok(()),
        other => Err(format!("the card said {}", hex::encode(other)).into()),
    }
}

fn report(
    all: &[(&'static str, Rounds)],
    left_out: Vec<Limit>,
    repetitions: usize,
) -> Result<Report, Failure> {
    let row = |(name, rounds): &(&'static str, Rounds)| {
        let times: Vec<Duration> = rounds.iter().flatten().flatten().copied().collect();
        Row {
            name: (*name).to_owned(),
            count: times.len(),
            spreads: vec![Spread::of(&times, 1)],
        }
    };
    let rows: Vec<Row> = all.iter().map(row).collect();
    let [(_, ours), bare, peers @ ..] = all else {
        return Err("nobody was measured".into());
    };
    let ratio = |(name, rounds): &(&'static str, Rounds)| {
        let ratios = ours.iter().zip(rounds).map(|(a, b)| median(a) / median(b));
        Figure::new(format!("{LINK} of {name}"), middle(ratios), "times")
    };
    let ratios: Vec<(Figure, &Rounds)> =
        (peers.iter()).map(|peer| (ratio(peer), &peer.1)).collect();
    let fastest = ratios
        .iter()
        .max_by(|(a, _), (b, _)| a.value.total_cmp(&b.value));
    let (slowest_against, peer) = fastest.ok_or("nobody to compare with")?;
    let differ = |[first, second]: &[Vec<Duration>; 2]| {
        (spread(first).median_us / spread(second).median_us - 1.0).abs()
    };
    let noise = middle(peer.iter().map(differ));
    let mut limits = vec![Limit::at_most(slowest_against, 1.0 + noise)];
    limits.extend(left_out);
    let mut figures = vec![ratio(bare)];
    figures.extend(ratios.into_iter().map(|(figure, _)| figure));
    figures.push(Figure::new(
        "noise of the fastest peer",
        noise,
        "of its time",
    ));
    Ok(Report {
        title: "a command through the reader",
        counted: "commands",
        columns: vec!["time"],
        rows,
        figures,
        repetitions,
        limits,
    })
}

fn spread(times: &[Duration]) -> Spread {
    Spread::of(times, 1)
}

/// Of both turns together, microseconds.
fn median(turns: &[Vec<Duration>; 2]) -> f64 {
    spread(&turns.concat()).median_us
}

fn middle(values: impl Iterator<Item = f64>) -> f64 {
    let mut sorted: Vec<f64> = values.collect();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rounds(us: [u64; 2]) -> Rounds {
        let turn = |us| vec![Duration::from_micros(us); 5];
        vec![us.map(turn); 3]
    }

    fn all(ours: u64, fast: [u64; 2]) -> [(&'static str, Rounds); 4] {
        [
            (LINK, rounds([ours, ours])),
            ("pcsc", rounds([80, 80])),
            ("fast", rounds(fast)),
            ("slow", rounds([200, 200])),
        ]
    }

    #[test]
    fn the_limit_is_the_fastest_peer_and_what_it_differs_from_itself() {
        let with = |ours, fast| report(&all(ours, fast), Vec::new(), 1).unwrap();
        assert!(with(100, [100, 100]).is_within());
        assert!(!with(104, [100, 100]).is_within(), "4 % without any noise");
        assert!(with(104, [100, 110]).is_within(), "a tenth is noise");
        let names: Vec<_> = (with(100, [100, 100]).figures.into_iter())
            .map(|figure| figure.name)
            .collect();
        assert!(names.contains(&"card-link of slow".to_owned()), "{names:?}");
    }

    #[test]
    fn a_peer_that_did_not_start_breaks_the_limit() {
        let left_out = vec![Limit::unmeasured("absent", "no such program")];
        let report = report(&all(50, [100, 100]), left_out, 1).unwrap();
        assert!(!report.is_within());
        assert!(report.table().contains("absent"), "{}", report.table());
    }
}
