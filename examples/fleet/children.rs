//! Servers as processes of their own.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use super::parts::BoxError;
use super::parts::push::Push;
use super::parts::server::Settings;

/// Ended when dropped; and by themselves when this process is gone, however it went.
pub(crate) struct Children {
    all: Vec<Child>,
    pub(crate) addresses: Vec<String>,
}

impl Children {
    /// Starts so many, and waits until each says where it is.
    pub(crate) fn start(settings: &Settings, count: usize) -> Result<Self, BoxError> {
        let mut children = Self {
            all: Vec::new(),
            addresses: Vec::new(),
        };
        for _ in 0..count {
            children.all.push(command(settings)?.spawn()?);
        }
        for child in &mut children.all {
            let output = child.stdout.take().ok_or("a server without output")?;
            let mut line = String::new();
            BufReader::new(output).read_line(&mut line)?;
            let address = line.trim().strip_prefix("http://");
            let address = address.ok_or("a server did not start; what it says is above")?;
            children.addresses.push(address.to_owned());
        }
        Ok(children)
    }
}

fn command(settings: &Settings) -> Result<Command, BoxError> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["serve", "--with-parent", "--port", "0"]);
    command.args(["--issuer", &settings.issuer]);
    // Arguments of a process can be seen by everybody on the machine; these may hold passwords.
    command.env("MCP_AUTH_TEST_POSTGRES", &settings.postgres);
    command.env("MCP_AUTH_TEST_REDIS", &settings.redis);
    command.env("FLEET_PEPPER", &settings.pepper);
    command.env("FLEET_ADMIN_KEY", &settings.admin_key);
    match settings.push {
        None => {}
        Some(Push::Off) => drop(command.arg("--no-push")),
        Some(Push::Lossy(per_cent)) => {
            command.args(["--push-loss", &per_cent.to_string()]);
        }
    }
    if !settings.throttle {
        command.arg("--no-throttle");
    }
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    Ok(command)
}

impl Drop for Children {
    fn drop(&mut self) {
        for child in &mut self.all {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
