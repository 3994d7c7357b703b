//! Who the client is, of a list of hops. The proxies are those of 10.0.0.0/8 and fd00::/16.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

#[must_use]
pub fn listed(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.octets()[0] == 10,
        IpAddr::V6(v6) => v6.segments()[0] == 0xfd00,
    }
}

#[must_use]
pub fn mapped(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(v6) => match v6.segments() {
            [0, 0, 0, 0, 0, 0xffff, high, low] => {
                let [a, b] = high.to_be_bytes();
                let [c, d] = low.to_be_bytes();
                Ipv4Addr::new(a, b, c, d).into()
            }
            _ => address,
        },
        IpAddr::V4(_) => address,
    }
}

fn v6(text: &str) -> Option<IpAddr> {
    let (address, zone) = text.split_once('%').map_or((text, None), |(a, zone)| (a, Some(zone)));
    let address: Ipv6Addr = address.parse().ok()?;
    let good = zone.is_none_or(|zone| {
        let local = address.segments()[0] & 0xffc0 == 0xfe80;
        local && !zone.is_empty() && zone.chars().all(|c| c.is_ascii_alphanumeric() || "-._".contains(c))
    });
    good.then_some(IpAddr::V6(address))
}

fn node(text: &str, bare: bool) -> Option<IpAddr> {
    let port = |text: &str| {
        let digits = text.chars().all(|c| c.is_ascii_digit());
        digits && (1..=5).contains(&text.len()) && text.parse::<u32>().is_ok_and(|port| port < 65_536)
    };
    if let Some(inner) = text.strip_prefix('[') {
        let (address, after) = inner.split_once(']')?;
        let good = after.is_empty() || after.strip_prefix(':').is_some_and(port);
        return v6(address).filter(|_| good);
    }
    let parts: Vec<&str> = text.split(':').collect();
    match parts[..] {
        [address] => address.parse::<Ipv4Addr>().ok().map(IpAddr::V4),
        [address, number] if port(number) => address.parse::<Ipv4Addr>().ok().map(IpAddr::V4),
        _ => None,
    }
    .or_else(|| bare.then(|| v6(text)).flatten())
}

/// From right to left to the first that is not listed; all of the hops as texts.
#[must_use]
pub fn walk(hops: &[Option<String>], bare: bool) -> Option<IpAddr> {
    for (index, hop) in hops.iter().rev().enumerate() {
        let address = mapped(node(hop.as_deref()?, bare)?);
        if index >= 32 {
            return None;
        }
        if !listed(address) {
            return Some(address);
        }
    }
    None
}
