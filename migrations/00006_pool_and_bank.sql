-- Pools of sub-accounts and their banks: numbers that are being opened at a bank, what a bank said last of its numbers,
-- and how a pool stands for the day.

-- +goose Up

-- A number that a bank is asked to open. The key it is asked with is made of the row's, so that asking again after an
-- unknown outcome opens no second number.
CREATE TABLE number_openings (
    id             $ID         NOT NULL PRIMARY KEY,
    bank           VARCHAR(32) NOT NULL,
    parent_account VARCHAR(40) NOT NULL,
    sub_account    VARCHAR(40) NOT NULL, -- '' until the bank has answered
    wanted_at      $TIME       NOT NULL,
    state          VARCHAR(16) NOT NULL, -- WANTED, OPENED, REFUSED, CLASHED
    version        BIGINT      NOT NULL
) $TABLE;
CREATE INDEX number_openings_by_state ON number_openings (state, bank, parent_account, wanted_at);

CREATE TABLE pool_states (
    bank           VARCHAR(32) NOT NULL,
    parent_account VARCHAR(40) NOT NULL,
    asked_at       $TIME       NOT NULL, -- when the bank last told how many numbers there are
    bank_free      BIGINT      NOT NULL,
    bank_total     BIGINT      NOT NULL,
    forecast_on    VARCHAR(10) NOT NULL, -- the day of the last forecast, or ''
    colour         VARCHAR(8)  NOT NULL, -- GREEN, AMBER, RED
    low            SMALLINT    NOT NULL, -- that day fewer were free than banks.yaml wants
    PRIMARY KEY (bank, parent_account)
) $TABLE;
