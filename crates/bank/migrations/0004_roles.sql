-- What an operator may do: look, or take part in decisions as well.
ALTER TABLE operator ADD COLUMN role TEXT NOT NULL DEFAULT 'operator' CHECK (role IN ('viewer', 'operator'));
