-- Sightings and what waits for a verdict are found by their keys alone. In a database that is a file their rows now stand in the key's own tree,
-- instead of in a second one beside it: two pages less to change for each commit of notices. A server's engine has always done so.

-- +goose Up

$FILE CREATE TABLE sightings_by_key (entry_id $ID NOT NULL, source VARCHAR(1) NOT NULL, file_id $ID NOT NULL, ordinal INT NOT NULL, seen_at $TIME NOT NULL, PRIMARY KEY (entry_id, source, file_id)) WITHOUT ROWID;
$FILE INSERT INTO sightings_by_key SELECT entry_id, source, file_id, ordinal, seen_at FROM sightings ORDER BY entry_id, source, file_id;
$FILE DROP TABLE sightings;
$FILE ALTER TABLE sightings_by_key RENAME TO sightings;

$FILE CREATE TABLE unjudged_by_key (entry_id $ID NOT NULL, cause $ID NOT NULL, PRIMARY KEY (entry_id, cause)) WITHOUT ROWID;
$FILE INSERT INTO unjudged_by_key SELECT entry_id, cause FROM unjudged ORDER BY entry_id, cause;
$FILE DROP TABLE unjudged;
$FILE ALTER TABLE unjudged_by_key RENAME TO unjudged;
