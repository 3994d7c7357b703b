//! Checked names of parties and keys: once constructed, never empty and free of control characters.

use std::fmt;
use std::sync::{Arc, LazyLock};

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Longest identifier accepted, in bytes: the limit SPIFFE sets for its ids, the longest in the field.
const MAX_BYTES: usize = 2048;

fn is_acceptable(value: &str) -> bool {
    !value.is_empty() && value.len() <= MAX_BYTES && !value.chars().any(char::is_control)
}

macro_rules! identifier {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        ///
        /// Compared byte for byte. Cloning shares the text.
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
                Self::new(&text).ok_or_else(|| {
                    D::Error::custom(concat!(
                        "not an identifier of kind ",
                        stringify!($name),
                        ": 1 to 2048 bytes without control characters"
                    ))
                })
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
}
