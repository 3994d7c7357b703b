//! Failures of all processes, added up in Redis.

use redis::{Cmd, cmd};

use super::connection::Connection;
use crate::error::{BackendError, ConfigError};
use crate::throttle::{Bucket, Failures, SharedFailures};

/// Adds failures to the sorted set of a minute, and answers with their sums and then with the highest
/// ones: name, sum, name, sum. One command, so one round trip.
const SCRIPT: &str = "\
local sums = {}
for i = 3, #ARGV, 2 do
  sums[#sums + 1] = ARGV[i]
  sums[#sums + 1] = redis.call('ZINCRBY', KEYS[1], ARGV[i + 1], ARGV[i])
end
if #sums > 0 then redis.call('EXPIRE', KEYS[1], ARGV[1]) end
local most = redis.call('ZREVRANGE', KEYS[1], 0, tonumber(ARGV[2]) - 1, 'WITHSCORES')
for i = 1, #most do sums[#sums + 1] = most[i] end
return sums";

/// How long a minute is kept after its last failure, in seconds.
const KEPT: u32 = 120;

/// Most buckets read that were not told of.
const MOST: u32 = 1000;

/// Adds up failures in Redis 3.2 or later, or a server that speaks its protocol, for
/// [`shared_failures`](crate::authenticator::AuthenticatorBuilder::shared_failures).
///
/// Each minute is one key, a sorted set of names that show no address and no token id at a glance
/// ([`Bucket`]), and is gone two minutes after its last failure. A server that is attacked from many
/// addresses adds at most 1,000 entries a second for each of its processes, of about 100 bytes.
///
/// It needs the commands `EVAL`, `ZINCRBY`, `EXPIRE` and `ZREVRANGE` on keys that begin with the
/// [prefix](Self::key_prefix). Give it a prefix of its own, or a database, where several servers use one
/// Redis: what fails at one would count at the others. Whoever may write there can make clients that
/// fail wait for up to a minute, and nobody else.
///
/// ```
/// use tower_mcp_auth::backend::RedisFailures;
///
/// let failures = RedisFailures::new("redis://127.0.0.1:6379")?.key_prefix("mcp-eu");
/// # use tower_mcp_auth::{Authenticator, ProtectedResource};
/// # let builder = Authenticator::builder(ProtectedResource::new("https://mcp.example.com/mcp"));
/// let builder = builder.shared_failures(failures);
/// # Ok::<(), tower_mcp_auth::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
pub struct RedisFailures {
    connection: Connection,
    prefix: String,
}

impl RedisFailures {
    /// Reads the URL: `redis://[user:password@]host[:port][/database]`, `rediss://…` for TLS (with
    /// the Mozilla roots). Does no I/O and needs no runtime.
    ///
    /// # Errors
    ///
    /// The URL cannot be read. The error does not repeat it.
    pub fn new(url: &str) -> Result<Self, ConfigError> {
        Ok(Self {
            connection: Connection::new(url)?,
            prefix: "mcp_auth".into(),
        })
    }

    /// Trusts the authorities in this PEM file (RFC 7468) and not Mozilla's, for a `rediss://` whose
    /// certificate is by your own.
    ///
    /// # Errors
    ///
    /// A certificate cannot be read, there is none, or the URL is not `rediss://`.
    pub fn root_certificates_pem(self, pem: &[u8]) -> Result<Self, ConfigError> {
        let connection = self.connection.trusting(pem)?;
        Ok(Self { connection, ..self })
    }

    /// What keys begin with. Default `mcp_auth`; keys are `mcp_auth:failures:<minute>`.
    #[must_use]
    pub fn key_prefix(mut self, name: &str) -> Self {
        self.prefix = name.into();
        self
    }

    fn command(&self, minute: u64, failures: &[Failures]) -> Cmd {
        let mut command = cmd("EVAL");
        command.arg(SCRIPT).arg(1);
        command.arg(format!("{}:failures:{minute}", self.prefix));
        command.arg(KEPT).arg(MOST);
        for Failures { bucket, count } in failures {
            command.arg(bucket.as_bytes().as_slice()).arg(*count);
        }
        command
    }
}

impl SharedFailures for RedisFailures {
    async fn exchange(
        &self,
        minute: u64,
        failures: Vec<Failures>,
    ) -> Result<Vec<Failures>, BackendError> {
        let command = self.command(minute, &failures);
        // Once at most: told twice, failures would look like somebody else's.
        let sums: Vec<Vec<u8>> = self.connection.query_once(&command).await?;
        let (pairs, _) = sums.as_chunks::<2>();
        Ok(pairs.iter().filter_map(read).collect())
    }
}

/// A name and a sum. Whatever else somebody put there is skipped.
fn read([name, sum]: &[Vec<u8>; 2]) -> Option<Failures> {
    let bucket = Bucket::from_bytes(name.as_slice().try_into().ok()?);
    // A sum too large for this number is written with an exponent.
    let count = str::from_utf8(sum).ok()?.parse().unwrap_or(u32::MAX);
    Some(Failures { bucket, count })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_read_and_anything_else_is_skipped() {
        let read = |name: &[u8], sum: &str| {
            let read = read(&[name.to_vec(), sum.as_bytes().to_vec()]);
            read.map(|failures| failures.count)
        };
        assert_eq!(read(&[7; 16], "20"), Some(20));
        assert_eq!(read(&[7; 16], "4294967296"), Some(u32::MAX));
        assert_eq!(read(&[7; 16], "1e+17"), Some(u32::MAX));
        assert_eq!(read(&[7; 15], "20"), None);
        assert_eq!(read(b"", "20"), None);
    }

    #[test]
    fn nothing_of_the_url_is_shown() {
        let failures = RedisFailures::new("redis://u:hunter2@127.0.0.1:1/3").unwrap();
        assert!(!format!("{failures:?}").contains("hunter2"));
        assert!(RedisFailures::new("hunter2@127.0.0.1").is_err());
    }

    #[test]
    fn one_command_tells_and_asks() {
        let failures = RedisFailures::new("redis://127.0.0.1")
            .unwrap()
            .key_prefix("p");
        let told = Failures {
            bucket: Bucket::from_bytes([b'x'; 16]),
            count: 3,
        };
        let packed = failures.command(9, &[told]).get_packed_command();
        let text = String::from_utf8(packed).unwrap();
        assert!(text.contains("\r\np:failures:9\r\n"), "{text}");
        assert!(
            text.ends_with("\r\nxxxxxxxxxxxxxxxx\r\n$1\r\n3\r\n"),
            "{text}"
        );
    }
}
