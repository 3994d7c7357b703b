use std::net::IpAddr;

use http::{HeaderMap, HeaderName, HeaderValue};
use proptest::prelude::*;

use super::*;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[test]
fn pol_07_a_network_contains_its_addresses_in_every_spelling() {
    for (network, inside, outside) in [
        ("203.0.113.0/24", "203.0.113.255", "203.0.114.0"),
        ("203.0.113.7", "203.0.113.7", "203.0.113.8"),
        ("203.0.113.0/24", "::ffff:203.0.113.9", "::ffff:203.0.114.9"),
        ("::ffff:203.0.113.0/120", "203.0.113.9", "203.0.114.9"),
        ("::ffff:203.0.113.7", "203.0.113.7", "203.0.113.8"),
        ("2001:db8::/32", "2001:db8:1::1", "2001:db9::1"),
        ("::1", "::1", "::2"),
        ("0.0.0.0/1", "1.2.3.4", "128.0.0.1"),
        // IPv4-compatible is not IPv4-mapped.
        ("203.0.113.0/24", "203.0.113.1", "::203.0.113.1"),
    ] {
        let network = Network::new(network);
        assert_eq!(network.problem(), None, "{network}");
        assert!(network.contains(ip(inside)), "{network} {inside}");
        assert!(!network.contains(ip(outside)), "{network} {outside}");
    }
}

#[test]
fn t34_bad_networks_are_refused_with_a_remedy_and_contain_nothing() {
    for (text, word) in [
        ("0.0.0.0/0", "whole internet"),
        ("::/0", "whole internet"),
        ("::ffff:0:0/96", "whole internet"),
        ("10.1.2.3/8", "first address"),
        ("2001:db8::1/32", "first address"),
        ("10.0.0.0/33", "range"),
        ("10.0.0.0/", "range"),
        ("010.0.0.0/8", "range"),
        ("10.0.0.0/+8", "range"),
        ("10.0.0.0/08", "range"),
        ("10.0.0.0/8/8", "range"),
        ("10.0/8", "range"),
        ("10", "range"),
        ("0x0a000000/8", "range"),
        ("10.0.0.0/255.0.0.0", "range"),
        ("10.0.0.0-10.0.0.9", "range"),
        ("example.com", "range"),
        (" 10.0.0.0/8", "range"),
        ("fe80::1%eth0", "range"),
        ("", "range"),
    ] {
        let network = Network::new(text);
        let problem = network
            .problem()
            .unwrap_or_else(|| panic!("{text} was accepted"));
        assert!(problem.contains(word), "{text}: {problem}");
        assert!(!network.contains(ip("10.0.0.1")), "{text}");
        assert!(!network.contains(ip("2001:db8::1")), "{text}");
    }
}

#[test]
fn t34_everything_is_refused_as_a_proxy_in_one_piece_or_in_two() {
    let error = TrustedProxies::new(["0.0.0.0/0", "10.0.0.0/8", "::/0", "x"]).unwrap_err();
    let fields: Vec<_> = error
        .problems()
        .iter()
        .map(|one| one.field.as_str())
        .collect();
    assert_eq!(
        fields,
        [
            "trusted_proxies[0]",
            "trusted_proxies[2]",
            "trusted_proxies[3]"
        ]
    );
    let error = TrustedProxies::new(["0.0.0.0/1", "128.0.0.0/2", "192.0.0.0/2"]).unwrap_err();
    assert_eq!(error.problems().len(), 1);
    assert!(TrustedProxies::new(["10.0.0.1"]).is_ok());
    assert!(TrustedProxies::new([ip("10.0.0.1")]).is_ok());
}

/// The proxies of these tests.
fn proxies() -> TrustedProxies {
    TrustedProxies::new(["10.0.0.0/24", "2001:db8:ffff::/48"]).unwrap()
}

/// Lines of the form `x: …` for `X-Forwarded-For` and `f: …` for `Forwarded`.
fn headers(lines: &[&str]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in lines {
        let (name, value) = line.split_once(": ").unwrap();
        let name = match name {
            "x" => "x-forwarded-for",
            "f" => "forwarded",
            "p" => "x-forwarded-proto",
            other => other,
        };
        headers.append(
            HeaderName::from_bytes(name.as_bytes()).unwrap(),
            HeaderValue::from_bytes(value.as_bytes()).unwrap(),
        );
    }
    headers
}

type Row = (&'static str, &'static [&'static str], Option<&'static str>);

fn check(rows: &[Row]) {
    for (peer, lines, expected) in rows {
        let found = client_address(Some(ip(peer)), &headers(lines), &proxies());
        assert_eq!(found, expected.map(ip), "{peer} {lines:?}");
    }
}

const P: &str = "10.0.0.1";

#[test]
fn pol_08_the_peer_is_the_client_unless_it_is_a_listed_proxy() {
    check(&[
        ("198.51.100.1", &[], Some("198.51.100.1")),
        ("198.51.100.1", &["x: 203.0.113.7"], Some("198.51.100.1")),
        (
            "198.51.100.1",
            &["f: for=203.0.113.7"],
            Some("198.51.100.1"),
        ),
        (
            "198.51.100.1",
            &["x: garbage", "f: ="],
            Some("198.51.100.1"),
        ),
        (
            "::ffff:198.51.100.1",
            &["x: 203.0.113.7"],
            Some("198.51.100.1"),
        ),
        ("10.0.1.1", &["x: 203.0.113.7"], Some("10.0.1.1")),
        ("2001:db8::1", &["x: 203.0.113.7"], Some("2001:db8::1")),
        ("::ffff:10.0.0.1", &["x: 203.0.113.7"], Some("203.0.113.7")),
        ("2001:db8:ffff::1", &["x: 203.0.113.7"], Some("203.0.113.7")),
        (
            P,
            &["x-real-ip: 203.0.113.7", "true-client-ip: 203.0.113.7"],
            None,
        ),
    ]);
    assert_eq!(
        client_address(None, &headers(&["x: 203.0.113.7"]), &proxies()),
        None
    );
    let none = TrustedProxies::none();
    assert_eq!(
        client_address(Some(ip(P)), &headers(&["x: 1.2.3.4"]), &none),
        Some(ip(P))
    );
}

#[test]
fn pol_08_the_chain_is_walked_from_the_right_to_the_first_stranger() {
    check(&[
        (P, &["x: 203.0.113.7"], Some("203.0.113.7")),
        (P, &["x: 1.1.1.1, 203.0.113.7"], Some("203.0.113.7")),
        (P, &["x: 1.1.1.1,203.0.113.7,10.0.0.2"], Some("203.0.113.7")),
        (
            P,
            &["x: 1.1.1.1, 203.0.113.7, 10.0.0.2, 10.0.0.3"],
            Some("203.0.113.7"),
        ),
        (P, &["x: 10.0.0.9, 203.0.113.7"], Some("203.0.113.7")),
        (P, &["x: 1.1.1.1", "x: 203.0.113.7"], Some("203.0.113.7")),
        (
            P,
            &["x: 1.1.1.1", "x: 203.0.113.7", "x: 10.0.0.2"],
            Some("203.0.113.7"),
        ),
        (
            P,
            &["x: 1.1.1.1, 203.0.113.7", "x: 10.0.0.3, 10.0.0.2"],
            Some("203.0.113.7"),
        ),
        (P, &["x: \t203.0.113.7 \t"], Some("203.0.113.7")),
        (
            P,
            &["x: 203.0.113.7, 2001:db8:ffff::2"],
            Some("203.0.113.7"),
        ),
        // What the client wrote may be anything.
        (P, &["x: unknown, 203.0.113.7"], Some("203.0.113.7")),
        (P, &["x: <script>, , ;, 203.0.113.7"], Some("203.0.113.7")),
        (P, &["x: \u{e9}", "x: 203.0.113.7"], Some("203.0.113.7")),
        (P, &["f: for=1.1.1.1, for=203.0.113.7"], Some("203.0.113.7")),
        (
            P,
            &["f: for=203.0.113.7, for=10.0.0.2"],
            Some("203.0.113.7"),
        ),
        (
            P,
            &[
                "f: for=1.1.1.1",
                "f: for=203.0.113.7;proto=https, for=10.0.0.2",
            ],
            Some("203.0.113.7"),
        ),
        (
            P,
            &["f: by=10.0.0.1; FOR=203.0.113.7; host=\"a,b;c\""],
            Some("203.0.113.7"),
        ),
        (P, &["f: for=\"", "f: for=203.0.113.7"], Some("203.0.113.7")),
        (P, &["f: for=unknown, for=203.0.113.7"], Some("203.0.113.7")),
    ]);
}

#[test]
fn t34_entries_are_read_strictly() {
    check(&[
        (P, &["x: 203.0.113.7:51234"], Some("203.0.113.7")),
        (P, &["x: 2001:db8::7"], Some("2001:db8::7")),
        (P, &["x: [2001:db8::7]"], Some("2001:db8::7")),
        (P, &["x: [2001:db8::7]:443"], Some("2001:db8::7")),
        (P, &["x: ::ffff:203.0.113.7"], Some("203.0.113.7")),
        (P, &["x: [::ffff:203.0.113.7]:1"], Some("203.0.113.7")),
        // The mapped spelling of a proxy is the proxy.
        (P, &["x: 203.0.113.7, ::ffff:10.0.0.2"], Some("203.0.113.7")),
        (P, &["x: fe80::1%eth0"], Some("fe80::1")),
        (P, &["x: [fe80::1%25]"], Some("fe80::1")),
        (P, &["x: 2001:db8::7%eth0"], None),
        (P, &["x: fe80::1%"], None),
        (P, &["x: fe80::1%a/b"], None),
        (P, &["x: 203.0.113.7%eth0"], None),
        (P, &["x: 0203.0.113.7"], None),
        (P, &["x: 203.0.113.07"], None),
        (P, &["x: 0xcb.0.113.7"], None),
        (P, &["x: 203.0.29191"], None),
        (P, &["x: 3405803783"], None),
        (P, &["x: 203.0.113.256"], None),
        (P, &["x: 203.0.113.7:"], None),
        (P, &["x: 203.0.113.7:65536"], None),
        (P, &["x: 203.0.113.7:+1"], None),
        (P, &["x: 203.0.113.7:1:2"], None),
        (P, &["x: [203.0.113.7]"], None),
        (P, &["x: [2001:db8::7"], None),
        (P, &["x: 2001:db8::7]"], None),
        (P, &["x: [2001:db8::7]443"], None),
        (P, &["x: \"203.0.113.7\""], None),
        (P, &["x: 203.0.113.7 10.0.0.2"], None),
        (P, &["x: 203.0.113.7;10.0.0.2"], None),
        (P, &["x: for=203.0.113.7"], None),
        (P, &["x: \u{ff12}03.0.113.7"], None),
        (P, &["f: for=\"[2001:db8::7]\""], Some("2001:db8::7")),
        (P, &["f: for=\"[2001:db8::7]:47011\""], Some("2001:db8::7")),
        (P, &["f: for=\"203.0.113.7:80\""], Some("203.0.113.7")),
        (P, &["f: for=\"203.0.\\113.7\""], Some("203.0.113.7")),
        (P, &["f: for=\"[::ffff:203.0.113.7]\""], Some("203.0.113.7")),
        (P, &["f: for=\"2001:db8::7\""], None),
        (P, &["f: for=[2001:db8::7]"], None),
        (P, &["f: for=203.0.113.7:80"], None),
        (P, &["f: for=\"203.0.113.7:_port\""], None),
        (P, &["f: for=\" 203.0.113.7\""], None),
        (P, &["f: for = 203.0.113.7"], None),
        (P, &["f: 203.0.113.7"], None),
    ]);
}

#[test]
fn t34_what_cannot_be_known_is_unknown() {
    check(&[
        // A proxy that says nothing is not a client.
        (P, &[], None),
        (P, &["x: 10.0.0.2"], None),
        (P, &["x: 10.0.0.3, 10.0.0.2"], None),
        (P, &["f: for=10.0.0.2"], None),
        (P, &["x: "], None),
        (P, &["x: 203.0.113.7, "], None),
        (P, &["x: 203.0.113.7", "x: "], None),
        (P, &["x: 203.0.113.7, unknown"], None),
        (P, &["x: 203.0.113.7, unknown, 10.0.0.2"], None),
        (P, &["x: 203.0.113.7,, 10.0.0.2"], None),
        (P, &["x: 203.0.113.7, \u{e9}"], None),
        (P, &["f: for=unknown"], None),
        (P, &["f: for=_hidden"], None),
        (P, &["f: proto=https"], None),
        (P, &["f: for=203.0.113.7;for=1.1.1.1"], None),
        (P, &["f: for=203.0.113.7;"], None),
        (P, &["f: for=203.0.113.7,"], None),
        (P, &["f: for=203.0.113.7, for="], None),
        (P, &["f: for=203.0.113.7 for=1.1.1.1"], None),
        (P, &["f: for=\"203.0.113.7"], None),
        (P, &["f: for=\"203.0.113.7\\"], None),
        // A quotation opened by the client swallows what the proxy wrote.
        (P, &["f: for=1.1.1.1;x=\", for=203.0.113.7"], None),
        (P, &["f: for=1.1.1.1;x=\", for=\"[2001:db8::7]\""], None),
        (
            P,
            &["f: for=1.1.1.1;x=\"\\, for=203.0.113.7;host=\"h\""],
            None,
        ),
    ]);
}

#[test]
fn t34_two_headers_count_only_if_they_agree() {
    check(&[
        (
            P,
            &["x: 203.0.113.7", "f: for=203.0.113.7"],
            Some("203.0.113.7"),
        ),
        (
            P,
            &["x: 1.1.1.1, 203.0.113.7", "f: for=\"203.0.113.7:9\""],
            Some("203.0.113.7"),
        ),
        (P, &["x: 1.1.1.1", "f: for=203.0.113.7"], None),
        (P, &["x: 203.0.113.7", "f: for=1.1.1.1"], None),
        (P, &["x: 203.0.113.7", "f: garbage"], None),
        (P, &["x: garbage", "f: for=203.0.113.7"], None),
        (P, &["x: 10.0.0.2", "f: for=10.0.0.2"], None),
    ]);
}

#[test]
fn t34_the_walk_is_bounded() {
    let chain = |hops: usize| format!("x: 203.0.113.7{}", ", 10.0.0.2".repeat(hops));
    let at = |line: &str| client_address(Some(ip(P)), &headers(&[line]), &proxies());
    assert_eq!(at(&chain(31)), Some(ip("203.0.113.7")));
    assert_eq!(at(&chain(32)), None);
    assert_eq!(at(&chain(2000)), None);
    let lines = |name: &str, count: usize| {
        let line = format!("{name}203.0.113.7");
        let lines: Vec<&str> = std::iter::repeat_n(line.as_str(), count).collect();
        client_address(Some(ip(P)), &headers(&lines), &proxies())
    };
    for name in ["x: ", "f: for="] {
        assert_eq!(lines(name, 32), Some(ip("203.0.113.7")));
        assert_eq!(lines(name, 33), None);
    }
}

#[test]
fn bas_14_plain_http_before_the_proxy_is_seen() {
    use ForwardedProto::{Http, Https};
    let rows: [(&str, &[&str], Option<ForwardedProto>); 16] = [
        (P, &[], None),
        (P, &["p: https"], Some(Https)),
        (P, &["p: http"], Some(Http)),
        (P, &["p: HTTP"], Some(Http)),
        (P, &["p: https, http"], Some(Http)),
        (P, &["p: http, https"], Some(Http)),
        (P, &["p: https", "p: http"], Some(Http)),
        (P, &["p: https, https"], Some(Https)),
        (P, &["p: wss"], None),
        (P, &["p: https, "], None),
        (P, &["f: for=1.1.1.1;proto=http"], Some(Http)),
        (
            P,
            &["f: for=1.1.1.1;proto=https, for=10.0.0.2"],
            Some(Https),
        ),
        (P, &["f: proto=https", "p: http"], Some(Http)),
        (P, &["f: proto=\"", "p: https"], None),
        ("198.51.100.1", &["p: https"], None),
        ("198.51.100.1", &["p: http"], None),
    ];
    for (peer, lines, expected) in rows {
        let found = forwarded_proto(Some(ip(peer)), &headers(lines), &proxies());
        assert_eq!(found, expected, "{peer} {lines:?}");
    }
    assert_eq!(
        forwarded_proto(None, &headers(&["p: https"]), &proxies()),
        None
    );
}

/// What a client can put into a header line: near misses of the grammar, and noise.
fn claimed() -> impl Strategy<Value = String> {
    let part = prop::sample::select(vec![
        "192.0.2.66",
        "10.0.0.2",
        "for=",
        "for=192.0.2.66",
        "\"",
        "\\",
        ",",
        ";",
        " ",
        "x=",
        "=",
        "[",
        "]",
        ":",
        "2001:db8::66",
        "_h",
        "unknown",
        "\u{e9}",
        "%eth0",
    ]);
    prop_oneof![
        prop::collection::vec(part, 0..10).prop_map(|parts| parts.concat()),
        "[ -~]{0,40}",
    ]
}

proptest! {
    /// POL-8: whatever the client writes, on the proxy's line or on lines before, the address is
    /// the one the proxy saw, or unknown; never one of the client's choosing.
    #[test]
    fn pol_08_a_spoofed_entry_never_wins(
        claim in claimed(),
        earlier in prop::collection::vec((any::<bool>(), claimed()), 0..3),
        forwarded in any::<bool>(),
        own_line in any::<bool>(),
        quoted in any::<bool>(),
    ) {
        let real = ip("203.0.113.7");
        let mut lines: Vec<(bool, String)> = earlier;
        let seen = match (forwarded, quoted) {
            (false, _) => "203.0.113.7".to_owned(),
            (true, false) => "for=203.0.113.7".to_owned(),
            (true, true) => "for=\"203.0.113.7:1\";host=\"h\"".to_owned(),
        };
        let line = if own_line { seen } else { format!("{claim}, {seen}") };
        lines.push((forwarded, line));
        let mut headers = HeaderMap::new();
        for (forwarded, line) in lines {
            let name = if forwarded { "forwarded" } else { "x-forwarded-for" };
            headers.append(name, HeaderValue::from_bytes(line.as_bytes()).unwrap());
        }
        let found = client_address(Some(ip(P)), &headers, &proxies());
        prop_assert!(found.is_none() || found == Some(real), "{:?} {:?}", found, headers);
    }

    #[test]
    fn t34_no_header_panics(line in prop::collection::vec(any::<u8>(), 0..60)) {
        if let Ok(value) = HeaderValue::from_bytes(&line) {
            let mut headers = HeaderMap::new();
            headers.append("forwarded", value.clone());
            let _ = client_address(Some(ip(P)), &headers, &proxies());
            headers.append("x-forwarded-for", value.clone());
            headers.append("x-forwarded-proto", value);
            let _ = client_address(Some(ip(P)), &headers, &proxies());
            prop_assert_eq!(forwarded_proto(Some(ip("1.1.1.1")), &headers, &proxies()), None);
        }
    }
}
