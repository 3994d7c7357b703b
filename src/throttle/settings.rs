//! How much failing is tolerated.

use crate::error::Problems;

/// One limit as configured: failures at once, failures per minute.
pub(super) type Limit = Option<(u32, u32)>;

/// How many failures are tolerated before a client has to wait. Nothing is checked before the
/// authenticator is built.
///
/// ```
/// use tower_mcp_auth::throttle::ThrottleSettings;
///
/// let defaults = ThrottleSettings::new();
/// let behind_one_proxy = ThrottleSettings::new().no_limit_per_address();
/// let none = ThrottleSettings::off();
/// assert_ne!(defaults, behind_one_proxy);
/// assert_ne!(behind_one_proxy, none);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThrottleSettings {
    pub(super) address: Limit,
    pub(super) credential: Limit,
    pub(super) entries: usize,
}

impl ThrottleSettings {
    /// The defaults: per address 20 at once and 20 a minute, per credential 5 at once and 5 a
    /// minute, 100,000 entries per table.
    ///
    /// ```
    /// # use tower_mcp_auth::throttle::ThrottleSettings;
    /// let defaults = ThrottleSettings::new().per_address(20, 20).per_credential(5, 5);
    /// assert_eq!(defaults, ThrottleSettings::new());
    /// ```
    #[must_use]
    pub fn new() -> Self {
        Self {
            address: Some((20, 20)),
            credential: Some((5, 5)),
            entries: 100_000,
        }
    }

    /// No throttling at all, for servers where something in front does it.
    ///
    /// ```
    /// # use tower_mcp_auth::throttle::ThrottleSettings;
    /// assert_eq!(
    ///     ThrottleSettings::off(),
    ///     ThrottleSettings::new().no_limit_per_address().no_limit_per_credential(),
    /// );
    /// ```
    #[must_use]
    pub fn off() -> Self {
        Self {
            address: None,
            credential: None,
            ..Self::new()
        }
    }

    /// Failures tolerated from one client address: `burst` at once, `per_minute` lastingly. Both
    /// at least 1. Default 20 and 20.
    ///
    /// ```
    /// # use tower_mcp_auth::throttle::ThrottleSettings;
    /// let a_whole_office = ThrottleSettings::new().per_address(200, 60);
    /// # let _ = a_whole_office;
    /// ```
    #[must_use]
    pub fn per_address(mut self, burst: u32, per_minute: u32) -> Self {
        self.address = Some((burst, per_minute));
        self
    }

    /// Failures tolerated of one token id from one client address. Both at least 1. Default 5
    /// and 5.
    ///
    /// ```
    /// # use tower_mcp_auth::throttle::ThrottleSettings;
    /// let strict = ThrottleSettings::new().per_credential(3, 1);
    /// # let _ = strict;
    /// ```
    #[must_use]
    pub fn per_credential(mut self, burst: u32, per_minute: u32) -> Self {
        self.credential = Some((burst, per_minute));
        self
    }

    /// Switches the limit per address off.
    ///
    /// ```
    /// # use tower_mcp_auth::throttle::ThrottleSettings;
    /// let settings = ThrottleSettings::new().no_limit_per_address();
    /// # let _ = settings;
    /// ```
    #[must_use]
    pub fn no_limit_per_address(mut self) -> Self {
        self.address = None;
        self
    }

    /// Switches the limit per credential off.
    ///
    /// ```
    /// # use tower_mcp_auth::throttle::ThrottleSettings;
    /// let settings = ThrottleSettings::new().no_limit_per_credential();
    /// # let _ = settings;
    /// ```
    #[must_use]
    pub fn no_limit_per_credential(mut self) -> Self {
        self.credential = None;
        self
    }

    /// Most buckets remembered per limit; each takes about 150 bytes while it is in use. At least
    /// 1,000. Default 100,000.
    ///
    /// ```
    /// # use tower_mcp_auth::throttle::ThrottleSettings;
    /// let small_machine = ThrottleSettings::new().max_entries(10_000);
    /// # let _ = small_machine;
    /// ```
    #[must_use]
    pub fn max_entries(mut self, entries: usize) -> Self {
        self.entries = entries;
        self
    }

    /// Adds what is wrong with these settings.
    pub(crate) fn examine(&self, problems: &mut Problems) {
        let limits = [
            ("throttle.per_address", self.address),
            ("throttle.per_credential", self.credential),
        ];
        for (field, limit) in limits {
            if let Some((burst, per_minute)) = limit
                && (burst == 0 || per_minute == 0)
            {
                problems.add(
                    field,
                    format!("({burst}, {per_minute})"),
                    "with 0 nobody could ever fail, or never again; use at least 1, or switch the limit off",
                );
            }
        }
        if self.entries < 1000 {
            problems.add(
                "throttle.max_entries",
                self.entries,
                "use at least 1,000; a small table is filled by a few addresses",
            );
        }
    }
}

impl Default for ThrottleSettings {
    fn default() -> Self {
        Self::new()
    }
}
