-- Up Migration

-- A void is recorded as a call of its own: from then on no payment leaves under its reference, for ever. Rows
-- that are there fit what is now wider, so nothing has to be read.
ALTER TABLE bank_call
  DROP CONSTRAINT bank_call_operation_check,
  ADD CONSTRAINT bank_call_operation_check
    CHECK (operation IN ('verify', 'send', 'collect', 'inquire', 'void')) NOT VALID;

-- Each set of payments asks for voids of its references. Voids are few: this index stays small, and no row is read
-- for the references that have none.
CREATE INDEX bank_call_void ON bank_call (reference) WHERE operation = 'void';

-- Down Migration

DROP INDEX bank_call_void;
DELETE FROM bank_call WHERE operation = 'void';
ALTER TABLE bank_call
  DROP CONSTRAINT bank_call_operation_check,
  ADD CONSTRAINT bank_call_operation_check CHECK (operation IN ('verify', 'send', 'collect', 'inquire'));
