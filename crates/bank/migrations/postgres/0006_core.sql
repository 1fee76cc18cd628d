-- What a core banking host was asked for: one row for each load whose money is there.
-- asked: 0200 on its way, nothing issued. booked: approved, in the commit of the debit. declined: it said no.
-- reverse: 0420 is owed until a 0430 came. reversed: it came.
CREATE TABLE core (
    bank              BIGINT NOT NULL,
    load              BYTEA NOT NULL,
    state             TEXT NOT NULL CHECK (state IN ('asked', 'booked', 'declined', 'reverse', 'reversed')),
    amount            BIGINT NOT NULL CHECK (amount > 0),
    stan              BIGINT NOT NULL,
    rrn               TEXT NOT NULL CHECK (length(rrn) = 12),
    asked_ms          BIGINT NOT NULL,
    -- Fields 39 and 38 of the answer, as far as there was one.
    response          TEXT,
    approval          TEXT,
    reversal_stan     BIGINT,
    reversals         BIGINT NOT NULL DEFAULT 0,
    reversal_response TEXT,
    since_ms          BIGINT NOT NULL,
    -- Until then it is somebody's: of asked the one who asks, of reverse the one who sends.
    next_ms           BIGINT NOT NULL,
    PRIMARY KEY (bank, load),
    UNIQUE (bank, rrn),
    FOREIGN KEY (bank, load) REFERENCES load (bank, id)
);
CREATE INDEX core_due ON core (bank, next_ms) WHERE state IN ('asked', 'reverse');
ALTER TABLE core SET (fillfactor = 50);

-- The customer's account at the host.
ALTER TABLE customer ADD COLUMN account_sealed BYTEA;

-- One more reason for money to move: back to the host, the opposite of a deposit.
ALTER TABLE transfer DROP CONSTRAINT transfer_kind_check;
ALTER TABLE transfer ADD CONSTRAINT transfer_kind_check
    CHECK (kind IN ('deposit', 'debit', 'credit', 'refund', 'write-off', 'withdrawal'));
