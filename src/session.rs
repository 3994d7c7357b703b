//! Session ids, and ids of events, bound to the principal they were made for (T44, MCP-14).
//!
//! Nothing is kept. The id that the inner service makes gets a seal: a keyed hash of the id and of
//! whom it was made for. A request that names a session must bring the seal of its own principal,
//! and the inner service sees its own id again. Whoever holds a foreign id, or makes one up, is
//! told the same: there is no such session.
//!
//! The id of an event says where in which stream a client goes on (`Last-Event-ID`), and a server that
//! keeps events finds the stream by that alone, whatever session is named beside it. So it gets a seal
//! of the same making, and of another kind.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderName, HeaderValue};

use crate::ident::OrganizationId;
use crate::keyed_hash::KeyedHash;
use crate::principal::Principal;

pub(crate) static MCP_SESSION_ID: HeaderName = HeaderName::from_static("mcp-session-id");

/// Bytes of a seal: 128 bits, which nobody guesses.
const SEAL: usize = 16;

/// Letters of a seal in the header.
const SEAL_TEXT: usize = 22;

/// Where a client goes on in a stream (HTML, "Server-sent events").
static LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// What binds sessions, and what is read in them.
#[derive(Clone, Debug)]
pub(crate) struct Sessions {
    pub(crate) ids: Seals,
    pub(crate) events: Seals,
}

/// Seals ids of one kind, and opens them again.
#[derive(Clone, Debug)]
pub(crate) struct Seals(KeyedHash);

/// Whom a session is for; nobody, where the server lets somebody start one without a credential.
pub(crate) type Owner<'a> = Option<(&'a Principal, &'a OrganizationId)>;

impl Sessions {
    pub(crate) const PURPOSE: &'static str = "tower-mcp-auth session v1";

    const EVENTS: &'static str = "tower-mcp-auth event v1";

    pub(crate) fn new(key: KeyedHash) -> Self {
        Self {
            events: Seals(key.for_purpose(Self::EVENTS)),
            ids: Seals(key),
        }
    }

    /// Whether their key is made of this one.
    pub(crate) fn are_sealed_with(&self, key: &[u8]) -> bool {
        KeyedHash::shared(Self::PURPOSE, key).is_some_and(|key| self.ids.0.is_same(&key))
    }

    /// The headers in which requests bring sealed ids.
    pub(crate) fn lines(&self) -> [(&'static HeaderName, &Seals); 2] {
        [(&MCP_SESSION_ID, &self.ids), (&LAST_EVENT_ID, &self.events)]
    }
}

impl Seals {
    /// The id as the client gets it: the inner service's, a dot, and the seal.
    pub(crate) fn seal(&self, id: &HeaderValue, owner: Owner<'_>) -> Option<HeaderValue> {
        let id = id.as_bytes();
        let hash = with_parts(id, owner, |parts| self.0.of(parts));
        let mut sealed = Vec::with_capacity(id.len() + 1 + SEAL_TEXT);
        sealed.extend_from_slice(id);
        sealed.push(b'.');
        sealed.extend_from_slice(URL_SAFE_NO_PAD.encode(hash.get(..SEAL)?).as_bytes());
        HeaderValue::from_bytes(&sealed).ok()
    }

    /// The inner service's id, if this one was made for `owner`.
    pub(crate) fn open(&self, sealed: &HeaderValue, owner: Owner<'_>) -> Option<HeaderValue> {
        let (id, seal) = split(sealed.as_bytes())?;
        let claimed = URL_SAFE_NO_PAD.decode(seal).ok()?;
        let good = with_parts(id, owner, |parts| self.0.begins_with(&claimed, parts));
        good.then(|| HeaderValue::from_bytes(id).ok()).flatten()
    }
}

/// The same person at another client is another party: neither may read what the other's
/// session answers.
fn with_parts<T>(id: &[u8], owner: Owner<'_>, hash: impl FnOnce(&[&[u8]]) -> T) -> T {
    let Some((principal, organization)) = owner else {
        return hash(&[id]);
    };
    let key = principal.key();
    let client = principal.client().map_or("", |client| client.as_str());
    hash(&[
        id,
        key.as_str().as_bytes(),
        client.as_bytes(),
        organization.as_str().as_bytes(),
    ])
}

fn split(sealed: &[u8]) -> Option<(&[u8], &[u8])> {
    let (rest, seal) = sealed.split_at_checked(sealed.len().checked_sub(SEAL_TEXT)?)?;
    Some((rest.strip_suffix(b".")?, seal))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ident::ClientId;
    use crate::principal::Facts;

    fn principal(issuer: &str, subject: &str, client: &str) -> Principal {
        Principal::new(Facts {
            client: ClientId::new(client),
            ..Facts::of_user(issuer, subject)
        })
    }

    fn sessions() -> Seals {
        Sessions::new(KeyedHash::random(Sessions::PURPOSE).unwrap()).ids
    }

    fn id(text: &str) -> HeaderValue {
        HeaderValue::from_str(text).unwrap()
    }

    #[test]
    fn t44_a_session_is_its_owners_alone() {
        let sessions = sessions();
        let (acme, globex) = (
            OrganizationId::new("acme").unwrap(),
            OrganizationId::new("globex").unwrap(),
        );
        let alice = principal("https://i", "alice", "desktop");
        let sealed = sessions.seal(&id("s-1"), Some((&alice, &acme))).unwrap();
        let opened =
            |who: &Principal, organization| sessions.open(&sealed, Some((who, organization)));
        assert_eq!(opened(&alice, &acme), Some(id("s-1")));
        // A refreshed token is another token of the same principal.
        assert_eq!(
            opened(&principal("https://i", "alice", "desktop"), &acme),
            Some(id("s-1"))
        );
        assert_eq!(
            opened(&principal("https://i", "bob", "desktop"), &acme),
            None
        );
        assert_eq!(
            opened(&principal("https://j", "alice", "desktop"), &acme),
            None
        );
        assert_eq!(opened(&principal("https://i", "alice", "ide"), &acme), None);
        assert_eq!(opened(&alice, &globex), None);
        assert_eq!(sessions.open(&sealed, None), None);
        let other_process = self::sessions();
        assert_eq!(other_process.open(&sealed, Some((&alice, &acme))), None);
    }

    #[test]
    fn t44_a_seal_of_one_kind_opens_none_of_the_other() {
        let sessions = Sessions::new(KeyedHash::random(Sessions::PURPOSE).unwrap());
        let event = sessions.events.seal(&id("1"), None).unwrap();
        assert_eq!(sessions.events.open(&event, None), Some(id("1")));
        assert_eq!(sessions.ids.open(&event, None), None);
        let session = sessions.ids.seal(&id("1"), None).unwrap();
        assert_eq!(sessions.events.open(&session, None), None);
    }

    #[test]
    fn t44_ids_with_dots_and_ids_of_nobody() {
        let sessions = sessions();
        for inner in ["a.b.c", ".", "x"] {
            let sealed = sessions.seal(&id(inner), None).unwrap();
            assert_eq!(sessions.open(&sealed, None), Some(id(inner)));
        }
    }

    proptest! {
        #[test]
        fn t44_made_up_ids_open_nothing(made_up in "[!-~]{0,80}") {
            prop_assert_eq!(sessions().open(&id(&made_up), None), None);
        }

        #[test]
        fn t44_one_changed_byte_opens_nothing(inner in "[!-~]{1,40}", at in any::<prop::sample::Index>(), with in b'!'..=b'~') {
            let sessions = sessions();
            let sealed = sessions.seal(&id(&inner), None).unwrap();
            let mut changed = sealed.as_bytes().to_vec();
            let at = at.index(changed.len());
            prop_assume!(changed[at] != with);
            changed[at] = with;
            prop_assert_eq!(sessions.open(&HeaderValue::from_bytes(&changed).unwrap(), None), None);
        }
    }
}
