-- What is told to other systems by webhook, queued by the commit that it speaks of.

-- +goose Up

CREATE TABLE webhook_deliveries (
    id          $ID         NOT NULL PRIMARY KEY, -- the receiver knows it as webhook-id, each time it is sent
    endpoint    VARCHAR(32) NOT NULL,             -- its name in webhooks.yaml
    incident_id $ID         NOT NULL,
    entry_id    $ID         NOT NULL,             -- of the incident's timeline: what is told
    number      VARCHAR(32) NOT NULL,             -- of the incident, for people
    event       VARCHAR(32) NOT NULL,             -- incident.opened
    body        LONGBLOB    NOT NULL,             -- what is sent, byte for byte
    attempts    INT         NOT NULL,
    answer      INT         NOT NULL,             -- the HTTP status of the last attempt; 0: none came
    failure     VARCHAR(32) NOT NULL,             -- why the last attempt failed, in a word; ''
    state       VARCHAR(16) NOT NULL,             -- WAITING, DELIVERED, DEAD
    version     BIGINT      NOT NULL,
    made_at     $TIME       NOT NULL,
    due_at      $TIME       NOT NULL,             -- when it is sent next
    tried_at    $TIME       NOT NULL,
    UNIQUE (endpoint, entry_id)
) $TABLE;
CREATE INDEX webhook_deliveries_by_state ON webhook_deliveries (state, due_at);
CREATE INDEX webhook_deliveries_by_time ON webhook_deliveries (made_at, id);
