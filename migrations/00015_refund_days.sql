-- What has gone out from a parent account in a day, added up by the statement that holds it against the day's limit: summing up the
-- lines for each message took longer with each line.

-- +goose Up

CREATE TABLE refund_days (
    bank           VARCHAR(32) NOT NULL,
    parent_account VARCHAR(40) NOT NULL,
    day            $DAY        NOT NULL,
    sent           BIGINT      NOT NULL CHECK (sent >= 0),
    PRIMARY KEY (bank, parent_account, day)
) $TABLE;

INSERT INTO refund_days (bank, parent_account, day, sent)
SELECT bank, parent_account, SUBSTR(sent_at, 1, 10), SUM(amount) FROM refunds WHERE sent_at > '1000-01-01 00:00:00.000'
GROUP BY bank, parent_account, SUBSTR(sent_at, 1, 10);

-- A list asks for what happened to the lots of its lines.
CREATE INDEX platform_events_by_lot ON platform_events (lot_id);
