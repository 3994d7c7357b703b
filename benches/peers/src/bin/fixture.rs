//! Prints one RS256 token and what verifies it, as JSON: what `others/run` gives to the verifiers
//! of other languages.

use std::process::ExitCode;

use peers::Failure;
use peers::line_up;
use peers::world::{RESOURCE, World};
use serde_json::json;
use tower_mcp_auth::SigningAlgorithm;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("fixture: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Failure> {
    let world = line_up::runtime()?.block_on(World::start(1))?;
    let issuer = world.issuer();
    let fixture = json!({
        "token": world.token(SigningAlgorithm::Rs256).sign(),
        "bad_token": world.token(SigningAlgorithm::Rs256).tamper(|signature| signature.reverse()).sign(),
        "jwks": world.rsa_jwks(),
        "pem": issuer.public_pem(&issuer.signing_kid()),
        "issuer": issuer.url(),
        "audience": RESOURCE,
    });
    println!("{fixture}");
    Ok(())
}
