//! API tokens, and the peppers they are sealed with.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use zeroize::Zeroizing;

use crate::api_token::{ApiTokenStore, ApiTokens as Tokens, LocalPart, Peppers};
use crate::config::kinds::{Span, Text, words};
use crate::config::read::{Reader, table};
use crate::config::secret::Secret;

table! {
    /// API tokens, kept in the `database` and administered with the program `mcp-auth`.
    struct ApiTokens {
        /// The keys that tokens are sealed with, lines `id:base64` as `mcp-auth pepper new` prints them: the first
        /// seals new tokens, all check old ones. The same file as its `--pepper-file`.
        [restart] peppers: Secret,
        /// The first letters of every token: 2 to 8 lower-case letters. Changing it ends every token issued before.
        [restart] brand: Option<Text> = "mcp",
        /// Who vouches for the owners of these tokens: the issuer of their principals.
        [restart] authority: Option<Text> = "api-tokens",
        /// How the part of an address before the `@` is compared.
        [restart] local_part: Option<LocalPartName> = "exact",
        /// The longest life of a token issued from now on.
        [restart] max_lifetime: Option<Span<1, 31_536_000>> = "365d",
        /// Takes a service-account key in this header too, such as `x-api-key`.
        api_key_header: Option<Text>,
        /// Adds `Basic realm="…"` as a second challenge, for command-line clients that wait for it: the name of this
        /// server for people. A browser pops up a password box then.
        basic_challenge: Option<Text>,
        /// Answers a switched-off kind of credential with 403 and no challenge, instead of the 401 from which clients
        /// start a login.
        disabled_method_is_forbidden: bool,
    }
}

words! {
    /// See [`LocalPart`].
    enum LocalPartName { Exact = "exact", AnyAsciiCase = "any_ascii_case" }
}

impl ApiTokens {
    /// The tokens of a store. `None` with a problem.
    pub(in crate::config) fn tokens(
        &self,
        store: impl ApiTokenStore,
        reader: &mut Reader<'_>,
    ) -> Option<Tokens> {
        let peppers = peppers(self.peppers.expose()).map_err(|problem| {
            reader.add("api_tokens.peppers", "…", problem);
        });
        let mut tokens = Tokens::new(store, peppers.ok()?);
        if let Some(brand) = &self.brand {
            tokens = tokens.brand(brand);
        }
        if let Some(authority) = &self.authority {
            tokens = tokens.authority(authority);
        }
        if let Some(lifetime) = &self.max_lifetime {
            tokens = tokens.max_lifetime(lifetime.0);
        }
        Some(match self.local_part {
            Some(LocalPartName::AnyAsciiCase) => tokens.local_part(LocalPart::AnyAsciiCase),
            Some(LocalPartName::Exact) | None => tokens,
        })
    }
}

/// The first line signs; the crate takes the signing one last. What is wrong is told without the line.
fn peppers(text: &str) -> Result<Peppers, String> {
    let lines = text.lines().map(str::trim).zip(1..);
    let lines = lines.filter(|(line, _)| !line.is_empty() && !line.starts_with('#'));
    let mut read = Vec::new();
    for (line, number) in lines {
        let unusable = || {
            format!(
                "line {number} is not `id:base64`; `mcp-auth pepper new` prints a line, and the first one seals"
            )
        };
        let (id, secret) = line.split_once(':').ok_or_else(unusable)?;
        let engine = if secret.ends_with('=') {
            STANDARD
        } else {
            STANDARD_NO_PAD
        };
        let secret = engine.decode(secret).map_err(|_| unusable())?;
        read.push((id, Zeroizing::new(secret)));
    }
    let mut oldest_first = read.iter().rev();
    let (id, secret) = oldest_first.next().ok_or("there is no line in it")?;
    let first = Peppers::new(id, &**secret);
    Ok(oldest_first.fold(first, |peppers, (id, secret)| peppers.and(id, &**secret)))
}
