-- The latest time that could be trusted so far; see migrations/sqldb/trusted.go. Its one row only grows.

-- +goose Up

CREATE TABLE trusted_time (
    id $ID   NOT NULL PRIMARY KEY, -- 1
    at $TIME NOT NULL
) $TABLE;
