//! What must always hold, and what must be reached, each by its name.

use ledger::{Phase, Proof, State as LoadState, Suspense};
use relay::journal::Place;
use stateright::Property;

use crate::journal::{Entry, State};
use crate::load::Book;
use crate::model::World;
use crate::settings::Settings;
use crate::symbols::{Id, Reply};

type Rule = (&'static str, fn(&Settings, &World) -> bool);

const ALWAYS: [Rule; 15] = [
    ("money is conserved end to end (I14)", money_is_conserved),
    ("the books add up (I2, I8)", books_add_up),
    ("no account is overdrawn (I3)", |_, world| {
        world.bank.accounts.customer >= 0
    }),
    ("a card is credited once at most (I13)", credited_once),
    (
        "what is confirmed is on the card, what went back is not (I10)",
        ends_are_true,
    ),
    ("a counter is confirmed once (I6)", counter_confirmed_once),
    ("a MAC2 is there with its debit (I7)", mac2_with_debit),
    (
        "no refund while a MAC2 could still be used",
        no_refund_before_death,
    ),
    ("one open load per card (I5)", one_open_load),
    ("final states absorb (I11)", finals_stay),
    (
        "never \"not charged\" when money left",
        never_not_charged_when_money_left,
    ),
    (
        "never \"on the card\" when it is not",
        never_on_card_when_not,
    ),
    (
        "an honest card that is here needs no people",
        no_people_for_nothing,
    ),
    ("where nothing is left to do all is settled (I19)", settled),
    ("each step that heals leads on (I19)", |_, world| {
        !world.led_back
    }),
];

macro_rules! reached {
    ($name:literal, $phase:ident) => {
        ($name, |_, world| in_phase(world, Phase::$phase))
    };
}

const REACHED: [Rule; 6] = [
    ("a load is issued", |_, world| {
        in_phase(world, Phase::Issued)
    }),
    reached!("a load is in doubt", InDoubt),
    reached!("a load is confirmed", Confirmed),
    ("a load is issued again", |_, world| {
        loads(world).any(|(_, book)| book.0.attempts().len() > 1)
    }),
    ("a load is confirmed by its TAC", |_, world| {
        confirmed_by(world, "tac")
    }),
    ("a proof waits for the bank", |_, world| {
        entries(world).any(|entry| matches!(entry.state, State::ToDeliver(Some(_))))
    }),
];

const REACHED_WITH_A_REFUSAL: Rule = reached!("a load is declined", Declined);
const REACHED_WITH_MORE_CARDS: Rule = ("a card refuses a MAC2", |_, world| {
    entries(world).any(|entry| entry.state == State::ToDeliver(None))
});
const REACHED_WITH_REFUNDS: Rule = reached!("a load is reversed", Reversed);
const REACHED_WITH_TWO_COMMITS: [Rule; 2] = [
    reached!("a load is authorised", Authorised),
    reached!("a load is voided", Voided),
];
const REACHED_WITH_OPERATORS: [Rule; 2] = [
    reached!("a load waits for people", Manual),
    reached!("a load is written off", WrittenOff),
];
const REACHED_BY_DROPPED_PROOF: Rule = ("a load is confirmed by counter", |_, world| {
    confirmed_by(world, "counter")
});

/// What a run with these settings must show.
pub(crate) fn all(settings: &Settings) -> Vec<Property<Settings>> {
    let mut reached = REACHED.to_vec();
    if settings.apps > 1 && settings.top_ups > 1 || settings.funds < settings.top_ups {
        reached.push(REACHED_WITH_A_REFUSAL);
    }
    if settings.cards > 1 {
        reached.push(REACHED_WITH_MORE_CARDS);
    }
    if settings.refunds {
        reached.push(REACHED_WITH_REFUNDS);
    }
    if settings.two_commits {
        reached.extend(REACHED_WITH_TWO_COMMITS);
    }
    if settings.operators {
        reached.extend(REACHED_WITH_OPERATORS);
    }
    if settings.apps > 1 && settings.top_ups > 1 {
        reached.push(REACHED_BY_DROPPED_PROOF);
    }
    let always = ALWAYS.map(|(name, holds)| Property::always(name, holds));
    let reached = reached
        .into_iter()
        .map(|(name, holds)| Property::sometimes(name, holds));
    always.into_iter().chain(reached).collect()
}

fn loads(world: &World) -> impl Iterator<Item = (Id, &Book)> {
    let loads = (0..).zip(&world.bank.loads);
    loads.filter_map(|(id, load)| Some((id, load.as_ref()?)))
}

fn entries(world: &World) -> impl Iterator<Item = &Entry> {
    world.apps.iter().flat_map(|app| &app.journal)
}

fn in_phase(world: &World, phase: Phase) -> bool {
    loads(world).any(|(_, book)| book.phase() == phase)
}

fn confirmed_by(world: &World, name: &str) -> bool {
    loads(world).any(|(_, book)| match book.0.state() {
        LoadState::Confirmed { by } => by.name() == name,
        LoadState::Requested
        | LoadState::Authorised { .. }
        | LoadState::Issued { .. }
        | LoadState::InDoubt { .. }
        | LoadState::Manual { .. }
        | LoadState::Reversed { .. }
        | LoadState::Declined { .. }
        | LoadState::Voided
        | LoadState::WrittenOff { .. } => false,
    })
}

fn money_is_conserved(settings: &Settings, world: &World) -> bool {
    let whole = settings.funds + settings.purchases * settings.cards;
    let on_cards: u8 = world
        .cards
        .iter()
        .map(|card| card.balance + card.spent)
        .sum();
    let kept = |(id, book): &(Id, &Book)| {
        let phase = book.phase();
        (phase.holds_money() || phase == Phase::WrittenOff) && world.credits_of(*id) == 0
    };
    let kept = loads(world).filter(kept).count();
    usize::try_from(world.bank.accounts.customer)
        .is_ok_and(|customer| customer + kept + usize::from(on_cards) == usize::from(whole))
}

fn books_add_up(settings: &Settings, world: &World) -> bool {
    let count = |of: fn(Phase) -> bool| {
        let some = loads(world).filter(|(_, book)| of(book.phase())).count();
        i8::try_from(some).unwrap_or(i8::MAX)
    };
    let accounts = world.bank.accounts;
    let sum = accounts.customer + accounts.in_transit + accounts.float + accounts.written_off;
    i8::try_from(settings.funds) == Ok(sum)
        && accounts.in_transit == count(Phase::holds_money)
        && accounts.float == count(|phase| phase == Phase::Confirmed)
        && accounts.written_off == count(|phase| phase == Phase::WrittenOff)
}

fn credited_once(settings: &Settings, world: &World) -> bool {
    (0..settings.top_ups).all(|load| world.credits_of(load) <= 1)
}

fn ends_are_true(_: &Settings, world: &World) -> bool {
    loads(world).all(|(id, book)| match book.phase() {
        Phase::Confirmed => world.credits_of(id) == 1,
        Phase::Reversed
        | Phase::Declined
        | Phase::Voided
        | Phase::Requested
        | Phase::Authorised => world.credits_of(id) == 0,
        Phase::Issued | Phase::InDoubt | Phase::Manual | Phase::WrittenOff => true,
    })
}

fn counter_confirmed_once(_: &Settings, world: &World) -> bool {
    let confirmed = |(_, book): &(Id, &Book)| book.phase() == Phase::Confirmed;
    let counters: Vec<_> = loads(world)
        .filter(confirmed)
        .filter_map(|(_, book)| Some((book.0.order().card, book.0.last_attempt()?.counter)))
        .collect();
    counters
        .iter()
        .enumerate()
        .all(|(at, counter)| !counters.iter().skip(at + 1).any(|other| other == counter))
}

fn mac2_with_debit(settings: &Settings, world: &World) -> bool {
    let made = |id: Id| {
        let of_load = world.bank.mac2s.iter().filter(|mac2| mac2.at.load == id);
        of_load.count()
    };
    let debited = loads(world)
        .filter(|(_, book)| !book.0.attempts().is_empty() && book.phase() != Phase::Reversed)
        .count();
    let left = i8::try_from(settings.funds).unwrap_or(i8::MAX) - world.bank.accounts.customer;
    i8::try_from(debited) == Ok(left)
        && loads(world).all(|(id, book)| made(id) == book.0.attempts().len())
}

fn no_refund_before_death(_: &Settings, world: &World) -> bool {
    loads(world).all(|(id, book)| book.phase() != Phase::Reversed || !world.is_mac2_alive(id))
}

fn one_open_load(_: &Settings, world: &World) -> bool {
    world.cards.iter().all(|card| {
        let open = |(_, book): &(Id, &Book)| book.phase().is_open() && book.is_of(card.number);
        loads(world).filter(open).count() <= 1
    })
}

fn finals_stay(_: &Settings, world: &World) -> bool {
    let both = world.bank.loads.iter().zip(&world.bank.finals);
    both.into_iter().all(|(load, first)| {
        first.is_none_or(|first| load.as_ref().is_some_and(|load| load.phase() == first))
    })
}

/// The load that an entry of a journal speaks of.
fn load_of<'a>(world: &'a World, entry: &Entry) -> Option<(Id, &'a Book)> {
    let id = world
        .bank
        .load_of(entry.id)
        .or(entry.about)
        .unwrap_or(entry.id);
    Some((id, world.bank.load(id)?))
}

fn never_not_charged_when_money_left(_: &Settings, world: &World) -> bool {
    let kept = entries(world)
        .filter(|entry| entry.is_load() && entry.place() == Place::Account)
        .filter_map(|entry| load_of(world, entry))
        .all(|(_, book)| !took_money(book));
    // A load of which no journal knows is not told at all: that is "not charged" to whoever looks.
    let told = loads(world)
        .filter(|(_, book)| book.phase().holds_money())
        .all(|(id, _)| {
            entries(world)
                .any(|entry| (entry.id == id || entry.about == Some(id)) && entry.is_load())
        });
    kept && told
}

fn took_money(book: &Book) -> bool {
    let phase = book.phase();
    phase.holds_money() || matches!(phase, Phase::Confirmed | Phase::WrittenOff)
}

fn never_on_card_when_not(_: &Settings, world: &World) -> bool {
    entries(world).all(|entry| {
        let Some((id, book)) = load_of(world, entry) else {
            return true;
        };
        match entry.state {
            State::Done | State::ToDeliver(Some(_)) => world.credits_of(id) == 1,
            State::ToDeliver(None) => !took(world, entry),
            State::WrittenOff => book.phase() == Phase::WrittenOff,
            State::Asked | State::Issued | State::Writing | State::InDoubt | State::NotDone => true,
        }
    })
}

/// The card took the MAC2 of this very transaction.
fn took(world: &World, entry: &Entry) -> bool {
    let replies = world.bank.replies.iter();
    let orders = replies.filter_map(|stored| match stored.reply {
        Reply::Credit(mac2) if stored.id == entry.id => Some(mac2.at),
        Reply::Credit(_) | Reply::Prove { .. } | Reply::LoadAgain | Reply::End(_) => None,
    });
    let mut orders = orders;
    orders.any(|at| {
        let mut cards = world.cards.iter();
        cards.any(|card| card.credited.contains(&at))
    })
}

/// Carried between two devices a card can lose its proof and be spent from: there a person may be needed.
fn no_people_for_nothing(settings: &Settings, world: &World) -> bool {
    let carried = settings.apps > 1 && settings.purchases > 0;
    let lost = |book: &Book| match book.0.state() {
        LoadState::Manual { why } => *why == Suspense::LostCard,
        LoadState::Confirmed {
            by: Proof::Operators(_),
        }
        | LoadState::Reversed {
            by: Proof::Operators(_),
        }
        | LoadState::WrittenOff { .. } => settings.operators,
        LoadState::Requested
        | LoadState::Authorised { .. }
        | LoadState::Issued { .. }
        | LoadState::InDoubt { .. }
        | LoadState::Confirmed { .. }
        | LoadState::Reversed { .. }
        | LoadState::Declined { .. }
        | LoadState::Voided => true,
    };
    carried || loads(world).all(|(_, book)| lost(book))
}

/// I19: no dead end. Faults may have come before in any order; from here on nothing is in the way, and nothing is
/// left to do.
fn settled(_: &Settings, world: &World) -> bool {
    let mut duties = Vec::new();
    world.duties(&mut duties);
    if !duties.is_empty() {
        return true;
    }
    let bank = loads(world).all(|(_, book)| {
        !matches!(
            book.phase(),
            Phase::Requested | Phase::Authorised | Phase::Issued | Phase::InDoubt
        )
    });
    let journals = entries(world).all(|entry| {
        let with_people =
            load_of(world, entry).is_some_and(|(_, book)| book.phase() == Phase::Manual);
        with_people || !entry.is_open()
    });
    let runs = world.apps.iter().all(|app| app.run.is_none());
    bank && journals && runs
}
