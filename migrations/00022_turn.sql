-- What a judge decides rests on facts that he reads before his transaction.

-- +goose Up

-- One row, from the first verdict on. Whoever stores verdicts moves the turn on, so that nobody stores what was decided before
-- another's were stored.
CREATE TABLE judge_turns (
    id   $ID    NOT NULL PRIMARY KEY,
    turn BIGINT NOT NULL
) $TABLE;

-- +goose Down
DROP TABLE judge_turns;
