//! The issuers that are asked about tokens, looked at together.

use crate::error::Problems;
use crate::issuer::Issuer;
use crate::oauth::introspection::{Examined, Identity};

/// Reads keys, and sees to it that no token can be shown to an issuer it is not of. What
/// [`Issuer::examine`] reports is not reported again.
pub(super) fn examine(issuers: &[Issuer], problems: &mut Problems) -> Vec<Option<Examined>> {
    let asked = issuers
        .iter()
        .filter(|issuer| issuer.introspection.is_some());
    let several = asked.count() > 1;
    let all = issuers.iter().enumerate();
    all.map(|(index, issuer)| {
        let field = format!("issuer[{index}].introspection");
        let introspection = issuer.introspection.as_ref()?;
        if several && introspection.recognisers.is_empty() {
            let remedy = "several issuers are asked about tokens: say which are this one's with token_prefix(…) or recognises(…), because a token must be shown to nobody but its issuer";
            problems.add(&field, &issuer.identifier, remedy);
        }
        let [client] = introspection.clients.as_slice() else {
            return None;
        };
        let identity = Identity::read(client).map_err(|remedy| {
            // The value is a secret.
            problems.add(format!("{field}.private_key_jwt"), "a key", remedy);
        });
        Examined::new(identity.ok()?)
            .map_err(|error| {
                let remedy = "the operating system gives no random bytes, and tokens cannot be told apart without";
                problems.add(&field, error, remedy);
            })
            .ok()
    })
    .collect()
}
