//! The claim `cnf`: what a token is bound to, or a reason to refuse it.

use crate::confirmation::{Confirmation, Thumbprint, read_thumbprint};
use crate::jose::json::{Json, Object};
use crate::rejection::{Reason, Rejection};

/// What the token is bound to. A `cnf` that cannot be understood to the last member refuses the
/// token: a bound token must never pass as a plain one (DPOP-7, MTLS-3).
pub(crate) fn confirmation(claims: &Object<'_>) -> Result<Option<Box<Confirmation>>, Rejection> {
    let Some(claim) = claims.get("cnf") else {
        return Ok(None);
    };
    match read(claim) {
        Some(confirmation) => Ok(Some(Box::new(confirmation))),
        None => Err(Rejection::new(Reason::SenderConstrained).with_note("cnf is not understood")),
    }
}

fn read(claim: &Json<'_>) -> Option<Confirmation> {
    let Json::Object(members) = claim else {
        return None;
    };
    let (mut key, mut certificate) = (None, None);
    for (name, value) in members.iter() {
        let place = match name {
            "jkt" => &mut key,
            "x5t#S256" => &mut certificate,
            _ => return None,
        };
        *place = Some(thumbprint(value)?);
    }
    Confirmation::new(key, certificate)
}

fn thumbprint(value: &Json<'_>) -> Option<Thumbprint> {
    read_thumbprint(value.as_str()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jose::json::parse_object;

    fn of(claims: &str) -> Result<Option<Confirmation>, Reason> {
        let claims = parse_object(claims.as_bytes(), 8).unwrap();
        match confirmation(&claims) {
            Ok(confirmation) => Ok(confirmation.map(|confirmation| *confirmation)),
            Err(rejection) => Err(rejection.reason()),
        }
    }

    #[test]
    fn mtls_03_a_confirmation_is_understood_wholly_or_not_at_all() {
        let print = "A".repeat(43);
        assert_eq!(of("{}"), Ok(None));
        let both = format!(r#"{{"cnf":{{"jkt":"{print}","x5t#S256":"{print}"}}}}"#);
        assert_eq!(
            of(&both),
            Ok(Confirmation::new(Some([0; 32]), Some([0; 32])))
        );
        let one = format!(r#"{{"cnf":{{"jkt":"{print}"}}}}"#);
        assert_eq!(of(&one), Ok(Confirmation::new(Some([0; 32]), None)));
        for bad in [
            "null",
            "1",
            "true",
            "\"x\"",
            "[]",
            "{}",
            r#"{"x":1}"#,
            r#"{"jkt":null}"#,
            r#"{"jkt":"x"}"#,
            r#"{"jkt":1}"#,
            r#"{"jwk":{}}"#,
            r#"{"kid":"a"}"#,
            &format!(r#"{{"jkt":["{print}"]}}"#),
            &format!(r#"{{"jkt":"{print}","x":1}}"#),
            &format!(r#"{{"JKT":"{print}"}}"#),
            &format!(r#"{{"x5t":"{print}"}}"#),
            &format!(r#"{{"x5t#s256":"{print}"}}"#),
            &format!(r#"{{"jkt":"{print}","x5t#S256":"x"}}"#),
        ] {
            assert_eq!(
                of(&format!(r#"{{"cnf":{bad}}}"#)),
                Err(Reason::SenderConstrained),
                "{bad}"
            );
        }
    }
}
