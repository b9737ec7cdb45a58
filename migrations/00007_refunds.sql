-- The way back of the money: lists of departments, lines, batches of one bank, what was sent and answered, and what keeps
-- money here. A line's money is reserved on its receipt in the transaction that stores the line.

-- +goose Up

-- No refund of a parent account is sent while a row for it stands: an incident, or a person's stop. bank '' is every bank,
-- parent_account '' every account of the bank.
CREATE TABLE freezes (
    id             $ID          NOT NULL PRIMARY KEY,
    bank           VARCHAR(32)  NOT NULL,
    parent_account VARCHAR(40)  NOT NULL,
    cause          VARCHAR(16)  NOT NULL, -- STOP, INCIDENT
    reference      VARCHAR(64)  NOT NULL, -- of an incident, its number
    reason         VARCHAR(400) NOT NULL,
    state          VARCHAR(16)  NOT NULL, -- FROZEN, LIFTED
    version        BIGINT       NOT NULL,
    frozen_at      $TIME        NOT NULL
) $TABLE;
CREATE INDEX freezes_by_account ON freezes (state, bank, parent_account);

-- What of a credit may still go back. reserved is the sum of its lines and dispositions that live; every change of it is
-- one guarded statement, so that no two can promise the same money.
CREATE TABLE receipts (
    entry_id $ID    NOT NULL PRIMARY KEY,
    received BIGINT NOT NULL, -- what came in; 0 once the bank has taken it back
    reserved BIGINT NOT NULL,
    version  BIGINT NOT NULL
) $TABLE;

CREATE TABLE refund_lists (
    id         $ID          NOT NULL PRIMARY KEY,
    number     VARCHAR(32)  NOT NULL, -- for people: TF-20260612-03
    department VARCHAR(64)  NOT NULL,
    reference  VARCHAR(64)  NOT NULL, -- the submitter's own number of it, so that it may be sent again
    digest     VARCHAR(64)  NOT NULL, -- of what was submitted
    note       VARCHAR(400) NOT NULL,
    made_by    VARCHAR(80)  NOT NULL,
    made_at    $TIME        NOT NULL,
    UNIQUE (number),
    UNIQUE (department, reference)
) $TABLE;

-- One payment back. serial is its name at the bank, one for ever; a second try after a proven failure is a new line that
-- replaces this one.
CREATE TABLE refunds (
    id                $ID          NOT NULL PRIMARY KEY,
    serial            VARCHAR(32)  NOT NULL,
    list_id           $ID          NOT NULL,
    entry_id          $ID          NOT NULL,
    bank              VARCHAR(32)  NOT NULL,
    parent_account    VARCHAR(40)  NOT NULL,
    sub_account       VARCHAR(40)  NOT NULL,
    lot_id            $ID          NOT NULL,
    bid_id            $ID          NOT NULL,
    department        VARCHAR(64)  NOT NULL,
    cause             VARCHAR(24)  NOT NULL,
    rule              VARCHAR(16)  NOT NULL,
    due_on            VARCHAR(10)  NOT NULL, -- '' where no rule gives a day
    provisional       SMALLINT     NOT NULL, -- the day runs into a year without a published calendar
    amount            BIGINT       NOT NULL CHECK (amount > 0),
    interest_expected BIGINT       NOT NULL,
    interest_paid     BIGINT       NOT NULL, -- as the bank says
    payee_name        VARCHAR(200) NOT NULL,
    payee_account     VARCHAR(64)  NOT NULL,
    payee_bank        VARCHAR(200) NOT NULL,
    payee_bank_code   VARCHAR(14)  NOT NULL,
    payee_change      $ID          NOT NULL, -- the approved change by which the payee is not the payer; 0: it is
    channel           VARCHAR(8)   NOT NULL, -- BANK: by this service; HAND: in online banking
    replaces          $ID          NOT NULL,
    batch_id          $ID          NOT NULL,
    send_id           $ID          NOT NULL,
    word              VARCHAR(16)  NOT NULL, -- the status of the bank's last answer
    code              VARCHAR(40)  NOT NULL,
    said              VARCHAR(400) NOT NULL,
    bank_serial       VARCHAR(64)  NOT NULL, -- the bank's own number of the payment
    vouched           VARCHAR(90)  NOT NULL, -- who says first that an unknown one was paid or never paid; a second person confirms it
    state             VARCHAR(16)  NOT NULL,
    version           BIGINT       NOT NULL,
    made_at           $TIME        NOT NULL,
    sent_at           $TIME        NOT NULL, -- zero until it is
    asked_at          $TIME        NOT NULL, -- the bank was last asked
    UNIQUE (serial)
) $TABLE;
CREATE INDEX refunds_by_entry ON refunds (entry_id);
CREATE INDEX refunds_by_list ON refunds (list_id);
CREATE INDEX refunds_by_batch ON refunds (batch_id, state);
CREATE INDEX refunds_by_send ON refunds (send_id);
CREATE INDEX refunds_by_state ON refunds (state, due_on);
CREATE INDEX refunds_by_account ON refunds (bank, parent_account, sent_at, amount);

-- What one bank is told to pay from one parent account, at most 500 lines. Its progress is its lines'.
CREATE TABLE refund_batches (
    id             $ID         NOT NULL PRIMARY KEY,
    number         VARCHAR(32) NOT NULL, -- for people and the bank: PC-20260612-03
    bank           VARCHAR(32) NOT NULL,
    parent_account VARCHAR(40) NOT NULL,
    line_count     INT         NOT NULL,
    total          BIGINT      NOT NULL,
    digest         VARCHAR(64) NOT NULL, -- what approvals sign
    made_by        VARCHAR(80) NOT NULL,
    checked_by     VARCHAR(80) NOT NULL,
    released_by    VARCHAR(80) NOT NULL,
    made_at        $TIME       NOT NULL,
    checked_at     $TIME       NOT NULL,
    released_at    $TIME       NOT NULL,
    state          VARCHAR(16) NOT NULL,
    version        BIGINT      NOT NULL,
    UNIQUE (number)
) $TABLE;
CREATE INDEX refund_batches_by_state ON refund_batches (state, bank, parent_account);

-- One message to a bank, byte for byte, stored before the line to the bank is opened. Sending again sends these bytes.
CREATE TABLE refund_sends (
    id             $ID         NOT NULL PRIMARY KEY,
    batch_id       $ID         NOT NULL,
    part           INT         NOT NULL, -- within the batch, from 1
    bank           VARCHAR(32) NOT NULL,
    parent_account VARCHAR(40) NOT NULL,
    bank_batch     VARCHAR(64) NOT NULL, -- the bank's own number of it, once told
    sha256         VARCHAR(64) NOT NULL,
    body           LONGBLOB    NOT NULL,
    made_at        $TIME       NOT NULL,
    UNIQUE (batch_id, part)
) $TABLE;

-- What a bank said about a message, or what we asked it, as received.
CREATE TABLE refund_answers (
    id      $ID         NOT NULL PRIMARY KEY,
    send_id $ID         NOT NULL,
    kind    VARCHAR(8)  NOT NULL, -- ANSWER, QUERY, RESULT
    sha256  VARCHAR(64) NOT NULL,
    body    LONGBLOB    NOT NULL,
    at      $TIME       NOT NULL
) $TABLE;
CREATE INDEX refund_answers_by_send ON refund_answers (send_id, at);

-- The statement's debit that proves a payment; of a bank that posts a batch in one sum, several lines have one.
CREATE TABLE refund_debits (
    refund_id $ID         NOT NULL PRIMARY KEY,
    entry_id  $ID         NOT NULL,
    found_by  VARCHAR(16) NOT NULL -- SERIAL, BANK_SERIAL, SUMMARY, PERSON
) $TABLE;
CREATE INDEX refund_debits_by_entry ON refund_debits (entry_id);

-- The one credit by which a bank that posts a batch in one sum gives back what failed of a message.
CREATE TABLE refund_repayments (
    entry_id $ID NOT NULL PRIMARY KEY,
    send_id  $ID NOT NULL
) $TABLE;
CREATE INDEX refund_repayments_by_send ON refund_repayments (send_id);

-- The credit by which a payment came back (退汇).
CREATE TABLE refund_returns (
    refund_id $ID NOT NULL PRIMARY KEY,
    entry_id  $ID NOT NULL,
    UNIQUE (entry_id)
) $TABLE;

-- Money that does not go back: held for a written order, forfeited, or converted. Two persons and a document's number.
CREATE TABLE dispositions (
    id          $ID          NOT NULL PRIMARY KEY,
    entry_id    $ID          NOT NULL,
    kind        VARCHAR(16)  NOT NULL, -- HELD, FORFEITED, CONVERTED
    amount      BIGINT       NOT NULL, -- 0 for HELD, which keeps all of it
    purpose     VARCHAR(24)  NOT NULL, -- of CONVERTED and FORFEITED: to what or whom
    document    VARCHAR(64)  NOT NULL, -- the number of the sealed paper
    reason      VARCHAR(400) NOT NULL,
    made_by     VARCHAR(80)  NOT NULL,
    approved_by VARCHAR(80)  NOT NULL,
    made_at     $TIME        NOT NULL,
    state       VARCHAR(16)  NOT NULL, -- PROPOSED, STANDING, LIFTED, REFUSED
    version     BIGINT       NOT NULL,
    UNIQUE (entry_id, kind, document)
) $TABLE;

-- A payee who is not the payer (变更户名、账号): plan 4.6.3 step 1.2.
CREATE TABLE payee_changes (
    id                $ID          NOT NULL PRIMARY KEY,
    entry_id          $ID          NOT NULL,
    payee_name        VARCHAR(200) NOT NULL,
    payee_account     VARCHAR(64)  NOT NULL,
    payee_bank        VARCHAR(200) NOT NULL,
    payee_bank_code   VARCHAR(14)  NOT NULL,
    evidence          VARCHAR(400) NOT NULL, -- which papers, and where they lie
    evidence_sha256   VARCHAR(64)  NOT NULL, -- of the file, where one was handed in
    made_by           VARCHAR(80)  NOT NULL,
    reviewed_by       VARCHAR(80)  NOT NULL, -- the business department
    approved_by       VARCHAR(80)  NOT NULL, -- finance
    confirmed_by      VARCHAR(80)  NOT NULL, -- the extra approval
    made_at           $TIME        NOT NULL,
    effective_at      $TIME        NOT NULL, -- after the cooling-off time
    state             VARCHAR(16)  NOT NULL, -- PROPOSED, REVIEWED, APPROVED, CONFIRMED, REFUSED
    version           BIGINT       NOT NULL
) $TABLE;
CREATE INDEX payee_changes_by_entry ON payee_changes (entry_id);

-- Credits that were recognised as a payment of ours come back, which the bank itself did not say: they are nobody's deposit.
CREATE TABLE comebacks (
    entry_id $ID NOT NULL PRIMARY KEY
) $TABLE;
