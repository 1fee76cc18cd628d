//! Books that somebody broke: each rule finds its own break.

use ledger::{invariant::*, *};

use crate::world::{Op, World};

/// Load 0 confirmed, load 1 (other card) issued, load 2 reversed.
fn books() -> Snapshot {
    let mut world = World::new();
    for op in [
        Op::Request {
            card: 0,
            amount: 500,
        },
        Op::Request {
            card: 1,
            amount: 600,
        },
        Op::Request {
            card: 0,
            amount: 700,
        },
        Op::Authorise(0),
        Op::Issue(0),
        Op::CreditCard(0),
        Op::DeliverTac(0),
        Op::Authorise(1),
        Op::Issue(1),
        Op::Authorise(2),
        Op::Issue(2),
        Op::Doubt { load: 2, why: 0 },
        Op::Resume {
            load: 2,
            again: false,
        },
        Op::Stop { load: 0, what: 2 },
    ] {
        world.run(&op);
    }
    let books = world.snapshot();
    assert_eq!(check(&books), vec![]);
    let phases: Vec<Phase> = books.loads.iter().map(|load| load.phase).collect();
    assert_eq!(phases, [Phase::Confirmed, Phase::Issued, Phase::Reversed]);
    books
}

fn broken(change: impl FnOnce(&mut Snapshot)) -> Vec<Rule> {
    let mut books = books();
    change(&mut books);
    let mut rules: Vec<Rule> = check(&books)
        .into_iter()
        .map(|violation| violation.rule)
        .collect();
    rules.dedup();
    rules
}

/// Where load 0 ended.
fn card_float(books: &Snapshot) -> Account {
    Account::CardFloat(Shard::of_load(books.loads[0].id))
}

/// Where load 1 waits.
fn in_transit(books: &Snapshot) -> Account {
    Account::InTransit(Shard::of_load(books.loads[1].id))
}

fn balance(books: &mut Snapshot, account: Account) -> &mut i64 {
    &mut books
        .balances
        .iter_mut()
        .find(|row| row.account == account)
        .unwrap()
        .balance
}

#[test]
fn i1_finds_a_transfer_that_does_not_sum_to_zero_or_has_no_entries() {
    assert!(broken(|books| books.entries[3].amount += 1).contains(&Rule::I1));
    assert!(broken(|books| books.entries[3].amount -= 1).contains(&Rule::I1));
    let empty = TransferRow {
        id: 99,
        load: None,
        commit: 0,
    };
    assert_eq!(broken(|books| books.transfers.push(empty)), [Rule::I1]);
}

#[test]
fn i1_finds_an_entry_that_was_changed_or_has_gone() {
    let before = books().entries;
    assert_eq!(append_only(&before[..2], &before), Ok(()));
    assert!(append_only(&before, &before[..2]).is_err());
    let mut changed = before.clone();
    changed[0].amount += 1;
    assert_eq!(append_only(&before, &changed).unwrap_err().rule, Rule::I1);
}

#[test]
fn i2_i4_and_i8_find_a_balance_that_was_changed() {
    let rules = broken(|books| {
        let float = card_float(books);
        *balance(books, float) += 1;
    });
    assert_eq!(rules, [Rule::I2, Rule::I4]);
    let rules = broken(|books| {
        let (transit, float) = (in_transit(books), card_float(books));
        *balance(books, transit) += 1;
        *balance(books, float) -= 1;
    });
    assert_eq!(rules, [Rule::I4, Rule::I8]);
    let rules = broken(|books| {
        let float = card_float(books);
        books.balances.retain(|row| row.account != float);
    });
    assert_eq!(rules, [Rule::I2, Rule::I4]);
}

#[test]
fn i3_finds_a_customer_below_zero() {
    let rules = broken(|books| {
        for entry in [
            EntryRow {
                transfer: 77,
                account: Account::Customer(AccountId(1)),
                amount: -90_000,
            },
            EntryRow {
                transfer: 77,
                account: Account::Funding(Shard::of_account(AccountId(1))),
                amount: 90_000,
            },
        ] {
            *balance(books, entry.account) += entry.amount;
            books.entries.push(entry);
        }
    });
    assert_eq!(rules, [Rule::I3]);
}

#[test]
fn i3_takes_a_customer_who_has_spent_the_last_fen() {
    let mut world = World::new();
    let amount = 20_000;
    for op in [
        Op::Request { card: 0, amount },
        Op::Authorise(0),
        Op::Issue(0),
    ] {
        world.run(&op);
    }
    let mut books = world.snapshot();
    assert_eq!(*balance(&mut books, Account::Customer(AccountId(1))), 0);
    assert_eq!(check(&books), vec![]);
}

#[test]
fn what_is_found_names_its_load() {
    let mut books = books();
    books.loads[2].proof = None;
    let found = check(&books);
    let place = "load 02000000000000000000000000000000 (reversed)";
    assert_eq!(
        found[0].place, place,
        "the whole id, and where the load stands"
    );
}

#[test]
fn i5_finds_two_open_loads_of_one_card() {
    let rules = broken(|books| {
        let open = LoadRow {
            id: LoadId([9; 16]),
            phase: Phase::Authorised,
            ..books.loads[1].clone()
        };
        let moves = MoveRow {
            load: open.id,
            from: Phase::Requested,
            to: Phase::Authorised,
        };
        books.loads.push(open);
        books.moves.push(moves);
    });
    assert_eq!(rules, [Rule::I5]);
}

#[test]
fn i6_finds_a_counter_that_was_confirmed_twice() {
    let rules = broken(|books| {
        let copy = |load: LoadId| {
            if load == books.loads[0].id {
                LoadId([9; 16])
            } else {
                load
            }
        };
        let second = LoadRow {
            id: LoadId([9; 16]),
            ..books.loads[0].clone()
        };
        let attempt = AttemptRow {
            load: second.id,
            ..books.attempts[0].clone()
        };
        let moves: Vec<MoveRow> = books
            .moves
            .iter()
            .filter(|row| row.load == books.loads[0].id)
            .map(|row| MoveRow {
                load: copy(row.load),
                ..row.clone()
            })
            .collect();
        books.moves.extend(moves);
        books.loads.push(second);
        books.attempts.push(attempt);
    });
    assert!(rules.contains(&Rule::I6), "{rules:?}");
}

#[test]
fn i7_finds_a_mac2_without_its_debit_and_a_debit_without_its_mac2() {
    assert_eq!(broken(|books| books.attempts[1].commit += 1), [Rule::I7]);
    assert!(broken(|books| books.attempts.truncate(1)).contains(&Rule::I7));
    let rules = broken(|books| {
        books
            .transfers
            .retain(|row| row.load != Some(books.loads[1].id))
    });
    assert!(rules.contains(&Rule::I7), "{rules:?}");
}

#[test]
fn i9_finds_an_attempt_for_another_card_amount_account_or_number() {
    assert_eq!(
        broken(|books| books.attempts[0].card = CardId(9)),
        [Rule::I9]
    );
    assert_eq!(broken(|books| books.attempts[0].amount += 1), [Rule::I9]);
    assert_eq!(
        broken(|books| books.attempts[0].account = AccountId(9)),
        [Rule::I9]
    );
    assert!(broken(|books| books.attempts[0].number = 2).contains(&Rule::I9));
    assert!(broken(|books| books.loads[0].account = AccountId(9)).contains(&Rule::I9));
}

#[test]
fn i10_finds_final_states_without_proof() {
    let counter = |books: &Snapshot, load: usize| {
        let id = books.loads[load].id;
        books
            .attempts
            .iter()
            .find(|row| row.load == id)
            .unwrap()
            .counter
    };
    for proof in [
        None,
        Some(Proof::Tac { attempt: 2 }),
        Some(Proof::Counter {
            counter: counter(&books(), 0),
        }),
        Some(Proof::EnableFlag),
        Some(Proof::NoMoney),
    ] {
        assert_eq!(broken(|books| books.loads[0].proof = proof), [Rule::I10]);
    }
    for proof in [
        None,
        Some(Proof::Tac { attempt: 1 }),
        Some(Proof::Counter {
            counter: counter(&books(), 2) + 1,
        }),
        Some(Proof::EnableFlag),
        Some(Proof::NoMoney),
    ] {
        assert_eq!(broken(|books| books.loads[2].proof = proof), [Rule::I10]);
    }
    let after = Proof::Counter {
        counter: counter(&books(), 0) + 1,
    };
    assert_eq!(broken(|books| books.loads[0].proof = Some(after)), []);
    let people = |first: &str, second: &str, evidence: &str| {
        let stored = serde_json::json!({"proof": "operators", "first": first, "second": second,
            "evidence": evidence});
        let proof: Proof = serde_json::from_value(stored).unwrap();
        broken(|books| books.loads[0].proof = Some(proof))
    };
    assert_eq!(people("chen", "wang", "seen"), []);
    assert_eq!(people("chen", "chen", "seen"), [Rule::I10], "one person");
    assert_eq!(people("chen", "wang", ""), [Rule::I10], "no reason");
}

#[test]
fn i10_takes_the_tac_of_any_attempt_at_the_counter_that_the_card_has_left() {
    let with = |counter: u16, proven: u32| {
        broken(|books| {
            let again = AttemptRow {
                number: 2,
                counter: books.attempts[0].counter + counter,
                ..books.attempts[0].clone()
            };
            books.attempts.push(again);
            books.loads[0].proof = Some(Proof::Tac { attempt: proven });
        })
    };
    assert_eq!(with(0, 1), [], "the first of two at one counter");
    assert_eq!(with(0, 2), []);
    assert_eq!(with(0, 3), [Rule::I10], "there is no third");
    assert_eq!(with(1, 1), [Rule::I10], "ruled out by the counter");
    assert_eq!(with(1, 2), []);
}

#[test]
fn i11_finds_a_move_out_of_a_final_state_and_one_that_is_not_in_the_table() {
    let last = |from, to| {
        move |books: &mut Snapshot| {
            books.moves.push(MoveRow {
                load: books.loads[2].id,
                from,
                to,
            });
        }
    };
    assert_eq!(broken(last(Phase::Reversed, Phase::Confirmed)), [Rule::I11]);
    assert_eq!(broken(last(Phase::InDoubt, Phase::Reversed)), [Rule::I11]);
    assert_eq!(
        broken(|books| books.moves.truncate(books.moves.len() - 1)),
        [Rule::I11]
    );
}

#[test]
fn i12_finds_two_replies_to_one_step_and_money_that_moved_twice_or_elsewhere() {
    let rules = broken(|books| {
        let reply = ReplyRow {
            reply: [1; 32],
            ..books.replies[0].clone()
        };
        books.replies.push(reply);
    });
    assert_eq!(rules, [Rule::I12]);
    let rules = broken(|books| {
        let load = Some(books.loads[1].id);
        for (account, amount) in [
            (Account::Customer(AccountId(1)), -600),
            (in_transit(books), 600),
        ] {
            books.entries.push(EntryRow {
                transfer: 77,
                account,
                amount,
            });
            *balance(books, account) += amount;
        }
        books.transfers.push(TransferRow {
            id: 77,
            load,
            commit: 9,
        });
    });
    assert_eq!(rules, [Rule::I8, Rule::I12]);
    let rules = broken(|books| {
        books.loads[0].phase = Phase::WrittenOff;
        books.moves.retain(|row| row.load != books.loads[0].id);
    });
    assert!(rules.contains(&Rule::I12), "{rules:?}");
}

#[test]
fn i13_finds_a_second_credit_and_a_credit_of_a_load_that_is_over() {
    assert_eq!(
        broken(|books| books.credits.push(books.credits[0].clone())),
        [Rule::I13]
    );
    for (load, card) in [(2, 0), (1, 0)] {
        let rules = broken(|books| {
            let (load, card) = (books.loads[load].id, CardId(card));
            books.credits.push(CreditRow {
                load,
                card,
                counter: 0,
            });
        });
        assert_eq!(rules, [Rule::I13], "reversed, or another card");
    }
    let nobody = CreditRow {
        load: LoadId([9; 16]),
        card: CardId(0),
        counter: 0,
    };
    assert_eq!(broken(|books| books.credits.push(nobody)), [Rule::I13]);
}

#[test]
fn i8_finds_money_that_waits_in_another_loads_shard() {
    let rules = broken(|books| {
        let transit = in_transit(books);
        let other = Account::InTransit(Shard::of_load(books.loads[2].id));
        assert_ne!(transit, other, "the two loads have shards of their own");
        for entry in [
            EntryRow {
                transfer: 77,
                account: transit,
                amount: -600,
            },
            EntryRow {
                transfer: 77,
                account: other,
                amount: 600,
            },
        ] {
            match books
                .balances
                .iter_mut()
                .find(|row| row.account == entry.account)
            {
                Some(row) => row.balance += entry.amount,
                None => books.balances.push(BalanceRow {
                    account: entry.account,
                    balance: entry.amount,
                }),
            }
            books.entries.push(entry);
        }
    });
    assert_eq!(rules, [Rule::I8]);
    let rules = broken(|books| {
        let transit = in_transit(books);
        books.balances.retain(|row| row.account != transit);
    });
    assert_eq!(rules, [Rule::I2, Rule::I4, Rule::I8]);
}

/// The account that paid for load 2, which was reversed, becomes a queue's; `back` says whether its money went there.
fn paid_by_queue(books: &mut Snapshot, back: bool) {
    let (queue, customer) = (
        Account::Queue(QueueId([7; 16])),
        Account::Customer(AccountId(1)),
    );
    let of_load = books
        .transfers
        .iter()
        .filter(|row| row.load == Some(books.loads[2].id));
    let of_load: Vec<i64> = of_load.map(|row| row.id).collect();
    let mut moved = 0;
    for row in books.entries.iter_mut() {
        let wanted = row.amount < 0 || back;
        if of_load.contains(&row.transfer) && row.account == customer && wanted {
            row.account = queue;
            moved += row.amount;
        }
    }
    books.balances.push(BalanceRow {
        account: queue,
        balance: moved,
    });
    *balance(books, customer) -= moved;
}

#[test]
fn a_queue_may_pay_and_what_comes_back_is_its_own_or_the_customers() {
    assert_eq!(broken(|books| paid_by_queue(books, true)), []);
    let rules = broken(|books| paid_by_queue(books, false));
    assert_eq!(rules, [Rule::I3], "no queue pays what it does not have");
}
