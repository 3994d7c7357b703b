//! The program `mcp-auth`: migrates the database of [`SqlStore`](tower_mcp_auth::backend::SqlStore), issues and
//! revokes tokens, shows and changes policies, and explains a credential. `docs/mcp-auth.md` has a page per task.
//!
//! Exit codes: 0 done, 1 failed, 2 usage, 3 "no" (the credential would be refused; there is no such token).

mod args;
mod audit;
mod config;
mod explain;
mod failure;
mod log;
mod migrate;
mod output;
mod parse;
mod peppers;
mod policy;
mod policy_file;
mod revoke;
mod store;
mod table;
mod times;
mod token;
mod token_list;

use std::process::ExitCode;

use clap::Parser;

use args::{Cli, Command, Global};
use failure::{Exit, Failure};
use output::Out;

fn main() -> ExitCode {
    // Asked before the arguments are understood, so that a mistake in them is told in the form asked for.
    let json = std::env::args_os().any(|argument| argument == "--json");
    let ended = match Cli::try_parse() {
        Ok(cli) => run(cli),
        Err(error) if error.use_stderr() => Err(Failure::of_arguments(&error, json)),
        Err(help) => output::raw(&help.render().to_string()).map(|()| Exit::Done),
    };
    match ended {
        Ok(exit) => exit.into(),
        Err(failure) => {
            failure.print(json);
            failure.exit.into()
        }
    }
}

fn run(cli: Cli) -> Result<Exit, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::failed("the program cannot start", error, "try again"))?;
    runtime.block_on(dispatch(cli))
}

async fn dispatch(Cli { global, command }: Cli) -> Result<Exit, Failure> {
    let out = Out { json: global.json };
    let ended = run_command(&global, command, out).await;
    global.opened.close().await;
    ended
}

async fn run_command(global: &Global, command: Command, out: Out) -> Result<Exit, Failure> {
    match command {
        Command::Migrate(wanted) => migrate::run(global, &wanted, out).await,
        Command::Pepper(command) => peppers::run(&command, out),
        Command::Token(command) => token::run(global, command, out).await,
        Command::Policy(command) => policy::run(global, command, out).await,
        Command::Revoke(command) => revoke::run(global, command, out).await,
        Command::Log(wanted) => log::run(global, &wanted, out).await,
        Command::Explain(wanted) => explain::run(global, &wanted, out).await,
        Command::Audit(wanted) => audit::run(&wanted, out).await,
        Command::Config(command) => config::run(&command, out),
    }
}
