-- The same statements serve both engines: every key begins with the bank, and the audit log has a chain. A file is
-- one bank's and has one writer, so both are always the same here, and the keys stay as they are.
ALTER TABLE account ADD COLUMN bank INTEGER NOT NULL DEFAULT 1;
ALTER TABLE customer ADD COLUMN bank INTEGER NOT NULL DEFAULT 1;
ALTER TABLE card ADD COLUMN bank INTEGER NOT NULL DEFAULT 1;
ALTER TABLE load ADD COLUMN bank INTEGER NOT NULL DEFAULT 1;
ALTER TABLE attempt ADD COLUMN bank INTEGER NOT NULL DEFAULT 1;
ALTER TABLE transition ADD COLUMN bank INTEGER NOT NULL DEFAULT 1;
ALTER TABLE transfer ADD COLUMN bank INTEGER NOT NULL DEFAULT 1;
ALTER TABLE entry ADD COLUMN bank INTEGER NOT NULL DEFAULT 1;
ALTER TABLE void ADD COLUMN bank INTEGER NOT NULL DEFAULT 1;
ALTER TABLE exchange ADD COLUMN bank INTEGER NOT NULL DEFAULT 1;
ALTER TABLE reply ADD COLUMN bank INTEGER NOT NULL DEFAULT 1;
ALTER TABLE terminal ADD COLUMN bank INTEGER NOT NULL DEFAULT 1;
ALTER TABLE working_key ADD COLUMN bank INTEGER NOT NULL DEFAULT 1;
ALTER TABLE answered ADD COLUMN bank INTEGER NOT NULL DEFAULT 1;
ALTER TABLE nonce ADD COLUMN bank INTEGER NOT NULL DEFAULT 1;
ALTER TABLE sms_code ADD COLUMN bank INTEGER NOT NULL DEFAULT 1;
ALTER TABLE counted ADD COLUMN bank INTEGER NOT NULL DEFAULT 1;
ALTER TABLE outbox ADD COLUMN bank INTEGER NOT NULL DEFAULT 1;
ALTER TABLE incident ADD COLUMN bank INTEGER NOT NULL DEFAULT 1;
ALTER TABLE operator ADD COLUMN bank INTEGER NOT NULL DEFAULT 1;
ALTER TABLE proposal ADD COLUMN bank INTEGER NOT NULL DEFAULT 1;
ALTER TABLE audit ADD COLUMN bank INTEGER NOT NULL DEFAULT 1;
ALTER TABLE audit ADD COLUMN chain INTEGER NOT NULL DEFAULT 0;

-- What a card's next load asks first, in the card's own row: whoever writes it meets there, and nobody else.
ALTER TABLE card ADD COLUMN open_load BLOB;
ALTER TABLE card ADD COLUMN counter_confirmed INTEGER NOT NULL DEFAULT -1;
UPDATE card SET
    open_load = (SELECT id FROM load WHERE load.card = card.id
                 AND phase IN ('authorised', 'issued', 'in-doubt', 'manual')),
    counter_confirmed = coalesce((SELECT max(confirmed_counter) FROM load WHERE load.card = card.id), -1);

-- The last row of each chain.
CREATE TABLE audit_head (
    bank  INTEGER NOT NULL,
    chain INTEGER NOT NULL,
    last  INTEGER NOT NULL,
    hash  BLOB NOT NULL,
    PRIMARY KEY (bank, chain)
) STRICT;
INSERT INTO audit_head (bank, chain, last, hash) SELECT 1, 0, id, hash FROM audit ORDER BY id DESC LIMIT 1;

-- Told by a keyed hash, so that no process with another store key works on it.
CREATE TABLE owner (
    bank      INTEGER PRIMARY KEY NOT NULL,
    key_check BLOB NOT NULL
) STRICT;
