//! The values that labels have: closed lists, so that the number of series is bounded.

/// Writes the enum, its names and the list of all from one table. In parentheses: when anybody asks for
/// the names.
macro_rules! labels {
    ($($(#[$doc:meta])* $name:ident($named:meta) {
        $($(#[$attribute:meta])* $variant:ident = $value:literal,)*
    })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum $name {
            $($(#[$attribute])* $variant,)*
        }

        #[cfg(feature = "metrics")]
        impl $name {
            /// Every value, in order.
            pub(crate) const ALL: &'static [Self] = &[$(Self::$variant),*];

            #[expect(clippy::as_conversions, reason = "the place of a variant in its own list")]
            pub(crate) const fn place(self) -> usize {
                self as usize
            }
        }

        #[cfg($named)]
        impl $name {
            pub(crate) const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $value,)*
                }
            }
        }
    )*};
}

labels! {
    /// How a decision ended.
    Outcome(all()) {
        Allowed = "allowed",
        Refused = "refused",
        Unavailable = "unavailable",
        Abandoned = "abandoned",
        Withdrawn = "withdrawn",
    }
    /// What a place of memory holds.
    Cached(feature = "metrics") {
        Credentials = "credentials",
        ApiTokens = "api_tokens",
        ForeignTokens = "foreign_tokens",
        Policies = "policies",
        UserFacts = "user_facts",
        Introspection = "introspection",
    }
    /// What a look into memory found.
    Served(feature = "metrics") {
        Fresh = "fresh",
        Stale = "stale",
        Miss = "miss",
        Unavailable = "unavailable",
    }
    /// A call of a store.
    Call(feature = "metrics") {
        FindToken = "find",
        TouchTokens = "touch",
        VerifyForeign = "verify",
        LoadPolicy = "load",
        Enrich = "enrich",
        ReadLog = "read",
        AppendLog = "append",
        #[cfg_attr(
            not(any(feature = "dpop", feature = "metrics")),
            expect(dead_code, reason = "there are no proofs to claim")
        )]
        ClaimProof = "claim",
        ExchangeFailures = "exchange",
    }
    /// How a call ended.
    Ended(feature = "metrics") {
        Well = "ok",
        Badly = "error",
        TooLate = "timeout",
    }
    /// What an issuer is asked for.
    FetchKind(all()) {
        Metadata = "metadata",
        Keys = "keys",
        Introspection = "introspection",
    }
    /// Which limit of failed credentials was reached.
    Limit(feature = "metrics") {
        Address = "address",
        Credential = "credential",
    }
}

#[cfg(feature = "metrics")]
impl Call {
    /// Whose operation it is.
    pub(crate) const fn store(self) -> &'static str {
        match self {
            Self::FindToken | Self::TouchTokens => "api_tokens",
            Self::VerifyForeign => "foreign_tokens",
            Self::LoadPolicy => "policies",
            Self::Enrich => "directory",
            Self::ReadLog | Self::AppendLog => "revocation_log",
            Self::ClaimProof => "replay_store",
            Self::ExchangeFailures => "shared_failures",
        }
    }
}

impl Ended {
    /// Of a call with a deadline.
    pub(crate) fn in_time<T, E, L>(result: &Result<Result<T, E>, L>) -> Self {
        match result {
            Ok(result) => Self::of(result),
            Err(_) => Self::TooLate,
        }
    }

    pub(crate) fn of<T, E>(result: &Result<T, E>) -> Self {
        if result.is_ok() {
            Self::Well
        } else {
            Self::Badly
        }
    }
}
