-- The life of sub-accounts: which are free, who holds or waits for one, and when one may be given out again.

-- +goose Up

-- PER_BID: each bid has a number of its own (一标一人一号). PER_LOT: the bids of the lot share one (一标一号).
ALTER TABLE lots ADD COLUMN numbering VARCHAR(8) NOT NULL DEFAULT 'PER_BID';

-- A number of a pool belongs to a parent account. Where that is empty the trading platform brought the number: its
-- leases are the platform's word alone, and it stays LEASED.
ALTER TABLE numbers ADD COLUMN parent_account VARCHAR(40) NOT NULL DEFAULT '';
ALTER TABLE numbers ADD COLUMN state VARCHAR(16) NOT NULL DEFAULT 'LEASED'; -- FREE, LEASED, DRAINING, QUARANTINED, RETIRED
ALTER TABLE numbers ADD COLUMN since $TIME NOT NULL DEFAULT '1000-01-01 00:00:00.000'; -- in this state
ALTER TABLE numbers ADD COLUMN quarantined_until $TIME NOT NULL DEFAULT '1000-01-01 00:00:00.000'; -- of its last quarantine
ALTER TABLE numbers ADD COLUMN free_since $TIME NOT NULL DEFAULT '1000-01-01 00:00:00.000'; -- the day on which it became free
ALTER TABLE numbers ADD COLUMN lease_id $ID NOT NULL DEFAULT 0; -- of a number of a pool: its latest lease
CREATE INDEX numbers_by_pool ON numbers (bank, parent_account, state, free_since, id);
CREATE INDEX numbers_by_state ON numbers (state, since);

-- bid_id is 0 where a number is leased to a lot, for all its bids. Until barred_until, which is known once the number is
-- released, nobody else may have it.
ALTER TABLE leases ADD COLUMN barred_until $TIME NOT NULL DEFAULT '1000-01-01 00:00:00.000';

-- Who asked the pool for a number: WAITING is the queue, in the order of asked_at; SERVED has its lease. The key is the
-- bid's, or the lot's where its bids share one, so that nobody gets two.
CREATE TABLE number_asks (
    id             $ID         NOT NULL PRIMARY KEY,
    lot_id         $ID         NOT NULL,
    bid_id         $ID         NOT NULL,
    bank           VARCHAR(32) NOT NULL,
    parent_account VARCHAR(40) NOT NULL,
    lease_id       $ID         NOT NULL,
    asked_at       $TIME       NOT NULL,
    state          VARCHAR(16) NOT NULL,
    version        BIGINT      NOT NULL
) $TABLE;
CREATE INDEX number_asks_by_queue ON number_asks (state, bank, parent_account, asked_at, id);
CREATE INDEX number_asks_by_lot ON number_asks (lot_id);
CREATE INDEX number_asks_by_lease ON number_asks (lease_id);

-- While a row stands here, such as that of a refund under way, the number is not released and does not become free.
CREATE TABLE number_holds (
    bank        VARCHAR(32) NOT NULL,
    sub_account VARCHAR(40) NOT NULL,
    reason      VARCHAR(32) NOT NULL,
    ref         $ID         NOT NULL, -- the row of whoever holds it
    held_since  $TIME       NOT NULL,
    PRIMARY KEY (sub_account, bank, reason, ref)
) $TABLE;
