-- Incidents of the emergency plan: what is wrong, how far its handling has come, and everything that was signed, done and
-- shown for it. An incident keeps the plan that it was opened under.

-- +goose Up

CREATE TABLE incident_plans (
    digest VARCHAR(64) NOT NULL PRIMARY KEY, -- SHA-256 of the file
    body   LONGBLOB    NOT NULL
) $TABLE;

-- closed_as is 0 until the incident has recovered or is dismissed, and its id from then on, so that one is open for a
-- scenario, code and subject at most.
CREATE TABLE incidents (
    id               $ID           NOT NULL PRIMARY KEY,
    number           VARCHAR(16)   NOT NULL, -- for people: YJ-2026-0007
    plan_digest      VARCHAR(64)   NOT NULL,
    scenario         VARCHAR(16)   NOT NULL,
    branch           VARCHAR(8)    NOT NULL, -- '' until one is chosen
    code             VARCHAR(32)   NOT NULL, -- what the service saw: POOL_EXHAUSTED; '' of a person's
    subject          VARCHAR(128)  NOT NULL, -- what it is about
    source           VARCHAR(16)   NOT NULL, -- PERSON, PLATFORM, SERVICE
    drill            SMALLINT      NOT NULL,
    bank             VARCHAR(32)   NOT NULL,
    parent_account   VARCHAR(40)   NOT NULL,
    lot_id           $ID           NOT NULL,
    department       VARCHAR(64)   NOT NULL,
    title            VARCHAR(200)  NOT NULL,
    detail           VARCHAR(2000) NOT NULL,
    scope            VARCHAR(16)   NOT NULL, -- PART, WHOLE, EVALUATION; '': none that has a level
    level            VARCHAR(16)   NOT NULL, -- set by a person; '': not yet
    suggested_level  VARCHAR(16)   NOT NULL,
    suggested_why    VARCHAR(400)  NOT NULL,
    fault_side       VARCHAR(16)   NOT NULL, -- BIDDER, BANK, LINK, OURS, OPEN; '': nobody has looked
    fault            LONGBLOB      NOT NULL, -- the facts for and against, as JSON
    state            VARCHAR(16)   NOT NULL,
    version          BIGINT        NOT NULL,
    entries          BIGINT        NOT NULL, -- of its timeline
    closed_as        $ID           NOT NULL,
    reported_by      VARCHAR(80)   NOT NULL,
    began_at         $TIME         NOT NULL, -- the trouble
    reported_at      $TIME         NOT NULL,
    confirmed_at     $TIME         NOT NULL,
    assessed_at      $TIME         NOT NULL,
    notice_start_at  $TIME         NOT NULL, -- 通知开始时间
    plan_end_at      $TIME         NOT NULL, -- 应急预案结束时间
    notice_end_at    $TIME         NOT NULL, -- 通知截止时间
    reviewed_at      $TIME         NOT NULL,
    dismissed_at     $TIME         NOT NULL,
    gone_at          $TIME         NOT NULL, -- the service no longer sees it
    UNIQUE (number),
    UNIQUE (scenario, code, subject, closed_as)
) $TABLE;
CREATE INDEX incidents_by_report ON incidents (reported_at, id);
CREATE INDEX incidents_by_closing ON incidents (closed_as, code);

-- Each confirmation, declaration and time: who, as what office, when, and in which words. slot is what may be signed once by
-- an office and once by a person: the level it is signed at, or the row's own id where anybody may sign again.
CREATE TABLE incident_signatures (
    id          $ID           NOT NULL PRIMARY KEY,
    incident_id $ID           NOT NULL,
    act         VARCHAR(16)   NOT NULL,
    slot        VARCHAR(16)   NOT NULL,
    level       VARCHAR(16)   NOT NULL,
    person      VARCHAR(80)   NOT NULL,
    office      VARCHAR(32)   NOT NULL,
    text        VARCHAR(2000) NOT NULL,
    happened_at $TIME         NOT NULL, -- the time that is declared
    signed_at   $TIME         NOT NULL,
    UNIQUE (incident_id, act, slot, office),
    UNIQUE (incident_id, act, slot, person)
) $TABLE;

CREATE TABLE incident_deadlines (
    id          $ID          NOT NULL PRIMARY KEY,
    incident_id $ID          NOT NULL,
    event       VARCHAR(32)  NOT NULL, -- in the plan's words: 投标截止时间
    at          $TIME        NOT NULL,
    UNIQUE (incident_id, event)
) $TABLE;

CREATE TABLE incident_steps (
    id          $ID           NOT NULL PRIMARY KEY,
    incident_id $ID           NOT NULL,
    step        VARCHAR(32)   NOT NULL, -- 4.6.3/2/2.1
    state       VARCHAR(16)   NOT NULL, -- OPEN, STARTED, DONE, SKIPPED
    version     BIGINT        NOT NULL,
    person      VARCHAR(80)   NOT NULL, -- who took its last step
    office      VARCHAR(32)   NOT NULL,
    text        VARCHAR(2000) NOT NULL, -- the outcome, or why it is skipped
    started_at  $TIME         NOT NULL,
    ended_at    $TIME         NOT NULL,
    UNIQUE (incident_id, step)
) $TABLE;

-- What was found out. natural_key lets the service say the same fact again in its newest form.
CREATE TABLE incident_evidence (
    id          $ID           NOT NULL PRIMARY KEY,
    incident_id $ID           NOT NULL,
    step        VARCHAR(32)   NOT NULL, -- '' is the whole incident
    natural_key VARCHAR(128)  NOT NULL,
    kind        VARCHAR(8)    NOT NULL, -- TEXT, NUMBERS, FILE
    text        VARCHAR(2000) NOT NULL,
    name        VARCHAR(200)  NOT NULL, -- of a file
    media_type  VARCHAR(100)  NOT NULL,
    size        BIGINT        NOT NULL,
    sha256      VARCHAR(64)   NOT NULL,
    body        LONGBLOB      NOT NULL, -- the file, or the numbers as JSON
    person      VARCHAR(80)   NOT NULL,
    at          $TIME         NOT NULL,
    version     BIGINT        NOT NULL,
    UNIQUE (incident_id, step, natural_key)
) $TABLE;

-- What happened, in its order. Rows are only added.
CREATE TABLE incident_timeline (
    id          $ID           NOT NULL PRIMARY KEY,
    incident_id $ID           NOT NULL,
    seq         BIGINT        NOT NULL, -- within the incident, from 1
    at          $TIME         NOT NULL,
    person      VARCHAR(80)   NOT NULL,
    office      VARCHAR(32)   NOT NULL,
    kind        VARCHAR(16)   NOT NULL,
    text        VARCHAR(2000) NOT NULL,
    UNIQUE (incident_id, seq)
) $TABLE;

-- Data entered after the emergency (应急阶段数据补录).
CREATE TABLE incident_backfills (
    id          $ID           NOT NULL PRIMARY KEY,
    incident_id $ID           NOT NULL,
    text        VARCHAR(2000) NOT NULL, -- what was entered, and from what
    records     BIGINT        NOT NULL,
    person      VARCHAR(80)   NOT NULL,
    office      VARCHAR(32)   NOT NULL,
    from_time   $TIME         NOT NULL, -- of the data
    to_time     $TIME         NOT NULL,
    at          $TIME         NOT NULL
) $TABLE;
CREATE INDEX incident_backfills_by_incident ON incident_backfills (incident_id);

-- What the review asks for.
CREATE TABLE incident_actions (
    id          $ID           NOT NULL PRIMARY KEY,
    incident_id $ID           NOT NULL,
    text        VARCHAR(2000) NOT NULL,
    owner       VARCHAR(80)   NOT NULL,
    due_on      VARCHAR(10)   NOT NULL,
    state       VARCHAR(16)   NOT NULL, -- OPEN, DONE, DROPPED
    version     BIGINT        NOT NULL,
    outcome     VARCHAR(2000) NOT NULL,
    made_by     VARCHAR(80)   NOT NULL,
    made_at     $TIME         NOT NULL,
    ended_at    $TIME         NOT NULL
) $TABLE;
CREATE INDEX incident_actions_by_incident ON incident_actions (incident_id);
CREATE INDEX incident_actions_by_state ON incident_actions (state, due_on);
