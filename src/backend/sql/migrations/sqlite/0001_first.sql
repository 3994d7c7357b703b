-- Text compares by bytes, which is SQLite's own order. STRICT: a column holds what it says.
CREATE TABLE mcp_auth_tokens (
    id                TEXT    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    kind              TEXT    NOT NULL CHECK (kind IN ('personal', 'service_account')),
    organization      TEXT    NOT NULL,
    owner             TEXT    NOT NULL,
    email             TEXT,
    name              TEXT    NOT NULL,
    created_by        TEXT    NOT NULL,
    verifier          BLOB    NOT NULL CHECK (length(verifier) = 32),
    pepper            TEXT    NOT NULL,
    previous_verifier BLOB    CHECK (length(previous_verifier) = 32),
    previous_pepper   TEXT,
    previous_until    INTEGER,
    scopes            TEXT    NOT NULL,
    networks          TEXT    NOT NULL,
    tenants           TEXT    NOT NULL,
    created_at        INTEGER NOT NULL,
    expires_at        INTEGER NOT NULL,
    revoked_at        INTEGER,
    owner_active      INTEGER NOT NULL CHECK (owner_active IN (0, 1)),
    version           INTEGER NOT NULL CHECK (version >= 1),
    CONSTRAINT mcp_auth_tokens_ends CHECK (expires_at > created_at AND expires_at - created_at <= 31536000),
    CONSTRAINT mcp_auth_tokens_email CHECK ((kind = 'personal') = (email IS NOT NULL)),
    CONSTRAINT mcp_auth_tokens_previous CHECK (
        (previous_verifier IS NULL) = (previous_pepper IS NULL)
        AND (previous_verifier IS NULL) = (previous_until IS NULL)
    )
) STRICT;
CREATE INDEX mcp_auth_tokens_listed ON mcp_auth_tokens (organization, id);
CREATE INDEX mcp_auth_tokens_owned ON mcp_auth_tokens (organization, owner, id);
CREATE INDEX mcp_auth_tokens_expiry ON mcp_auth_tokens (expires_at);

CREATE TABLE mcp_auth_token_uses (
    id        TEXT    NOT NULL PRIMARY KEY REFERENCES mcp_auth_tokens (id) ON DELETE CASCADE,
    last_used INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE mcp_auth_policies (
    organization TEXT    NOT NULL PRIMARY KEY,
    version      INTEGER NOT NULL CHECK (version >= 1),
    document     TEXT    NOT NULL
) STRICT;

CREATE TABLE mcp_auth_policy_history (
    organization TEXT    NOT NULL,
    version      INTEGER NOT NULL CHECK (version >= 1),
    document     TEXT    NOT NULL,
    author       TEXT,
    at           INTEGER NOT NULL,
    PRIMARY KEY (organization, version)
) STRICT;
CREATE INDEX mcp_auth_policy_history_age ON mcp_auth_policy_history (at);

CREATE TABLE mcp_auth_log (
    sequence   INTEGER NOT NULL PRIMARY KEY CHECK (sequence >= 1),
    kind       TEXT    NOT NULL,
    scope      TEXT    NOT NULL,
    id         TEXT    NOT NULL,
    issued_at  INTEGER,
    revoked_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    reason     TEXT,
    author     TEXT,
    at         INTEGER NOT NULL
) STRICT;

-- The last number given. Whoever updates this row holds it until the commit, so numbers appear in order.
CREATE TABLE mcp_auth_log_sequence (
    one  INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    last INTEGER NOT NULL CHECK (last >= 0)
) STRICT;
INSERT INTO mcp_auth_log_sequence (one, last) VALUES (1, 0);
