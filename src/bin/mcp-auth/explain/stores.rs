//! The database as a server reads it, with nothing written: not even when a token was used.

use tower_mcp_auth::api_token::{ApiTokenStore, TokenId, TokenQuery, TokenRecord, Written};
use tower_mcp_auth::backend::SqlStore;
use tower_mcp_auth::clock::UnixTime;
use tower_mcp_auth::ident::OrganizationId;
use tower_mcp_auth::policy::{PolicyChanges, PolicyStore, PutError};
use tower_mcp_auth::revocation::{RevocationEntry, RevocationLog};
use tower_mcp_auth::{BackendError, OrganizationPolicy};

#[derive(Clone, Debug)]
pub(super) struct ReadOnly(pub(super) SqlStore);

fn refused() -> BackendError {
    BackendError::new("nothing is written while a credential is explained")
}

impl ApiTokenStore for ReadOnly {
    async fn find(&self, id: &TokenId) -> Result<Option<TokenRecord>, BackendError> {
        self.0.find(id).await
    }

    async fn insert(&self, _record: &TokenRecord) -> Result<Written, BackendError> {
        Err(refused())
    }

    async fn update(&self, _record: &TokenRecord) -> Result<Written, BackendError> {
        Err(refused())
    }

    async fn list(&self, query: &TokenQuery) -> Result<Vec<TokenRecord>, BackendError> {
        self.0.list(query).await
    }

    async fn touch(&self, _used: &[(TokenId, UnixTime)]) -> Result<(), BackendError> {
        Ok(())
    }
}

impl PolicyStore for ReadOnly {
    async fn load(
        &self,
        organization: &OrganizationId,
    ) -> Result<Option<OrganizationPolicy>, BackendError> {
        self.0.load(organization).await
    }

    async fn put(
        &self,
        _policy: OrganizationPolicy,
        _expected: u64,
    ) -> Result<OrganizationPolicy, PutError> {
        Err(refused().into())
    }

    fn changes(&self) -> &PolicyChanges {
        self.0.changes()
    }
}

impl RevocationLog for ReadOnly {
    async fn append(&self, _entry: RevocationEntry) -> Result<u64, BackendError> {
        Err(refused())
    }

    async fn read_since(
        &self,
        sequence: u64,
        limit: usize,
    ) -> Result<Vec<(u64, RevocationEntry)>, BackendError> {
        self.0.read_since(sequence, limit).await
    }
}
