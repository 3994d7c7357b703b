use proptest::prelude::*;

use super::*;
use crate::rejection::Reason;

fn of(headers: &[(&'static str, &'static str)]) -> Option<Framing> {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.append(*name, HeaderValue::from_static(value));
    }
    Framing::of(&map)
}

#[test]
fn mcp_20_streams_are_told_by_the_media_type() {
    for (value, stream) in [
        ("text/event-stream", true),
        ("Text/Event-Stream; charset=utf-8", true),
        ("text/event-streams", false),
        ("application/grpc", true),
        ("application/grpc+proto", true),
        ("application/grpc-web+proto", false),
        ("application/json", false),
        ("text/plain", false),
    ] {
        assert_eq!(of(&[("content-type", value)]).is_some(), stream, "{value}");
    }
    assert!(of(&[]).is_none());
}

#[test]
fn mcp_20_nothing_is_said_in_a_content_coding() {
    let events = ("content-type", "text/event-stream");
    for (coding, plain) in [("identity", true), ("gzip", false), ("br", false)] {
        let framing = of(&[events, ("content-encoding", coding)]).unwrap();
        let said = framing.farewell(&Reason::Expired.into());
        assert_eq!(said.is_some(), plain, "{coding}");
    }
}

#[test]
fn a_blank_line_is_told_however_lines_end() {
    for (sent, blank) in [
        (&["data: a\n\n"][..], true),
        (&["data: a\r\n\r\n"], true),
        (&["data: a\r\r"], true),
        (&["data: a\n", "\r\n"], true),
        (&[], true),
        (&["\n"], true),
        (&["d", "a", "t", "a", ":", "\n", "\n"], true),
        (&["data: a\n"], false),
        (&["data: a\r\n"], false),
        (&["data: a"], false),
        (&["data: a\n\n", "data"], false),
        (&[": ping\n\n", ""], true),
    ] {
        let mut last = *b"\n\n\n\n";
        for part in sent {
            keep_last(&mut last, part.as_bytes());
        }
        assert_eq!(ends_blank(&last), blank, "{sent:?}");
    }
}

fn message(length: usize) -> Vec<u8> {
    let prefix = u32::try_from(length).unwrap().to_be_bytes();
    [&[0][..], &prefix, &vec![7; length]].concat()
}

#[test]
fn the_rest_of_a_message_is_known_wherever_it_is_cut() {
    let (one, two) = (message(300), message(0));
    let whole = [one.as_slice(), &two].concat();
    for cut in 0..=whole.len() {
        let mut messages = Messages::default();
        messages.note(&whole[..cut]);
        let expected = match cut {
            0 | 305 | 310 => None,
            1..305 => Some(305 - cut),
            _ => Some(310 - cut),
        };
        assert_eq!(messages.is_between(), expected.is_none(), "{cut}");
        assert_eq!(messages.rest(&whole[cut..]), expected, "{cut}");
    }
    let mut huge = Messages::default();
    huge.note(&[0, 255, 255, 255, 255]);
    assert_eq!(huge.rest(b"x"), None);
}

proptest! {
    #[test]
    fn frames_may_be_cut_anywhere(lengths in prop::collection::vec(0..600_usize, 0..6), cuts in prop::collection::vec(1..97_usize, 1..40)) {
        let whole: Vec<u8> = lengths.iter().flat_map(|length| message(*length)).collect();
        let ends: Vec<usize> = lengths.iter().scan(0, |end, length| { *end += length + 5; Some(*end) }).collect();
        let mut messages = Messages::default();
        let mut at = 0;
        for cut in cuts {
            let next = (at + cut).min(whole.len());
            messages.note(&whole[at..next]);
            at = next;
            prop_assert_eq!(messages.is_between(), at == 0 || ends.contains(&at));
        }
    }
}
