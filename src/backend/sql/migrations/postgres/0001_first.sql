-- Text compares by bytes, whatever the collation of the database.
CREATE TABLE mcp_auth_tokens (
    id                TEXT COLLATE "C" NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    kind              TEXT COLLATE "C" NOT NULL CHECK (kind IN ('personal', 'service_account')),
    organization      TEXT COLLATE "C" NOT NULL,
    owner             TEXT COLLATE "C" NOT NULL,
    email             TEXT COLLATE "C",
    name              TEXT COLLATE "C" NOT NULL,
    created_by        TEXT COLLATE "C" NOT NULL,
    verifier          BYTEA NOT NULL CHECK (length(verifier) = 32),
    pepper            TEXT COLLATE "C" NOT NULL,
    previous_verifier BYTEA CHECK (length(previous_verifier) = 32),
    previous_pepper   TEXT COLLATE "C",
    previous_until    BIGINT,
    scopes            TEXT COLLATE "C" NOT NULL,
    networks          TEXT COLLATE "C" NOT NULL,
    tenants           TEXT COLLATE "C" NOT NULL,
    created_at        BIGINT NOT NULL,
    expires_at        BIGINT NOT NULL,
    revoked_at        BIGINT,
    owner_active      BOOLEAN NOT NULL,
    version           BIGINT NOT NULL CHECK (version >= 1),
    CONSTRAINT mcp_auth_tokens_ends CHECK (expires_at > created_at AND expires_at - created_at <= 31536000),
    CONSTRAINT mcp_auth_tokens_email CHECK ((kind = 'personal') = (email IS NOT NULL)),
    CONSTRAINT mcp_auth_tokens_previous CHECK (
        (previous_verifier IS NULL) = (previous_pepper IS NULL)
        AND (previous_verifier IS NULL) = (previous_until IS NULL)
    )
);
CREATE INDEX mcp_auth_tokens_listed ON mcp_auth_tokens (organization, id);
CREATE INDEX mcp_auth_tokens_owned ON mcp_auth_tokens (organization, owner, id);
CREATE INDEX mcp_auth_tokens_expiry ON mcp_auth_tokens (expires_at);

CREATE TABLE mcp_auth_token_uses (
    id        TEXT COLLATE "C" NOT NULL PRIMARY KEY REFERENCES mcp_auth_tokens (id) ON DELETE CASCADE,
    last_used BIGINT NOT NULL
);

CREATE TABLE mcp_auth_policies (
    organization TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    version      BIGINT NOT NULL CHECK (version >= 1),
    document     TEXT COLLATE "C" NOT NULL
);

CREATE TABLE mcp_auth_policy_history (
    organization TEXT COLLATE "C" NOT NULL,
    version      BIGINT NOT NULL CHECK (version >= 1),
    document     TEXT COLLATE "C" NOT NULL,
    author       TEXT COLLATE "C",
    at           BIGINT NOT NULL,
    PRIMARY KEY (organization, version)
);
CREATE INDEX mcp_auth_policy_history_age ON mcp_auth_policy_history (at);

CREATE TABLE mcp_auth_log (
    sequence   BIGINT NOT NULL PRIMARY KEY CHECK (sequence >= 1),
    kind       TEXT COLLATE "C" NOT NULL,
    scope      TEXT COLLATE "C" NOT NULL,
    id         TEXT COLLATE "C" NOT NULL,
    issued_at  BIGINT,
    revoked_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    reason     TEXT COLLATE "C",
    author     TEXT COLLATE "C",
    at         BIGINT NOT NULL
);

-- The last number given. Whoever updates this row holds it until the commit, so numbers appear in order.
CREATE TABLE mcp_auth_log_sequence (
    one  SMALLINT NOT NULL PRIMARY KEY CHECK (one = 1),
    last BIGINT NOT NULL CHECK (last >= 0)
);
INSERT INTO mcp_auth_log_sequence (one, last) VALUES (1, 0);
