-- The answers of requests that must not take effect twice, by the key that the caller gave them. Replicas share them. The
-- key itself is not here, and what was answered is encrypted to it: an answer can hold what may not be read in a copy of
-- the database.

-- +goose Up

CREATE TABLE once (
    caller      VARCHAR(120) NOT NULL,
    name        VARCHAR(64)  NOT NULL, -- of the key, its hash
    fingerprint VARCHAR(64)  NOT NULL, -- of all that the request says
    answered    SMALLINT     NOT NULL, -- 0 while it is being answered
    answer      LONGBLOB     NOT NULL,
    begun_at    $TIME        NOT NULL,
    held_until  $TIME        NOT NULL, -- while it is being answered, nobody else begins before
    PRIMARY KEY (caller, name)
) $TABLE;
CREATE INDEX once_by_age ON once (begun_at);
