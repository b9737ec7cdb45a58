-- Sealing at rest: what names a payer, a bidder or a payee, and what banks sent, stands here only encrypted, and is looked
-- for by keyed tags. The keys stand here wrapped by the master key, which does not.

-- +goose Up

CREATE TABLE seal_keys (
    id      $ID          NOT NULL PRIMARY KEY,
    purpose VARCHAR(8)   NOT NULL, -- ROWS; TAGS, of which there is one for ever
    wrapped VARCHAR(160) NOT NULL, -- base64
    master  VARCHAR(16)  NOT NULL, -- the ID of the master key that unwraps it
    made_at $TIME        NOT NULL
) $TABLE;

-- What stood open before: it waits here until depositd migrate has sealed it, and is gone then.
CREATE TABLE unsealed (
    table_name VARCHAR(32) NOT NULL,
    row_id     $ID         NOT NULL,
    place      BIGINT      NOT NULL, -- what else is in its key
    spot       BIGINT      NOT NULL,
    t1         LONGTEXT    NOT NULL,
    t2         LONGTEXT    NOT NULL,
    t3         LONGTEXT    NOT NULL,
    t4         LONGTEXT    NOT NULL,
    t5         LONGTEXT    NOT NULL,
    t6         LONGTEXT    NOT NULL,
    body       LONGBLOB    NOT NULL,
    PRIMARY KEY (table_name, row_id, place, spot)
) $TABLE;

INSERT INTO unsealed SELECT 'entries', id, 0, 0, payer_name, payer_key, payer_account, payer_bank, payer_bank_code, remark, '' FROM entries;
ALTER TABLE entries ADD COLUMN sealed VARBINARY(6144) NOT NULL DEFAULT ''; -- the payer's name, key, account, bank, bank's code, and the remark
ALTER TABLE entries RENAME COLUMN payer_key TO payer_tag;
UPDATE entries SET payer_tag = '';
ALTER TABLE entries DROP COLUMN payer_name;
ALTER TABLE entries DROP COLUMN payer_account;
ALTER TABLE entries DROP COLUMN payer_bank;
ALTER TABLE entries DROP COLUMN payer_bank_code;
ALTER TABLE entries DROP COLUMN remark;

-- sha256, and an external_id that is one, are tags of the hash: who can guess a message must not be able to find it.
INSERT INTO unsealed SELECT 'messages', id, 0, 0, detail, sha256, external_id, '', '', '', body FROM messages;
UPDATE messages SET body = '';
ALTER TABLE messages DROP COLUMN detail; -- it stands in body, before the bytes

INSERT INTO unsealed SELECT 'message_parts', message_id, part, 0, '', '', '', '', '', '', body FROM message_parts;
UPDATE message_parts SET body = '';

INSERT INTO unsealed SELECT 'conflicts', id, 0, 0, content, digest, '', '', '', '', '' FROM conflicts;
ALTER TABLE conflicts ADD COLUMN sealed VARBINARY(10240) NOT NULL DEFAULT ''; -- the content
ALTER TABLE conflicts DROP COLUMN content;

INSERT INTO unsealed SELECT 'faults', message_id, line, col, detail, raw, '', '', '', '', '' FROM faults;
ALTER TABLE faults ADD COLUMN sealed VARBINARY(24576) NOT NULL DEFAULT ''; -- detail and raw
ALTER TABLE faults DROP COLUMN detail;
ALTER TABLE faults DROP COLUMN raw;

INSERT INTO unsealed SELECT 'bids', id, 0, 0, bidder, bidder_key, bidder_account, '', '', '', '' FROM bids;
ALTER TABLE bids ADD COLUMN sealed VARBINARY(3072) NOT NULL DEFAULT ''; -- the bidder's name, key and account
ALTER TABLE bids RENAME COLUMN bidder_key TO bidder_tag;
ALTER TABLE bids DROP COLUMN bidder;
ALTER TABLE bids DROP COLUMN bidder_account;

INSERT INTO unsealed SELECT 'touched', id, 0, 0, bidder_key, '', '', '', '', '', '' FROM touched;
ALTER TABLE touched ADD COLUMN sealed VARBINARY(1536) NOT NULL DEFAULT ''; -- the bidder's key
ALTER TABLE touched DROP COLUMN bidder_key;

INSERT INTO unsealed SELECT 'platform_events', id, 0, 0, note, digest, '', '', '', '', '' FROM platform_events;
ALTER TABLE platform_events ADD COLUMN sealed VARBINARY(3072) NOT NULL DEFAULT ''; -- the note
ALTER TABLE platform_events DROP COLUMN note;

INSERT INTO unsealed SELECT 'findings', id, 0, 0, detail, '', '', '', '', '', '' FROM findings;
ALTER TABLE findings ADD COLUMN sealed VARBINARY(3072) NOT NULL DEFAULT ''; -- the detail
ALTER TABLE findings DROP COLUMN detail;

INSERT INTO unsealed SELECT 'refund_lists', id, 0, 0, note, digest, '', '', '', '', '' FROM refund_lists;
ALTER TABLE refund_lists ADD COLUMN sealed VARBINARY(3072) NOT NULL DEFAULT ''; -- the note
ALTER TABLE refund_lists DROP COLUMN note;

INSERT INTO unsealed SELECT 'refunds', id, 0, 0, payee_name, payee_account, payee_bank, payee_bank_code, said, '', '' FROM refunds;
ALTER TABLE refunds ADD COLUMN sealed VARBINARY(4096) NOT NULL DEFAULT ''; -- the payee's name, account, bank and bank's code
ALTER TABLE refunds RENAME COLUMN payee_account TO payee_tag;
UPDATE refunds SET payee_tag = '';
ALTER TABLE refunds DROP COLUMN payee_name;
ALTER TABLE refunds DROP COLUMN payee_bank;
ALTER TABLE refunds DROP COLUMN payee_bank_code;
ALTER TABLE refunds DROP COLUMN said;
ALTER TABLE refunds ADD COLUMN said VARBINARY(2560) NOT NULL DEFAULT ''; -- the bank's words, sealed where there are any

INSERT INTO unsealed SELECT 'refund_sends', id, 0, 0, sha256, '', '', '', '', '', body FROM refund_sends;
UPDATE refund_sends SET body = '';
ALTER TABLE refund_sends DROP COLUMN sha256; -- it stands in body, before the bytes

INSERT INTO unsealed SELECT 'refund_answers', id, 0, 0, sha256, '', '', '', '', '', body FROM refund_answers;
UPDATE refund_answers SET body = '';
ALTER TABLE refund_answers DROP COLUMN sha256;

INSERT INTO unsealed SELECT 'payee_changes', id, 0, 0, payee_name, payee_account, payee_bank, payee_bank_code, evidence, '', '' FROM payee_changes;
ALTER TABLE payee_changes ADD COLUMN sealed VARBINARY(5120) NOT NULL DEFAULT ''; -- the payee's name, account, bank and bank's code, and the evidence
ALTER TABLE payee_changes DROP COLUMN payee_name;
ALTER TABLE payee_changes DROP COLUMN payee_account;
ALTER TABLE payee_changes DROP COLUMN payee_bank;
ALTER TABLE payee_changes DROP COLUMN payee_bank_code;
ALTER TABLE payee_changes DROP COLUMN evidence;

INSERT INTO unsealed SELECT 'events', row_id, seq, 0, note, '', '', '', '', '', '' FROM events WHERE note <> '';
ALTER TABLE events ADD COLUMN sealed VARBINARY(5120) NOT NULL DEFAULT ''; -- the note, if there is one
ALTER TABLE events DROP COLUMN note;

INSERT INTO unsealed SELECT 'strays', entry_id, 0, 0, payer_key, '', '', '', '', '', '' FROM strays;
ALTER TABLE strays RENAME COLUMN payer_key TO payer_tag;

-- sealed: the key, the text, the name and the hash of the file; its bytes are sealed in body.
INSERT INTO unsealed SELECT 'incident_evidence', id, 0, 0, natural_key, text, name, sha256, '', '', body FROM incident_evidence;
ALTER TABLE incident_evidence ADD COLUMN sealed VARBINARY(12288) NOT NULL DEFAULT '';
ALTER TABLE incident_evidence RENAME COLUMN natural_key TO natural_tag;
UPDATE incident_evidence SET body = '';
ALTER TABLE incident_evidence DROP COLUMN text;
ALTER TABLE incident_evidence DROP COLUMN name;
ALTER TABLE incident_evidence DROP COLUMN sha256;

INSERT INTO unsealed SELECT 'enquiries', id, 0, 0, bidder, reason, '', '', '', '', '' FROM enquiries;
ALTER TABLE enquiries ADD COLUMN sealed VARBINARY(4096) NOT NULL DEFAULT ''; -- the payer's name, and why it is asked
ALTER TABLE enquiries DROP COLUMN bidder;
ALTER TABLE enquiries DROP COLUMN reason;

INSERT INTO unsealed SELECT 'opening_words', id, 0, 0, reason, '', '', '', '', '', '' FROM opening_words WHERE reason <> '';
ALTER TABLE opening_words ADD COLUMN sealed VARBINARY(3072) NOT NULL DEFAULT ''; -- the reason, if there is one
ALTER TABLE opening_words DROP COLUMN reason;

INSERT INTO unsealed SELECT 'dispositions', id, 0, 0, reason, '', '', '', '', '', '' FROM dispositions WHERE reason <> '';
ALTER TABLE dispositions ADD COLUMN sealed VARBINARY(3072) NOT NULL DEFAULT ''; -- the reason, if there is one
ALTER TABLE dispositions DROP COLUMN reason;

-- People write into the papers of an incident what they like: whose money it is about, too.
INSERT INTO unsealed SELECT 'incidents', id, 0, 0, title, detail, fault, '', '', '', '' FROM incidents;
ALTER TABLE incidents ADD COLUMN sealed VARBINARY(12288) NOT NULL DEFAULT ''; -- the title and the detail; the fault is sealed by itself, if there is one
UPDATE incidents SET fault = '';
ALTER TABLE incidents DROP COLUMN title;
ALTER TABLE incidents DROP COLUMN detail;

INSERT INTO unsealed SELECT 'incident_signatures', id, 0, 0, text, '', '', '', '', '', '' FROM incident_signatures;
ALTER TABLE incident_signatures ADD COLUMN sealed VARBINARY(10240) NOT NULL DEFAULT ''; -- the text
ALTER TABLE incident_signatures DROP COLUMN text;

INSERT INTO unsealed SELECT 'incident_timeline', id, 0, 0, text, '', '', '', '', '', '' FROM incident_timeline;
ALTER TABLE incident_timeline ADD COLUMN sealed VARBINARY(10240) NOT NULL DEFAULT ''; -- the text
ALTER TABLE incident_timeline DROP COLUMN text;

INSERT INTO unsealed SELECT 'incident_backfills', id, 0, 0, text, '', '', '', '', '', '' FROM incident_backfills;
ALTER TABLE incident_backfills ADD COLUMN sealed VARBINARY(10240) NOT NULL DEFAULT ''; -- the text
ALTER TABLE incident_backfills DROP COLUMN text;

INSERT INTO unsealed SELECT 'incident_steps', id, 0, 0, text, '', '', '', '', '', '' FROM incident_steps WHERE text <> '';
ALTER TABLE incident_steps ADD COLUMN sealed VARBINARY(10240) NOT NULL DEFAULT ''; -- the text, if there is one
ALTER TABLE incident_steps DROP COLUMN text;

INSERT INTO unsealed SELECT 'incident_actions', id, 0, 0, text, outcome, '', '', '', '', '' FROM incident_actions;
ALTER TABLE incident_actions ADD COLUMN sealed VARBINARY(20480) NOT NULL DEFAULT ''; -- the text and the outcome
ALTER TABLE incident_actions DROP COLUMN text;
ALTER TABLE incident_actions DROP COLUMN outcome;
