-- The opening of a lot as an event, and what several persons have to say of it together; what bidders ask about their own money.

-- +goose Up

-- When a lot was announced here, or announced again. Money that came before can be nobody's secret on it.
ALTER TABLE lots ADD COLUMN announced_at $TIME NOT NULL DEFAULT '1000-01-01 00:00:00.000';
UPDATE lots SET announced_at = COALESCE((SELECT MIN(e.at) FROM events AS e WHERE e.row_id = lots.id AND e.table_name = 'lots'), '1000-01-01 00:00:00.000');
CREATE INDEX lots_by_seal ON lots (opened_at, announced_at);

-- One person's word on a lot's opening: OPENED, that it was opened; EARLIER, that it may become earlier, which the platform
-- wishes at step 0. Steps 1 and 2 are two persons: the keys let nobody say both, and nothing be said twice.
CREATE TABLE opening_words (
    id       $ID          NOT NULL PRIMARY KEY,
    lot_id   $ID          NOT NULL,
    kind     VARCHAR(8)   NOT NULL, -- OPENED, EARLIER
    opens_at $TIME        NOT NULL, -- which opening is meant: a word on one that has moved since is void
    step     INT          NOT NULL,
    person   VARCHAR(80)  NOT NULL,
    reason   VARCHAR(400) NOT NULL,
    said_at  $TIME        NOT NULL,
    UNIQUE (lot_id, kind, opens_at, step),
    UNIQUE (lot_id, kind, opens_at, person)
) $TABLE;

-- What a bidder asked about his own money before the opening (plan 4.6.2 step 1.1): one person takes the question, another
-- one releases the answer. Rows stay for ever.
CREATE TABLE enquiries (
    id          $ID          NOT NULL PRIMARY KEY,
    sub_account VARCHAR(40)  NOT NULL,
    amount      BIGINT       NOT NULL,
    day         $DAY         NOT NULL,
    serial      VARCHAR(64)  NOT NULL,
    bank        VARCHAR(32)  NOT NULL,
    bidder      VARCHAR(200) NOT NULL,
    reason      VARCHAR(400) NOT NULL,
    asked_by    VARCHAR(80)  NOT NULL,
    asked_at    $TIME        NOT NULL,
    released_by VARCHAR(80)  NOT NULL, -- '' until then
    released_at $TIME        NOT NULL,
    answer      VARCHAR(16)  NOT NULL, -- '' until then; FOUND, ELSEWHERE, NOT_FOUND
    place       VARCHAR(80)  NOT NULL, -- the bidder's own number, where he paid to another
    state       VARCHAR(16)  NOT NULL, -- ASKED, ANSWERED
    version     BIGINT       NOT NULL
) $TABLE;
CREATE INDEX enquiries_by_time ON enquiries (asked_at, id);

-- A refund made while its lot was sealed (条例 §35): nobody who handles it sees whose it is, or how much, before the opening.
ALTER TABLE refunds ADD COLUMN blind SMALLINT NOT NULL DEFAULT 0;
ALTER TABLE refund_batches ADD COLUMN blind SMALLINT NOT NULL DEFAULT 0;
