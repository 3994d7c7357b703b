//! `revoke`: entries of the shared log, which every process applies.

use serde_json::json;
use tower_mcp_auth::clock::UnixTime;
use tower_mcp_auth::ident::{ClientId, Subject};
use tower_mcp_auth::revocation::{RevocationEntry, RevocationLog, RevocationTarget};

use crate::args::{Global, Revoke, Why};
use crate::failure::{Exit, Failure};
use crate::output::Out;
use crate::{parse, store, times};

pub(crate) async fn run(global: &Global, command: Revoke, out: Out) -> Result<Exit, Failure> {
    let now = times::now();
    let (entry, why) = entry(command, now)?;
    // What no server would understand is not written: it would be taken for done.
    if entry.target().is_none() {
        let remedy = "write names of 1 to 2,048 bytes without control characters";
        return Err(Failure::usage(
            "a name is empty, too long, or holds control characters",
            remedy,
        ));
    }
    let entry = match why.reason {
        Some(reason) => entry.because(reason),
        None => entry,
    };
    let sequence = store::open(global).await?.append(entry.clone()).await?;
    if out.json {
        out.value(&json!({ "sequence": sequence, "entry": entry }))?;
    } else {
        let at = now.to_rfc3339();
        out.line(&format!(
            "number {sequence}: {} {} is revoked, as of {at}",
            entry.kind, entry.id
        ))?;
        out.note("Servers apply it within about two seconds.");
    }
    Ok(Exit::Done)
}

fn entry(command: Revoke, now: UnixTime) -> Result<(RevocationEntry, Why), Failure> {
    let (target, why) = match command {
        Revoke::Principal {
            subject,
            issuer,
            service_account,
            why,
        } => {
            let subject = parse::subject(&subject)?;
            return Ok((principal(&subject, issuer, service_account, now), why));
        }
        Revoke::User { subject, org, why } => (user(&org, &subject)?, why),
        Revoke::Client {
            client,
            issuer,
            why,
        } => {
            let unusable = || Failure::usage("this is no name of a client", "give its client_id");
            let client = ClientId::new(client).ok_or_else(unusable)?;
            (RevocationTarget::Client { issuer, client }, why)
        }
        Revoke::Key {
            kid: key_id,
            issuer,
            why,
        } => (RevocationTarget::Key { issuer, key_id }, why),
        Revoke::Organization { org, why } => {
            let organization = parse::organization(&org)?;
            (RevocationTarget::Organization(organization), why)
        }
        Revoke::Issuer { issuer, why } => (RevocationTarget::Issuer(issuer), why),
        Revoke::Token { jti, issuer, why } => (token(issuer, jti)?, why),
    };
    Ok((RevocationEntry::new(&target, now), why))
}

fn user(organization: &str, subject: &str) -> Result<RevocationTarget, Failure> {
    Ok(RevocationTarget::User {
        organization: parse::organization(organization)?,
        subject: parse::subject(subject)?,
    })
}

/// An access token. An API token has its own revocation, which its record then shows.
fn token(issuer: String, id: String) -> Result<RevocationTarget, Failure> {
    if issuer == "api-tokens" {
        let remedy = "revoke it with `mcp-auth token revoke ID`";
        return Err(Failure::usage("this is an API token", remedy));
    }
    Ok(RevocationTarget::Token { issuer, id })
}

/// By its columns: principals have no key before they were seen.
fn principal(
    subject: &Subject,
    issuer: String,
    service_account: bool,
    now: UnixTime,
) -> RevocationEntry {
    let kind = if service_account {
        "service_account"
    } else {
        "principal"
    };
    let any = RevocationEntry::new(&RevocationTarget::Issuer(issuer.clone()), now);
    RevocationEntry {
        kind: kind.to_owned(),
        scope: issuer,
        id: subject.to_string(),
        ..any
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_entry_is_understood_by_servers() {
        let why = || Why { reason: None };
        let issuer = || "https://auth.example.com/t1".to_owned();
        let now = UnixTime::from_secs(1_800_000_000);
        let commands = [
            (
                Revoke::User {
                    subject: "u".into(),
                    org: "acme".into(),
                    why: why(),
                },
                "user",
            ),
            (
                Revoke::Client {
                    client: "c".into(),
                    issuer: issuer(),
                    why: why(),
                },
                "client",
            ),
            (
                Revoke::Principal {
                    subject: "u".into(),
                    issuer: issuer(),
                    service_account: false,
                    why: why(),
                },
                "principal",
            ),
            (
                Revoke::Principal {
                    subject: "u".into(),
                    issuer: issuer(),
                    service_account: true,
                    why: why(),
                },
                "service_account",
            ),
            (
                Revoke::Key {
                    kid: "k".into(),
                    issuer: issuer(),
                    why: why(),
                },
                "key",
            ),
            (
                Revoke::Organization {
                    org: "acme".into(),
                    why: why(),
                },
                "organization",
            ),
            (
                Revoke::Issuer {
                    issuer: issuer(),
                    why: why(),
                },
                "issuer",
            ),
            (
                Revoke::Token {
                    jti: "j".into(),
                    issuer: issuer(),
                    why: why(),
                },
                "token",
            ),
        ];
        for (command, kind) in commands {
            let (entry, _) = entry(command, now).unwrap();
            assert!(entry.kind == kind && entry.target().is_some(), "{entry:?}");
        }
        let mistaken = Revoke::Token {
            jti: "j".into(),
            issuer: "api-tokens".into(),
            why: why(),
        };
        assert!(format!("{:?}", entry(mistaken, now).unwrap_err()).contains("token revoke"));
    }
}
