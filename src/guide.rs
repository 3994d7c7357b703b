#![doc = include_str!("docs/links.md")]
#![doc = include_str!("docs/guide.md")]

/// Writes a module without items for each page, so that rustdoc shows it and its code is tested.
macro_rules! pages {
    ($($name:ident = $file:literal,)*) => {
        $(
            #[doc = include_str!("docs/links.md")]
            #[doc = include_str!($file)]
            pub mod $name {}
        )*
    };
}

pages! {
    quickstart = "docs/quickstart.md",
    concepts = "docs/concepts.md",
    providers = "docs/providers.md",
    api_tokens = "docs/api_tokens.md",
    organization_policy = "docs/organization_policy.md",
    tools_and_scopes = "docs/tools_and_scopes.md",
    streams_and_sessions = "docs/streams_and_sessions.md",
    replicas = "docs/replicas.md",
    testing = "docs/testing.md",
    operating = "docs/operating.md",
    from_jwt_authorizer = "docs/from_jwt_authorizer.md",
    from_tower_oauth2_resource_server = "docs/from_tower_oauth2_resource_server.md",
    from_oauth_resource_server = "docs/from_oauth_resource_server.md",
    from_own_middleware = "docs/from_own_middleware.md",
}
