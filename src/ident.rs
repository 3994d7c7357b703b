//! Checked names of parties and keys: once constructed, never empty and free of control characters.

use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, LazyLock};

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Longest identifier accepted, in bytes: the limit SPIFFE sets for its ids, the longest in the field.
const MAX_BYTES: usize = 2048;

fn is_acceptable(value: &str) -> bool {
    !value.is_empty() && value.len() <= MAX_BYTES && !value.chars().any(char::is_control)
}

/// A text that is no identifier: empty, longer than 2,048 bytes, or with a control character.
///
/// ```
/// use tower_mcp_auth::ident::OrganizationId;
///
/// let error = "acme\n".parse::<OrganizationId>().unwrap_err();
/// let expected = "not a valid OrganizationId: 1 to 2048 bytes without control characters";
/// assert_eq!(error.to_string(), expected);
/// ```
// Without the text, which may be anybody's and is what a log must not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidIdentifier {
    kind: &'static str,
}

impl fmt::Display for InvalidIdentifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = self.kind;
        write!(
            f,
            "not a valid {kind}: 1 to {MAX_BYTES} bytes without control characters"
        )
    }
}

impl std::error::Error for InvalidIdentifier {}

macro_rules! identifier {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        ///
        /// Compared byte for byte. Cloning shares the text. Made of text by [`new`](Self::new) or by
        /// [`parse`](str::parse).
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The identifier, or `None` if `value` is empty, longer than 2,048 bytes, or holds a
            /// control character.
            #[must_use]
            pub fn new(value: impl AsRef<str>) -> Option<Self> {
                let value = value.as_ref();
                is_acceptable(value).then(|| Self(value.into()))
            }

            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidIdentifier;

            fn from_str(text: &str) -> Result<Self, InvalidIdentifier> {
                let kind = stringify!($name);
                Self::new(text).ok_or(InvalidIdentifier { kind })
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(D::Error::custom)
            }
        }

        impl PartialEq<str> for $name {
            fn eq(&self, other: &str) -> bool {
                self.as_str() == other
            }
        }

        impl PartialEq<&str> for $name {
            fn eq(&self, other: &&str) -> bool {
                self.as_str() == *other
            }
        }
    };
}

identifier! {
    /// Who a token is about: the `sub` claim (RFC 7519 §4.1.2). Unique only together with its issuer.
    Subject
}

identifier! {
    /// The OAuth client a token was issued to: `client_id` (RFC 8693 §4.3, RFC 9068 §2.2).
    ClientId
}

identifier! {
    /// The tenant whose administrator's rules apply to a request.
    OrganizationId
}

identifier! {
    /// A site of an organization to which a token is bound, where the issuer binds tokens to sites.
    TenantId
}

impl OrganizationId {
    const IMPLICIT: &str = "default";

    /// The one organization of a server without tenants: issuers that name no organization claim
    /// all speak for it. No token can name it.
    #[must_use]
    pub fn implicit() -> Self {
        static SHARED: LazyLock<Arc<str>> = LazyLock::new(|| OrganizationId::IMPLICIT.into());
        Self(SHARED.clone())
    }

    pub(crate) fn is_implicit(&self) -> bool {
        self == Self::IMPLICIT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_overlong_and_control_characters_are_no_identifiers() {
        assert!(Subject::new("").is_none());
        assert!(Subject::new("a\nb").is_none());
        assert!(Subject::new("a\u{7f}").is_none());
        assert!(Subject::new("x".repeat(2049)).is_none());
        assert_eq!(
            Subject::new("spiffe://example.org/ci").unwrap(),
            "spiffe://example.org/ci"
        );
    }

    #[test]
    fn text_is_parsed_or_refused_without_being_repeated() {
        assert_eq!("acme".parse(), Ok(OrganizationId::new("acme").unwrap()));
        let message = |error: InvalidIdentifier| error.to_string();
        let tenant = message("".parse::<TenantId>().unwrap_err());
        assert_eq!(
            tenant,
            "not a valid TenantId: 1 to 2048 bytes without control characters"
        );
        let secret = "hunter2\0".parse::<Subject>().map_err(message);
        assert!(!secret.clone().unwrap_err().contains("hunter2"));
        let read: Result<Subject, _> = serde_json::from_str(r#""hunter2\u0000""#);
        let read = read.unwrap_err().to_string();
        assert!(read.starts_with(&secret.unwrap_err()), "{read}");
    }
}
