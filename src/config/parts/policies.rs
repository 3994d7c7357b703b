//! Policies of organizations: here, or in the database.

use serde_json::Value;

use crate::config::kinds::{Either, List, Named, Read, Text, UrlText, Whole, words};
use crate::config::read::{Path, Reader, Setting, table};
use crate::config::shape::Shape;
use crate::policy::OrganizationPolicy;

/// `[[policies]]`, or `[policies] store = "database"`.
pub(in crate::config) type Policies = Either<List<Policy>, PolicyStore>;

table! {
    /// Where policies are.
    struct PolicyStore {
        /// In the `database`, where administrators change them.
        store: Store,
    }
}

words! {
    /// The places there are.
    enum Store { Database = "database" }
}

/// One policy, without a mistake.
pub(in crate::config) struct Policy(pub(in crate::config) OrganizationPolicy);

impl Setting for Policy {
    fn shape() -> Shape {
        PolicyTable::shape()
    }

    fn read(value: &Value, at: &Path, reader: &mut Reader<'_>) -> Option<Self> {
        let policy = Read::<PolicyTable, OrganizationPolicy>::read(value, at, reader)?.value;
        match policy.examine() {
            Ok(()) => Some(Self(policy)),
            Err(error) => {
                reader.adopt(&error, |problem| {
                    (format!("{at}.{}", problem.field), problem.remedy.clone())
                });
                None
            }
        }
    }
}

table! {
    /// The policy of one organization. Every rule can only take away.
    struct PolicyTable {
        /// Whose policy this is.
        organization: Text,
        /// The number of this version.
        version: Option<Whole<0, 9_007_199_254_740_991>> = 0,
        /// When this version was made, in seconds since 1970.
        changed_at: Option<Whole<0, 253_402_300_799>>,
        /// Whether personal API tokens are accepted.
        allow_personal_tokens: bool,
        /// Whether service-account keys are accepted.
        allow_service_account_keys: bool,
        /// Networks that requests may come from: addresses and ranges. None listed: from anywhere.
        networks: List<Text>,
        /// Which OAuth clients are let in; any, without this table.
        clients: Option<ClientTable>,
        /// Issuers whose access tokens are accepted. None listed: every one of this server.
        allowed_issuers: List<UrlText>,
        /// Sites that may be acted on. None listed: every site.
        tenants: List<Text>,
        /// Which permission groups are on.
        groups: Option<Groups>,
        /// The same for one site, in place of the organization's.
        site_groups: Named<Groups>,
        /// The longest time from issue to expiry a credential may have, in seconds.
        max_token_lifetime: Option<Whole<60, 315_619_200>>,
        /// The greatest age of a credential, in seconds.
        max_token_age: Option<Whole<60, 315_619_200>>,
        /// A page for people who were refused. HTTPS.
        help_url: Option<UrlText>,
        /// Whom people who were refused can ask.
        contact: Option<Text>,
    }
}

table! {
    /// The OAuth clients that are let in.
    struct ClientTable {
        /// Whether the list counts. Off, it is kept for later.
        enforced: Option<bool> = true,
        /// Whether this server's `supported_clients` are on the list.
        supported: Option<bool> = true,
        /// Patterns over clients' URLs, such as `https://*.example.com/**`.
        patterns: List<Text>,
        /// Clients by their exact `client_id`.
        ids: List<Text>,
    }
}

table! {
    /// Intents that are on: `read`, `write`, `search`, `delete`, `manage`.
    struct Groups {
        /// In products that are not named.
        others: Option<List<GroupIntent>> = ["read", "write", "search"],
        /// By product, exactly these.
        products: Named<List<GroupIntent>>,
    }
}

words! {
    /// What a tool does to a product's data.
    enum GroupIntent { Read = "read", Write = "write", Search = "search", Delete = "delete", Manage = "manage" }
}
