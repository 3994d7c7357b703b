//! A protected MCP server in one command, with an issuer to log in at.
//!
//! `cargo run --example quickstart`, then do what it prints.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program talks to who started it"
)]

mod admin;
mod args;
mod data;
mod explain;
mod guide;
mod organizations;
mod pepper;
mod probes;
mod server;
mod switches;
mod tools;
mod tracker;
mod trial;

use std::error::Error;
use std::io::IsTerminal;
use std::process::ExitCode;

use tracing_subscriber::EnvFilter;

const USAGE: &str = "\
An MCP server that only lets in who has an access token or an API token, and an issuer beside it.

Usage: cargo run --example quickstart -- [OPTIONS]

  --port PORT                 of the MCP server, 0 for any free one [default: 8000]
  --issuer-port PORT          of the issuer, 0 for any free one [default: 8001]
  --consent page|automatic    a page asks the user, or alice agrees to everything [default: page]
  --data FILE                 keeps tokens, policies and revocations, in SQLite
                              [default: target/quickstart/mcp-auth.db; elsewhere than in a checkout
                              a folder of that name among the temporary files]
  --fresh                     begins with an empty one
  --help                      this text

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
            eprintln!("quickstart: {mistake}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match run(&options).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("quickstart: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(options: &args::Options) -> Result<(), Box<dyn Error>> {
    let filter = EnvFilter::try_from_default_env();
    let filter = filter.unwrap_or_else(|_| EnvFilter::new("tower_mcp_auth=warn"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
    let quickstart = server::start(options).await?;
    // Ctrl-C is listened for before anyone can read that it works.
    let (interrupted, ()) = tokio::join!(biased; tokio::signal::ctrl_c(), async {
        print!("{}", guide::text(&quickstart));
    });
    interrupted?;
    quickstart.stop().await
}
