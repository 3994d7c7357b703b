//! Whether a presented token is good: pure, and the same work for every answer (BAS-7, T27).

use std::sync::LazyLock;

use subtle::{Choice, ConstantTimeEq};

use super::email::{Email, LocalPart};
use super::format::{PresentedToken, TokenKind};
use super::pepper::{Peppers, Verifier};
use super::record::{Sealed, TokenRecord};
use crate::clock::UnixTime;

/// Why a well-formed token is not good. For the audit record only: a client gets one answer for
/// all of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum TokenFault {
    /// No such id.
    Unknown,
    /// The pepper of its verifier is not configured: an operator's mistake, and every token of that
    /// pepper shows it.
    PepperGone,
    /// The secret is not this token's.
    WrongSecret,
    /// The secret is right; the address is absent, wrong, or does not belong to this kind.
    WrongEmail,
    /// The secret and the address are right; the token is revoked.
    Revoked,
    /// The same, expired.
    Expired,
    /// The same, and its owner may not act.
    OwnerInactive,
}

/// Which of a token's secrets was presented.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SecretAge {
    Current,
    /// The one before the last roll, which still counts for a while.
    Previous,
}

/// How a token was presented.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Presentation<'a> {
    /// The user part of `Basic`, as sent. `None` for `Bearer`.
    pub(crate) email: Option<&'a str>,
    pub(crate) local_part: LocalPart,
}

/// Compared against when there is no record.
const DUMMY: Verifier = [0; 32];

/// Compared against when there is no owner.
static NOBODY: LazyLock<Option<Email>> = LazyLock::new(|| Email::new("nobody@example.invalid"));

/// Judges a token against its record.
///
/// Every answer costs two HMACs, two comparisons and one of addresses; only then is it decided
/// which fault to name. Where a token may be used from, for which site, and whether its
/// organization allows tokens at all is not judged here.
pub(crate) fn verify(
    record: Option<&TokenRecord>,
    presented: &PresentedToken<'_>,
    peppers: &Peppers,
    now: UnixTime,
    presentation: Presentation<'_>,
) -> Result<SecretAge, TokenFault> {
    let age = matching_secret(record, presented, peppers, now);
    let secret = age.is_some();
    let email = email_matches(record, presented.kind(), presentation);
    let Some(record) = record else {
        return Err(TokenFault::Unknown);
    };
    let faults = [
        (
            !peppers.knows(&record.current.pepper) && !secret,
            TokenFault::PepperGone,
        ),
        (!secret, TokenFault::WrongSecret),
        (!email, TokenFault::WrongEmail),
        (record.revoked_at.is_some(), TokenFault::Revoked),
        (now >= record.expires_at, TokenFault::Expired),
        (!record.owner_active, TokenFault::OwnerInactive),
    ];
    match faults.into_iter().find(|(present, _)| *present) {
        Some((_, fault)) => Err(fault),
        None => age.ok_or(TokenFault::WrongSecret),
    }
}

/// Whether the presented secret is the token's, or was until its last roll and still counts.
pub(crate) fn secret_matches(
    record: Option<&TokenRecord>,
    presented: &PresentedToken<'_>,
    peppers: &Peppers,
    now: UnixTime,
) -> bool {
    matching_secret(record, presented, peppers, now).is_some()
}

fn matching_secret(
    record: Option<&TokenRecord>,
    presented: &PresentedToken<'_>,
    peppers: &Peppers,
    now: UnixTime,
) -> Option<SecretAge> {
    let current = record.map(|record| &record.current);
    let previous = record.and_then(|record| record.previous.as_ref());
    let overlaps = previous.is_some_and(|previous| now < previous.valid_until);
    let by_current = sealed_matches(current, presented, peppers);
    let by_previous = sealed_matches(
        previous.map(|previous| &previous.sealed),
        presented,
        peppers,
    );
    // The verifier covers id and kind. Asked again, so that a store that answers for another token
    // is found out whatever it answers.
    let same = record
        .is_some_and(|record| record.id == *presented.id() && record.kind == presented.kind());
    let by_previous = by_previous & flag(overlaps);
    if !bool::from((by_current | by_previous) & flag(same)) {
        return None;
    }
    // Only who has a right secret gets here.
    Some(if by_current.into() {
        SecretAge::Current
    } else {
        SecretAge::Previous
    })
}

fn sealed_matches(
    sealed: Option<&Sealed>,
    presented: &PresentedToken<'_>,
    peppers: &Peppers,
) -> Choice {
    let pepper = sealed.map_or(peppers.signer(), |sealed| &sealed.pepper);
    let stored = sealed.map_or(&DUMMY, |sealed| &sealed.verifier);
    let computed = peppers.verifier(pepper, presented.kind(), presented.id(), presented.secret());
    let usable = sealed.is_some() && peppers.knows(pepper);
    computed.ct_eq(stored) & flag(usable)
}

/// A personal token needs its owner's address; a service key none at all.
fn email_matches(
    record: Option<&TokenRecord>,
    kind: TokenKind,
    presentation: Presentation<'_>,
) -> bool {
    let owner = record.and_then(|record| record.owner.email.as_ref());
    match (kind, presentation.email) {
        (TokenKind::ServiceAccount, None) => owner.is_none(),
        (TokenKind::Personal, Some(sent)) => {
            // Against somebody if there is nobody, so that the work is the same.
            let compared = owner.or(NOBODY.as_ref());
            let same = compared.is_some_and(|known| known.is(sent, presentation.local_part));
            same & owner.is_some()
        }
        _ => false,
    }
}

fn flag(value: bool) -> Choice {
    Choice::from(u8::from(value))
}

#[cfg(test)]
mod tests;
