//! API tokens of another making: a format you have already, issued and checked by a system of yours.
//!
//! A company whose people hold tokens of its own uses this layer with them as they are. You say
//! which text is such a token, by its shape, and ask your system about it; everything else is as
//! for the tokens of [`ApiTokens`](super::ApiTokens): one answer for every bad one, the
//! organization's switch and networks, scopes, throttle, audit, revocation.
//!
//! ```
//! use tower_mcp_auth::BackendError;
//! use tower_mcp_auth::api_token::TokenKind;
//! use tower_mcp_auth::api_token::foreign::{ForeignCredential, ForeignToken, ForeignTokens};
//! use tower_mcp_auth::clock::UnixTime;
//!
//! /// `pat.…` for people, `svc.…` for services.
//! struct Vendor; // holds a client of the vendor's API
//!
//! impl ForeignTokens for Vendor {
//!     fn recognise(&self, credential: &str) -> Option<TokenKind> {
//!         match credential.split_once('.')? {
//!             ("pat", _) => Some(TokenKind::Personal),
//!             ("svc", _) => Some(TokenKind::ServiceAccount),
//!             _ => None,
//!         }
//!     }
//!
//!     async fn verify(
//!         &self,
//!         credential: ForeignCredential<'_>,
//!     ) -> Result<Option<ForeignToken>, BackendError> {
//!         // POST credential.expose() to the vendor, in 500 ms at most; here one key is known.
//!         if credential.expose() != "svc.4711.correct" {
//!             return Ok(None);
//!         }
//!         let key = ForeignToken::service_account("key-4711", "acme", "build-bot")
//!             .created_by("ada")
//!             .scopes(["read:issues"])
//!             .created_at(UnixTime::from_secs(1_800_000_000))
//!             .expires_at(UnixTime::from_secs(1_807_776_000));
//!         Ok(Some(key.build()?))
//!     }
//! }
//! ```
//!
//! Hand it to [`foreign_tokens`](crate::authenticator::AuthenticatorBuilder::foreign_tokens).
//!
//! # Who judges a credential
//!
//! Shape alone decides, and there is no second opinion: a prefix of [`ApiTokens`](super::ApiTokens)
//! first, then a signed token (`eyJ….….…`, which no recogniser is ever shown), then the recognisers.
//! A credential that two of them claim is refused and nobody is asked.
//!
//! | kind | sent as | `verify` gets |
//! | --- | --- | --- |
//! | [personal](TokenKind::Personal) | `Basic base64(email:token)` | the token and the email |
//! | [service account](TokenKind::ServiceAccount) | `Bearer token`, or the API key header | the token |
//!
//! The other way round it is refused with the scheme to use, and `verify` is not called.
//!
//! # What is kept
//!
//! The facts of a good token, for 30 s and for 30 s more while `verify` fails; that there is no such
//! token, for 2 s. Neither credential nor address is kept: facts are found by an HMAC-SHA-256 under
//! a key of this process. So a token revoked at the vendor works here for 60 s at most, or until
//! [`AuthHandle::revoke_token`](crate::authenticator::AuthHandle::revoke_token).
//!
//! A response stream is another matter. Its token's text is gone when it opens, so the vendor cannot
//! be asked about it again: the stream ends when the token expires, by a policy, or by `AuthHandle`.

mod mark;
mod token;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use super::email::{Email, LocalPart};
use super::format::TokenKind;
use crate::error::BackendError;

pub(crate) use mark::{Mark, Marked, Marker};
pub use token::{ForeignToken, ForeignTokenBuilder};

/// A format of API tokens, and whoever knows about them.
///
/// See the [module](self) for an example.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot judge API tokens",
    note = "implement `ForeignTokens`: `fn recognise(&self, credential: &str) -> Option<TokenKind>` and `async fn verify(&self, credential: ForeignCredential<'_>) -> Result<Option<ForeignToken>, BackendError>`, with a future that is `Send`"
)]
pub trait ForeignTokens: Send + Sync + 'static {
    /// Whether this text is a token of this format, and of which kind. By its shape alone: called
    /// for every credential that is not known otherwise, on the thread of the request, so it must
    /// be quick and must not block. Say yes only to what is certainly yours, such as a prefix.
    fn recognise(&self, credential: &str) -> Option<TokenKind>;

    /// Asks whoever knows about this token. `None` says that there is no such token, whatever the
    /// cause: wrong, expired, revoked, its owner gone, another person's email.
    ///
    /// Called once for all requests that wait for the same answer, and cut off after 500 ms. A
    /// personal token whose owner has another [email](ForeignCredential::email) is refused even if
    /// this says yes.
    ///
    /// # Errors
    ///
    /// Nobody can say right now. The client gets 503 and keeps its token. The message is for the
    /// operator's log: put no credential into it.
    fn verify(
        &self,
        credential: ForeignCredential<'_>,
    ) -> impl Future<Output = Result<Option<ForeignToken>, BackendError>> + Send;

    /// How the part of an address before the `@` is compared. Default: [`LocalPart::Exact`]. Asked
    /// once, when the authenticator is built.
    fn local_part(&self) -> LocalPart {
        LocalPart::Exact
    }
}

impl<T: ForeignTokens> ForeignTokens for Arc<T> {
    fn recognise(&self, credential: &str) -> Option<TokenKind> {
        T::recognise(self, credential)
    }

    async fn verify(
        &self,
        credential: ForeignCredential<'_>,
    ) -> Result<Option<ForeignToken>, BackendError> {
        T::verify(self, credential).await
    }

    fn local_part(&self) -> LocalPart {
        T::local_part(self)
    }
}

/// A token as a client presents it, nothing verified. `Debug` shows its kind only.
#[derive(Clone, Copy)]
pub struct ForeignCredential<'a> {
    kind: TokenKind,
    text: &'a str,
    email: Option<&'a Email>,
}

impl<'a> ForeignCredential<'a> {
    pub(crate) const fn new(kind: TokenKind, text: &'a str, email: Option<&'a Email>) -> Self {
        Self { kind, text, email }
    }

    /// What [`recognise`](ForeignTokens::recognise) said.
    #[must_use]
    pub const fn kind(&self) -> TokenKind {
        self.kind
    }

    /// The token itself. Do not log it, and do not store it.
    #[must_use]
    pub const fn expose(&self) -> &'a str {
        self.text
    }

    /// The user part of `Basic`: always there for a personal token, never for a service account's.
    /// With [`LocalPart::AnyAsciiCase`] in lower case.
    #[must_use]
    pub const fn email(&self) -> Option<&'a Email> {
        self.email
    }
}

impl fmt::Debug for ForeignCredential<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ForeignCredential")
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

type Answer<'a> =
    Pin<Box<dyn Future<Output = Result<Option<ForeignToken>, BackendError>> + Send + 'a>>;

/// [`ForeignTokens`] with a boxed future. The names differ, so that a call is never ambiguous.
trait ErasedTokens: Send + Sync {
    fn recognise_erased(&self, credential: &str) -> Option<TokenKind>;
    fn verify_erased<'a>(&'a self, credential: ForeignCredential<'a>) -> Answer<'a>;
}

impl<T: ForeignTokens> ErasedTokens for T {
    fn recognise_erased(&self, credential: &str) -> Option<TokenKind> {
        self.recognise(credential)
    }

    fn verify_erased<'a>(&'a self, credential: ForeignCredential<'a>) -> Answer<'a> {
        Box::pin(self.verify(credential))
    }
}

/// The erased twin of [`ForeignTokens`]: what the rest of the crate holds.
#[derive(Clone)]
pub(crate) struct DynForeignTokens {
    tokens: Arc<dyn ErasedTokens>,
    local_part: LocalPart,
}

impl DynForeignTokens {
    pub(crate) fn new(tokens: impl ForeignTokens) -> Self {
        Self {
            local_part: tokens.local_part(),
            tokens: Arc::new(tokens),
        }
    }

    pub(crate) fn recognise(&self, credential: &str) -> Option<TokenKind> {
        self.tokens.recognise_erased(credential)
    }

    pub(crate) fn local_part(&self) -> LocalPart {
        self.local_part
    }

    /// The address as it is compared: one spelling for all that are the same.
    pub(crate) fn address(&self, sent: &str) -> Option<Email> {
        match self.local_part {
            LocalPart::Exact => Email::new(sent),
            LocalPart::AnyAsciiCase => Email::new(&sent.to_ascii_lowercase()),
        }
    }

    /// Asks, and takes no answer that cannot be.
    pub(crate) async fn verify(
        &self,
        credential: ForeignCredential<'_>,
    ) -> Result<Option<ForeignToken>, BackendError> {
        let token = self.tokens.verify_erased(credential).await?;
        let Some(token) = token else {
            return Ok(None);
        };
        if token.kind() != credential.kind() {
            let (found, asked) = (token.kind(), credential.kind());
            let message = format!("verify answered with a {found} token for a {asked} one");
            return Err(BackendError::new(message));
        }
        // Ids stand in logs and audit records. This one must not be repeated there, nor here.
        if token.id().contains(credential.expose()) {
            let message = "verify answered with a token whose id is its own secret";
            return Err(BackendError::new(message));
        }
        Ok(Some(token))
    }
}

impl fmt::Debug for DynForeignTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DynForeignTokens")
    }
}

#[cfg(test)]
mod tests;
