-- Of all who write at once none reads where others insert. A reference to `load` is checked by looking it up in the
-- index that every new load goes into: serialisable transactions that share nothing would be in each other's way there.
-- Loads stay, each row that names one is in a commit of that load's, and the reconciler looks for those of none.
ALTER TABLE attempt DROP CONSTRAINT IF EXISTS attempt_bank_load_fkey;
ALTER TABLE transition DROP CONSTRAINT IF EXISTS transition_bank_load_fkey;
ALTER TABLE transfer DROP CONSTRAINT IF EXISTS transfer_bank_load_fkey;
ALTER TABLE exchange DROP CONSTRAINT IF EXISTS exchange_bank_load_fkey;
ALTER TABLE core DROP CONSTRAINT IF EXISTS core_bank_load_fkey;
ALTER TABLE queue_item DROP CONSTRAINT IF EXISTS queue_item_bank_load_fkey;

-- As in the first migration: rows that are written again stay where their indexes find them.
ALTER TABLE sms_code SET (fillfactor = 50);
