//! Permission groups: what an organization lets tools do in each of its products (POL-13).

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::Problems;

/// What a tool does to a product's data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Intent {
    /// Looks at data.
    Read,
    /// Creates and changes data.
    Write,
    /// Searches across data.
    Search,
    /// Deletes data. Off by default.
    Delete,
    /// Changes settings and permissions. Off by default.
    Manage,
}

impl Intent {
    /// Every intent.
    pub const ALL: [Self; 5] = [
        Self::Read,
        Self::Write,
        Self::Search,
        Self::Delete,
        Self::Manage,
    ];

    /// The stable name, such as `read`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Search => "search",
            Self::Delete => "delete",
            Self::Manage => "manage",
        }
    }

    const fn bit(self) -> u8 {
        match self {
            Self::Read => 1,
            Self::Write => 2,
            Self::Search => 4,
            Self::Delete => 8,
            Self::Manage => 16,
        }
    }
}

impl fmt::Display for Intent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A set of intents. Written as a list of names: what is not in it is off.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Intents(u8);

impl Intents {
    /// None at all.
    #[must_use]
    pub const fn none() -> Self {
        Self(0)
    }

    /// Every one.
    #[must_use]
    pub fn all() -> Self {
        Intent::ALL.into_iter().collect()
    }

    /// Whether `intent` is on.
    #[must_use]
    pub const fn contains(self, intent: Intent) -> bool {
        self.0 & intent.bit() != 0
    }

    /// Those that are on, in the order of [`Intent::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Intent> {
        Intent::ALL
            .into_iter()
            .filter(move |intent| self.contains(*intent))
    }
}

impl Default for Intents {
    /// Read, write and search; delete and manage are off.
    fn default() -> Self {
        [Intent::Read, Intent::Write, Intent::Search]
            .into_iter()
            .collect()
    }
}

impl FromIterator<Intent> for Intents {
    fn from_iter<I: IntoIterator<Item = Intent>>(intents: I) -> Self {
        Self(intents.into_iter().fold(0, |bits, one| bits | one.bit()))
    }
}

impl<const N: usize> From<[Intent; N]> for Intents {
    fn from(intents: [Intent; N]) -> Self {
        intents.into_iter().collect()
    }
}

impl fmt::Debug for Intents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

impl Serialize for Intents {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl<'de> Deserialize<'de> for Intents {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Vec::<Intent>::deserialize(deserializer).map(|intents| intents.into_iter().collect())
    }
}

/// A product and an intent: what a tool belongs to. A tool that belongs to none, such as one that
/// says who the caller is, is not subject to groups.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PermissionGroup {
    product: Box<str>,
    intent: Intent,
}

impl PermissionGroup {
    /// A group of `product`, as the policies spell it. Compared byte for byte.
    #[must_use]
    pub fn new(product: impl Into<String>, intent: Intent) -> Self {
        Self {
            product: product.into().into(),
            intent,
        }
    }

    /// The product.
    #[must_use]
    pub fn product(&self) -> &str {
        &self.product
    }

    /// The intent.
    #[must_use]
    pub fn intent(&self) -> Intent {
        self.intent
    }
}

impl fmt::Display for PermissionGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.product, self.intent)
    }
}

/// Which permission groups are on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GroupRules {
    others: Intents,
    products: BTreeMap<String, Intents>,
}

impl GroupRules {
    /// Most products a policy may name.
    const MAX_PRODUCTS: usize = 1000;

    /// Read, write and search on and delete and manage off, in every product.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Exactly these intents in `product`.
    #[must_use]
    pub fn product(mut self, product: impl Into<String>, intents: impl Into<Intents>) -> Self {
        self.products.insert(product.into(), intents.into());
        self
    }

    /// Exactly these intents in every product not named, also in those to come. With
    /// [`Intents::none`], a new product stays closed until somebody opens it.
    #[must_use]
    pub fn other_products(mut self, intents: impl Into<Intents>) -> Self {
        self.others = intents.into();
        self
    }

    /// What is on in `product`.
    #[must_use]
    pub fn intents(&self, product: &str) -> Intents {
        self.products.get(product).copied().unwrap_or(self.others)
    }

    /// Whether a group is on.
    #[must_use]
    pub fn allows(&self, group: &PermissionGroup) -> bool {
        self.intents(&group.product).contains(group.intent)
    }

    pub(super) fn examine(&self, field: &str, problems: &mut Problems) {
        if self.products.len() > Self::MAX_PRODUCTS {
            problems.add(
                format!("{field}.products"),
                self.products.len(),
                "name at most 1000 products",
            );
        }
        for product in self.products.keys() {
            if product.trim().is_empty() || product.chars().any(char::is_control) {
                problems.add(
                    format!("{field}.products"),
                    product,
                    "name a product, without control characters",
                );
            }
        }
    }
}
