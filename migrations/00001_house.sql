-- The bank's side, the platform's side and what reconciliation makes of both.
-- Conventions: money in fen; instants as Shanghai wall time, 1000-01-01 for "not yet" and 9999-12-31 for "no end known";
-- keys are made by the caller and tell nothing; no column is NULL.

-- +goose Up

-- What a bank sent, byte for byte, whatever we made of it. Written first, never changed.
CREATE TABLE messages (
    id          $ID          NOT NULL PRIMARY KEY,
    bank        VARCHAR(32)  NOT NULL,
    external_id VARCHAR(80)  NOT NULL, -- the sender's id of the message, or the hash of its bytes
    source      VARCHAR(8)   NOT NULL, -- HTTP, TCP, FILE
    kind        VARCHAR(16)  NOT NULL, -- NOTICE, STATEMENT, LINK, RESULT
    outcome     VARCHAR(16)  NOT NULL, -- NEW, DUPLICATE, CONFLICT, REFUSED
    code        VARCHAR(40)  NOT NULL, -- why it was refused
    detail      VARCHAR(400) NOT NULL,
    sha256      VARCHAR(64)  NOT NULL,
    size        BIGINT       NOT NULL,
    received_at $TIME        NOT NULL,
    body        LONGBLOB     NOT NULL, -- empty for a file, whose bytes stand in message_parts
    UNIQUE (bank, external_id)
) $TABLE;
CREATE INDEX messages_by_time ON messages (received_at);

CREATE TABLE message_parts (
    message_id $ID      NOT NULL,
    part       INT      NOT NULL,
    body       LONGBLOB NOT NULL,
    PRIMARY KEY (message_id, part)
) $TABLE;

-- One booking on a parent account. A notice and a statement line are two sightings of one entry; its content is never changed.
CREATE TABLE entries (
    id              $ID          NOT NULL PRIMARY KEY,
    bank            VARCHAR(32)  NOT NULL,
    parent_account  VARCHAR(40)  NOT NULL,
    booking_date    $DAY         NOT NULL, -- the bank's accounting day
    serial          VARCHAR(64)  NOT NULL,
    serial_seq      INT          NOT NULL,
    direction       VARCHAR(1)   NOT NULL, -- C, D
    reversal        VARCHAR(1)   NOT NULL, -- R: this entry takes another one back
    reversal_of     VARCHAR(64)  NOT NULL, -- the serial of that other one, where the bank says it
    returned        SMALLINT     NOT NULL, -- money of ours that came back (退汇)
    sub_account     VARCHAR(40)  NOT NULL,
    amount          BIGINT       NOT NULL CHECK (amount > 0),
    booked_at       $TIME        NOT NULL,
    payer_name      VARCHAR(200) NOT NULL,
    payer_key       VARCHAR(200) NOT NULL,
    payer_account   VARCHAR(64)  NOT NULL,
    payer_bank      VARCHAR(200) NOT NULL,
    payer_bank_code VARCHAR(14)  NOT NULL,
    remark          VARCHAR(400) NOT NULL,
    first_seen      $TIME        NOT NULL,
    UNIQUE (booking_date, bank, parent_account, serial, serial_seq, direction, reversal)
) $TABLE;
CREATE INDEX entries_by_number ON entries (sub_account, bank);
CREATE INDEX entries_by_payer ON entries (payer_key);

-- The entries that take another one back, few among many, so that a credit's reversal is found without a wide index.
CREATE TABLE reversals (
    entry_id       $ID         NOT NULL PRIMARY KEY,
    bank           VARCHAR(32) NOT NULL,
    parent_account VARCHAR(40) NOT NULL,
    reversal_of    VARCHAR(64) NOT NULL, -- '' when the bank does not say
    sub_account    VARCHAR(40) NOT NULL
) $TABLE;
CREATE INDEX reversals_by_serial ON reversals (parent_account, reversal_of);
CREATE INDEX reversals_by_number ON reversals (sub_account, bank);

CREATE TABLE sightings (
    entry_id $ID        NOT NULL,
    source   VARCHAR(1) NOT NULL, -- N notice, S statement
    file_id  $ID        NOT NULL, -- the message or the statement
    ordinal  INT        NOT NULL,
    seen_at  $TIME      NOT NULL,
    PRIMARY KEY (entry_id, source, file_id)
) $TABLE;

-- The same identity with other content: kept beside the entry, for a person to ask the bank about.
CREATE TABLE conflicts (
    id       $ID           NOT NULL PRIMARY KEY,
    entry_id $ID           NOT NULL,
    source   VARCHAR(1)    NOT NULL,
    file_id  $ID           NOT NULL,
    ordinal  INT           NOT NULL,
    seen_at  $TIME         NOT NULL,
    fields   VARCHAR(200)  NOT NULL, -- the names of the fields that differ
    amount   BIGINT        NOT NULL,
    content  VARCHAR(2000) NOT NULL, -- the other content as JSON
    digest   VARCHAR(64)   NOT NULL,
    UNIQUE (entry_id, digest)
) $TABLE;

-- A record of a bank's file that could not be read: where it stands and what was expected there.
CREATE TABLE faults (
    message_id $ID           NOT NULL,
    line       INT           NOT NULL,
    col        INT           NOT NULL,
    code       VARCHAR(40)   NOT NULL,
    detail     VARCHAR(400)  NOT NULL,
    raw        VARCHAR(4000) NOT NULL,
    PRIMARY KEY (message_id, line, col)
) $TABLE;

CREATE TABLE statements (
    id             $ID          NOT NULL PRIMARY KEY,
    message_id     $ID          NOT NULL,
    bank           VARCHAR(32)  NOT NULL,
    parent_account VARCHAR(40)  NOT NULL,
    day            $DAY         NOT NULL,
    revision       INT          NOT NULL, -- the highest complete one is the bank's word
    currency       VARCHAR(3)   NOT NULL,
    opening        BIGINT       NOT NULL,
    closing        BIGINT       NOT NULL,
    balances       VARCHAR(4)   NOT NULL, -- which are known: O, C, OC
    credit_count   BIGINT       NOT NULL,
    credit_sum     BIGINT       NOT NULL,
    debit_count    BIGINT       NOT NULL,
    debit_sum      BIGINT       NOT NULL,
    declared       VARCHAR(400) NOT NULL, -- where declared counts or sums differ from the lines
    fault_count    INT          NOT NULL,
    proof          VARCHAR(4)   NOT NULL, -- OK, GAP, NONE
    gap            BIGINT       NOT NULL, -- closing − (opening + credits − debits)
    state          VARCHAR(16)  NOT NULL, -- LOADING, COMPLETE
    version        BIGINT       NOT NULL,
    imported_at    $TIME        NOT NULL,
    UNIQUE (bank, parent_account, day, revision)
) $TABLE;
CREATE INDEX statements_by_message ON statements (message_id);

-- Entries that wait for a verdict, or for another one: the judge takes off exactly the rows it has seen.
CREATE TABLE unjudged (
    entry_id $ID NOT NULL,
    cause    $ID NOT NULL, -- 0 for a new entry, else what came up
    PRIMARY KEY (entry_id, cause)
) $TABLE;

CREATE TABLE lots (
    id                     $ID          NOT NULL PRIMARY KEY,
    number                 VARCHAR(64)  NOT NULL,
    name                   VARCHAR(200) NOT NULL,
    department             VARCHAR(64)  NOT NULL,
    deposit                BIGINT       NOT NULL CHECK (deposit > 0),
    opens_at               $TIME        NOT NULL,
    opened_at              $TIME        NOT NULL,
    single_payment         SMALLINT     NOT NULL,
    basic_account_required SMALLINT     NOT NULL,
    state                  VARCHAR(16)  NOT NULL,
    version                BIGINT       NOT NULL,
    UNIQUE (number)
) $TABLE;
CREATE INDEX lots_by_opening ON lots (opens_at);

CREATE TABLE bids (
    id             $ID          NOT NULL PRIMARY KEY,
    lot_id         $ID          NOT NULL,
    bidder         VARCHAR(200) NOT NULL,
    bidder_key     VARCHAR(200) NOT NULL,
    bidder_account VARCHAR(64)  NOT NULL,
    state          VARCHAR(16)  NOT NULL,
    version        BIGINT       NOT NULL,
    UNIQUE (lot_id, bidder_key)
) $TABLE;
CREATE INDEX bids_by_bidder ON bids (bidder_key);

-- A lease ties a sub-account to a bid for a time range [leased_from, leased_to); ranges of one number never overlap.
CREATE TABLE leases (
    id          $ID         NOT NULL PRIMARY KEY,
    bank        VARCHAR(32) NOT NULL,
    sub_account VARCHAR(40) NOT NULL,
    lot_id      $ID         NOT NULL,
    bid_id      $ID         NOT NULL,
    leased_from $TIME       NOT NULL,
    leased_to   $TIME       NOT NULL,
    version     BIGINT      NOT NULL,
    UNIQUE (sub_account, bank, leased_from)
) $TABLE;
CREATE INDEX leases_by_bid ON leases (bid_id);
CREATE INDEX leases_by_lot ON leases (lot_id);

-- One row per number that was ever leased. Whoever changes its leases moves the version on, so that of two writers who
-- both saw a free range the slower one is refused: no index can say that ranges do not overlap.
CREATE TABLE numbers (
    id          $ID         NOT NULL PRIMARY KEY,
    bank        VARCHAR(32) NOT NULL,
    sub_account VARCHAR(40) NOT NULL,
    version     BIGINT      NOT NULL,
    UNIQUE (sub_account, bank)
) $TABLE;

-- What the platform told: idempotent by its number.
CREATE TABLE platform_events (
    id          $ID           NOT NULL PRIMARY KEY,
    number      VARCHAR(64)   NOT NULL,
    kind        VARCHAR(32)   NOT NULL,
    lot_id      $ID           NOT NULL,
    bid_id      $ID           NOT NULL,
    happened_at $TIME         NOT NULL,
    opens_at    $TIME         NOT NULL,
    note        VARCHAR(400)  NOT NULL,
    digest      VARCHAR(64)   NOT NULL, -- of the content, so that a number used twice for two things is noticed
    received_at $TIME         NOT NULL,
    UNIQUE (number)
) $TABLE;

-- Facts of the platform that changed, for reconciliation to judge again what they touch.
CREATE TABLE touched (
    id          $ID          NOT NULL PRIMARY KEY,
    bank        VARCHAR(32)  NOT NULL,
    sub_account VARCHAR(40)  NOT NULL,
    bidder_key  VARCHAR(200) NOT NULL
) $TABLE;

-- The verdict on a credit. The history of a verdict stands in events.
CREATE TABLE matches (
    entry_id      $ID          NOT NULL PRIMARY KEY,
    verdict       VARCHAR(24)  NOT NULL,
    reasons       VARCHAR(200) NOT NULL, -- joined by ;
    lease_id      $ID          NOT NULL,
    bid_id        $ID          NOT NULL,
    lot_id        $ID          NOT NULL,
    counted       BIGINT       NOT NULL, -- what of it counts towards the deposit
    suggested_bid $ID          NOT NULL,
    judged_at     $TIME        NOT NULL,
    version       BIGINT       NOT NULL
) $TABLE;
CREATE INDEX matches_by_bid ON matches (bid_id);

CREATE TABLE findings (
    id             $ID          NOT NULL PRIMARY KEY,
    kind           VARCHAR(16)  NOT NULL,
    subject        $ID          NOT NULL, -- the entry, the bid, the statement
    code           VARCHAR(24)  NOT NULL,
    reasons        VARCHAR(200) NOT NULL,
    day            $DAY         NOT NULL,
    bank           VARCHAR(32)  NOT NULL,
    parent_account VARCHAR(40)  NOT NULL,
    amount         BIGINT       NOT NULL,
    lot_id         $ID          NOT NULL,
    bid_id         $ID          NOT NULL,
    suggested_bid  $ID          NOT NULL,
    department     VARCHAR(64)  NOT NULL, -- who has to act
    detail         VARCHAR(400) NOT NULL,
    state          VARCHAR(16)  NOT NULL,
    version        BIGINT       NOT NULL,
    found_at       $TIME        NOT NULL,
    UNIQUE (kind, subject)
) $TABLE;
CREATE INDEX findings_by_day ON findings (day, id);
CREATE INDEX findings_by_state ON findings (state, id);

-- What the comparison of a day's statement and notices came to.
CREATE TABLE closings (
    id             $ID         NOT NULL PRIMARY KEY,
    bank           VARCHAR(32) NOT NULL,
    parent_account VARCHAR(40) NOT NULL,
    day            $DAY        NOT NULL,
    statement_id   $ID         NOT NULL,
    chain          VARCHAR(8)  NOT NULL, -- OK, BROKEN, FIRST
    notice_count   BIGINT      NOT NULL,
    notice_credits BIGINT      NOT NULL,
    notice_debits  BIGINT      NOT NULL,
    at_round_cap   SMALLINT    NOT NULL,
    state          VARCHAR(16) NOT NULL, -- OPEN, CLOSED
    version        BIGINT      NOT NULL,
    compared_at    $TIME       NOT NULL,
    UNIQUE (day, bank, parent_account)
) $TABLE;

-- Of several replicas, the one that holds the row runs the job.
CREATE TABLE claims (
    job        VARCHAR(32) NOT NULL,
    day        VARCHAR(10) NOT NULL,
    holder     VARCHAR(80) NOT NULL,
    held_until $TIME       NOT NULL,
    PRIMARY KEY (job, day)
) $TABLE;

-- The audit trail, written with every change, and the seal of each past day over its events and the previous seal.
CREATE TABLE events (
    seq        $SEQ,
    at         $TIME        NOT NULL,
    by_whom    VARCHAR(80)  NOT NULL,
    table_name VARCHAR(32)  NOT NULL,
    row_id     $ID          NOT NULL,
    was        VARCHAR(32)  NOT NULL,
    became     VARCHAR(32)  NOT NULL,
    note       VARCHAR(1000) NOT NULL
) $TABLE;
CREATE INDEX events_by_row ON events (row_id, seq);
CREATE INDEX events_by_time ON events (at, seq);

CREATE TABLE seals (
    day         $DAY        NOT NULL PRIMARY KEY,
    event_count BIGINT      NOT NULL,
    hash        VARCHAR(64) NOT NULL
) $TABLE;
