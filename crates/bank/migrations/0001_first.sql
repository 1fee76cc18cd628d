-- Money. Amounts in fen, times in milliseconds since 1970-01-01 UTC.

CREATE TABLE account (
    name    TEXT PRIMARY KEY NOT NULL,
    balance INTEGER NOT NULL DEFAULT 0,
    CHECK (balance >= 0 OR name NOT LIKE 'customer:%')
) STRICT;

-- Phone: keyed hash for comparing, sealed for sending. Password: slow keyed hash.
CREATE TABLE customer (
    id              INTEGER PRIMARY KEY,
    phone_hash      BLOB NOT NULL UNIQUE,
    phone_sealed    BLOB NOT NULL,
    password_salt   BLOB NOT NULL,
    password_hash   BLOB NOT NULL,
    password_rounds INTEGER NOT NULL,
    tries_left      INTEGER NOT NULL CHECK (tries_left >= 0),
    locked_ms       INTEGER,
    -- An activation is asked for without any proof of the card: its wrong tries lock activations alone.
    activation_tries_left INTEGER NOT NULL CHECK (activation_tries_left >= 0),
    activation_locked_ms  INTEGER
) STRICT;

-- The card's number is a keyed hash; the tail is its last four digits.
CREATE TABLE card (
    id           INTEGER PRIMARY KEY,
    industry     TEXT NOT NULL,
    number_hash  BLOB NOT NULL UNIQUE,
    tail         TEXT NOT NULL CHECK (length(tail) = 4),
    customer     INTEGER NOT NULL REFERENCES customer (id),
    status       TEXT NOT NULL CHECK (status IN ('normal', 'blocked')),
    counter_seen INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX card_of_customer ON card (customer, industry, tail);

CREATE TABLE load (
    id                BLOB PRIMARY KEY NOT NULL CHECK (length(id) = 16),
    reference         TEXT NOT NULL UNIQUE,
    kind              TEXT NOT NULL CHECK (kind IN ('top-up', 'activation')),
    terminal          TEXT NOT NULL,
    card              INTEGER NOT NULL REFERENCES card (id),
    account           INTEGER NOT NULL REFERENCES customer (id),
    amount            INTEGER NOT NULL CHECK (amount >= 0),
    phase             TEXT NOT NULL,
    proof             TEXT,
    proof_counter     INTEGER,
    operators         INTEGER NOT NULL DEFAULT 0,
    confirmed_counter INTEGER,
    machine           TEXT NOT NULL,
    card_sealed       BLOB NOT NULL,
    requested_ms      INTEGER NOT NULL,
    changed_ms        INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX one_open_load ON load (card)
    WHERE phase IN ('authorised', 'issued', 'in-doubt', 'manual');
CREATE UNIQUE INDEX counter_confirmed_once ON load (card, confirmed_counter)
    WHERE confirmed_counter IS NOT NULL;
CREATE INDEX load_phase ON load (phase, changed_ms);

CREATE TABLE attempt (
    load      BLOB NOT NULL REFERENCES load (id),
    number    INTEGER NOT NULL,
    card      INTEGER NOT NULL,
    account   INTEGER NOT NULL,
    amount    INTEGER NOT NULL,
    counter   INTEGER NOT NULL,
    balance   INTEGER NOT NULL,
    terminal  TEXT NOT NULL,
    host_time BLOB NOT NULL CHECK (length(host_time) = 7),
    issued_ms INTEGER NOT NULL,
    PRIMARY KEY (load, number)
) STRICT;

CREATE TABLE transition (
    id         INTEGER PRIMARY KEY,
    load       BLOB NOT NULL REFERENCES load (id),
    from_phase TEXT NOT NULL,
    to_phase   TEXT NOT NULL,
    at_ms      INTEGER NOT NULL
) STRICT;
CREATE INDEX transition_of_load ON transition (load);

CREATE TABLE transfer (
    id    INTEGER PRIMARY KEY,
    kind  TEXT NOT NULL CHECK (kind IN ('deposit', 'debit', 'credit', 'refund', 'write-off')),
    load  BLOB REFERENCES load (id),
    at_ms INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX money_moves_once ON transfer (load, kind) WHERE load IS NOT NULL;

CREATE TABLE entry (
    id       INTEGER PRIMARY KEY,
    transfer INTEGER NOT NULL REFERENCES transfer (id),
    account  TEXT NOT NULL REFERENCES account (name),
    amount   INTEGER NOT NULL CHECK (amount <> 0)
) STRICT;
CREATE INDEX entry_of_transfer ON entry (transfer);
CREATE INDEX entry_of_account ON entry (account);

CREATE TRIGGER entry_stays BEFORE UPDATE ON entry BEGIN SELECT RAISE(ABORT, 'entries are append-only'); END;
CREATE TRIGGER entry_kept BEFORE DELETE ON entry BEGIN SELECT RAISE(ABORT, 'entries are append-only'); END;
CREATE TRIGGER transfer_stays BEFORE UPDATE ON transfer BEGIN SELECT RAISE(ABORT, 'transfers are append-only'); END;
CREATE TRIGGER transfer_kept BEFORE DELETE ON transfer BEGIN SELECT RAISE(ABORT, 'transfers are append-only'); END;
CREATE TRIGGER transition_stays BEFORE UPDATE ON transition BEGIN SELECT RAISE(ABORT, 'transitions are append-only'); END;
CREATE TRIGGER transition_kept BEFORE DELETE ON transition BEGIN SELECT RAISE(ABORT, 'transitions are append-only'); END;
CREATE TRIGGER attempt_stays BEFORE UPDATE ON attempt BEGIN SELECT RAISE(ABORT, 'attempts are append-only'); END;
CREATE TRIGGER attempt_kept BEFORE DELETE ON attempt BEGIN SELECT RAISE(ABORT, 'attempts are append-only'); END;

-- A top-up that a terminal asked about and that never came: it can never debit any more.
CREATE TABLE void (
    id       BLOB PRIMARY KEY NOT NULL,
    terminal TEXT NOT NULL,
    at_ms    INTEGER NOT NULL
) STRICT;

-- One transaction of the relay: where it stands and what it waits for.
CREATE TABLE exchange (
    id        BLOB PRIMARY KEY NOT NULL,
    terminal  TEXT NOT NULL,
    operation INTEGER NOT NULL,
    industry  TEXT NOT NULL,
    next_step INTEGER NOT NULL,
    awaits    TEXT,
    load      BLOB REFERENCES load (id),
    spent     INTEGER,
    -- The newest attempt of the load when the witness was made, and the number that the card is to sign.
    attempt   INTEGER,
    witness   BLOB CHECK (length(witness) = 6),
    refund    INTEGER NOT NULL DEFAULT 0 CHECK (refund IN (0, 1)),
    at_ms     INTEGER NOT NULL
) STRICT;

-- The answer to each step, sealed under the store key, in the commit of its effect.
CREATE TABLE reply (
    exchange     BLOB NOT NULL,
    step         INTEGER NOT NULL,
    request_hash BLOB NOT NULL,
    sealed       BLOB NOT NULL,
    at_ms        INTEGER NOT NULL,
    PRIMARY KEY (exchange, step)
) STRICT;
CREATE TRIGGER reply_stays BEFORE UPDATE ON reply BEGIN SELECT RAISE(ABORT, 'replies are append-only'); END;

-- Terminals and their keys, wrapped under the store key.
CREATE TABLE terminal (
    id             TEXT PRIMARY KEY NOT NULL,
    master_wrapped BLOB NOT NULL,
    suite          INTEGER NOT NULL,
    lowest_suite   INTEGER NOT NULL,
    state          TEXT NOT NULL CHECK (state IN ('active', 'revoked', 'replaced')),
    previous       TEXT,
    -- The previous terminal whose key proved the succession; it ends with the first request of this one.
    replaces       TEXT,
    device         TEXT NOT NULL,
    nonce_hash     BLOB NOT NULL UNIQUE,
    enrolled_ms    INTEGER NOT NULL
) STRICT;

CREATE TABLE working_key (
    terminal      TEXT NOT NULL REFERENCES terminal (id),
    id            INTEGER NOT NULL,
    suite         INTEGER NOT NULL,
    wrapped       BLOB NOT NULL,
    not_before_ms INTEGER NOT NULL,
    expires_ms    INTEGER NOT NULL,
    highest       INTEGER NOT NULL DEFAULT 0,
    seen          INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (terminal, id)
) STRICT;

-- Sealed answers, as they went out, for counters inside the replay window.
CREATE TABLE answered (
    terminal     TEXT NOT NULL,
    key_id       INTEGER NOT NULL,
    counter      INTEGER NOT NULL,
    request_hash BLOB NOT NULL,
    answer       BLOB NOT NULL,
    PRIMARY KEY (terminal, key_id, counter)
) STRICT;

-- Nonces of authenticated requests, for as long as their time is acceptable.
CREATE TABLE nonce (
    terminal TEXT NOT NULL,
    nonce    BLOB NOT NULL,
    at_ms    INTEGER NOT NULL,
    PRIMARY KEY (terminal, nonce)
) STRICT;
CREATE INDEX nonce_age ON nonce (at_ms);

-- Codes by SMS, as keyed hashes. A code for a number that is not on file looks the same.
CREATE TABLE sms_code (
    stem        BLOB PRIMARY KEY NOT NULL CHECK (length(stem) = 15),
    terminal    TEXT NOT NULL,
    industry    TEXT NOT NULL,
    card_tail   TEXT NOT NULL,
    card        INTEGER,
    ceiling     INTEGER NOT NULL,
    code_hash   BLOB NOT NULL,
    sent_ms     INTEGER NOT NULL,
    sends       INTEGER NOT NULL,
    tries_left  INTEGER NOT NULL CHECK (tries_left >= 0),
    verified_ms INTEGER,
    spent_ms    INTEGER
) STRICT;

-- What is limited by the hour: codes that were asked for, and enrolments. Subjects are keyed hashes.
CREATE TABLE counted (
    id      INTEGER PRIMARY KEY,
    kind    TEXT NOT NULL CHECK (kind IN ('number', 'prefix', 'terminal', 'address', 'enrolment')),
    subject BLOB NOT NULL,
    at_ms   INTEGER NOT NULL
) STRICT;
CREATE INDEX counted_subject ON counted (kind, subject, at_ms);

-- What must reach somebody else, at least once. Payloads with secrets are sealed and wiped when delivered.
CREATE TABLE outbox (
    id           INTEGER PRIMARY KEY,
    kind         TEXT NOT NULL CHECK (kind IN ('sms', 'load-moved')),
    transition   INTEGER UNIQUE REFERENCES transition (id),
    payload      TEXT,
    sealed       BLOB,
    created_ms   INTEGER NOT NULL,
    delivered_ms INTEGER
) STRICT;
CREATE INDEX outbox_waiting ON outbox (id) WHERE delivered_ms IS NULL;

CREATE TABLE incident (
    id     TEXT PRIMARY KEY NOT NULL,
    kind   TEXT NOT NULL,
    place  TEXT NOT NULL,
    load   BLOB,
    at_ms  INTEGER NOT NULL
) STRICT;

-- People of the bank who decide about loads in MANUAL. One who has left stays, for what they have signed.
CREATE TABLE operator (
    id              INTEGER PRIMARY KEY,
    name            TEXT NOT NULL UNIQUE,
    password_salt   BLOB NOT NULL,
    password_hash   BLOB NOT NULL,
    password_rounds INTEGER NOT NULL,
    tries_left      INTEGER NOT NULL CHECK (tries_left >= 0),
    locked_ms       INTEGER,
    removed_ms      INTEGER
) STRICT;

CREATE TABLE proposal (
    id         INTEGER PRIMARY KEY,
    load       BLOB NOT NULL REFERENCES load (id),
    operator   TEXT NOT NULL REFERENCES operator (name),
    resolution TEXT NOT NULL CHECK (resolution IN ('loaded', 'refund', 'write-off')),
    evidence   TEXT NOT NULL,
    at_ms      INTEGER NOT NULL
) STRICT;
CREATE INDEX proposal_of_load ON proposal (load);
CREATE TRIGGER proposal_stays BEFORE UPDATE ON proposal BEGIN SELECT RAISE(ABORT, 'proposals are append-only'); END;
CREATE TRIGGER proposal_kept BEFORE DELETE ON proposal BEGIN SELECT RAISE(ABORT, 'proposals are append-only'); END;

-- hash = HMAC(audit key, previous || id || at_ms || kind || subject || detail).
CREATE TABLE audit (
    id      INTEGER PRIMARY KEY,
    at_ms   INTEGER NOT NULL,
    kind    TEXT NOT NULL,
    subject TEXT NOT NULL,
    detail  TEXT NOT NULL,
    hash    BLOB NOT NULL
) STRICT;
CREATE TRIGGER audit_stays BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER audit_kept BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
