//! Three servers over one Postgres and one Redis: what is revoked on one is refused by all.
//!
//! Try it, and do what it prints:
//!
//! ```text
//! scripts/services run cargo run --example fleet --features postgres,redis -- up
//! ```
//!
//! Measure it, in a release build: 10,000 revocations and switched policies while hints get lost and
//! connections are ended. Fails if a promise of docs/fleet.md is broken.
//!
//! ```text
//! scripts/services run cargo run --release --example fleet --features postgres,redis -- soak
//! scripts/services run cargo run --release --example fleet --features postgres,redis -- soak --no-push
//! ```
//!
//! ```text
//! fleet up    [--postgres URL] [--redis URL]
//! fleet soak  [--postgres URL] [--redis URL] [--revocations 10000] [--reconnects 50]
//!             [--push-loss 20] [--no-push]
//! fleet serve --issuer URL [--postgres URL] [--redis URL] [--port 0]
//!             [--push-loss PERCENT | --no-push] [--no-throttle] [--with-parent]
//! ```
//!
//! The URLs are those of `scripts/services` if they are not given. `serve` takes its secrets from the
//! environment: `FLEET_PEPPER`, at least 32 bytes, and `FLEET_ADMIN_KEY`. `up` and `soak` make a
//! database of their own and remove it. With `--no-push` servers hear no hints at all, and read their
//! log every two seconds.
#![expect(clippy::print_stdout, reason = "a program talks to who started it")]

mod arguments;
mod children;
mod parts;
mod up;

use std::io::{Read, Write, stdin, stdout};
use std::process::ExitCode;

use tower_mcp_auth::testing::TestIssuer;

use arguments::Arguments;
use children::Children;
use parts::BoxError;
use parts::place::Place;
use parts::push::Push;
use parts::server::{Server, Settings};
use parts::soak::{self, Plan};
use parts::world::World;

/// How many servers a fleet has here.
const SERVERS: usize = 3;

#[tokio::main]
async fn main() -> Result<ExitCode, BoxError> {
    let mut arguments = Arguments::of_program();
    match arguments.command().as_str() {
        "serve" => serve(arguments).await,
        "up" => up(arguments).await,
        "soak" => soak(arguments).await,
        other => Err(format!("'{other}' is none of serve, up, soak").into()),
    }
}

async fn serve(mut arguments: Arguments) -> Result<ExitCode, BoxError> {
    let secret = |name| std::env::var(name).map_err(|_| format!("{name} is not set"));
    let settings = Settings {
        postgres: arguments.postgres()?,
        redis: arguments.redis()?,
        issuer: arguments.value("--issuer")?.ok_or("--issuer is missing")?,
        pepper: secret("FLEET_PEPPER")?,
        admin_key: secret("FLEET_ADMIN_KEY")?,
        push: arguments.push()?,
        throttle: !arguments.flag("--no-throttle"),
    };
    let port = arguments.number("--port", 0)?;
    let with_parent = arguments.flag("--with-parent");
    arguments.end()?;
    let server = Server::start(&settings, port).await?;
    println!("http://{}", server.address);
    stdout().flush()?;
    if with_parent {
        // Who started it holds the other end, and lets go of it however it ends.
        std::thread::spawn(|| {
            let _ = stdin().read_to_end(&mut Vec::new());
            std::process::exit(0);
        });
    }
    tokio::signal::ctrl_c().await?;
    drop(server);
    Ok(ExitCode::SUCCESS)
}

/// An issuer of access tokens, and what its servers have alike.
async fn settings(
    place: &Place,
    redis: String,
    push: Option<Push>,
) -> Result<(TestIssuer, Settings), BoxError> {
    let issuer = TestIssuer::start().await?;
    let settings = Settings {
        postgres: place.url.clone(),
        redis,
        issuer: issuer.url().to_owned(),
        pepper: arguments::random()?,
        admin_key: arguments::random()?,
        push,
        throttle: push.is_none(),
    };
    Ok((issuer, settings))
}

async fn up(mut arguments: Arguments) -> Result<ExitCode, BoxError> {
    let (postgres, redis) = (arguments.postgres()?, arguments.redis()?);
    arguments.end()?;
    let place = Place::create(&postgres).await?;
    let (issuer, settings) = settings(&place, redis, None).await?;
    let children = Children::start(&settings, SERVERS)?;
    let world = World::new(&settings, issuer, &children.addresses).await?;
    print!("{}", up::guide(&settings, &world, &postgres).await?);
    tokio::signal::ctrl_c().await?;
    drop(children);
    place.remove().await?;
    Ok(ExitCode::SUCCESS)
}

async fn soak(mut arguments: Arguments) -> Result<ExitCode, BoxError> {
    let (postgres, redis) = (arguments.postgres()?, arguments.redis()?);
    let changes = arguments.number("--revocations", 10_000)?;
    let reconnects = arguments.number("--reconnects", 50)?;
    let push = arguments.push()?.unwrap_or(Push::Lossy(20));
    arguments.end()?;
    let place = Place::create(&postgres).await?;
    let (issuer, settings) = settings(&place, redis.clone(), Some(push)).await?;
    let children = Children::start(&settings, SERVERS)?;
    let world = World::new(&settings, issuer, &children.addresses).await?;
    let plan = Plan::new(changes, reconnects, push != Push::Off);
    let report = tokio::select! {
        report = soak::run(world, plan, &place, &redis) => report,
        _ = tokio::signal::ctrl_c() => Err("interrupted".into()),
    };
    drop(children);
    place.remove().await?;
    let report = report?;
    print!("{push:?}\n\n{report}");
    let mut broken = report.broken();
    broken.extend(report.late());
    broken.extend(report.slow());
    for promise in &broken {
        println!("broken: {promise}");
    }
    Ok(if broken.is_empty() {
        println!("every promise held");
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
