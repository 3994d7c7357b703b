//! A page on which an organization's administrator sees and changes what the server accepts.
//!
//! `cargo run --example admin_console`, then open what it prints.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program talks to who started it"
)]

mod args;
mod assets;
mod audit;
mod desk;
mod edit;
mod fields;
mod guard;
mod ledger;
mod lines;
mod login;
mod mcp;
mod oauth;
mod page;
#[path = "../quickstart/pepper.rs"]
mod pepper;
mod policy;
mod rows;
mod seed;
mod server;
mod session;
mod time;
mod token;
mod tokens;
mod traffic;

use std::io::IsTerminal;
use std::process::ExitCode;

use tracing_subscriber::EnvFilter;

const USAGE: &str = "\
A page for the administrators of two organizations, an MCP server that obeys them, and an issuer to log in at.

Usage: cargo run --example admin_console -- [OPTIONS]

  --port PORT          of the page, 0 for any free one [default: 8010]
  --mcp-port PORT      of the MCP server [default: 8011]
  --issuer-port PORT   of the issuer [default: 8012]
  --data FILE          keeps tokens and policies, in SQLite [default: target/admin_console/console.db]
  --at SECONDS         since 1970: time stands there, and a few calls are made once, for pictures
  --quiet              makes no calls of its own
  --help               this text

RUST_LOG=tower_mcp_auth=debug shows why requests are refused.
";

#[tokio::main]
async fn main() -> ExitCode {
    let options = match args::parse(std::env::args().skip(1)) {
        Ok(Some(options)) => options,
        Ok(None) => {
            print!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        Err(mistake) => {
            eprintln!("admin_console: {mistake}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match run(&options).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("admin_console: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(options: &args::Options) -> Result<(), server::BoxError> {
    let filter = EnvFilter::try_from_default_env();
    let filter = filter.unwrap_or_else(|_| EnvFilter::new("tower_mcp_auth=warn"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
    let running = server::start(options).await?;
    print!("{}", running.guide());
    tokio::signal::ctrl_c().await?;
    running.stop().await;
    Ok(())
}
