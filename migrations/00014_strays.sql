-- The payers of the few credits that are not on a number of their payer's, so that a new bid of a payer finds its money
-- gone astray without an index over all payers.

-- +goose Up

CREATE TABLE strays (
    entry_id  $ID          NOT NULL PRIMARY KEY,
    payer_key VARCHAR(200) NOT NULL
) $TABLE;
CREATE INDEX strays_by_payer ON strays (payer_key);

INSERT INTO strays (entry_id, payer_key)
SELECT m.entry_id, e.payer_key FROM matches AS m JOIN entries AS e ON e.id = m.entry_id LEFT JOIN bids AS b ON b.id = m.bid_id
WHERE e.payer_key <> '' AND (b.id IS NULL OR b.bidder_key <> e.payer_key);

DROP INDEX entries_by_payer $OF entries
;
