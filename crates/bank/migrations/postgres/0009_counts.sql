-- Old counts are found by their age: a round every second must not read all of them.
CREATE INDEX counted_age ON counted (bank, at_ms);
