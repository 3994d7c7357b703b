//! Policy stores through the public API.

mod memory {
    use tower_mcp_auth::policy::MemoryPolicyStore;

    tower_mcp_auth::policy_store_contract!(async { MemoryPolicyStore::new() });
}

mod erased {
    use tower_mcp_auth::policy::{DynPolicyStore, MemoryPolicyStore};

    tower_mcp_auth::policy_store_contract!(async { DynPolicyStore::new(MemoryPolicyStore::new()) });
}
