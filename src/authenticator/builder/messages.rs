//! How the messages behind a credential are judged: operations and sessions.

use zeroize::Zeroizing;

use super::AuthenticatorBuilder;
use crate::authenticator::ChallengeScopes;
use crate::authenticator::ground::Ground;
use crate::error::Problems;
use crate::keyed_hash::KeyedHash;
use crate::session::Sessions;
use crate::tool::ToolRules;

/// What is set here.
#[derive(Default)]
pub(super) struct Messages {
    pub(super) tools: Option<ToolRules>,
    pub(super) challenge_scopes: ChallengeScopes,
    sessions: SessionKey,
}

/// Where the key that seals session ids comes from.
#[derive(Default)]
enum SessionKey {
    #[default]
    Random,
    Shared(Zeroizing<Vec<u8>>),
    Unbound,
}

impl AuthenticatorBuilder {
    /// What each tool, prompt, resource and method needs. With this line the layer reads the body of
    /// every message, up to [`ToolRules::max_body_bytes`], and decides about what it asks for; a tool
    /// without a rule is refused. Without this line a credential is enough.
    #[must_use]
    pub fn tools(mut self, rules: ToolRules) -> Self {
        self.messages.tools = Some(rules);
        self
    }

    /// Which scopes the challenge of a first 401 names. Default: the baseline, and those of the
    /// attempted operation.
    #[must_use]
    pub fn challenge_scopes(mut self, scopes: ChallengeScopes) -> Self {
        self.messages.challenge_scopes = scopes;
        self
    }

    /// The key that seals session ids, at least 32 random bytes: for several processes that share
    /// sessions. Default: a key of this process.
    ///
    /// An MCP server that keeps sessions (protocol 2025-11-25 and older) knows a client by its
    /// `Mcp-Session-Id` alone. This layer binds the id to the principal it was made for: it adds a
    /// seal to the id the client gets, and takes it off again. Anybody else is told that there is
    /// no such session. So it does with the ids of events in event streams, by which a client goes
    /// on in a stream (`Last-Event-ID`) whatever session it names.
    #[must_use]
    pub fn session_key(mut self, key: impl AsRef<[u8]>) -> Self {
        self.messages.sessions = SessionKey::Shared(Zeroizing::new(key.as_ref().to_vec()));
        self
    }

    /// Leaves ids of sessions and of events alone.
    ///
    /// An attacker gains: with a credential of their own and somebody else's session id they read
    /// and speak in that session, and with the id of an event they read what follows it, unless the
    /// server behind binds its sessions and its events itself.
    #[must_use]
    pub fn insecure_unbound_sessions(mut self) -> Self {
        self.messages.sessions = SessionKey::Unbound;
        self
    }
}

impl Messages {
    /// Every mistake, and the seals of session ids unless they are left alone.
    pub(super) fn examine(
        &self,
        running: Option<&Ground>,
        problems: &mut Problems,
    ) -> Option<Sessions> {
        if let Some(rules) = &self.tools {
            rules.examine(problems);
        }
        if let Some(ground) = running {
            self.examine_again(ground.sessions.as_ref(), problems);
            return None;
        }
        let key = match &self.sessions {
            SessionKey::Unbound => return None,
            SessionKey::Random => {
                let key = KeyedHash::random(Sessions::PURPOSE);
                key.map_err(|error| error.to_string())
            }
            SessionKey::Shared(key) => KeyedHash::shared(Sessions::PURPOSE, key)
                .ok_or_else(|| format!("{} bytes", key.len())),
        };
        key.map_err(|problem| {
            let remedy = "a key of at least 32 random bytes is needed";
            problems.add("session_key", problem, remedy);
        })
        .ok()
        .map(Sessions::new)
    }

    /// Sessions outlive settings, and so does what binds them.
    fn examine_again(&self, sessions: Option<&Sessions>, problems: &mut Problems) {
        let remedy =
            "cannot be changed while the server runs: its sessions would be lost; restart it";
        match (&self.sessions, sessions) {
            (SessionKey::Random, Some(_)) | (SessionKey::Unbound, None) => {}
            (SessionKey::Shared(key), Some(sessions)) if sessions.are_sealed_with(key) => {}
            // Never the key itself.
            (SessionKey::Shared(key), _) => {
                problems.add("session_key", format!("{} bytes", key.len()), remedy);
            }
            (SessionKey::Unbound, Some(_)) => {
                problems.add("insecure_unbound_sessions", true, remedy);
            }
            (SessionKey::Random, None) => {
                problems.add("insecure_unbound_sessions", false, remedy);
            }
        }
    }
}
