-- The answers of requests that must not take effect twice, by the key that the caller gave them. Replicas share them.

-- +goose Up

CREATE TABLE once (
    caller      VARCHAR(120) NOT NULL,
    idem_key    VARCHAR(64)  NOT NULL,
    fingerprint VARCHAR(64)  NOT NULL, -- of method, address, version and body
    status      SMALLINT     NOT NULL, -- 0 while it is being answered
    headers     VARCHAR(400) NOT NULL, -- JSON
    body        LONGBLOB     NOT NULL,
    begun_at    $TIME        NOT NULL,
    held_until  $TIME        NOT NULL, -- while it is being answered, nobody else begins before
    PRIMARY KEY (caller, idem_key)
) $TABLE;
CREATE INDEX once_by_age ON once (begun_at);
