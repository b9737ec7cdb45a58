-- Whether the service heard the banks, and for how long nobody did.

-- +goose Up

-- The last sign of life of the service, whichever replica gave it.
CREATE TABLE heartbeats (
    service VARCHAR(16) NOT NULL PRIMARY KEY,
    beat_at $TIME       NOT NULL,
    stopped SMALLINT    NOT NULL  -- it was told to stop then
) $TABLE;

-- A time in which no replica heard anything, between two beats that lie too far apart.
CREATE TABLE outages (
    id       $ID         NOT NULL PRIMARY KEY,
    began_at $TIME       NOT NULL,
    ended_at $TIME       NOT NULL,
    cause    VARCHAR(16) NOT NULL, -- STOPPED, DIED, DATABASE
    state    VARCHAR(16) NOT NULL, -- FOUND, ASKED: the banks were asked for what they booked in it
    version  BIGINT      NOT NULL,
    UNIQUE (began_at)
) $TABLE;
CREATE INDEX outages_by_end ON outages (ended_at);
CREATE INDEX refunds_by_replaced ON refunds (replaces); -- which failed lines nothing has replaced yet
CREATE INDEX outages_by_state ON outages (state, ended_at);
