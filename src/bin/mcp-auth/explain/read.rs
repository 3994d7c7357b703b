//! What was given: a bare token, `email:token`, or a whole `Authorization` line.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Map, Value};
use tower_mcp_auth::api_token::{Email, TokenFormat, TokenKind};
use zeroize::Zeroizing;

use super::{Mark, Steps};

/// How it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Line,
    /// `email:token`, as people write what Basic encodes.
    Pair,
    Bare,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scheme {
    Bearer,
    Basic,
    Dpop,
    Other,
}

/// What a token is by its shape.
pub(super) enum Kind {
    Api(TokenKind),
    /// An API token of a server with this brand.
    OtherBrand(String),
    Jwt(Jwt),
    Encrypted,
    Opaque,
    Nothing,
}

/// A JWT taken apart, nothing verified.
pub(super) struct Jwt {
    pub(super) header: Map<String, Value>,
    /// Nothing if it is no JSON object.
    pub(super) claims: Map<String, Value>,
}

/// The credential and its parts. No `Debug`: most of it is secret.
pub(super) struct Given {
    text: Zeroizing<String>,
    pub(super) form: Form,
    pub(super) scheme: Scheme,
    /// What follows the scheme.
    pub(super) credential: Zeroizing<String>,
    /// The user part of Basic.
    pub(super) email: Option<String>,
    /// The token itself.
    pub(super) token: Zeroizing<String>,
    pub(super) kind: Kind,
    /// The scheme stands there twice.
    pub(super) doubled: bool,
    secret: Vec<Zeroizing<String>>,
}

pub(super) fn read(text: &str, format: &TokenFormat) -> Given {
    let text = text.trim();
    let value = without_name(text);
    let (word, rest) = value.split_once(' ').unwrap_or((value, ""));
    let known = scheme(word);
    // Some other scheme, as well as one of ours: no token has a blank in it.
    let is_scheme = !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphabetic());
    let line = value.len() < text.len() || (is_scheme && !rest.is_empty());
    let (form, scheme, credential) = if line {
        (Form::Line, known, rest.trim())
    } else if value.contains(':') {
        (Form::Pair, Scheme::Basic, value)
    } else {
        (Form::Bare, Scheme::Bearer, value)
    };
    let doubled = form == Form::Line && doubled(credential);
    let (email, token) = parts(form, scheme, credential);
    let kind = kind(&token, format);
    let scheme = match (form, &kind) {
        (Form::Bare, Kind::Api(TokenKind::Personal)) => Scheme::Basic,
        _ => scheme,
    };
    let secret = secrets((value, credential, &token), scheme, &kind, format);
    Given {
        text: Zeroizing::new(value.to_owned()),
        form,
        scheme,
        credential: Zeroizing::new(credential.to_owned()),
        email,
        token,
        kind,
        doubled,
        secret,
    }
}

/// Without `Authorization:` before it.
fn without_name(text: &str) -> &str {
    match text.split_once(':') {
        Some((name, value)) if name.trim().eq_ignore_ascii_case("authorization") => value.trim(),
        _ => text,
    }
}

fn scheme(word: &str) -> Scheme {
    match word.to_ascii_lowercase().as_str() {
        "bearer" => Scheme::Bearer,
        "basic" => Scheme::Basic,
        "dpop" => Scheme::Dpop,
        _ => Scheme::Other,
    }
}

fn doubled(credential: &str) -> bool {
    let again = credential.split_once(' ');
    again.is_some_and(|(word, _)| scheme(word) != Scheme::Other)
}

/// The user part, and the token itself.
fn parts(form: Form, scheme: Scheme, credential: &str) -> (Option<String>, Zeroizing<String>) {
    let inner = credential.split_once(' ').filter(|_| doubled(credential));
    let credential = inner.map_or(credential, |(_, inner)| inner.trim());
    if scheme != Scheme::Basic {
        return (None, Zeroizing::new(credential.to_owned()));
    }
    let decoded = match form {
        Form::Line if !credential.contains(':') => {
            STANDARD.decode(credential).map(Zeroizing::new).ok()
        }
        _ => Some(Zeroizing::new(credential.as_bytes().to_vec())),
    };
    let text = decoded
        .as_ref()
        .and_then(|octets| std::str::from_utf8(octets).ok());
    match text.map(|text| text.trim_end().split_once(':').ok_or(text)) {
        Some(Ok((email, token))) => (Some(email.to_owned()), Zeroizing::new(token.to_owned())),
        Some(Err(token)) => (None, Zeroizing::new(token.trim_end().to_owned())),
        None => (None, Zeroizing::default()),
    }
}

fn kind(token: &str, format: &TokenFormat) -> Kind {
    if token.is_empty() {
        return Kind::Nothing;
    }
    if let Some(kind) = format.recognise(token) {
        return Kind::Api(kind);
    }
    let brand = token
        .split_once('_')
        .and_then(|(prefix, _)| prefix.strip_suffix(['u', 's']));
    if let Some(other) = brand.and_then(TokenFormat::new)
        && other.parse(token).is_ok()
    {
        return Kind::OtherBrand(other.brand().to_owned());
    }
    let mut pieces = token.split('.');
    let header = pieces.next().and_then(object);
    match (header, token.split('.').count()) {
        (Some(header), 3) => Kind::Jwt(Jwt {
            header,
            claims: pieces.next().and_then(object).unwrap_or_default(),
        }),
        (Some(_), 5) => Kind::Encrypted,
        _ => Kind::Opaque,
    }
}

fn object(piece: &str) -> Option<Map<String, Value>> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(piece).ok()?).ok()
}

/// Everything that must not be printed: all but a JWT's first two parts and the id of an API token.
fn secrets(
    (value, credential, token): (&str, &str, &str),
    scheme: Scheme,
    kind: &Kind,
    format: &TokenFormat,
) -> Vec<Zeroizing<String>> {
    let mut all = Vec::new();
    match kind {
        Kind::Jwt(_) => all.extend(token.rsplit('.').next()),
        Kind::Api(_) if format.parse(token).is_ok() => all.extend(token.rsplit('_').next()),
        _ => all.push(token),
    }
    // What is Base64 or not understood is not shown either.
    if scheme != Scheme::Bearer || doubled(credential) {
        all.extend(match kind {
            Kind::Jwt(_) | Kind::Api(_) => credential.strip_suffix(token),
            _ => Some(credential),
        });
    }
    if scheme == Scheme::Other {
        all.push(value);
    }
    all.into_iter()
        .map(|secret| Zeroizing::new(secret.to_owned()))
        .collect()
}

impl Given {
    pub(super) fn secrets(&self) -> &[Zeroizing<String>] {
        &self.secret
    }

    pub(super) fn jwt(&self) -> Option<&Jwt> {
        match &self.kind {
            Kind::Jwt(jwt) => Some(jwt),
            _ => None,
        }
    }

    /// The value of the `Authorization` line that a client sends for it. `owner` is the address that belongs to a
    /// personal token given without one.
    pub(super) fn line(&self, owner: Option<&str>) -> Zeroizing<String> {
        let basic = |pair: &str| Zeroizing::new(format!("Basic {}", STANDARD.encode(pair)));
        match (self.form, self.scheme) {
            (Form::Line, _) => self.text.clone(),
            (Form::Pair, _) => basic(&self.text),
            (Form::Bare, Scheme::Basic) => {
                let owner = owner.unwrap_or("somebody@example.invalid");
                let pair = Zeroizing::new(format!("{owner}:{}", *self.text));
                basic(&pair)
            }
            (Form::Bare, _) => Zeroizing::new(format!("Bearer {}", *self.text)),
        }
    }

    pub(super) fn tell(&self, steps: &mut Steps) {
        steps.add(
            Mark::Fact,
            "given",
            match (self.form, self.scheme) {
                (Form::Line, _) => "an Authorization line",
                (Form::Pair, _) => "email:token, which clients send as Basic, in base64",
                (Form::Bare, Scheme::Basic) => {
                    "a bare personal token, which clients send as Basic, with its email"
                }
                (Form::Bare, _) => "a bare token, which clients send as Bearer",
            },
        );
        if let (Scheme::Basic, Some(email)) = (self.scheme, &self.email) {
            let (mark, text) = match Email::new(email) {
                Some(_) => (Mark::Good, "one plain address"),
                None => (
                    Mark::Bad,
                    "what stands before the first colon is no plain address",
                ),
            };
            steps.add(mark, "email", text);
        }
        let (mark, text) = self.kind.told();
        steps.add(mark, "kind", text);
    }
}

impl Kind {
    fn told(&self) -> (Mark, String) {
        let (mark, text) = match self {
            Self::Api(TokenKind::Personal) => (
                Mark::Good,
                "a personal API token of this server, by its prefix",
            ),
            Self::Api(TokenKind::ServiceAccount) => (
                Mark::Good,
                "a service-account key of this server, by its prefix",
            ),
            Self::OtherBrand(brand) => {
                return (
                    Mark::Bad,
                    format!("an API token of a server whose brand is {brand}"),
                );
            }
            Self::Jwt(_) => (
                Mark::Good,
                "a JWT: its issuer's keys say whether it is good",
            ),
            Self::Encrypted => (Mark::Bad, "an encrypted JWT (JWE)"),
            Self::Opaque => (
                Mark::Unknown,
                "of no shape known here: an opaque token, or a damaged one",
            ),
            Self::Nothing => (Mark::Bad, "no token"),
        };
        (mark, text.to_owned())
    }
}
