//! Hostile requests, in classes named after the threats they belong to (T1 to T51). Every choice is the
//! same in every run; only keys, and with them signatures, are new.

#![allow(
    clippy::too_many_lines,
    clippy::format_collect,
    clippy::needless_for_each,
    clippy::items_after_statements,
    reason = "these are tables of what is sent"
)]

mod api;
mod bodies;
mod caches;
mod claims;
mod ended;
mod floods;
mod forms;
pub mod frames;
mod framing;
mod hosts;
pub mod inner;
mod jose;
mod keys;
mod kinds;
mod lines;
mod logs;
mod mirrored;
mod names;
mod network;
mod places;
mod proofs;
pub mod request;
mod rights;
mod sessions;
mod signatures;
pub mod site;
mod streams;
mod targets;
mod texts;
mod times;

use request::Hostile;
use site::Site;

/// The classes that requests over a socket can express, in the order they are sent.
pub const CLASSES: &[&str] = &[
    "T1", "T2", "T3", "T4", "T5", "T6", "T7", "T8", "T9", "T10", "T11", "T12", "T13", "T14", "T15",
    "T16", "T17", "T18", "T19", "T20", "T21", "T22", "T23", "T24", "T25", "T27", "T28", "T30",
    "T31", "T32", "T33", "T34", "T35", "T36", "T37", "T38", "T39", "T40", "T41", "T42", "T43",
    "T44", "T46", "T47", "T49", "DPOP",
];

/// The rows that no single request can express, and the tests that are about them.
#[allow(dead_code, reason = "for the test, not for the bench")]
pub const ELSEWHERE: &[(&str, &str)] = &[
    ("T26", "t26_the_published_expression_finds_what_is_issued"),
    ("T29", "t29_an_attacker_locks_nobody_out"),
    ("T45", "g13_t45_every_answer_is_about_its_own_caller"),
    ("T48", "g11_t48_no_secret_is_repeated_anywhere"),
    (
        "T50",
        "t50_no_dependency_below_its_first_sound_release_is_locked",
    ),
    ("T51", "t51_a_fetch_that_panics_is_a_failed_attempt"),
];

/// The requests of a class. What has to come before them has been done: good credentials were used,
/// tokens revoked, the clock moved.
pub async fn requests(site: &Site, class: &str) -> Vec<Hostile> {
    match class {
        "T1" => jose::t01(site),
        "T2" => signatures::t02(site),
        "T3" => signatures::t03(site),
        "T4" => signatures::t04(site),
        "T5" => caches::t05(site).await,
        "T6" => texts::t06(site),
        "T7" => jose::t07(site),
        "T8" => claims::t08(site),
        "T9" => names::t09(site),
        "T10" => names::t10(site),
        "T11" => kinds::t11(site),
        "T12" => keys::t12(site),
        "T13" => keys::t13(site),
        "T14" => claims::t14(site),
        "T15" => forms::t15(site),
        "T16" => forms::t16(site),
        "T17" => forms::t17(site),
        "T18" => times::t18(site),
        "T19" => times::t19(site),
        "T20" => signatures::t20(site),
        "T21" => caches::t21(site).await,
        "T22" => ended::t22(site).await,
        "T23" => rights::t23(site).await,
        "T24" => caches::t24(site).await,
        _ => requests_beyond_tokens(site, class).await,
    }
}

async fn requests_beyond_tokens(site: &Site, class: &str) -> Vec<Hostile> {
    match class {
        "T25" => api::t25(site).await,
        "T27" => api::t27(site),
        "T28" => api::t28(site),
        "T30" => names::t30(site),
        "T31" => places::t31(site).await,
        "T32" => places::t32(site),
        "T33" => places::t33(site),
        "T34" => network::t34(site),
        "T35" => targets::t35(site),
        "T36" => mirrored::t36(site),
        "T37" => network::t37(site),
        "T38" => lines::t38(site),
        "T39" => lines::t39(site),
        "T40" => framing::t40(site),
        "T41" => hosts::t41(site),
        "T42" => hosts::t42(site),
        "T43" => keys::t43(site),
        "T44" => sessions::t44(site).await,
        "T46" => mirrored::t46(site),
        "T47" => floods::t47(site),
        "T49" => logs::t49(site),
        "DPOP" => proofs::dpop(site).await,
        other => panic!("no class {other}"),
    }
}
