-- An institution pays once for many cards: a queue with an account of its own (`queue:<id>`), and an item for each card.
CREATE TABLE queue (
    bank         BIGINT NOT NULL,
    id           TEXT NOT NULL CHECK (length(id) = 32),
    terminal     TEXT NOT NULL,
    industry     TEXT NOT NULL,
    -- Who paid.
    account      BIGINT NOT NULL,
    cards        BIGINT NOT NULL CHECK (cards > 0),
    total        BIGINT NOT NULL CHECK (total > 0),
    -- The same request again gets the same answer.
    request_hash BYTEA NOT NULL,
    opened_ms    BIGINT NOT NULL,
    closes_ms    BIGINT NOT NULL,
    closed_ms    BIGINT,
    PRIMARY KEY (bank, id),
    FOREIGN KEY (bank, account) REFERENCES customer (bank, id)
);
CREATE INDEX queue_open ON queue (bank, closes_ms) WHERE closed_ms IS NULL;

-- The transaction ids of an item's loads begin with its stem. `load` is the one that has its money, or had it last.
CREATE TABLE queue_item (
    bank       BIGINT NOT NULL,
    queue      TEXT NOT NULL,
    place      BIGINT NOT NULL,
    stem       BYTEA NOT NULL CHECK (length(stem) = 15),
    card       BIGINT NOT NULL,
    amount     BIGINT NOT NULL CHECK (amount > 0),
    state      TEXT NOT NULL CHECK (state IN ('waiting', 'open', 'loaded', 'returned', 'written-off')),
    load       BYTEA,
    changed_ms BIGINT NOT NULL,
    PRIMARY KEY (bank, queue, place),
    UNIQUE (bank, stem),
    FOREIGN KEY (bank, queue) REFERENCES queue (bank, id),
    FOREIGN KEY (bank, card) REFERENCES card (bank, id),
    FOREIGN KEY (bank, load) REFERENCES load (bank, id)
);

-- Codes that open queues, as keyed hashes. One for a number that is not on file looks the same.
CREATE TABLE queue_code (
    bank       BIGINT NOT NULL,
    queue      TEXT NOT NULL CHECK (length(queue) = 32),
    terminal   TEXT NOT NULL,
    industry   TEXT NOT NULL,
    customer   BIGINT,
    cards      BIGINT NOT NULL,
    total      BIGINT NOT NULL,
    code_hash  BYTEA NOT NULL,
    sent_ms    BIGINT NOT NULL,
    sends      BIGINT NOT NULL,
    tries_left BIGINT NOT NULL CHECK (tries_left >= 0),
    spent_ms   BIGINT,
    PRIMARY KEY (bank, queue)
);

-- The queue that pays for a load.
ALTER TABLE load ADD COLUMN queue TEXT;
CREATE INDEX load_of_queue ON load (bank, queue) WHERE queue IS NOT NULL;

-- What the table's own check says of customers.
ALTER TABLE account ADD CONSTRAINT queue_not_below CHECK (balance >= 0 OR name NOT LIKE 'queue:%');

-- As in the first migration: rows that are written again stay where their indexes find them.
ALTER TABLE queue_item SET (fillfactor = 50);
