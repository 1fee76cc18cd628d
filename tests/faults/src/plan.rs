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
    paths: Vec<Path>,
    pub(crate) tears: Vec<Tear>,
    /// Seeds go round the tears instead of the cells.
    pub(crate) by_card: bool,
}

/// What one kind of card meets in one act, in order.
struct Path {
    act: Act,
    card: Kind,
    points: Vec<Point>,
}

/// The draw that takes the network away for long enough for any act to end.
const LONG: u64 = 99_999;

impl Matrix {
    /// Runs each act once with each card, without a fault.
    pub(crate) fn find(templates: &Templates, only: Option<Kind>) -> Result<Self, String> {
        let mut paths = Vec::new();
        for act in Act::ALL {
            for card in KINDS {
                if only.is_none_or(|only| only == card) {
                    paths.push(Path::walk(templates, act, card)?);
                }
            }
        }
        let rows = rows(&paths);
        let cells: Vec<Cell> = rows.iter().flat_map(|(point, _)| cells(point)).collect();
        let tears = tears(&rows);
        Ok(Self {
            rows,
            cells,
            paths,
            tears,
            by_card: false,
        })
    }

    /// From a point on to the end of its act, as that card meets it.
    fn from(&self, point: &Point, card: Kind) -> &[Point] {
        let mut paths = self.paths.iter();
        let path = paths.find(|path| path.act == point.act && path.card == card);
        let points = path.map_or(&[][..], |path| &path.points);
        let at = points.iter().position(|known| known == point);
        at.and_then(|at| points.get(at..)).unwrap_or_default()
    }

    /// A tear at one of the steps of that name.
    fn torn(&self, tear: &Tear, random: &mut Random) -> Option<(Cell, Kind)> {
        let card = named(tear.card)?;
        let fits = |(point, cards): &&(Point, Vec<Kind>)| {
            point.act == tear.act && point.step == tear.step && cards.contains(&card)
        };
        let points: Vec<&Point> = (self.rows.iter().filter(fits).map(|(point, _)| point)).collect();
        let cell = Cell {
            point: (*random.pick(&points)?).clone(),
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
            let main = nth(&self.cells, seed)?.clone();
            let (_, cards) = self.rows.iter().find(|(point, _)| *point == main.point)?;
            (main, only.or_else(|| random.pick(cards).copied())?)
        };
        let act = main.point.act;
        // An earlier fault would often end the act before the main one; a pair of both is met from the earlier one on.
        let beside = self.from(&main.point, card);
        let (point, when) = (main.point.clone(), main.when);
        let comes_later = |cell: &Cell| cell.point != point || cell.when > when;
        let mut faults: Vec<(Cell, u64)> = Vec::new();
        faults.extend(preparation(act, card).map(|cell| (cell, LONG)));
        faults.push((main, random.next() >> 8));
        // A tear of a certain card late in its act is not reached behind other faults: the cells have those.
        let alone = self.by_card && !random.one_in(4);
        let more = if alone { 0 } else { more(&mut random) };
        for _ in 0..more {
            let mut cells = random.pick(beside).map(cells).unwrap_or_default();
            cells.retain(comes_later);
            if let Some(cell) = random.pick(&cells) {
                faults.push((cell.clone(), random.next() >> 8));
            }
        }
        let mut rare = Vec::new();
        if !alone && random.one_in(4) {
            let point = random.pick(beside).cloned();
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

impl Path {
    fn walk(templates: &Templates, act: Act, card: Kind) -> Result<Self, String> {
        let report = run(templates, &Plan::plain(card, act), false);
        if let Some(broken) = report.broken {
            let trace = report.trace.join("\n");
            return Err(format!("{} without a fault: {broken}\n{trace}", act.name()));
        }
        let points = report.points.into_iter().filter(|point| point.act == act);
        Ok(Self {
            act,
            card,
            points: points.collect(),
        })
    }
}

/// Each point once, with every card that has it.
fn rows(paths: &[Path]) -> Vec<(Point, Vec<Kind>)> {
    let mut rows: Vec<(Point, Vec<Kind>)> = Vec::new();
    for path in paths {
        for point in &path.points {
            match rows.iter_mut().find(|(known, _)| known == point) {
                Some((_, cards)) if cards.contains(&path.card) => {}
                Some((_, cards)) => cards.push(path.card),
                None => rows.push((point.clone(), vec![path.card])),
            }
        }
    }
    rows
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
        if ["journal", "file"].contains(&point.step.as_str()) && who != Who::App {
            continue;
        }
        for when in When::ALL {
            let point = point.clone();
            cells.push(Cell { point, who, when });
        }
    }
    cells
}
