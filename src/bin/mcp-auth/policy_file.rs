//! A policy in a file: every mistake at once.

use serde_json::{Map, Value, json};
use tower_mcp_auth::OrganizationPolicy;
use tower_mcp_auth::ident::OrganizationId;

use crate::failure::{Failure, lines};

const MEMBER: &str = "organization";

/// The policy in a text. Its organization may be left out, and is no other's.
pub(crate) fn read(
    organization: &OrganizationId,
    text: &str,
) -> Result<OrganizationPolicy, Failure> {
    let unusable = |why: Vec<String>| {
        let remedy = "correct all of these; `mcp-auth policy show` prints a policy to begin with";
        Failure::problems("the policy cannot be used; nothing was stored", why, remedy)
    };
    let document: Map<String, Value> = serde_json::from_str(text)
        .map_err(|error| unusable(vec![format!("it is no JSON object: {error}")]))?;
    let mut problems = Vec::new();
    let mut good = Map::from_iter([(MEMBER.to_owned(), json!(organization))]);
    // One member at a time: the reader of the whole would stop at the first mistake.
    for (name, value) in document {
        if name == MEMBER {
            if value != json!(organization) {
                problems.push(format!(
                    "organization = {value}: this is the policy of {organization}; leave it out"
                ));
            }
            continue;
        }
        let alone = json!({ MEMBER: organization, name.as_str(): value });
        match serde_json::from_value::<OrganizationPolicy>(alone) {
            Ok(_) => {
                good.insert(name, value);
            }
            Err(error) => problems.push(format!("{name}: {error}")),
        }
    }
    let policy: OrganizationPolicy = serde_json::from_value(Value::Object(good))
        .map_err(|error| unusable(vec![error.to_string()]))?;
    if let Err(error) = policy.examine() {
        problems.extend(lines(&error));
    }
    if problems.is_empty() {
        return Ok(policy);
    }
    Err(unusable(problems))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mistake_is_told_at_once() {
        let acme = OrganizationId::new("acme").unwrap();
        let text = r#"{ "organization": "other", "netwroks": [], "networks": ["10.0.0.1/8", "nonsense"],
                        "max_token_age": "1d", "help_url": "http://help.example", "allow_personal_tokens": true }"#;
        let failure = format!("{:?}", read(&acme, text).unwrap_err());
        for part in [
            "other",
            "netwroks",
            "10.0.0.1/8",
            "nonsense",
            "max_token_age",
            "help_url",
        ] {
            assert!(failure.contains(part), "{part}: {failure}");
        }
        let policy = read(&acme, r#"{ "allow_personal_tokens": true, "version": 3 }"#).unwrap();
        assert_eq!((policy.organization(), policy.version()), (&acme, 3));
        assert!(read(&acme, "[]").is_err() && read(&acme, "{").is_err());
    }
}
