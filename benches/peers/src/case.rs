//! What a request carries.

use http::StatusCode;

/// One kind of request; each is a row of every layer that can answer it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Case {
    /// The same valid RS256 token again and again: what a client sends all day.
    Rs256,
    /// The same valid ES256 token again and again.
    Es256,
    /// The same valid `EdDSA` token (Ed25519) again and again.
    EdDsa,
    /// Valid RS256 tokens, each for the first time.
    FirstSight,
    /// Valid ES256 tokens, each for the first time.
    FirstSightEs256,
    /// Valid `EdDSA` tokens, each for the first time.
    FirstSightEdDsa,
    /// No `Authorization` at all.
    Missing,
    /// A bearer credential that is no JWT.
    Garbage,
    /// RS256, signed well, an hour too late.
    Expired,
    /// RS256 with a `kid` the issuer never published.
    UnknownKid,
    /// RS256 with one bit of the signature turned over.
    BadSignature,
}

impl Case {
    /// Every case, in the order of the table.
    pub const ALL: [Self; 11] = [
        Self::Rs256,
        Self::Es256,
        Self::EdDsa,
        Self::FirstSight,
        Self::FirstSightEs256,
        Self::FirstSightEdDsa,
        Self::Missing,
        Self::Garbage,
        Self::Expired,
        Self::UnknownKid,
        Self::BadSignature,
    ];

    /// The row's name in the table and the JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Rs256 => "rs256",
            Self::Es256 => "es256",
            Self::EdDsa => "eddsa",
            Self::FirstSight => "first_sight",
            Self::FirstSightEs256 => "first_sight_es256",
            Self::FirstSightEdDsa => "first_sight_eddsa",
            Self::Missing => "missing",
            Self::Garbage => "garbage",
            Self::Expired => "expired",
            Self::UnknownKid => "unknown_kid",
            Self::BadSignature => "bad_signature",
        }
    }

    /// Whether its requests carry tokens never seen before.
    #[must_use]
    pub fn is_first_sight(self) -> bool {
        matches!(
            self,
            Self::FirstSight | Self::FirstSightEs256 | Self::FirstSightEdDsa
        )
    }

    /// The right answer: 200 for a valid token, otherwise 401 (RFC 6750 §3.1).
    #[must_use]
    pub fn right_answer(self) -> StatusCode {
        match self {
            Self::Rs256
            | Self::Es256
            | Self::EdDsa
            | Self::FirstSight
            | Self::FirstSightEs256
            | Self::FirstSightEdDsa => StatusCode::OK,
            Self::Missing
            | Self::Garbage
            | Self::Expired
            | Self::UnknownKid
            | Self::BadSignature => StatusCode::UNAUTHORIZED,
        }
    }

    /// The rows of a layer which remembers nothing: there, a first sight of ES256 or `EdDSA` is the
    /// row `es256` or `eddsa` again.
    #[must_use]
    pub fn without_memory(self) -> Option<StatusCode> {
        match self {
            Self::FirstSightEs256 | Self::FirstSightEdDsa => None,
            other => Some(other.right_answer()),
        }
    }
}
