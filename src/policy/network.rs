//! Networks an administrator allows, and proxies an operator trusts (POL-7, POL-8, T34).

mod forwarded;

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::{IpNet, Ipv4Net};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::{ConfigError, Problems};

pub use forwarded::{ForwardedProto, client_address, forwarded_proto};

const EVERYWHERE: &str =
    "this is the whole internet; name your networks, or leave the list empty for no rule at all";

/// A range of IP addresses, such as `203.0.113.0/24` or `2001:db8::/32`, or a single address.
///
/// Nothing is checked by [`new`](Self::new): a bad range contains no address, and
/// [`problem`](Self::problem) says why. An IPv4 address in its IPv6 spelling (`::ffff:…`) is the
/// same address. `/0` is refused: a rule that allows everything looks like a rule.
#[derive(Clone)]
pub struct Network {
    text: Box<str>,
    parsed: Result<IpNet, &'static str>,
}

impl Network {
    /// A range as text, or an `ipnet::IpNet`, or an `IpAddr`.
    #[must_use]
    pub fn new(range: impl fmt::Display) -> Self {
        let text = range.to_string();
        Self {
            parsed: parse(&text),
            text: text.into(),
        }
    }

    /// Why the range cannot be used and what to write instead; `None` for a good one.
    #[must_use]
    pub fn problem(&self) -> Option<&'static str> {
        self.parsed.err()
    }

    /// Whether `address` is in it.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        self.parsed
            .is_ok_and(|network| network.contains(&address.to_canonical()))
    }
}

fn parse(text: &str) -> Result<IpNet, &'static str> {
    const FORM: &str = "write an address or a range, e.g. 203.0.113.0/24 or 2001:db8::/32";
    let network = read(text).ok_or(FORM)?;
    let network = canonical(network);
    if network.prefix_len() == 0 {
        return Err(EVERYWHERE);
    }
    if network.trunc() != network {
        return Err("bits are set behind the prefix; write the first address of the range");
    }
    Ok(network)
}

/// By the standard library's reader of addresses: that of `ipnet` takes `010.0.0.0` for `10.0.0.0`,
/// which others take for `8.0.0.0` (CVE-2021-29922).
fn read(text: &str) -> Option<IpNet> {
    let Some((address, length)) = text.split_once('/') else {
        return text.parse::<IpAddr>().ok().map(IpNet::from);
    };
    let is_number = length.bytes().all(|byte| byte.is_ascii_digit())
        && (length.len() == 1 || !length.starts_with('0'));
    let length = is_number.then(|| length.parse().ok()).flatten()?;
    IpNet::new(address.parse().ok()?, length).ok()
}

/// The IPv4 range that a range of IPv4-mapped addresses (RFC 4291 §2.5.5.2) means.
fn canonical(network: IpNet) -> IpNet {
    let IpNet::V6(v6) = network else {
        return network;
    };
    let v4 = v6.addr().to_ipv4_mapped();
    match (v4, v6.prefix_len().checked_sub(96)) {
        (Some(v4), Some(length)) => Ipv4Net::new(v4, length).map_or(network, IpNet::V4),
        _ => network,
    }
}

/// Adds every bad range to `problems`, and the whole if together they are everything.
pub(super) fn examine(field: &str, networks: &[Network], problems: &mut Problems) {
    const MAX: usize = 1000;
    if networks.len() > MAX {
        problems.add(field, networks.len(), "list at most 1000 ranges");
    }
    for (index, network) in networks.iter().enumerate() {
        if let Some(remedy) = network.problem() {
            problems.add(format!("{field}[{index}]"), &network.text, remedy);
        }
    }
    let good: Vec<IpNet> = networks.iter().filter_map(|one| one.parsed.ok()).collect();
    if let Some(all) = IpNet::aggregate(&good)
        .into_iter()
        .find(|network| network.prefix_len() == 0)
    {
        problems.add(field, all, EVERYWHERE);
    }
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.text, f)
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl PartialEq for Network {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Network {}

impl Serialize for Network {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for Network {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::new)
    }
}

/// The reverse proxies whose word about a client's address is taken. Default: none.
///
/// List the proxies, not the network they stand in: an address on this list is never taken for a
/// client's. Cloning shares the list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustedProxies(Arc<[IpNet]>);

impl TrustedProxies {
    /// Nobody: the peer of the connection is the client.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// These addresses and ranges; each as text, or an `ipnet::IpNet`, or an `IpAddr`.
    ///
    /// # Errors
    ///
    /// Every range that cannot be read, has bits set behind its prefix, or is `/0`, with which any
    /// client could name its own address; also several that are everything together.
    pub fn new<N: fmt::Display>(ranges: impl IntoIterator<Item = N>) -> Result<Self, ConfigError> {
        let ranges: Vec<Network> = ranges.into_iter().map(Network::new).collect();
        let mut problems = Problems::default();
        examine("trusted_proxies", &ranges, &mut problems);
        let good = ranges.iter().filter_map(|range| range.parsed.ok());
        problems.or(Some(Self(good.collect())))
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether `address` is one of them.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }
}

#[cfg(test)]
mod tests;
