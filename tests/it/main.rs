//! Behaviour through the public API, one file per family of requirements.
#![allow(
    unreachable_pub,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test binary exports nothing, and clippy.toml exempts test functions only, not what they share"
)]

#[cfg(all(feature = "client", feature = "sqlite"))]
mod admin_console;
mod attack;
mod attack_binding;
mod attack_operations;
mod attack_streams;
mod audit;
mod audit_required;
mod audit_trail;
mod auth;
mod bas;
#[cfg(feature = "client")]
mod binary;
mod bound;
#[cfg(feature = "cli")]
mod cli;
#[cfg(feature = "client")]
mod clients;
#[cfg(feature = "client")]
mod clients_restart;
#[cfg(feature = "client")]
mod clients_step_up;
mod complaints;
mod config;
#[cfg(all(feature = "config", feature = "cli"))]
mod config_cli;
#[cfg(feature = "config")]
mod config_docs;
#[cfg(feature = "config")]
mod config_file;
#[cfg(all(feature = "config", feature = "sqlite"))]
mod config_open;
#[cfg(feature = "config")]
mod config_reload;
mod differential;
mod document;
#[cfg(feature = "dpop")]
mod dpop;
mod edge;
mod enrichment;
mod errors_page;
mod explain;
#[cfg(feature = "client")]
mod explain_page;
mod failures;
#[cfg(feature = "dpop")]
mod faults;
mod fleet;
mod fleet_support;
mod foreign;
mod frameworks;
mod grpc;
mod handle;
mod health;
mod hostile;
mod hostile_requests;
mod introspection;
mod jwt;
mod keysa;
mod layering;
mod links;
mod logins;
mod mcp;
mod mixed_callers;
#[cfg(feature = "mtls")]
mod mtls;
mod operation_bodies;
mod operation_callers;
mod operation_messages;
mod operation_names;
mod operations;
mod operations_page;
mod operations_support;
mod orgs_support;
mod outage;
mod paths;
mod pol;
mod policy;
mod prm;
mod profiles;
mod redaction;
mod reload;
mod reload_parties;
mod reload_streams;
mod remembered_tokens;
mod revocation_log;
mod revocations;
mod rotation;
mod scoped;
mod scopes;
mod second_opinion;
#[cfg(feature = "events")]
mod security_events;
mod server;
mod sessions;
mod sessions_support;
mod shared_failures;
#[cfg(feature = "client")]
mod socket;
#[cfg(feature = "sqlite")]
mod sqlite;
mod step_ups;
mod streams;
mod streams_support;
mod support;
#[cfg(feature = "metrics")]
mod telemetry;
#[cfg(all(feature = "metrics", feature = "config"))]
mod telemetry_pages;
#[cfg(feature = "metrics")]
mod telemetry_spans;
mod threats;
mod token_outage;
mod tokens_support;
mod tool_policy;
mod tower;
mod trusted_headers;
mod vectors;
mod vendors;
mod verdicts;
mod workload;
