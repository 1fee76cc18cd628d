-- An institution pays once for many cards: a queue with an account of its own (`queue:<id>`), and an item for each card.
CREATE TABLE queue (
    bank         INTEGER NOT NULL DEFAULT 1,
    id           TEXT NOT NULL CHECK (length(id) = 32),
    terminal     TEXT NOT NULL,
    industry     TEXT NOT NULL,
    -- Who paid.
    account      INTEGER NOT NULL REFERENCES customer (id),
    cards        INTEGER NOT NULL CHECK (cards > 0),
    total        INTEGER NOT NULL CHECK (total > 0),
    -- The same request again gets the same answer.
    request_hash BLOB NOT NULL,
    opened_ms    INTEGER NOT NULL,
    closes_ms    INTEGER NOT NULL,
    closed_ms    INTEGER,
    PRIMARY KEY (bank, id)
) STRICT;
CREATE INDEX queue_open ON queue (bank, closes_ms) WHERE closed_ms IS NULL;

-- The transaction ids of an item's loads begin with its stem. `load` is the one that has its money, or had it last.
CREATE TABLE queue_item (
    bank       INTEGER NOT NULL DEFAULT 1,
    queue      TEXT NOT NULL,
    place      INTEGER NOT NULL,
    stem       BLOB NOT NULL CHECK (length(stem) = 15),
    card       INTEGER NOT NULL REFERENCES card (id),
    amount     INTEGER NOT NULL CHECK (amount > 0),
    state      TEXT NOT NULL CHECK (state IN ('waiting', 'open', 'loaded', 'returned', 'written-off')),
    load       BLOB REFERENCES load (id),
    changed_ms INTEGER NOT NULL,
    PRIMARY KEY (bank, queue, place),
    UNIQUE (bank, stem),
    FOREIGN KEY (bank, queue) REFERENCES queue (bank, id)
) STRICT;

-- Codes that open queues, as keyed hashes. One for a number that is not on file looks the same.
CREATE TABLE queue_code (
    bank       INTEGER NOT NULL DEFAULT 1,
    queue      TEXT NOT NULL CHECK (length(queue) = 32),
    terminal   TEXT NOT NULL,
    industry   TEXT NOT NULL,
    customer   INTEGER,
    cards      INTEGER NOT NULL,
    total      INTEGER NOT NULL,
    code_hash  BLOB NOT NULL,
    sent_ms    INTEGER NOT NULL,
    sends      INTEGER NOT NULL,
    tries_left INTEGER NOT NULL CHECK (tries_left >= 0),
    spent_ms   INTEGER,
    PRIMARY KEY (bank, queue)
) STRICT;

-- The queue that pays for a load.
ALTER TABLE load ADD COLUMN queue TEXT;
CREATE INDEX load_of_queue ON load (queue) WHERE queue IS NOT NULL;

-- What the table's own check says of customers.
CREATE TRIGGER queue_not_below BEFORE UPDATE OF balance ON account
WHEN NEW.balance < 0 AND NEW.name LIKE 'queue:%'
BEGIN SELECT RAISE(ABORT, 'a queue is never below 0'); END;
