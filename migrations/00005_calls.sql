-- What became of our calls to banks, as evidence of whether a bank could be asked. No payer stands here. A call is kept
-- for half a year, and the newest one of each kind and outcome for ever.

-- +goose Up

CREATE TABLE calls (
    id       $ID          NOT NULL PRIMARY KEY,
    bank     VARCHAR(32)  NOT NULL,
    code     VARCHAR(16)  NOT NULL, -- what the dialect calls the message: G00003
    subject  VARCHAR(64)  NOT NULL, -- the sub-account, the key or the parent account that it was about
    began_at $TIME        NOT NULL,
    took_ms  BIGINT       NOT NULL,
    outcome  VARCHAR(16)  NOT NULL, -- DONE, UNSENT, UNKNOWN, REFUSED
    result   VARCHAR(40)  NOT NULL, -- the bank's result code, or the error's
    detail   VARCHAR(200) NOT NULL,
    UNIQUE (bank, code, began_at, subject)
) $TABLE;
CREATE INDEX calls_by_outcome ON calls (bank, code, outcome, began_at);
