//! Where records of decisions go, and what traces say of them.

use crate::config::kinds::{Text, Whole, words};
use crate::config::read::{Reader, table};
use crate::config::secret::Secret;

table! {
    /// One record of every decision, to one of `file`, `stdout` and `tracing`.
    struct Audit {
        /// Lines of JSON at the end of this file, which is created for its owner alone (mode 0600).
        [restart] file: Option<Text>,
        /// Lines of JSON on the standard output.
        [restart] stdout: bool,
        /// Events of `tracing`, target `tower_mcp_auth::audit`.
        [restart] tracing: bool,
        /// How many records may wait for a slow `file` or `stdout`.
        [restart] queue: Option<Whole<4, 16_777_216>> = 65_536,
        /// Answers 503 instead of serving where the sink cannot take a record.
        [restart] required: bool,
        /// How `file` and `stdout` are written: as this crate's own records, or as OCSF events.
        [restart] format: Option<Format> = "native",
        /// The name of this process in its records, such as `web-1`.
        [restart] instance: Option<Text>,
        /// The key under which records hash the email of a Basic credential: base64 of at least 32 random bytes. Left out: a
        /// random one, so that hashes of two processes cannot be compared.
        [restart] key: Option<Secret>,
    }
}

table! {
    /// Spans of decisions.
    struct Telemetry {
        /// Whether they say whose request it was: subject, organization and the client's address. Whatever collects spans
        /// keeps personal data then.
        span_user_data: bool,
    }
}

words! {
    /// See [`AuditFormat`](crate::audit::AuditFormat).
    enum Format { Native = "native", Ocsf = "ocsf" }
}

impl Audit {
    pub(in crate::config) fn examine(&self, reader: &mut Reader<'_>) {
        let places = [self.file.is_some(), self.stdout, self.tracing];
        let count = places.into_iter().filter(|is_there| *is_there).count();
        if count != 1 && !reader.is_broken("audit") {
            let remedy = "write exactly one of `file = \"/var/log/mcp/audit.jsonl\"`, `stdout = true` and \
                          `tracing = true`";
            reader.add("audit", format!("{count} places"), remedy);
        }
    }
}
