-- Who has taken a finding stands beside it, so that the queue can be asked for one's own; how it came to that stays in the audit trail.

-- +goose Up

ALTER TABLE findings ADD COLUMN owner VARCHAR(80) NOT NULL DEFAULT '';

UPDATE findings SET owner = COALESCE((SELECT e.by_whom FROM events AS e WHERE e.row_id = findings.id AND e.table_name = 'findings' AND e.became = 'OWNER'
    ORDER BY e.seq DESC LIMIT 1), '');

CREATE INDEX findings_by_owner ON findings (owner, day, id);
