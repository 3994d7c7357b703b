//! [`ApiTokens`]: issuing, rolling and revoking.

use std::collections::HashSet;
use std::time::Duration;

use super::ApiTokens;
use super::format::{TokenId, TokenSecret, random_id, random_secret};
use super::issue_error::IssueError;
use super::new_token::{Granted, NewToken};
use super::record::{Previous, Sealed, TokenRecord};
use super::store::{TokenQuery, Written};
use super::verify::secret_matches;
use crate::audit::AuditEvent;
use crate::clock::UnixTime;
use crate::error::{BackendError, Problems};
use crate::ident::{OrganizationId, Subject};

/// How often a write is tried again that somebody else came before.
const ATTEMPTS: usize = 16;
/// Longest time two secrets of one token are valid.
const MAX_OVERLAP: Duration = Duration::from_secs(24 * 3600);

/// A token and its secret, which exists nowhere else and is not shown again.
#[derive(Debug)]
#[non_exhaustive]
pub struct IssuedToken {
    /// What the store keeps.
    pub record: TokenRecord,
    /// The text for the owner.
    pub token: TokenSecret,
}

impl ApiTokens {
    /// Issues a token.
    ///
    /// # Errors
    ///
    /// [`IssueError::Invalid`] with every mistake in the wish and in this configuration;
    /// [`IssueError::Backend`] if the store or the random source fails.
    pub async fn issue(&self, new: NewToken) -> Result<IssuedToken, IssueError> {
        let mut problems = Problems::default();
        self.examine(&mut problems);
        let granted = new.examine(self.settings.max_lifetime, &mut problems);
        let granted = problems.or(granted)?;
        let issued = self.make(granted).map_err(no_random_bytes)?;
        match self.store.insert(&issued.record).await? {
            Written::Done => {
                self.changes.announce(issued.record.id);
                self.on_record(AuditEvent::TokenCreated, &issued.record);
                Ok(issued)
            }
            // An id has 95 random bits: a second one is a broken store or random source, and
            // trying again would hide it.
            Written::Conflict => Err(BackendError::new("a fresh token id is taken").into()),
        }
    }

    /// Gives a token a new secret. Its id, scopes and expiry stay; the old secret is accepted for
    /// `overlap` more, 0 to 24 hours. A secret that was still valid from an earlier roll ends now.
    ///
    /// # Errors
    ///
    /// [`IssueError::Invalid`] for a longer overlap; [`IssueError::Unknown`];
    /// [`IssueError::NotAlive`] if it is revoked, expired, or its owner inactive;
    /// [`IssueError::Conflict`] if somebody else changed it meanwhile: look at it again before
    /// rolling twice; [`IssueError::Backend`].
    pub async fn roll(&self, id: &TokenId, overlap: Duration) -> Result<IssuedToken, IssueError> {
        let mut problems = Problems::default();
        self.examine(&mut problems);
        if overlap > MAX_OVERLAP {
            let remedy = "two secrets are valid for 24 hours at most";
            problems.add("overlap", format!("{overlap:?}"), remedy);
        }
        problems.or(Some(()))?;
        let now = self.now();
        let old = self.store.find(id).await?.ok_or(IssueError::Unknown)?;
        if !old.is_alive(now) {
            return Err(IssueError::NotAlive);
        }
        let issued = self.reseal(&old, now, overlap).map_err(no_random_bytes)?;
        match self.store.update(&issued.record).await? {
            Written::Done => {
                self.changes.announce(*id);
                self.on_record(AuditEvent::TokenRolled, &issued.record);
                Ok(issued)
            }
            Written::Conflict => Err(IssueError::Conflict),
        }
    }

    /// Revokes a token for good; `None` if there is none with this id. Revoking it again changes
    /// nothing.
    ///
    /// # Errors
    ///
    /// [`BackendError`] if the store fails; then it is unknown whether the token still works.
    pub async fn revoke(&self, id: &TokenId) -> Result<Option<TokenRecord>, BackendError> {
        let now = self.now();
        let found = self
            .change(id, |record| {
                record.revoked_at.is_none().then(|| TokenRecord {
                    revoked_at: Some(now),
                    ..record.next_version()
                })
            })
            .await?;
        Ok(found.map(|(record, changed)| {
            if changed {
                self.on_record(AuditEvent::TokenRevoked, &record);
            }
            record
        }))
    }

    /// Revokes every token whose whole text stands somewhere in `text`: a log file, a commit, a
    /// finding of a secret scanner.
    ///
    /// The secret is verified first, so that nobody can revoke a token by knowing its id. Returns
    /// the tokens found, once each, those included that were revoked before: tell their owners.
    /// Bound the length of texts from strangers: every well-formed token in it costs one look-up.
    ///
    /// # Errors
    ///
    /// The first [`BackendError`], after everything else was tried. Call it again: nothing is lost
    /// by repeating.
    pub async fn revoke_leaked(&self, text: &str) -> Result<Vec<TokenRecord>, BackendError> {
        let mut seen = HashSet::new();
        let mut revoked: Vec<TokenRecord> = Vec::new();
        let mut failure = None;
        for found in self.settings.format.find_all(text) {
            if !seen.insert((*found.id(), found.secret())) {
                continue;
            }
            let outcome = match self.store.find(found.id()).await {
                Ok(record)
                    if secret_matches(record.as_ref(), &found, self.peppers(), self.now()) =>
                {
                    self.revoke(found.id()).await
                }
                Ok(_) => continue,
                Err(error) => Err(error),
            };
            match outcome {
                Ok(Some(record)) if !revoked.iter().any(|known| known.id == record.id) => {
                    self.on_record(AuditEvent::TokenLeaked, &record);
                    revoked.push(record);
                }
                Ok(_) => {}
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        failure.map_or(Ok(revoked), Err)
    }

    /// The record with this id.
    ///
    /// # Errors
    ///
    /// [`BackendError`] if the store fails.
    pub async fn find(&self, id: &TokenId) -> Result<Option<TokenRecord>, BackendError> {
        self.store.find(id).await
    }

    /// One page of an organization's tokens, revoked and expired ones included, in the order of
    /// their ids. Takes an [`OrganizationId`] or a [`TokenQuery`].
    ///
    /// # Errors
    ///
    /// [`BackendError`] if the store fails.
    pub async fn list(
        &self,
        query: impl Into<TokenQuery> + Send,
    ) -> Result<Vec<TokenRecord>, BackendError> {
        self.store.list(&query.into()).await
    }

    /// Says whether a person or service account may act, for all tokens it has now: call it with
    /// `false` when somebody leaves or is suspended (T32). Returns how many tokens changed.
    ///
    /// # Errors
    ///
    /// [`BackendError`] if the store fails half-way; then call it again.
    pub async fn set_owner_active(
        &self,
        organization: &OrganizationId,
        owner: &Subject,
        active: bool,
    ) -> Result<usize, BackendError> {
        let mut query = TokenQuery::new(organization.clone()).owner(owner.clone());
        let mut changed: usize = 0;
        loop {
            let page = self.store.list(&query).await?;
            let Some(last) = page.last() else {
                return Ok(changed);
            };
            query.after = Some(last.id);
            for record in page.iter().filter(|record| record.owner_active != active) {
                self.change(&record.id, |record| {
                    (record.owner_active != active).then(|| TokenRecord {
                        owner_active: active,
                        ..record.next_version()
                    })
                })
                .await?;
                changed = changed.saturating_add(1);
            }
        }
    }

    /// Reads, changes and writes until nobody else came between, and says whether it wrote. `None`
    /// from `edit` means that the record is as it should be.
    async fn change(
        &self,
        id: &TokenId,
        edit: impl Fn(&TokenRecord) -> Option<TokenRecord> + Send,
    ) -> Result<Option<(TokenRecord, bool)>, BackendError> {
        for _ in 0..ATTEMPTS {
            let Some(stored) = self.store.find(id).await? else {
                return Ok(None);
            };
            let Some(edited) = edit(&stored) else {
                // Whoever wrote it may have been another process: forget it here too.
                self.changes.announce(*id);
                return Ok(Some((stored, false)));
            };
            if self.store.update(&edited).await? == Written::Done {
                self.changes.announce(*id);
                return Ok(Some((edited, true)));
            }
        }
        let message = format!("API token {id} is written by others all the time");
        Err(BackendError::new(message))
    }

    fn make(&self, granted: Granted) -> Result<IssuedToken, getrandom::Error> {
        let (id, secret) = (random_id()?, random_secret()?);
        let now = self.now();
        let record = TokenRecord {
            id,
            kind: granted.kind,
            organization: granted.organization,
            owner: granted.owner,
            name: granted.name,
            created_by: granted.created_by,
            current: self.seal(granted.kind, &id, &secret),
            previous: None,
            scopes: granted.scopes,
            networks: granted.networks,
            tenants: granted.tenants,
            created_at: now,
            expires_at: now.plus_secs(granted.lifetime),
            revoked_at: None,
            owner_active: true,
            last_used: None,
            version: 1,
        };
        let token = self.settings.format.assemble(record.kind, &id, &secret);
        Ok(IssuedToken { record, token })
    }

    fn reseal(
        &self,
        old: &TokenRecord,
        now: UnixTime,
        overlap: Duration,
    ) -> Result<IssuedToken, getrandom::Error> {
        let secret = random_secret()?;
        let overlap = i64::try_from(overlap.as_secs()).unwrap_or_default();
        let record = TokenRecord {
            current: self.seal(old.kind, &old.id, &secret),
            previous: (overlap > 0).then(|| Previous {
                sealed: old.current.clone(),
                valid_until: now.plus_secs(overlap),
            }),
            ..old.next_version()
        };
        let token = self.settings.format.assemble(old.kind, &old.id, &secret);
        Ok(IssuedToken { record, token })
    }

    fn seal(&self, kind: super::TokenKind, id: &TokenId, secret: &str) -> Sealed {
        let pepper = self.peppers().signer().clone();
        Sealed {
            verifier: self.peppers().verifier(&pepper, kind, id, secret),
            pepper,
        }
    }
}

fn no_random_bytes(error: getrandom::Error) -> IssueError {
    BackendError::with_source("the operating system gave no random bytes", error).into()
}
