//! What to try on a fleet that runs.

use serde_json::{Value, json};

use super::parts::BoxError;
use super::parts::change::Change;
use super::parts::server::{ADMIN_KEY, Settings};
use super::parts::world::World;

/// Issues a key and an access token, and says what to do with them.
pub(crate) async fn guide(
    settings: &Settings,
    world: &World,
    postgres: &str,
) -> Result<String, BoxError> {
    let [first, second, third] = world.servers.as_slice() else {
        return Err("a guide is for three servers".into());
    };
    let on = Change::Policy {
        organization: "acme".into(),
        on: true,
    };
    world.make(&on, None).await?;
    let (id, key) = world.key("acme").await?;
    let token = world.access_token("acme", "alice", "cli");
    let message =
        json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "whoami"}});
    let call = |server: &str, credential: &str| {
        post(
            &format!("{server}/mcp"),
            &format!("Authorization: Bearer {credential}"),
            &message,
        )
    };
    let admin = |server: &str, change: &Change| {
        let key = format!("{ADMIN_KEY}: {}", settings.admin_key);
        Ok::<_, BoxError>(post(
            &format!("{server}/admin"),
            &key,
            &serde_json::to_value(change)?,
        ))
    };
    let alice = Change::User {
        organization: "acme".into(),
        subject: "alice".into(),
    };
    let off = Change::Policy {
        organization: "acme".into(),
        on: false,
    };
    Ok(format!(
        "1: {first}\n2: {second}\n3: {third}\n\n\
         # 200: a service-account key of acme, on any of them\n{}\n{}\n\n\
         # it is revoked on the second …\n{}\n# … and refused by the third: 401\n{}\n\n\
         # alice, who logged in at the issuer: 200\n{}\n\
         # she leaves, and the second is told: 401\n{}\n{}\n\n\
         # acme's administrator switches API tokens off\n{}\n\n\
         # how a server stands to the log\ncurl {third}/healthz\n\n\
         The database is {} on {}. Ctrl-C ends all of it.\n",
        call(first, &key),
        call(third, &key),
        admin(second, &Change::Token { id })?,
        call(third, &key),
        call(first, &token),
        admin(second, &alice)?,
        call(third, &token),
        admin(second, &off)?,
        settings.postgres.rsplit('/').next().unwrap_or_default(),
        without_secrets(postgres),
    ))
}

fn post(url: &str, header: &str, body: &Value) -> String {
    format!("curl -i {url} -H 'Content-Type: application/json' -H '{header}' -d '{body}'")
}

/// The address alone.
fn without_secrets(url: &str) -> &str {
    let rest = url.rsplit('@').next().unwrap_or_default();
    rest.split('/').next().unwrap_or_default()
}
