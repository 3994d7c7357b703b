//! Who the client is, behind how many proxies whatsoever.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::ControlFlow;

use http::header::{FORWARDED, HeaderName};
use http::{HeaderMap, HeaderValue};

use super::TrustedProxies;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// Most proxies between us and a client. A longer chain leads to no address.
const MAX_HOPS: usize = 32;
/// Most lines of one header that are looked at, for the same reason.
const MAX_LINES: usize = 32;

/// The client's address, from the peer of the connection and the headers of its proxies.
///
/// If the peer is not a listed proxy it is the client, and no header is read. If it is listed,
/// `X-Forwarded-For` or `Forwarded` (RFC 7239) is walked from right to left, line by line, to the
/// first address that is not listed. What stands to the left of it was written by the client and
/// is ignored.
///
/// `None` means unknown, which an organization with a network rule refuses:
///
/// - the peer is unknown;
/// - a listed proxy sent neither header, or a chain of listed proxies only. Its own address is not
///   the client's: clients have made proxies drop the header (CVE-2022-31813);
/// - an entry on the way is not an address: `unknown`, `_hidden`, empty, octal or short IPv4, IPv6
///   without brackets in `Forwarded`, a broken quotation;
/// - both headers are there and lead to different addresses: one of them the proxy passed on
///   unread;
/// - there are more than 32 hops or lines.
///
/// Accepted in entries: a port after IPv4 or bracketed IPv6, and the zone of a link-local address,
/// both dropped. `::ffff:a.b.c.d` is `a.b.c.d`.
#[must_use]
pub fn client_address(
    peer: Option<IpAddr>,
    headers: &HeaderMap,
    proxies: &TrustedProxies,
) -> Option<IpAddr> {
    let peer = peer?.to_canonical();
    if !proxies.contains(peer) {
        return Some(peer);
    }
    let both = (
        headers.contains_key(X_FORWARDED_FOR),
        headers.contains_key(FORWARDED),
    );
    match both {
        (false, false) => None,
        (true, false) => walk_plain(headers, proxies),
        (false, true) => walk_forwarded(headers, proxies),
        (true, true) => walk_plain(headers, proxies)
            .filter(|one| walk_forwarded(headers, proxies) == Some(*one)),
    }
}

/// The lines of a header, the last first; none if there are too many.
fn lines_from_the_end<'h>(
    headers: &'h HeaderMap,
    name: &HeaderName,
) -> impl Iterator<Item = &'h HeaderValue> {
    let lines: Vec<_> = headers.get_all(name).iter().take(MAX_LINES + 1).collect();
    let enough = lines.len() <= MAX_LINES;
    lines.into_iter().rev().filter(move |_| enough)
}

/// Takes hops from the nearest on, and breaks with the client's address, or with none if it cannot
/// be known.
struct Walk<'p> {
    proxies: &'p TrustedProxies,
    hops: usize,
}

impl Walk<'_> {
    fn step(&mut self, hop: Option<IpAddr>) -> ControlFlow<Option<IpAddr>> {
        self.hops += 1;
        match hop.map(|address| address.to_canonical()) {
            Some(address) if self.hops <= MAX_HOPS => {
                if self.proxies.contains(address) {
                    ControlFlow::Continue(())
                } else {
                    ControlFlow::Break(Some(address))
                }
            }
            _ => ControlFlow::Break(None),
        }
    }
}

fn walk_plain(headers: &HeaderMap, proxies: &TrustedProxies) -> Option<IpAddr> {
    let mut walk = Walk { proxies, hops: 0 };
    lines_from_the_end(headers, &X_FORWARDED_FOR)
        .flat_map(|line| line.as_bytes().rsplit(|byte| *byte == b','))
        .try_for_each(|entry| walk.step(plain_address(entry)))
        .break_value()
        .flatten()
}

fn walk_forwarded(headers: &HeaderMap, proxies: &TrustedProxies) -> Option<IpAddr> {
    let mut walk = Walk { proxies, hops: 0 };
    for line in lines_from_the_end(headers, &FORWARDED) {
        // Quotations can only be read from the left. Where one of the client's runs into what the
        // proxy wrote behind it, the line is unreadable as a whole.
        let elements = read_forwarded(line.as_bytes())?;
        let end = elements
            .iter()
            .rev()
            .try_for_each(|one| walk.step(one.node.as_deref().and_then(node_address)));
        if let ControlFlow::Break(client) = end {
            return client;
        }
    }
    None
}

/// An entry of `X-Forwarded-For`, which no standard describes: also IPv6 without brackets.
fn plain_address(entry: &[u8]) -> Option<IpAddr> {
    let entry = str::from_utf8(entry).ok()?.trim_matches([' ', '\t']);
    node_address(entry).or_else(|| v6_address(entry).map(IpAddr::V6))
}

/// `node` of RFC 7239 §6, where it is an address: IPv4 or bracketed IPv6, perhaps with a port.
fn node_address(node: &str) -> Option<IpAddr> {
    if let Some(rest) = node.strip_prefix('[') {
        let (address, port) = rest.split_once(']')?;
        let good = port.is_empty() || port.strip_prefix(':').is_some_and(is_port);
        return v6_address(address).filter(|_| good).map(IpAddr::V6);
    }
    let address = match node.split_once(':') {
        Some((address, port)) => Some(address).filter(|_| is_port(port))?,
        None => node,
    };
    // The standard library refuses octal, hexadecimal and short forms (CVE-2021-29922).
    address.parse::<Ipv4Addr>().ok().map(IpAddr::V4)
}

fn v6_address(text: &str) -> Option<Ipv6Addr> {
    match text.split_once('%') {
        None => text.parse().ok(),
        Some((address, zone)) => {
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
            let is_zone = !zone.is_empty() && zone.bytes().all(plain);
            let address: Ipv6Addr = address.parse().ok()?;
            (is_zone && address.is_unicast_link_local()).then_some(address)
        }
    }
}

fn is_port(text: &str) -> bool {
    (1..=5).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_digit())
        && text.parse::<u16>().is_ok()
}

/// The parts of a `forwarded-element` that are of use here.
#[derive(Default)]
struct Element {
    node: Option<String>,
    proto: Option<String>,
}

/// One line of `Forwarded` (RFC 7239 §4), or `None` if any of it breaks the grammar. White space
/// around `;` and `,` is tolerated.
fn read_forwarded(line: &[u8]) -> Option<Vec<Element>> {
    let mut rest = str::from_utf8(line).ok()?;
    let mut elements = vec![Element::default()];
    loop {
        rest = rest.trim_start_matches([' ', '\t']);
        let (name, after) = rest.split_once('=')?;
        let (value, after) = read_value(after)?;
        if !is_token(name) {
            return None;
        }
        let element = elements.last_mut()?;
        let slot = match name {
            name if name.eq_ignore_ascii_case("for") => Some(&mut element.node),
            name if name.eq_ignore_ascii_case("proto") => Some(&mut element.proto),
            _ => None,
        };
        // "Each parameter MUST NOT occur more than once per field-value" element (§4).
        if slot.is_some_and(|slot| slot.replace(value).is_some()) {
            return None;
        }
        let after = after.trim_start_matches([' ', '\t']);
        rest = match (after.strip_prefix(';'), after.strip_prefix(',')) {
            (Some(rest), _) => rest,
            (_, Some(rest)) => {
                elements.push(Element::default());
                rest
            }
            _ if after.is_empty() => return Some(elements),
            _ => return None,
        };
    }
}

/// A token or a quoted string, without its quotes and escapes, and what follows it.
fn read_value(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([';', ',', ' ', '\t']).unwrap_or(text.len());
        let (token, rest) = text.split_at(end);
        return is_token(token).then(|| (token.to_owned(), rest));
    };
    let mut value = String::new();
    let mut chars = quoted.chars();
    loop {
        match chars.next()? {
            '"' => return Some((value, chars.as_str())),
            '\\' => value.push(chars.next()?),
            other => value.push(other),
        }
    }
}

/// RFC 9110 §5.6.2.
fn is_token(text: &str) -> bool {
    let tchar = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(tchar)
}

/// How a client reached the outermost proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ForwardedProto {
    /// Plain HTTP: whatever the client sent was readable on the way.
    Http,
    /// HTTPS.
    Https,
}

/// What a listed proxy says about how the client reached it, in `X-Forwarded-Proto` or in `proto`
/// of `Forwarded` (RFC 7239 §5.4).
///
/// `Http` as soon as one hop says so, whoever wrote it: a client can only accuse itself (BAS-14).
/// `Https` if there is something said and all of it is `https`. `None` otherwise, and always if
/// the peer is not listed.
#[must_use]
pub fn forwarded_proto(
    peer: Option<IpAddr>,
    headers: &HeaderMap,
    proxies: &TrustedProxies,
) -> Option<ForwardedProto> {
    if !peer.is_some_and(|peer| proxies.contains(peer)) {
        return None;
    }
    let mut said: Vec<Option<String>> = headers
        .get_all(X_FORWARDED_PROTO)
        .iter()
        .flat_map(|line| line.as_bytes().split(|byte| *byte == b','))
        .map(|entry| {
            str::from_utf8(entry)
                .ok()
                .map(|text| text.trim().to_owned())
        })
        .collect();
    for line in headers.get_all(FORWARDED) {
        match read_forwarded(line.as_bytes()) {
            Some(elements) => {
                said.extend(elements.into_iter().filter_map(|one| one.proto).map(Some));
            }
            None => said.push(None),
        }
    }
    let is = |word: &str, scheme: &Option<String>| {
        scheme
            .as_deref()
            .is_some_and(|scheme| scheme.eq_ignore_ascii_case(word))
    };
    if said.iter().any(|scheme| is("http", scheme)) {
        Some(ForwardedProto::Http)
    } else if !said.is_empty() && said.iter().all(|scheme| is("https", scheme)) {
        Some(ForwardedProto::Https)
    } else {
        None
    }
}
