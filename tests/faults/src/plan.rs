//! What a seed means: a card, an act, a main fault in its cell, and more faults beside it.

use crate::cards::{KINDS, Kind, named};
use crate::point::{Act, Cell, Point, When, Who};
use crate::random::Random;
use crate::rare::Rare;
use crate::run::{preparation, run};
use crate::template::Templates;

/// One run, fixed by its seed.
#[derive(Clone)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) card: Kind,
    pub(crate) act: Act,
    pub(crate) faults: Vec<(Cell, u64)>,
    pub(crate) rare: Vec<(Point, Rare)>,
    pub(crate) wrong: Wrong,
}

/// One card of each kind is torn at each step at each moment. Steps of the same name count as one.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Tear {
    pub(crate) act: Act,
    pub(crate) step: String,
    pub(crate) when: When,
    /// Name of the kind.
    pub(crate) card: &'static str,
}

/// What the person types wrongly at the first time.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Wrong {
    pub(crate) code: bool,
    pub(crate) password: bool,
}

impl Plan {
    /// An act without a fault of its own.
    pub(crate) fn plain(card: Kind, act: Act) -> Self {
        let faults = preparation(act, card).map(|cell| (cell, LONG));
        Self {
            seed: 0,
            card,
            act,
            faults: faults.into_iter().collect(),
            rare: Vec::new(),
            wrong: Wrong::default(),
        }
    }
}

/// The matrix: rows as a run without a fault meets them, by kind of card.
pub(crate) struct Matrix {
    /// Points of each act, in order, with the cards that have them.
    pub(crate) rows: Vec<(Point, Vec<Kind>)>,
    pub(crate) cells: Vec<Cell>,
    /// The cells in the turn in which seeds take them, by place in `cells`.
    turns: Vec<usize>,
    pub(crate) tears: Vec<Tear>,
    /// Seeds go round the tears instead of the cells.
    pub(crate) by_card: bool,
}

/// So many kinds of cards are few.
const RARE: usize = 2;

/// The draw that takes the network away for long enough for any act to end.
const LONG: u64 = 99_999;

impl Matrix {
    /// Runs each act once with each card, without a fault.
    pub(crate) fn find(templates: &Templates, only: Option<Kind>) -> Result<Self, String> {
        let mut rows: Vec<(Point, Vec<Kind>)> = Vec::new();
        let mut late: Vec<Point> = Vec::new();
        for act in Act::ALL {
            for card in KINDS {
                if only.is_some_and(|only| only != card) {
                    continue;
                }
                let report = run(templates, &Plan::plain(card, act), false);
                if let Some(broken) = report.broken {
                    let trace = report.trace.join("\n");
                    return Err(format!("{} without a fault: {broken}\n{trace}", act.name()));
                }
                let points = report.points.into_iter().filter(|point| point.act == act);
                let points: Vec<Point> = points.collect();
                for (place, point) in points.iter().cloned().enumerate() {
                    let known = rows.iter().any(|(known, _)| *known == point);
                    if !known && place * 2 > points.len() {
                        late.push(point.clone());
                    }
                    match rows.iter_mut().find(|(known, _)| *known == point) {
                        Some((_, cards)) if cards.contains(&card) => {}
                        Some((_, cards)) => cards.push(card),
                        None => rows.push((point, vec![card])),
                    }
                }
            }
        }
        let cells: Vec<Cell> = rows.iter().flat_map(|(point, _)| cells(point)).collect();
        // Another fault often ends an act before its second half, and many meet its first half by chance; but few meet
        // what hardly a card has.
        let rare = |point: &Point| {
            let row = rows.iter().find(|(known, _)| known == point);
            row.is_some_and(|(_, cards)| cards.len() <= RARE && only.is_none())
        };
        let turns_of = |(at, cell): (usize, &Cell)| {
            let twice = late.contains(&cell.point) || rare(&cell.point);
            std::iter::repeat_n(at, if twice { 2 } else { 1 })
        };
        let turns = cells.iter().enumerate().flat_map(turns_of).collect();
        let tears = tears(&rows);
        Ok(Self {
            rows,
            cells,
            turns,
            tears,
            by_card: false,
        })
    }

    /// A tear at one of the steps of that name.
    fn torn(&self, tear: &Tear, random: &mut Random) -> Option<(Cell, Kind)> {
        let card = named(tear.card)?;
        let fits = |(point, cards): &&(Point, Vec<Kind>)| {
            point.act == tear.act && point.step == tear.step && cards.contains(&card)
        };
        let points: Vec<&Point> = (self.rows.iter().filter(fits).map(|(point, _)| point)).collect();
        let cell = Cell {
            point: random.pick(&points)?.clone(),
            who: Who::Card,
            when: tear.when,
        };
        Some((cell, card))
    }

    /// The run of a seed: its main fault goes round the cells, or round the tears of each kind of card;
    /// everything else is drawn.
    pub(crate) fn plan(&self, seed: u64, only: Option<Kind>) -> Option<Plan> {
        let mut random = Random::new(seed);
        let (main, card) = if self.by_card {
            self.torn(nth(&self.tears, seed)?, &mut random)?
        } else {
            let main = self.cells.get(*nth(&self.turns, seed)?)?.clone();
            let (_, cards) = self.rows.iter().find(|(point, _)| *point == main.point)?;
            (main, only.or_else(|| random.pick(cards))?)
        };
        let act = main.point.act;
        let mut faults: Vec<(Cell, u64)> = Vec::new();
        faults.extend(preparation(act, card).map(|cell| (cell, LONG)));
        faults.push((main, random.next() >> 8));
        let beside: Vec<&Cell> = self
            .cells
            .iter()
            .filter(|cell| cell.point.act == act)
            .collect();
        // A tear of a certain card late in its act is not reached behind other faults: the cells have those.
        let alone = self.by_card && !random.one_in(4);
        let more = if alone { 0 } else { more(&mut random) };
        for _ in 0..more {
            if let Some(cell) = random.pick(&beside) {
                faults.push((cell.clone(), random.next() >> 8));
            }
        }
        let mut rare = Vec::new();
        if !alone && random.one_in(4) {
            let point = random.pick(&beside).map(|cell| cell.point.clone());
            rare.extend(point.map(|point| (point, Rare::draw(&mut random))));
        }
        let wrong = Wrong {
            code: random.one_in(24),
            password: random.one_in(24),
        };
        Some(Plan {
            seed,
            card,
            act,
            faults,
            rare,
            wrong,
        })
    }
}

/// Round and round.
fn nth<T>(of: &[T], at: u64) -> Option<&T> {
    let at = at.checked_rem(u64::try_from(of.len()).ok()?)?;
    of.get(usize::try_from(at).ok()?)
}

/// Half of all runs have one fault, the others up to three more.
fn more(random: &mut Random) -> u64 {
    if random.one_in(2) {
        0
    } else {
        1 + random.below(3)
    }
}

fn tears(rows: &[(Point, Vec<Kind>)]) -> Vec<Tear> {
    let mut tears = Vec::new();
    for (point, cards) in rows.iter().filter(|(point, _)| point.is_torn()) {
        for card in cards {
            tears.extend(When::ALL.map(|when| Tear {
                act: point.act,
                step: point.step.clone(),
                when,
                card: card.name,
            }));
        }
    }
    tears.sort();
    tears.dedup();
    tears
}

/// What can happen at a point. The journal is written in one go: no card, no network and no bank comes in between.
fn cells(point: &Point) -> Vec<Cell> {
    let mut cells = Vec::new();
    for who in Who::ALL {
        if point.step == "journal" && who != Who::App {
            continue;
        }
        for when in When::ALL {
            let point = point.clone();
            cells.push(Cell { point, who, when });
        }
    }
    cells
}
