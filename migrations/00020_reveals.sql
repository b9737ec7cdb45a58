-- How often somebody has been shown on a day what is masked for everybody: beyond a limit they are not. What they were shown, and
-- why, stands in the audit trail.

-- +goose Up

CREATE TABLE reveals (
    person VARCHAR(120) NOT NULL, -- as in the audit trail
    day    $DAY         NOT NULL,
    shown  INT          NOT NULL,
    PRIMARY KEY (person, day)
) $TABLE;
