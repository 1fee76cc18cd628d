//! The transitions of a load.

use crate::{
    Account, Attempt, Contradiction, Decision, Doubt, Effect, Event, Evidence, FreshInit, Incident,
    Kind, Load, MAX_ATTEMPTS, Mac1, Operators, Phase, Proof, Refusal, Resolution, State, Suspense,
    Tac, Transfer, Verdict, WrongCard, decide_resume, state::Decline,
};

type Stepped = Result<(Load, Vec<Effect>), Refusal>;

impl Load {
    /// The load after `event`, and what must be stored with it in one commit.
    ///
    /// # Errors
    /// [`Refusal`]; the stored load then stays as it is.
    pub fn step(self, event: Event, now_ms: u64) -> Stepped {
        let phase = self.state.phase();
        if phase.is_final() {
            return self.absorb(&event);
        }
        match event {
            Event::Repeat => Ok(self.repeat()),
            Event::Decline(why) => self.decline(why, now_ms),
            Event::Authorise(mac1) => self.authorise(mac1, now_ms),
            Event::AuthoriseActivation => self.authorise_activation(now_ms),
            Event::Issue { available } => self.issue(available, now_ms),
            Event::TimeOut | Event::Cancel => self.void(now_ms),
            Event::Tac(tac) => self.tac(tac, now_ms),
            Event::FlagRead { active } => self.flag(active, now_ms),
            Event::Doubt(why) => self.doubt(why, now_ms),
            Event::Resume {
                evidence,
                not_loaded,
            } => self.resume(&evidence, not_loaded, now_ms),
            Event::Suspend(why) => self.suspend(why, now_ms),
            Event::Resolve {
                resolution,
                operators,
            } => self.resolve(resolution, operators, now_ms),
        }
    }

    fn absorb(self, event: &Event) -> Stepped {
        let phase = self.state.phase();
        let proves_load = match event {
            Event::Repeat => return Ok((self, vec![Effect::AnswerStored])),
            Event::Tac(_) => true,
            Event::Resume { evidence, .. } => evidence.same_card && evidence.tac.is_some(),
            Event::Decline(_)
            | Event::Authorise(_)
            | Event::AuthoriseActivation
            | Event::Issue { .. }
            | Event::TimeOut
            | Event::Cancel
            | Event::FlagRead { .. }
            | Event::Doubt(_)
            | Event::Suspend(_)
            | Event::Resolve { .. } => false,
        };
        if !proves_load {
            return Err(Refusal::Final(phase));
        }
        let effect = if phase == Phase::Confirmed {
            Effect::AnswerStored
        } else {
            Effect::Incident(Incident::LateTac)
        };
        Ok((self, vec![effect]))
    }

    fn repeat(self) -> (Self, Vec<Effect>) {
        // Before the MAC2 there is no reply yet: the first request is still being worked on.
        let effects = if self.attempts.is_empty() {
            Vec::new()
        } else {
            vec![Effect::AnswerStored]
        };
        (self, effects)
    }

    fn decline(self, why: Decline, now_ms: u64) -> Stepped {
        let phase = self.state.phase();
        let short = phase == Phase::Authorised && why == Decline::FundsShort;
        if phase != Phase::Requested && !short {
            return Err(self.out_of_place());
        }
        Ok(self.moved(State::Declined { why }, Vec::new(), now_ms))
    }

    fn authorise(self, mac1: Mac1, now_ms: u64) -> Stepped {
        if self.state.phase() != Phase::Requested || self.order.kind != Kind::TopUp {
            return Err(self.out_of_place());
        }
        let state = State::Authorised {
            counter: mac1.counter(),
            balance: mac1.balance(),
        };
        Ok(self.moved(state, Vec::new(), now_ms))
    }

    fn authorise_activation(self, now_ms: u64) -> Stepped {
        if self.state.phase() != Phase::Requested || self.order.kind != Kind::Activation {
            return Err(self.out_of_place());
        }
        Ok(self.moved(
            State::Authorised {
                counter: 0,
                balance: 0,
            },
            Vec::new(),
            now_ms,
        ))
    }

    fn issue(self, available: i64, now_ms: u64) -> Stepped {
        let State::Authorised { counter, balance } = self.state else {
            return Err(self.out_of_place());
        };
        if available < i64::from(self.order.amount) {
            let state = State::Declined {
                why: Decline::FundsShort,
            };
            return Ok(self.moved(state, Vec::new(), now_ms));
        }
        let debit = self.transfer(Account::Customer(self.order.account), self.in_transit());
        self.attempt(counter, balance, debit, now_ms)
    }

    fn attempt(mut self, counter: u16, balance: u32, debit: Vec<Effect>, now_ms: u64) -> Stepped {
        let last = self.attempts.last().map_or(0, |attempt| attempt.number);
        let number = last.checked_add(1).ok_or(Refusal::Overflow)?;
        self.attempts.push(Attempt {
            number,
            counter,
            balance,
            issued_ms: now_ms,
        });
        let mut effects = debit;
        effects.push(Effect::IssueMac2 { attempt: number });
        Ok(self.moved(State::Issued { attempt: number }, effects, now_ms))
    }

    fn void(self, now_ms: u64) -> Stepped {
        if self.state.phase() != Phase::Authorised {
            return Err(self.out_of_place());
        }
        Ok(self.moved(State::Voided, Vec::new(), now_ms))
    }

    fn tac(self, tac: Tac, now_ms: u64) -> Stepped {
        if self.order.kind != Kind::TopUp {
            return Err(self.out_of_place());
        }
        let attempt = match self.state {
            State::Issued { attempt } | State::InDoubt { attempt, .. } => attempt,
            State::Manual { .. } => {
                return Ok((self, vec![Effect::Incident(Incident::TacForOperators)]));
            }
            State::Requested
            | State::Authorised { .. }
            | State::Confirmed { .. }
            | State::Reversed { .. }
            | State::Declined { .. }
            | State::Voided
            | State::WrittenOff { .. } => return Err(self.out_of_place()),
        };
        if self
            .last_attempt()
            .is_some_and(|newest| tac.settles(newest))
        {
            let attempt = tac.attempt();
            let by = Proof::Tac { attempt };
            return Ok(self.confirm(by, now_ms));
        }
        let incident = Effect::Incident(Incident::DeadAttemptTac);
        if self.state.phase() == Phase::InDoubt {
            let state = State::Manual {
                why: Suspense::DeadAttempt,
            };
            return Ok(self.moved(state, vec![incident], now_ms));
        }
        let state = State::InDoubt {
            attempt,
            why: Doubt::BadTac,
        };
        Ok(self.moved(state, vec![incident], now_ms))
    }

    fn flag(self, active: bool, now_ms: u64) -> Stepped {
        let phase = self.state.phase();
        let waits = matches!(phase, Phase::Issued | Phase::InDoubt);
        if self.order.kind != Kind::Activation || !waits {
            return Err(self.out_of_place());
        }
        if active {
            return Ok(self.confirm(Proof::EnableFlag, now_ms));
        }
        if phase == Phase::InDoubt {
            return Ok(self.moved(State::Reversed { by: Proof::NoMoney }, Vec::new(), now_ms));
        }
        self.doubt(Doubt::CardRefused, now_ms)
    }

    fn doubt(self, why: Doubt, now_ms: u64) -> Stepped {
        match self.state {
            State::Issued { attempt } => {
                let incident = Effect::Incident(Incident::BadTac);
                let effects = if why == Doubt::BadTac {
                    vec![incident]
                } else {
                    Vec::new()
                };
                Ok(self.moved(State::InDoubt { attempt, why }, effects, now_ms))
            }
            State::InDoubt { .. } if why == Doubt::BadTac => {
                Ok((self, vec![Effect::Incident(Incident::BadTac)]))
            }
            State::InDoubt { .. } => Ok((self, Vec::new())),
            State::Requested
            | State::Authorised { .. }
            | State::Manual { .. }
            | State::Confirmed { .. }
            | State::Reversed { .. }
            | State::Declined { .. }
            | State::Voided
            | State::WrittenOff { .. } => Err(self.out_of_place()),
        }
    }

    fn resume(self, evidence: &Evidence, not_loaded: Verdict, now_ms: u64) -> Stepped {
        let in_doubt = self.state.phase() == Phase::InDoubt && self.order.kind == Kind::TopUp;
        let Some(attempt) = self.attempts.last().copied().filter(|_| in_doubt) else {
            return Err(self.out_of_place());
        };
        match decide_resume(&attempt, self.order.amount, evidence) {
            Decision::Undecided => Err(Refusal::Undecided),
            Decision::LoadedByTac => {
                let attempt = evidence.tac.map_or(attempt.number, |tac| tac.attempt());
                Ok(self.confirm(Proof::Tac { attempt }, now_ms))
            }
            Decision::LoadedByCounter => {
                let counter = attempt.counter.checked_add(1).ok_or(Refusal::Overflow)?;
                Ok(self.confirm(Proof::Counter { counter }, now_ms))
            }
            Decision::NotLoaded => self.not_loaded(evidence.init, not_loaded, now_ms),
            Decision::WrongCard(WrongCard::OtherSerial) => {
                Ok((self, vec![Effect::Incident(Incident::OtherCard)]))
            }
            Decision::WrongCard(WrongCard::CounterBelow) => {
                Ok(self.suspect(Suspense::CounterBelow, Incident::CounterBelow, now_ms))
            }
            Decision::Contradiction(Contradiction::CounterAbove) => {
                Ok(self.suspect(Suspense::CounterAbove, Incident::CounterAbove, now_ms))
            }
            Decision::Contradiction(Contradiction::Balance | Contradiction::OtherLoad) => {
                Ok(self.suspect(Suspense::Contradiction, Incident::Contradiction, now_ms))
            }
            Decision::Contradiction(Contradiction::DeadAttempt) => {
                Ok(self.suspect(Suspense::DeadAttempt, Incident::DeadAttemptTac, now_ms))
            }
        }
    }

    fn not_loaded(self, init: Option<FreshInit>, verdict: Verdict, now_ms: u64) -> Stepped {
        let Some(FreshInit { mac1, .. }) = init else {
            return Err(Refusal::Undecided);
        };
        match verdict {
            Verdict::Refund => {
                let back = self.transfer(self.in_transit(), Account::Customer(self.order.account));
                let by = Proof::Counter {
                    counter: mac1.counter(),
                };
                Ok(self.moved(State::Reversed { by }, back, now_ms))
            }
            Verdict::LoadAgain => {
                let made = self.attempts.last().map_or(0, |attempt| attempt.number);
                if made >= MAX_ATTEMPTS {
                    let state = State::Manual {
                        why: Suspense::TooManyAttempts,
                    };
                    return Ok(self.moved(state, Vec::new(), now_ms));
                }
                self.attempt(mac1.counter(), mac1.balance(), Vec::new(), now_ms)
            }
        }
    }

    fn suspect(self, why: Suspense, incident: Incident, now_ms: u64) -> (Self, Vec<Effect>) {
        self.moved(
            State::Manual { why },
            vec![Effect::Incident(incident)],
            now_ms,
        )
    }

    fn suspend(self, why: Suspense, now_ms: u64) -> Stepped {
        // An activation has nothing at stake: the card's flag settles it whenever it is read again.
        if self.state.phase() != Phase::InDoubt || self.order.kind != Kind::TopUp {
            return Err(self.out_of_place());
        }
        Ok(self.moved(State::Manual { why }, Vec::new(), now_ms))
    }

    fn resolve(self, resolution: Resolution, by: Operators, now_ms: u64) -> Stepped {
        if self.state.phase() != Phase::Manual {
            return Err(self.out_of_place());
        }
        let account = Account::Customer(self.order.account);
        let (to, state) = match resolution {
            Resolution::Loaded => (
                Account::CardFloat(self.shard()),
                State::Confirmed {
                    by: Proof::Operators(by),
                },
            ),
            Resolution::Refund => (
                account,
                State::Reversed {
                    by: Proof::Operators(by),
                },
            ),
            Resolution::WriteOff => (Account::WrittenOff(self.shard()), State::WrittenOff { by }),
        };
        let money = self.transfer(self.in_transit(), to);
        Ok(self.moved(state, money, now_ms))
    }

    fn confirm(self, by: Proof, now_ms: u64) -> (Self, Vec<Effect>) {
        let money = self.transfer(self.in_transit(), Account::CardFloat(self.shard()));
        self.moved(State::Confirmed { by }, money, now_ms)
    }

    fn in_transit(&self) -> Account {
        Account::InTransit(self.shard())
    }

    fn transfer(&self, from: Account, to: Account) -> Vec<Effect> {
        match self.order.kind {
            Kind::TopUp => {
                vec![Effect::Transfer(Transfer {
                    from,
                    to,
                    amount: self.order.amount,
                })]
            }
            Kind::Activation => Vec::new(),
        }
    }

    fn moved(mut self, state: State, effects: Vec<Effect>, now_ms: u64) -> (Self, Vec<Effect>) {
        let mut effects = effects;
        effects.push(Effect::Moved {
            from: self.state.phase(),
            to: state.phase(),
        });
        self.state = state;
        self.changed_ms = self.changed_ms.max(now_ms);
        (self, effects)
    }

    fn out_of_place(&self) -> Refusal {
        Refusal::OutOfPlace(self.state.phase())
    }
}
