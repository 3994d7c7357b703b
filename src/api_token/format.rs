//! The text of an API token: `{brand}{kind}_{id}_{secret}{checksum}`. Pure and panic-free.

use std::fmt;
use std::sync::Arc;

use zeroize::Zeroizing;

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const ID_CHARS: usize = 16;
const SECRET_CHARS: usize = 43;
const CHECKSUM_CHARS: usize = 6;
/// Everything after `{brand}{kind}_`.
const TAIL_CHARS: usize = ID_CHARS + 1 + SECRET_CHARS + CHECKSUM_CHARS;

/// Whose token it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TokenKind {
    /// A person's own token, `mcpu_…`: sent as `Authorization: Basic base64(email:token)`.
    Personal,
    /// A key of a service account, `mcps_…`: sent as `Authorization: Bearer key`.
    ServiceAccount,
}

impl TokenKind {
    /// `u` or `s`: the letter that follows the brand.
    #[must_use]
    pub const fn letter(self) -> char {
        match self {
            Self::Personal => 'u',
            Self::ServiceAccount => 's',
        }
    }

    /// `personal` or `service_account`: the name in storage and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Personal => "personal",
            Self::ServiceAccount => "service_account",
        }
    }

    /// The kind with this name; `None` for any other text.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Personal, Self::ServiceAccount]
            .into_iter()
            .find(|kind| kind.as_str() == name)
    }

    /// The byte a verifier is computed over.
    pub(crate) const fn byte(self) -> u8 {
        match self {
            Self::Personal => b'u',
            Self::ServiceAccount => b's',
        }
    }
}

impl fmt::Display for TokenKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The public part of a token: 16 letters and digits. It names the token in stores, logs and lists,
/// and proves nothing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TokenId([u8; ID_CHARS]);

impl TokenId {
    /// The id, or `None` unless `value` is exactly 16 ASCII letters and digits.
    #[must_use]
    pub fn new(value: &str) -> Option<Self> {
        is_base62(value)
            .then(|| value.as_bytes().try_into().ok().map(Self))
            .flatten()
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Display for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TokenId({self})")
    }
}

/// Why a text is no token of ours. Found without a store, so it costs an attacker more than us.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FormatError {
    /// It does not begin with our prefix: some other credential.
    NotOurs,
    /// It begins like ours and is too short or too long: cut off, or copied with its surroundings.
    Length,
    /// A character that no token of ours has at its place.
    Alphabet,
    /// The checksum does not fit: mistyped, or invented.
    Checksum,
}

impl FormatError {
    /// Whether the text was meant to be a token of ours.
    #[must_use]
    pub const fn is_ours(self) -> bool {
        !matches!(self, Self::NotOurs)
    }
}

impl fmt::Display for FormatError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotOurs => "not an API token of this server",
            Self::Length => "an API token of the wrong length; was it cut off?",
            Self::Alphabet => "an API token with a character that none has",
            Self::Checksum => "an API token whose checksum does not fit; was it mistyped?",
        })
    }
}

impl std::error::Error for FormatError {}

/// A well-formed token as a client presents it. It proves nothing until it is verified.
#[derive(Clone, Copy)]
pub struct PresentedToken<'a> {
    kind: TokenKind,
    id: TokenId,
    secret: &'a str,
}

impl<'a> PresentedToken<'a> {
    /// The kind, which the checksum covers: a personal token cannot be turned into a service key.
    #[must_use]
    pub const fn kind(&self) -> TokenKind {
        self.kind
    }

    /// The public id.
    #[must_use]
    pub const fn id(&self) -> &TokenId {
        &self.id
    }

    /// The secret itself. Every use of this method is a place to review.
    pub(crate) const fn secret(&self) -> &'a str {
        self.secret
    }
}

impl fmt::Debug for PresentedToken<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PresentedToken")
            .field("kind", &self.kind)
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// The shape of the tokens of one server, given by its brand.
///
/// ```
/// use tower_mcp_auth::api_token::{FormatError, TokenFormat, TokenKind};
///
/// let format = TokenFormat::default();
/// assert_eq!(format.recognise("mcps_…"), Some(TokenKind::ServiceAccount));
/// assert_eq!(format.parse("eyJhbGciOi…").unwrap_err(), FormatError::NotOurs);
/// assert_eq!(format.parse("mcpu_short").unwrap_err(), FormatError::Length);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenFormat {
    brand: Arc<str>,
}

impl Default for TokenFormat {
    /// The brand `mcp`.
    fn default() -> Self {
        Self {
            brand: "mcp".into(),
        }
    }
}

impl TokenFormat {
    /// The format with this brand; `None` unless it is 2 to 8 lower-case ASCII letters.
    #[must_use]
    pub fn new(brand: &str) -> Option<Self> {
        let fits =
            (2..=8).contains(&brand.len()) && brand.bytes().all(|byte| byte.is_ascii_lowercase());
        fits.then(|| Self {
            brand: brand.into(),
        })
    }

    /// The brand.
    #[must_use]
    pub fn brand(&self) -> &str {
        &self.brand
    }

    /// The kind that the prefix claims, whatever follows it. Decides who judges a credential
    /// before anything is looked up, and never that it is good.
    #[must_use]
    pub fn recognise(&self, text: &str) -> Option<TokenKind> {
        self.split_prefix(text).map(|(kind, _)| kind)
    }

    /// Takes a token apart and checks its checksum.
    ///
    /// # Errors
    ///
    /// [`FormatError`], which tells a foreign credential from a damaged token of ours.
    pub fn parse<'a>(&self, text: &'a str) -> Result<PresentedToken<'a>, FormatError> {
        let (kind, tail) = self.split_prefix(text).ok_or(FormatError::NotOurs)?;
        if tail.len() != TAIL_CHARS {
            return Err(FormatError::Length);
        }
        let (id, rest) = tail.split_once('_').ok_or(FormatError::Alphabet)?;
        let id = TokenId::new(id).ok_or(FormatError::Alphabet)?;
        if !is_base62(rest) {
            return Err(FormatError::Alphabet);
        }
        let (secret, checksum) = rest
            .split_at_checked(SECRET_CHARS)
            .ok_or(FormatError::Alphabet)?;
        let covered = text.strip_suffix(checksum).ok_or(FormatError::Checksum)?;
        // As text: a checksum has one spelling only.
        if checksum_of(covered) != checksum.as_bytes() {
            return Err(FormatError::Checksum);
        }
        Ok(PresentedToken { kind, id, secret })
    }

    /// The regular expression that finds every token of this brand, for secret scanners. What it
    /// finds, [`parse`](Self::parse) confirms by the checksum.
    #[must_use]
    pub fn secret_scanning_regex(&self) -> String {
        let after_id = SECRET_CHARS + CHECKSUM_CHARS;
        format!(
            r"\b{}[us]_[0-9A-Za-z]{{{ID_CHARS}}}_[0-9A-Za-z]{{{after_id}}}\b",
            self.brand
        )
    }

    /// Every well-formed token in a text, wherever it stands. Looser than the regular expression:
    /// a token glued to its surroundings leaked as well.
    pub(crate) fn find_all<'a>(&self, text: &'a str) -> impl Iterator<Item = PresentedToken<'a>> {
        let length = self.brand.len() + 2 + TAIL_CHARS;
        // Wherever a letter begins: of a brand like `aa`, a match could hide the one that counts.
        text.char_indices()
            .filter_map(move |(start, _)| text.get(start..start.saturating_add(length)))
            .filter_map(|candidate| self.parse(candidate).ok())
    }

    /// The text of a token.
    pub(crate) fn assemble(&self, kind: TokenKind, id: &TokenId, secret: &str) -> TokenSecret {
        // The room for all of it at once: growing would leave copies of the secret behind.
        let mut text = Zeroizing::new(String::with_capacity(self.brand.len() + 2 + TAIL_CHARS));
        text.push_str(&self.brand);
        text.push(kind.letter());
        text.push('_');
        text.push_str(id.as_str());
        text.push('_');
        text.push_str(secret);
        let checksum = checksum_of(&text);
        text.extend(checksum.map(char::from));
        TokenSecret(text)
    }

    fn split_prefix<'a>(&self, text: &'a str) -> Option<(TokenKind, &'a str)> {
        let after_brand = text.strip_prefix(&*self.brand)?;
        let kind = match after_brand.as_bytes() {
            [b'u', b'_', ..] => TokenKind::Personal,
            [b's', b'_', ..] => TokenKind::ServiceAccount,
            _ => return None,
        };
        after_brand.get(2..).map(|tail| (kind, tail))
    }
}

/// A whole token, shown once to the one it is for and wiped when dropped.
///
/// No `Display`, no `Clone`, no serialization; `Debug` shows nothing.
pub struct TokenSecret(Zeroizing<String>);

impl TokenSecret {
    /// The text to hand to its owner. Do not log it, and do not store it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for TokenSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenSecret(..)")
    }
}

/// A new id: 95 random bits.
pub(crate) fn random_id() -> Result<TokenId, getrandom::Error> {
    let mut id = [0; ID_CHARS];
    fill_base62(&mut id, getrandom::fill)?;
    Ok(TokenId(id))
}

/// A new secret: 256 random bits.
pub(crate) fn random_secret() -> Result<Zeroizing<String>, getrandom::Error> {
    let mut secret = Zeroizing::new([0; SECRET_CHARS]);
    fill_base62(&mut *secret, getrandom::fill)?;
    let text = std::str::from_utf8(&*secret).unwrap_or_default();
    Ok(Zeroizing::new(text.to_owned()))
}

/// Fills `out` with letters and digits, each equally likely: bytes above the largest multiple of 62
/// are thrown away, because a remainder would prefer the first eight.
fn fill_base62<E>(
    out: &mut [u8],
    mut random: impl FnMut(&mut [u8]) -> Result<(), E>,
) -> Result<(), E> {
    let mut pool = Zeroizing::new([0; 64]);
    let mut places = out.iter_mut();
    let mut place = places.next();
    while place.is_some() {
        random(&mut *pool)?;
        for byte in pool.iter().filter(|byte| **byte < 248) {
            let Some(target) = place.take() else { break };
            *target = digit(u32::from(*byte));
            place = places.next();
        }
    }
    Ok(())
}

/// CRC-32 (IEEE 802.3) in six base62 digits, most significant first.
fn checksum_of(text: &str) -> [u8; CHECKSUM_CHARS] {
    let mut rest = crc32fast::hash(text.as_bytes());
    let mut digits = [b'0'; CHECKSUM_CHARS];
    for place in digits.iter_mut().rev() {
        *place = digit(rest);
        rest /= 62;
    }
    digits
}

fn digit(value: u32) -> u8 {
    let index = usize::try_from(value % 62).unwrap_or_default();
    ALPHABET.get(index).copied().unwrap_or(b'0')
}

fn is_base62(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests;
