//! Who the client is behind its proxies, against a walk over lists of text.
#![no_main]

use std::net::IpAddr;

use http::{HeaderMap, HeaderName, HeaderValue};
use tower_mcp_auth::policy::{ForwardedProto, TrustedProxies, client_address, forwarded_proto};
use tower_mcp_auth_fuzz::fuzz_target;
use tower_mcp_auth_fuzz::hops::{listed, mapped, walk};
use tower_mcp_auth_fuzz::input::Input;

const PLAIN: &str = "x-forwarded-for";
const STANDARD: &str = "forwarded";
const NODES: &[&str] = &[
    "10.0.0.1",
    "10.255.0.9:80",
    "192.0.2.7",
    "[2001:db8::1]:443",
    "2001:db8::1",
    "::ffff:10.0.0.2",
    "[::ffff:192.0.2.1]",
    "fe80::1%eth0",
    "010.0.0.1",
    "10.1",
    "unknown",
    "_hidden",
    "fd00::5",
    "[fd00::5]",
    "192.0.2.7:99999",
    "192.0.2.7:+1",
    "1.2.3.4:",
    "[fe80::1%25eth0]",
    "",
];

struct Element {
    node: Option<String>,
    quoted: bool,
}

fuzz_target!(|data: &[u8]| {
    let mut input = Input(data);
    let peers = ["10.0.0.1", "192.0.2.1", "fd00::1", "::ffff:10.0.0.1", "::ffff:192.0.2.1"];
    let peer: IpAddr = input.pick(&peers).parse().unwrap();
    let proxies = TrustedProxies::new(["10.0.0.0/8", "fd00::/16"]).unwrap();
    let mut headers = HeaderMap::new();
    let (mut plain, mut standard) = (Vec::new(), Vec::new());
    let mut lines = [0, 0];
    // Lines that this target writes itself, so that it knows what they say.
    while !input.is_empty() && lines.iter().all(|count| *count < 40) {
        let which = input.below(2);
        let mut line = Vec::new();
        for _ in 0..=input.below(4) {
            let text = match input.below(4) {
                0 => input.text().chars().filter(|c| ('!'..='~').contains(c) && !",;\"\\=".contains(*c)).collect(),
                _ => (*input.pick(NODES)).to_owned(),
            };
            let element =
                Element { node: Some(text).filter(|_| which == 0 || input.below(8) != 0), quoted: input.yes() };
            line.push(element);
        }
        let quote = |text: &str, quoted: bool| {
            let token =
                !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c));
            if quoted || !token { format!("\"{text}\"") } else { text.to_owned() }
        };
        let written: Vec<_> = line
            .iter()
            .map(|element| match (&element.node, which) {
                (Some(text), 0) => text.clone(),
                (Some(text), _) => format!("by=x;for={}", quote(text, element.quoted)),
                (None, _) => "proto=https".to_owned(),
            })
            .collect();
        let written = written.join(if input.yes() { ", " } else { "," });
        let Ok(value) = HeaderValue::from_str(&written) else { return };
        let (name, hops) = if which == 0 { (PLAIN, &mut plain) } else { (STANDARD, &mut standard) };
        lines[which] += 1;
        headers.append(HeaderName::from_static(name), value);
        hops.extend(line.into_iter().map(|element| element.node));
    }
    let ours = client_address(Some(peer), &headers, &proxies);
    let peer = mapped(peer);
    let many = lines.map(|count| count > 32);
    let [plain, standard] = [(plain, many[0], true), (standard, many[1], false)]
        .map(|(hops, many, bare)| if many { None } else { walk(&hops, bare) });
    let theirs = match (listed(peer), lines) {
        (false, _) => Some(peer),
        (true, [_, 0]) => plain,
        (true, [0, _]) => standard,
        (true, _) => plain.filter(|one| standard == Some(*one)),
    };
    assert_eq!(ours, theirs, "{headers:?}");
    assert_eq!(client_address(None, &headers, &proxies), None);
    // And lines nobody wrote: no panic, and never an address that is listed.
    let wild = HeaderValue::from_bytes(data).ok().filter(|_| data.len() < 2000);
    if let Some(wild) = wild {
        for name in [PLAIN, STANDARD, "x-forwarded-proto"] {
            headers.append(HeaderName::from_static(name), wild.clone());
        }
        let client = client_address(Some(peer), &headers, &proxies);
        assert!(client.is_none_or(|client| !listed(client)));
        let proto = forwarded_proto(Some(peer), &headers, &proxies);
        assert!(listed(peer) || proto.is_none());
        assert!(proto != Some(ForwardedProto::Https) || !data.eq_ignore_ascii_case(b"http"));
    }
});
