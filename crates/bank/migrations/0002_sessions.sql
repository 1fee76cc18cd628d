-- What a card of a scheme other than the purse said when an attempt began (scheme/cash.rs), as JSON.
ALTER TABLE attempt ADD COLUMN session TEXT;
