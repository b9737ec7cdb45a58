-- Who may come in: accounts, sessions, machines' tokens, and what was tried at the door. No secret stands here that opens
-- anything: passwords are hashed with argon2id, tokens with SHA-256, and the second factor's secret is sealed with a key
-- that lies in a file.

-- +goose Up

CREATE TABLE users (
    id               $ID          NOT NULL PRIMARY KEY,
    name             VARCHAR(80)  NOT NULL, -- as it stands in the audit trail
    staff            VARCHAR(40)  NOT NULL, -- the staff number: one person has one account
    department       VARCHAR(64)  NOT NULL,
    roles            VARCHAR(400) NOT NULL, -- granted
    asked_roles      VARCHAR(400) NOT NULL, -- asked for, until a second person grants them
    asked_department VARCHAR(64)  NOT NULL,
    asked_by         VARCHAR(80)  NOT NULL, -- '' where nothing is asked for
    password         VARCHAR(200) NOT NULL, -- '' until the invitation is taken up
    password_at      $TIME        NOT NULL,
    factor           VARCHAR(200) NOT NULL, -- the sealed secret of the second factor
    factor_step      BIGINT       NOT NULL, -- the last code's half minute; 0 until it was shown to work
    invitation       VARCHAR(64)  NOT NULL, -- SHA-256 of the one-time token; ''
    invited_until    $TIME        NOT NULL,
    state            VARCHAR(16)  NOT NULL, -- ACTIVE, DISABLED
    version          BIGINT       NOT NULL,
    UNIQUE (name),
    UNIQUE (staff)
) $TABLE;
CREATE INDEX users_by_invitation ON users (invitation);

-- The centre's departments, as the trading platform writes them on its lots: a name mistyped on an account would see nothing.
CREATE TABLE departments (
    id   $ID         NOT NULL PRIMARY KEY,
    name VARCHAR(64) NOT NULL,
    UNIQUE (name)
) $TABLE;

CREATE TABLE sessions (
    id         $ID         NOT NULL PRIMARY KEY,
    hash       VARCHAR(64) NOT NULL, -- SHA-256 of the cookie
    user_id    $ID         NOT NULL,
    network    VARCHAR(64) NOT NULL,
    started_at $TIME       NOT NULL,
    seen_at    $TIME       NOT NULL, -- to the minute
    proved_at  $TIME       NOT NULL, -- the second factor, or without one the password
    ended_at   $TIME       NOT NULL,
    UNIQUE (hash)
) $TABLE;
CREATE INDEX sessions_by_user ON sessions (user_id, ended_at);

CREATE TABLE tokens (
    id      $ID          NOT NULL PRIMARY KEY,
    name    VARCHAR(60)  NOT NULL,
    hash    VARCHAR(64)  NOT NULL, -- SHA-256
    scopes  VARCHAR(200) NOT NULL,
    made_at $TIME        NOT NULL,
    state   VARCHAR(16)  NOT NULL, -- ACTIVE, REVOKED
    version BIGINT       NOT NULL,
    UNIQUE (name),
    UNIQUE (hash)
) $TABLE;

-- How often a door was tried in vain: one of a person's from a network of theirs, or from anywhere else, and all doors together.
CREATE TABLE tries (
    door     VARCHAR(64) NOT NULL PRIMARY KEY, -- SHA-256 of the name and the network; 'all'
    tried    BIGINT      NOT NULL,
    tried_at $TIME       NOT NULL,
    until    $TIME       NOT NULL -- shut until then
) $TABLE;
CREATE INDEX tries_by_time ON tries (tried_at);

-- The networks from which a person has come in: what others try elsewhere does not keep them out there.
CREATE TABLE networks (
    user_id $ID         NOT NULL,
    network VARCHAR(64) NOT NULL,
    PRIMARY KEY (user_id, network)
) $TABLE;
