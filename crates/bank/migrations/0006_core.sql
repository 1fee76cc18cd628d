-- What a core banking host was asked for: one row for each load whose money is there.
-- asked: 0200 on its way, nothing issued. booked: approved, in the commit of the debit. declined: it said no.
-- reverse: 0420 is owed until a 0430 came. reversed: it came.
CREATE TABLE core (
    load              BLOB PRIMARY KEY NOT NULL REFERENCES load (id),
    state             TEXT NOT NULL CHECK (state IN ('asked', 'booked', 'declined', 'reverse', 'reversed')),
    amount            INTEGER NOT NULL CHECK (amount > 0),
    stan              INTEGER NOT NULL,
    rrn               TEXT NOT NULL UNIQUE CHECK (length(rrn) = 12),
    asked_ms          INTEGER NOT NULL,
    -- Fields 39 and 38 of the answer, as far as there was one.
    response          TEXT,
    approval          TEXT,
    reversal_stan     INTEGER,
    reversals         INTEGER NOT NULL DEFAULT 0,
    reversal_response TEXT,
    since_ms          INTEGER NOT NULL,
    -- Until then it is somebody's: of asked the one who asks, of reverse the one who sends.
    next_ms           INTEGER NOT NULL,
    bank              INTEGER NOT NULL DEFAULT 1
) STRICT;
CREATE INDEX core_due ON core (next_ms) WHERE state IN ('asked', 'reverse');

-- The customer's account at the host.
ALTER TABLE customer ADD COLUMN account_sealed BLOB;

-- One more reason for money to move: back to the host, the opposite of a deposit. A rule of a table's content alone is
-- changed in the schema's own text (sqlite.org/lang_altertable.html, section 7); no row changes.
PRAGMA writable_schema = ON;
UPDATE sqlite_schema SET sql = replace(sql, '''refund'', ''write-off''', '''refund'', ''write-off'', ''withdrawal''')
    WHERE type = 'table' AND name = 'transfer';
PRAGMA writable_schema = RESET;
