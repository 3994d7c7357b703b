//! The text of a token: base64url, parts, serializations, encryption, size and depth.

use super::request::{Batch, Hostile, Random, base64url};
use super::site::Site;

pub fn t06(site: &Site) -> Vec<Hostile> {
    let mut batch = Batch::default();
    let mut random = Random(6);
    let good = site.token().sign();
    let split: Vec<&str> = good.split('.').collect();
    let with = |at: usize, part: String| {
        let mut all: Vec<String> = split.iter().map(|part| (*part).to_owned()).collect();
        all[at] = part;
        all.join(".")
    };
    for (at, part) in split.iter().enumerate() {
        for more in [
            "=", "==", "===", "A", "AA", "AAAA", "%3D", "%3d%3d", "/", "+", "~", "-", "_",
        ] {
            batch.token(
                format!("part {at} and {more}"),
                with(at, format!("{part}{more}")),
            );
            batch.token(
                format!("{more} and part {at}"),
                with(at, format!("{more}{part}")),
            );
        }
        for cut in 1..=4 {
            batch.token(
                format!("part {at} without its last {cut}"),
                with(at, part[..part.len() - cut].to_owned()),
            );
            batch.token(
                format!("part {at} without its first {cut}"),
                with(at, part[cut..].to_owned()),
            );
        }
        // The bits of the last character that no byte comes from.
        let (kept, last) = part.split_at(part.len() - 1);
        let letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        for letter in letters
            .chars()
            .filter(|letter| !last.contains(*letter))
            .step_by(3)
        {
            batch.token(
                format!("part {at} ends with {letter}"),
                with(at, format!("{kept}{letter}")),
            );
        }
        for _ in 0..12 {
            let (place, letter) = (
                random.below(part.len()),
                ["=", "+", "/", ".", "~"][random.below(5)],
            );
            let (before, behind) = part.split_at(place);
            batch.token(
                format!("{letter} in part {at} at {place}"),
                with(at, format!("{before}{letter}{behind}")),
            );
        }
        batch.token(format!("no part {at}"), with(at, String::new()));
    }
    let standard = good.replace('-', "+").replace('_', "/");
    if standard != good {
        batch.token("the other alphabet", standard);
    }
    for text in [
        format!(".{good}"),
        format!("{good}."),
        format!("{good}.."),
        format!("..{good}"),
        good.replace('.', ".."),
        good.replace('.', ""),
        good.replacen('.', "", 1),
        good.replace('.', "%2E"),
        good.replace('.', "-"),
        format!("{good}.{good}"),
        format!("{good}{good}"),
        format!("x{good}"),
        format!("{good}x"),
        good.to_uppercase(),
        good.to_lowercase(),
        good.chars().rev().collect(),
        base64url(&good),
    ] {
        batch.token(format!("shape {text:.24}"), text);
    }
    for text in [
        format!("{good} x"),
        format!("\"{good}\""),
        format!("<{good}>"),
        format!("{good},"),
        format!("{good};"),
        format!("{good}\t{good}"),
        format!("token={good}"),
        format!("{good}\\"),
        format!("{good}?x"),
        format!("{good}#x"),
        format!("{good}%00"),
        format!("{good}%20"),
    ] {
        batch.token(format!("shape {text:.24}"), text);
    }
    batch.0
}
