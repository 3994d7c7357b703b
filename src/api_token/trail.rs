//! What is done to API tokens, on record.

use super::{ApiTokens, TokenKind, TokenRecord};
use crate::audit::trail::AuditTrail;
use crate::audit::{
    AuditCredential, AuditEvent, AuditPrincipal, AuditRecord, AuditSink, AuditText,
};
use crate::method::AuthMethod;

impl ApiTokens {
    /// Where a record goes of every token that is issued, rolled, revoked or found leaked through
    /// this value or a later clone of it: for programs without an authenticator. Default: the sink
    /// of the first authenticator these tokens, or a clone of them, are given to.
    ///
    /// A record names the token by its id, its organization, its owner and who made it, and follows
    /// the write. It does not say who asked for the write: that, only the caller knows.
    #[must_use]
    pub fn audit(self, sink: impl AuditSink) -> Self {
        self.with(|settings| settings.audit = Some(AuditTrail::new(sink)))
    }

    /// Takes an authenticator's sink, unless there is one.
    pub(crate) fn inherit_audit(&self, trail: &AuditTrail) {
        // The first one stays.
        let _ = self.inherited.set(trail.clone());
    }

    /// Puts something that happened to a token on record.
    pub(crate) fn on_record(&self, event: AuditEvent, token: &TokenRecord) {
        let own = self.settings.audit.as_ref();
        let Some(trail) = own.or_else(|| self.inherited.get()) else {
            return;
        };
        let (kind, method) = match token.kind() {
            TokenKind::Personal => ("user", AuthMethod::ApiToken),
            TokenKind::ServiceAccount => ("service_account", AuthMethod::ServiceAccountKey),
        };
        let (issuer, owner) = (self.issuer(), token.owner().subject());
        let mut record = AuditRecord::new(event, self.now());
        record.method = Some(method.name());
        record.principal = Some(AuditPrincipal::new(kind, issuer, owner.as_str()));
        record.organization = Some(AuditText::new(token.organization()));
        record.created_by = Some(AuditText::new(token.created_by()));
        record.credential = Some(AuditCredential {
            id: Some(AuditText::new(token.id().as_str())),
            issuer: Some(AuditText::new(issuer)),
            ..AuditCredential::default()
        });
        record = record.granting(token.scopes());
        trail.record(record);
    }
}
