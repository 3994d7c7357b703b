//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::config::Config;
use crate::store::Opened;
use crate::times::{duration, since};

/// Administration of tower-mcp-auth: the database of `SqlStore`, API tokens, policies, revocations.
///
/// Exit codes: 0 done, 1 failed, 2 usage, 3 "no" (the credential would be refused; there is no such token).
#[derive(Debug, Parser)]
#[command(name = "mcp-auth", version, disable_help_subcommand = false)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Args, Debug)]
#[command(next_help_heading = "Options of every command")]
pub(crate) struct Global {
    /// The database: `sqlite:FILE` or `postgres://USER@HOST/NAME`
    #[arg(
        long,
        global = true,
        value_name = "URL",
        env = "MCP_AUTH_DATABASE_URL",
        hide_env_values = true
    )]
    pub(crate) database: Option<String>,
    /// A Redis that servers take hints from, to be told of changes at once instead of within two seconds.
    /// `PostgreSQL` tells them by itself
    #[arg(
        long,
        global = true,
        value_name = "URL",
        env = "MCP_AUTH_REDIS_URL",
        hide_env_values = true
    )]
    pub(crate) redis: Option<String>,
    /// A file of lines `id:base64`: the first seals new tokens, all check old ones. Otherwise one such line in
    /// `MCP_AUTH_PEPPER`
    #[arg(long, global = true, value_name = "FILE", env = "MCP_AUTH_PEPPER_FILE")]
    pub(crate) pepper_file: Option<PathBuf>,
    /// The first letters of the server's tokens
    #[arg(
        long,
        global = true,
        value_name = "LETTERS",
        env = "MCP_AUTH_BRAND",
        default_value = "mcp"
    )]
    pub(crate) brand: String,
    /// Who does this, for the record. Default: the user name
    #[arg(long, global = true, value_name = "NAME", env = "MCP_AUTH_BY")]
    pub(crate) by: Option<String>,
    /// Results, remarks and errors as JSON
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// What was opened, to be closed in peace.
    #[arg(skip)]
    pub(crate) opened: Opened,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Bring the schema of the database up to date
    Migrate(Migrate),
    /// Make the keys that tokens are sealed with
    #[command(subcommand)]
    Pepper(Pepper),
    /// Issue, list, roll and revoke API tokens
    #[command(subcommand)]
    Token(Token),
    /// Show and change what organizations allow
    #[command(subcommand)]
    Policy(Policy),
    /// Revoke access tokens, people, clients, keys, organizations, issuers
    #[command(subcommand)]
    Revoke(Revoke),
    /// Show the log of revocations and changes
    Log(Log),
    /// Say step by step what a server would make of a credential, read from stdin
    Explain(Explain),
    /// Show audit records, JSON lines, as a table
    Audit(Audit),
    /// Check a configuration file, and print the schema of such files
    #[command(subcommand)]
    Config(Config),
}

#[derive(Args, Debug)]
pub(crate) struct Migrate {
    /// Change nothing; exit 3 if the schema is not current
    #[arg(long)]
    pub(crate) check: bool,
    /// Let this role serve requests (PostgreSQL): read everything, note when tokens were used
    #[arg(long, value_name = "ROLE")]
    pub(crate) reader: Option<String>,
    /// Let this role issue tokens, put policies and revoke (PostgreSQL)
    #[arg(long, value_name = "ROLE")]
    pub(crate) writer: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Pepper {
    /// Print a fresh line for the pepper file
    New {
        /// Its name, stored beside every token: letters, digits, `.`, `-`, `_`. Default: p- and the day
        #[arg(long)]
        id: Option<String>,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Token {
    /// Issue a token and print its secret, once
    #[command(subcommand)]
    Issue(Issue),
    /// List the tokens of an organization
    List(List),
    /// Show one token
    Show {
        /// The 16 letters and digits after the first underscore
        id: String,
    },
    /// Give a token a new secret and print it, once
    Roll {
        /// The id of the token
        id: String,
        /// How long the old secret is accepted beside the new one, up to 24h; 0s ends it now
        #[arg(long, value_parser = duration, default_value = "24h", value_name = "TIME")]
        overlap: Duration,
    },
    /// Revoke tokens for good
    Revoke {
        /// Their ids
        #[arg(required = true)]
        ids: Vec<String>,
    },
    /// Revoke every token whose whole text stands in a file or in stdin
    RevokeLeaked {
        /// The text; - or nothing for stdin
        file: Option<PathBuf>,
    },
    /// Say whether an owner may act, for all its tokens
    OwnerActive {
        #[arg(long)]
        org: String,
        /// The person or service account
        #[arg(long)]
        owner: String,
        /// true or false
        #[arg(action = clap::ArgAction::Set)]
        active: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Issue {
    /// A token with which a person acts, sent as Basic base64(email:token)
    Personal {
        /// The address it is presented with
        #[arg(long)]
        email: String,
        #[command(flatten)]
        wish: Wish,
    },
    /// A key with which a service account acts, sent as Bearer
    ServiceAccount {
        #[command(flatten)]
        wish: Wish,
    },
}

#[derive(Args, Debug)]
pub(crate) struct Wish {
    /// The organization
    #[arg(long)]
    pub(crate) org: String,
    /// The person's subject at your identity provider, or the name of the service account
    #[arg(long)]
    pub(crate) owner: String,
    /// What it may be used for; several times, or separated by blanks
    #[arg(
        long = "scope",
        visible_alias = "scopes",
        required = true,
        value_delimiter = ' '
    )]
    pub(crate) scopes: Vec<String>,
    /// What its owner calls it
    #[arg(long, default_value = "")]
    pub(crate) name: String,
    /// From where it may be used: an address or range; several times. Default: anywhere
    #[arg(long = "network", visible_alias = "networks", value_delimiter = ',')]
    pub(crate) networks: Vec<String>,
    /// A site it may be used for; several times. Default: every site
    #[arg(long = "tenant", visible_alias = "tenants", value_delimiter = ',')]
    pub(crate) tenants: Vec<String>,
    /// How long it lives: 30d, 12h, 3600s; up to 365d. Default: 90d, or what the organization allows
    #[arg(long, visible_alias = "expires-at", value_parser = duration, value_name = "TIME")]
    pub(crate) expires_in: Option<Duration>,
}

#[derive(Args, Debug)]
pub(crate) struct List {
    #[arg(long)]
    pub(crate) org: String,
    /// Only this person's or service account's
    #[arg(long)]
    pub(crate) owner: Option<String>,
    /// Expired and revoked ones too
    #[arg(long)]
    pub(crate) all: bool,
    /// At most so many
    #[arg(long, default_value_t = 100)]
    pub(crate) limit: usize,
}

/// Which API tokens a switch is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kinds {
    Personal,
    ServiceAccount,
    All,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Policy {
    /// Print the policy in force, as JSON
    Show { org: String },
    /// Accept API tokens of an organization
    AllowTokens {
        org: String,
        #[arg(default_value = "all")]
        kind: Kinds,
    },
    /// Refuse API tokens of an organization
    ForbidTokens {
        org: String,
        #[arg(default_value = "all")]
        kind: Kinds,
    },
    /// Replace the policy by that in a file; a `version` in it has to be the one in force
    Set {
        org: String,
        /// JSON, as `policy show` prints it; - for stdin
        file: PathBuf,
    },
    /// Who changed the policy, and when
    History {
        org: String,
        #[arg(long, default_value_t = 20)]
        limit: usize,
    },
    /// Every organization that has a policy
    List,
}

/// Everything issued until now, except for `token` and `key`, which are revoked for good.
#[derive(Debug, Subcommand)]
pub(crate) enum Revoke {
    /// A person of an organization: access tokens of every issuer, and API tokens
    User {
        subject: String,
        #[arg(long)]
        org: String,
        #[command(flatten)]
        why: Why,
    },
    /// An OAuth client, for whomever it acts
    Client {
        client: String,
        #[arg(long)]
        issuer: String,
        #[command(flatten)]
        why: Why,
    },
    /// A subject of an issuer
    Principal {
        subject: String,
        #[arg(long)]
        issuer: String,
        /// The owner of API keys, and of nothing else
        #[arg(long)]
        service_account: bool,
        #[command(flatten)]
        why: Why,
    },
    /// A signing key: everything it ever verified
    Key {
        kid: String,
        #[arg(long)]
        issuer: String,
        #[command(flatten)]
        why: Why,
    },
    /// An organization
    Organization {
        org: String,
        #[command(flatten)]
        why: Why,
    },
    /// An issuer
    Issuer {
        issuer: String,
        #[command(flatten)]
        why: Why,
    },
    /// One access token, by its `jti`. For API tokens: `mcp-auth token revoke`
    Token {
        jti: String,
        #[arg(long)]
        issuer: String,
        #[command(flatten)]
        why: Why,
    },
}

#[derive(Args, Debug)]
pub(crate) struct Why {
    /// For people who read the log. Never a secret
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: Option<String>,
}

#[derive(Args, Debug)]
pub(crate) struct Log {
    /// Only what comes after this number
    #[arg(long, default_value_t = 0, value_name = "NUMBER")]
    pub(crate) since: u64,
    /// Go on as entries come, until Ctrl-C
    #[arg(long)]
    pub(crate) follow: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Explain {
    /// A file that holds the credential; - or nothing for stdin. Never the credential itself: arguments stand in
    /// the shell's history and in the list of processes
    #[arg(value_name = "FILE")]
    pub(crate) file: Vec<String>,
    /// The URL of the server, as clients connect to it: is the token meant for it?
    #[arg(long, value_name = "URI")]
    pub(crate) resource: Option<String>,
    /// The issuer the server trusts: is it the token's?
    #[arg(long, value_name = "URL")]
    pub(crate) issuer: Option<String>,
    /// The issuer's keys, as its `jwks_uri` serves them: is the signature good?
    #[arg(long, value_name = "FILE")]
    pub(crate) jwks: Option<PathBuf>,
    /// Whose dialect the issuer's tokens are in
    #[arg(long, value_enum, default_value = "rfc9068")]
    pub(crate) profile: Dialect,
    /// The claim that names the organization
    #[arg(long, value_name = "CLAIM")]
    pub(crate) organization_claim: Option<String>,
    /// The address the request comes from
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) from: Option<std::net::IpAddr>,
}

/// The profiles of the crate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Dialect {
    Rfc9068,
    Auth0,
    Okta,
    EntraId,
    Keycloak,
    Cognito,
    Hydra,
    Atlassian,
}

#[derive(Args, Debug)]
pub(crate) struct Audit {
    /// A file that `JsonLinesAudit` wrote; - or nothing for stdin
    pub(crate) file: Option<PathBuf>,
    /// Go on as records come, until Ctrl-C
    #[arg(long)]
    pub(crate) follow: bool,
    /// Only this organization's
    #[arg(long)]
    pub(crate) org: Option<String>,
    /// Only this event, such as auth.fail, or all of a family: auth
    #[arg(long)]
    pub(crate) event: Option<String>,
    /// Only refusals for this reason, such as expired
    #[arg(long)]
    pub(crate) reason: Option<String>,
    /// Only from then on: 2h, 3d, 2026-11-23, 2026-11-23T08:00:00Z
    #[arg(long, value_parser = since, value_name = "TIME")]
    pub(crate) since: Option<String>,
}
