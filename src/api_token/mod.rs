//! API tokens: credentials an organization issues itself, for scripts and services that cannot log
//! in.
//!
//! Two kinds, told apart by their prefix before anything is looked up:
//!
//! | kind | text | sent as | acts for |
//! | --- | --- | --- | --- |
//! | [personal](TokenKind::Personal) | `mcpu_…` | `Basic base64(email:token)` | a person |
//! | [service account](TokenKind::ServiceAccount) | `mcps_…` | `Bearer key` | nobody |
//!
//! ```
//! use tower_mcp_auth::api_token::{ApiTokens, MemoryStore, NewToken, Peppers};
//!
//! # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
//! let tokens = ApiTokens::new(MemoryStore::new(), Peppers::generate()?);
//! let issued = tokens
//!     .issue(NewToken::personal("acme", "user-17", "ada@acme.example").scopes(["read:issues"]))
//!     .await?;
//!
//! let shown_once = issued.token.expose(); // mcpu_…, 71 characters
//! # assert_eq!((shown_once.len(), tokens.format().parse(shown_once).is_ok()), (71, true));
//! tokens.revoke(issued.record.id()).await?;
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! ```
//!
//! # The text of a token
//!
//! `{brand}{kind}_{id}_{secret}{checksum}`, for instance `mcpu_` and 66 characters:
//!
//! - brand: 2 to 8 lower-case letters, `mcp` by default; kind: `u` or `s`;
//! - id: 16 base62 characters (95 bits). Public: it may be logged;
//! - secret: 43 base62 characters (256 bits) from the operating system;
//! - checksum: CRC-32 of everything before it, as 6 base62 characters. It covers the prefix, so no
//!   kind can be turned into the other, and a typing error is found without a look-up.
//!
//! Letters, digits and `_` only, so a double click selects it whole. Secret scanners find it with
//! [`TokenFormat::secret_scanning_regex`], by default
//! `\bmcp[us]_[0-9A-Za-z]{16}_[0-9A-Za-z]{49}\b`, and [`ApiTokens::revoke_leaked`] revokes what they
//! found.
//!
//! # What is stored
//!
//! A [`TokenRecord`]: everything but the secret. In place of the secret stands an HMAC-SHA-256 under
//! a [pepper](Peppers) that the store never sees, so a copy of the store is no set of credentials.
//!
//! # Tokens you have already
//!
//! A company whose people hold API tokens of another making keeps them: [`foreign`] says how this
//! layer recognises them and asks their maker.
//!
//! # Limits and defaults
//!
//! | what | default | bounds |
//! | --- | --- | --- |
//! | life of a token | 90 days | 1 s – 365 days; lower by [`ApiTokens::max_lifetime`] |
//! | overlap of a roll | | 0 – 24 h |
//! | scopes | | 1 – 256 |
//! | networks; sites | any | 100 each |
//! | name | empty | 200 characters |

mod admin;
mod changes;
#[cfg(any(test, feature = "testing"))]
#[doc(hidden)]
pub mod contract;
mod email;
pub mod foreign;
mod format;
mod issue_error;
mod memory;
mod new_token;
mod pepper;
mod record;
mod store;
mod stored;
mod trail;
mod verify;

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use crate::audit::trail::AuditTrail;
use crate::clock::{Clock, SystemClock, UnixTime};
use crate::error::{BackendError, ConfigError, Problems};

pub use admin::IssuedToken;
pub use changes::{TokenChange, TokenChanges};
pub use email::{Email, LocalPart};
pub use format::{FormatError, PresentedToken, TokenFormat, TokenId, TokenKind, TokenSecret};
pub use issue_error::IssueError;
pub use memory::MemoryStore;
pub use new_token::NewToken;
pub use pepper::{PepperId, Peppers};
pub use record::{Owner, TokenRecord};
pub use store::{ApiTokenStore, TokenQuery, Written};
pub use stored::StoredToken;

use store::DynApiTokenStore;
use verify::{Presentation, verify};

pub(crate) use changes::{Announcer, TokenListener};
pub(crate) use verify::{SecretAge, TokenFault};

/// The tokens of a server: a store, the peppers, and the rules they are issued by.
///
/// Cloning is cheap, and clones share the store and its [news](Self::subscribe): give one to the
/// authenticator and keep one for your administration pages. Who may call which method is yours to
/// decide; none of them asks for a permission.
#[derive(Clone)]
pub struct ApiTokens {
    store: DynApiTokenStore,
    settings: Arc<Settings>,
    changes: Announcer,
    /// The sink of an authenticator, known to every clone.
    inherited: Arc<OnceLock<AuditTrail>>,
}

#[derive(Clone)]
struct Settings {
    peppers: Peppers,
    format: TokenFormat,
    authority: Arc<str>,
    clock: Arc<dyn Clock>,
    local_part: LocalPart,
    max_lifetime: Duration,
    audit: Option<AuditTrail>,
    problems: Problems,
}

impl ApiTokens {
    /// Tokens kept in `store`, sealed with `peppers`.
    #[must_use]
    pub fn new(store: impl ApiTokenStore, peppers: Peppers) -> Self {
        Self {
            store: DynApiTokenStore::new(store),
            settings: Arc::new(Settings {
                peppers,
                format: TokenFormat::default(),
                authority: "api-tokens".into(),
                clock: Arc::new(SystemClock::new()),
                local_part: LocalPart::default(),
                max_lifetime: new_token::MAX_LIFETIME,
                audit: None,
                problems: Problems::default(),
            }),
            changes: Announcer::new(),
            inherited: Arc::default(),
        }
    }

    /// The first letters of every token: 2 to 8 lower-case ASCII letters. Default: `mcp`. Changing
    /// it ends every token issued before.
    #[must_use]
    pub fn brand(self, brand: impl AsRef<str>) -> Self {
        let brand = brand.as_ref();
        self.with(|settings| {
            if let Some(format) = TokenFormat::new(brand) {
                settings.format = format;
            } else {
                let remedy = "a brand is 2 to 8 lower-case ASCII letters";
                settings.problems.add("api_tokens.brand", brand, remedy);
            }
        })
    }

    /// Who vouches for the owners of these tokens: the issuer of their
    /// [`Principal`](crate::Principal). Name your identity provider's issuer if its subjects are
    /// the owners, so that a person is one principal whichever way they come in. Default:
    /// `api-tokens`.
    #[must_use]
    pub fn authority(self, authority: impl AsRef<str>) -> Self {
        let authority = authority.as_ref();
        self.with(|settings| {
            if authority.is_empty() || authority.chars().any(char::is_control) {
                let remedy = "must not be empty or hold control characters";
                settings
                    .problems
                    .add("api_tokens.authority", authority, remedy);
            } else {
                settings.authority = authority.into();
            }
        })
    }

    /// Where the time comes from. Default: the machine's clock.
    #[must_use]
    pub fn clock(self, clock: impl Clock) -> Self {
        self.with(|settings| settings.clock = Arc::new(clock))
    }

    /// How the part of an address before the `@` is compared. Default: [`LocalPart::Exact`].
    #[must_use]
    pub fn local_part(self, rule: LocalPart) -> Self {
        self.with(|settings| settings.local_part = rule)
    }

    /// The longest life of a token issued from now on: 1 s to 365 days. Default: 365 days. An
    /// organization may ask for less with [`NewToken::max_lifetime`].
    #[must_use]
    pub fn max_lifetime(self, limit: Duration) -> Self {
        self.with(|settings| {
            if (Duration::from_secs(1)..=new_token::MAX_LIFETIME).contains(&limit) {
                settings.max_lifetime = limit;
            } else {
                let (field, remedy) = ("api_tokens.max_lifetime", "must be 1 s to 365 days");
                settings.problems.add(field, format!("{limit:?}"), remedy);
            }
        })
    }

    /// Reports every mistake in this configuration. The authenticator's `build()` does the same,
    /// and no token is issued as long as there is one.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] with all of them.
    pub fn check(&self) -> Result<(), ConfigError> {
        let mut problems = Problems::default();
        self.examine(&mut problems);
        problems.or(Some(()))
    }

    /// The shape of these tokens.
    #[must_use]
    pub fn format(&self) -> &TokenFormat {
        &self.settings.format
    }

    /// News of every token written through this value or a clone of it, from now on, and by other
    /// processes if they are [heard of](TokenChanges). Each comes after its write, perhaps twice.
    #[must_use]
    pub fn subscribe(&self) -> TokenChanges {
        self.changes.subscribe()
    }

    pub(crate) fn examine(&self, problems: &mut Problems) {
        problems.append(&self.settings.problems);
        problems.append(self.settings.peppers.problems());
    }

    fn with(mut self, set: impl FnOnce(&mut Settings)) -> Self {
        set(Arc::make_mut(&mut self.settings));
        self
    }

    fn peppers(&self) -> &Peppers {
        &self.settings.peppers
    }

    fn now(&self) -> UnixTime {
        self.settings.clock.now()
    }
}

/// What the authenticator asks.
impl ApiTokens {
    /// Who vouches for the owners.
    pub(crate) fn issuer(&self) -> &Arc<str> {
        &self.settings.authority
    }

    /// How many writes have been announced, to see at a glance whether there is news.
    pub(crate) fn writes(&self) -> u64 {
        self.changes.count()
    }

    /// Calls `listener` after every write, before it returns.
    pub(crate) fn on_change(
        &self,
        listener: impl Fn(TokenChange) + Send + Sync + 'static,
    ) -> TokenListener {
        self.changes.on_change(listener)
    }

    /// Where news come from, for whoever hears of writes of other processes.
    pub(crate) fn announcer(&self) -> &Announcer {
        &self.changes
    }

    /// Judges a presented token against what [`find`](Self::find) found. `email` is the user
    /// part of `Basic`, or `None` for `Bearer`.
    pub(crate) fn judge(
        &self,
        record: Option<&TokenRecord>,
        presented: &PresentedToken<'_>,
        email: Option<&str>,
        now: UnixTime,
    ) -> Result<SecretAge, TokenFault> {
        let presentation = Presentation {
            email,
            local_part: self.settings.local_part,
        };
        verify(record, presented, self.peppers(), now, presentation)
    }

    /// Notes when tokens were last used.
    pub(crate) async fn touch(&self, used: &[(TokenId, UnixTime)]) -> Result<(), BackendError> {
        self.store.touch(used).await
    }
}

impl fmt::Debug for ApiTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiTokens")
            .field("brand", &self.settings.format.brand())
            .field("authority", &self.settings.authority)
            .field("peppers", &self.settings.peppers)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
