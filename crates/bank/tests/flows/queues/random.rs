//! Anything in any order: no fen is lost, and none is made.

use bank_client::queue::QueueItemState;
use relay::{Letter, Message, Operation};

use super::{AMOUNT, Class, PUPILS, with_pupils};
use crate::resume::Resume;
use crate::terminal::{outcome, phase};

const STEPS: u32 = 40;

/// The same numbers for the same seed: Numerical Recipes' generator, its upper bits.
struct Draws(u32);

impl Draws {
    fn below(&mut self, most: u32) -> u32 {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (self.0 >> 16) % most
    }
}

/// A class whose cards come, are torn and come back as it happens.
struct Day {
    class: Class,
    proof: [u8; 16],
    /// Attempts so far, by place.
    attempts: [u8; PUPILS.len()],
    draws: Draws,
    /// Fen, of all cards.
    spent: u32,
}

impl Day {
    async fn new(seed: u32) -> Self {
        let class = Class::new().await;
        let proof = class.opened().await.proof;
        Self {
            class,
            proof,
            attempts: [0; PUPILS.len()],
            draws: Draws(seed),
            spent: 0,
        }
    }

    async fn step(&mut self) {
        let place = usize::try_from(self.draws.below(3)).unwrap();
        match self.draws.below(6) {
            0 | 1 => self.load(place).await,
            2 | 3 => self.settle(place, false).await,
            4 => self.settle(place, true).await,
            _ => self.spend(place),
        }
    }

    /// The holder buys something; nobody tells the bank.
    fn spend(&mut self, place: usize) {
        let card = &mut self.class.cards[place];
        let amount = card.balance.min(100);
        if amount > 0 {
            card.spend(amount);
            self.spent += amount;
        }
    }

    /// A new attempt; the card may be torn before or after it was written.
    async fn load(&mut self, place: usize) {
        let attempt = self.attempts[place];
        self.attempts[place] += 1;
        let at = u16::try_from(place).unwrap();
        let message = self.class.load_message(at, attempt, self.proof);
        let answer = self.class.terminal.relay(&message).await;
        if answer.letter == Letter::A {
            let ends = ["load-open", "ok", "queue-closed", "counter-seen"];
            assert!(ends.contains(&outcome(&answer)), "{answer:?}");
            return;
        }
        let fate = self.draws.below(3);
        if fate == 0 {
            return;
        }
        let data = answer.body.field("credit_data").unwrap();
        let tac = self.class.cards[place].credit(data);
        if fate == 1 {
            let step = (self.class.id(at, attempt), 2);
            let terminal = &mut self.class.terminal;
            let message = terminal.credit_message(Operation::TopUp, step, tac);
            assert_eq!(outcome(&terminal.relay(&message).await), "ok");
        }
    }

    /// A re-top-up of whatever the card has open, as far as luck has it.
    async fn settle(&mut self, place: usize, refund: bool) {
        let resume = Resume::wish(refund);
        let (terminal, card) = (&mut self.class.terminal, &mut self.class.cards[place]);
        let mut answer = resume.open(terminal, card).await;
        if goes_on(&answer, "prove") {
            answer = resume.prove(terminal, card, &answer).await;
        }
        if goes_on(&answer, "refund") {
            resume.witness(terminal, card, (&answer, 3)).await;
            return;
        }
        if goes_on(&answer, "load") {
            answer = resume.initialize_any(terminal, card, &answer).await;
        }
        if goes_on(&answer, "credit") && self.draws.below(3) > 0 {
            resume.credit(terminal, card, &answer).await;
        }
    }

    /// What the cards hold, and what was bought with them.
    fn on_cards(&self) -> u64 {
        let held: u32 = self.class.cards.iter().map(|card| card.balance).sum();
        u64::from(held + self.spent)
    }

    /// Every invariant of the bank, and the sum of all.
    async fn checked(&self) {
        let report = self.class.stage.bank.check().await.unwrap();
        assert_eq!(report.findings, []);
        let told = self.class.state().await;
        let of = |states: &[QueueItemState]| {
            let items = told
                .items
                .iter()
                .filter(|item| states.contains(&item.state));
            u64::try_from(items.count()).unwrap() * u64::from(AMOUNT)
        };
        use QueueItemState::{Loaded, Open, Returned, Waiting, WrittenOff};
        assert_eq!(
            (of(&[Loaded]), of(&[Returned])),
            (told.loaded, told.returned)
        );
        assert_eq!(
            of(&[Loaded, Open, Returned, Waiting, WrittenOff]),
            told.total
        );
        let on_cards = self.on_cards();
        assert!(told.loaded <= on_cards && on_cards <= told.loaded + of(&[Open]));
    }
}

fn goes_on(answer: &Message, wanted: &str) -> bool {
    answer.letter == Letter::I && phase(answer) == wanted
}

#[tokio::test]
async fn whatever_happens_to_its_cards_a_queue_keeps_count_of_every_fen() {
    for seed in 1..=4 {
        let mut day = Day::new(seed).await;
        for step in 0..STEPS {
            day.step().await;
            day.checked().await;
            day.class.stage.clock.advance(1_000);
            if step == STEPS / 2 {
                day.class.stage = day.class.stage.restarted_with(with_pupils).await;
                day.class.terminal.reach(&day.class.stage);
            }
            if step == STEPS * 3 / 4 && seed % 2 == 0 {
                day.class.close().await;
            }
        }
        for place in 0..PUPILS.len() {
            for _ in 0..20 {
                if day.class.states().await[place] == QueueItemState::Open {
                    day.settle(place, seed % 3 == 0).await;
                }
            }
        }
        let told = day.class.close().await;
        assert_eq!(told.loaded + told.returned, told.total, "all is somewhere");
        assert_eq!(day.on_cards(), told.loaded, "seed {seed}");
        let lost = i64::try_from(told.loaded).unwrap();
        assert_eq!(day.class.paid().await, (lost, 0));
        day.class.stage.close(lost).await;
    }
}
