//! What is printed of API tokens: it depends on what their administrators switched, now or at a start before.

use tower_mcp_auth::OrganizationPolicy;
use tower_mcp_auth::context::AuthMethod;

use super::organizations::Credentials;
use super::server::Quickstart;
use super::trial::{Credential, Trial, trial, write_all};

/// acme allows API tokens.
fn acme(credentials: &Credentials) -> [Trial<'_>; 4] {
    let key = Credential::Bearer(credentials.build_bot.clone());
    let alice = Credential::User(&credentials.alice);
    let misspelt = Credential::User(&credentials.alice_misspelt);
    let revoked = Credential::User(&credentials.alice_revoked);
    [
        trial(200, "alice's personal token, with her email", alice),
        trial(200, "the key of acme's build bot", key),
        trial(401, "the same token with another email", misspelt),
        trial(401, "a token alice has revoked", revoked),
    ]
}

/// globex does not at the first start, until its administrator says so.
fn globex(credentials: &Credentials, personal: bool, keys: bool) -> [Trial<'_>; 2] {
    let key = Credential::Bearer(credentials.report_bot.clone());
    let bob = Credential::User(&credentials.bob);
    [
        if personal {
            trial(200, "bob's personal token", bob)
        } else {
            trial(401, "bob's token: globex takes no API tokens", bob)
        },
        if keys {
            trial(200, "the key of its report bot", key)
        } else {
            trial(401, "nor the key of its report bot", key)
        },
    ]
}

/// A line for its administrator.
fn switch(quickstart: &Quickstart, organization: &str, on: bool) -> String {
    let state = if on { "on" } else { "off" };
    let url = quickstart.admin.switch(organization, on);
    format!(
        "\n# 200: its administrator switches them {state} (for the demo: loopback only, unprotected)\ncurl -i {url} -X POST\n"
    )
}

/// What API tokens may do, and a switch that changes it.
pub(crate) fn api_tokens(quickstart: &Quickstart) -> String {
    let url = quickstart.resource.identifier();
    let (credentials, policies) = (&quickstart.credentials, &quickstart.policies);
    let of = |policy: &OrganizationPolicy| {
        let methods = [AuthMethod::ApiToken, AuthMethod::ServiceAccountKey];
        methods.map(|method| policy.allows_method(method))
    };
    let mut text = String::new();
    if of(&policies.acme) == [true, true] {
        text += "\nWith API tokens, which acme allows:\n";
    } else {
        text += "\nWith API tokens, which acme has to allow again:\n";
        text += &switch(quickstart, "acme", true);
    }
    write_all(&acme(credentials), url, &mut text);
    let [personal, keys] = of(&policies.globex);
    text += match (personal, keys) {
        (false, false) => "\nglobex does not:\n",
        (true, true) => "\nglobex does, too, since somebody switched them on:\n",
        _ => "\nglobex takes one kind of them:\n",
    };
    let on = !(personal && keys);
    write_all(&globex(credentials, personal, keys), url, &mut text);
    text += &switch(quickstart, "globex", on);
    write_all(&globex(credentials, on, on), url, &mut text);
    text
}
