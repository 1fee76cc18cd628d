-- An SMS on its way. Whoever takes one moves `due_ms` ahead: until then nobody else does.
ALTER TABLE outbox ADD COLUMN due_ms BIGINT NOT NULL DEFAULT 0;
ALTER TABLE outbox ADD COLUMN tries BIGINT NOT NULL DEFAULT 0;
-- How often it was handed over without an answer: it may have been taken each time.
ALTER TABLE outbox ADD COLUMN unanswered BIGINT NOT NULL DEFAULT 0;
-- How it ended; what the receiver calls it; what the receipt said of it later.
ALTER TABLE outbox ADD COLUMN outcome TEXT;
ALTER TABLE outbox ADD COLUMN message TEXT;
ALTER TABLE outbox ADD COLUMN receipt TEXT CHECK (receipt IN ('arrived', 'failed'));
ALTER TABLE outbox ADD COLUMN receipt_ms BIGINT;
CREATE INDEX outbox_sms ON outbox (bank, created_ms) WHERE kind = 'sms';
CREATE INDEX outbox_message ON outbox (bank, message) WHERE message IS NOT NULL;
