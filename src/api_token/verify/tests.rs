use super::*;
use crate::api_token::format::{TokenFormat, TokenId, TokenSecret, random_id, random_secret};
use crate::api_token::pepper::PepperId;
use crate::api_token::record::{Owner, Previous};
use crate::api_token::stored::StoredToken;
use crate::ident::{OrganizationId, Subject};
use crate::scope::ScopeSet;

const NOW: UnixTime = UnixTime::from_secs(1_800_000_000);

struct Case {
    peppers: Peppers,
    record: TokenRecord,
    token: TokenSecret,
}

fn peppers() -> Peppers {
    Peppers::new("one", b"0123456789abcdef0123456789abcdef")
}

fn sealed(peppers: &Peppers, kind: TokenKind, id: &TokenId, secret: &str) -> Sealed {
    let pepper = peppers.signer().clone();
    let verifier = peppers.verifier(&pepper, kind, id, secret);
    Sealed { pepper, verifier }
}

fn case(kind: TokenKind) -> Case {
    let (peppers, id, secret) = (peppers(), random_id().unwrap(), random_secret().unwrap());
    let owner = Subject::new("ada").unwrap();
    let record = TokenRecord {
        id,
        kind,
        organization: OrganizationId::new("acme").unwrap(),
        owner: Owner {
            subject: owner.clone(),
            email: (kind == TokenKind::Personal).then(|| Email::new("ada@x.io").unwrap()),
        },
        name: "n".into(),
        created_by: owner,
        current: sealed(&peppers, kind, &id, &secret),
        previous: None,
        scopes: ScopeSet::parse("read").unwrap(),
        networks: Vec::new(),
        tenants: Vec::new(),
        created_at: NOW,
        expires_at: NOW.plus_secs(100),
        revoked_at: None,
        owner_active: true,
        last_used: None,
        version: 1,
    };
    let token = TokenFormat::default().assemble(kind, &id, &secret);
    Case {
        peppers,
        record,
        token,
    }
}

fn personal() -> Case {
    case(TokenKind::Personal)
}

impl Case {
    fn presented(&self) -> PresentedToken<'_> {
        TokenFormat::default().parse(self.token.expose()).unwrap()
    }

    fn judge_as(&self, now: UnixTime, email: Option<&str>) -> Result<SecretAge, TokenFault> {
        let presentation = Presentation {
            email,
            ..Presentation::default()
        };
        verify(
            Some(&self.record),
            &self.presented(),
            &self.peppers,
            now,
            presentation,
        )
    }

    fn judge(&self) -> Result<SecretAge, TokenFault> {
        self.judge_as(NOW, Some("ada@x.io"))
    }
}

#[test]
fn bas_07_a_good_token_with_its_address_is_good() {
    assert_eq!(personal().judge(), Ok(SecretAge::Current));
    assert_eq!(
        case(TokenKind::ServiceAccount).judge_as(NOW, None),
        Ok(SecretAge::Current)
    );
}

#[test]
fn bas_07_every_fault_is_found_and_the_secret_comes_first() {
    let mut all = personal();
    all.record.owner_active = false;
    assert_eq!(all.judge(), Err(TokenFault::OwnerInactive));
    all.record.expires_at = NOW;
    assert_eq!(all.judge(), Err(TokenFault::Expired));
    all.record.revoked_at = Some(NOW);
    assert_eq!(all.judge(), Err(TokenFault::Revoked));
    assert_eq!(
        all.judge_as(NOW, Some("eve@x.io")),
        Err(TokenFault::WrongEmail)
    );
    // Only who has the secret gets any of these into the audit record.
    all.record.current.verifier[31] ^= 1;
    assert_eq!(all.judge(), Err(TokenFault::WrongSecret));
    let presentation = Presentation {
        email: Some("ada@x.io"),
        ..Presentation::default()
    };
    let unknown = verify(None, &all.presented(), &all.peppers, NOW, presentation);
    assert_eq!(unknown, Err(TokenFault::Unknown));
}

#[test]
fn bas_07_any_other_secret_is_wrong() {
    let mut case = personal();
    let other = random_secret().unwrap();
    case.token = TokenFormat::default().assemble(TokenKind::Personal, &case.record.id, &other);
    assert_eq!(case.judge(), Err(TokenFault::WrongSecret));
}

#[test]
fn an_absent_record_is_refused_even_if_the_dummy_were_hit() {
    let case = personal();
    let matches = |record| secret_matches(record, &case.presented(), &case.peppers, NOW);
    assert!(matches(Some(&case.record)));
    assert!(!matches(None));
    let mut zero = case.record.clone();
    zero.current.verifier = DUMMY;
    assert!(!matches(Some(&zero)));
}

#[test]
fn a_store_that_answers_for_another_token_is_found_out() {
    let mut case = personal();
    case.record.id = random_id().unwrap();
    assert_eq!(case.judge(), Err(TokenFault::WrongSecret));
    let mut case = personal();
    case.record.kind = TokenKind::ServiceAccount;
    case.record.owner.email = None;
    assert_eq!(case.judge_as(NOW, None), Err(TokenFault::WrongSecret));
}

#[test]
fn bas_07_a_personal_token_needs_its_address_and_a_key_takes_none() {
    let case_of = personal();
    for (email, good) in [
        (Some("ada@x.io"), true),
        (Some("ada@X.IO"), true),
        (Some("Ada@x.io"), false),
        (Some("ada@x.io@evil.io"), false),
        (Some("ada@x.io "), false),
        (Some(""), false),
        (Some("ada"), false),
        (None, false),
    ] {
        assert_eq!(case_of.judge_as(NOW, email).is_ok(), good, "{email:?}");
    }
    let key = case(TokenKind::ServiceAccount);
    for email in ["", "ada@x.io", "svc"] {
        assert_eq!(key.judge_as(NOW, Some(email)), Err(TokenFault::WrongEmail));
    }
}

#[test]
fn a_personal_record_without_an_address_is_good_for_nobody() {
    let mut case = personal();
    case.record.owner.email = None;
    for email in [Some("ada@x.io"), Some(""), None] {
        assert_eq!(case.judge_as(NOW, email), Err(TokenFault::WrongEmail));
    }
}

#[test]
fn bas_08_the_local_part_folds_only_by_the_knob() {
    let case = personal();
    let judge = |email, local_part| {
        let presentation = Presentation {
            email: Some(email),
            local_part,
        };
        verify(
            Some(&case.record),
            &case.presented(),
            &case.peppers,
            NOW,
            presentation,
        )
    };
    assert_eq!(
        judge("ADA@x.io", LocalPart::AnyAsciiCase),
        Ok(SecretAge::Current)
    );
    assert_eq!(
        judge("ADA@x.io", LocalPart::Exact),
        Err(TokenFault::WrongEmail)
    );
}

#[test]
fn bas_09_expiry_counts_to_the_second() {
    let case = personal();
    let at = |seconds| case.judge_as(NOW.plus_secs(seconds), Some("ada@x.io"));
    assert_eq!(at(99), Ok(SecretAge::Current));
    assert_eq!(at(100), Err(TokenFault::Expired));
    assert_eq!(at(i64::MAX), Err(TokenFault::Expired));
}

#[test]
fn a_previous_secret_counts_until_its_time_and_no_longer() {
    let mut case = personal();
    let newer = random_secret().unwrap();
    let current = sealed(&case.peppers, TokenKind::Personal, &case.record.id, &newer);
    let sealed = std::mem::replace(&mut case.record.current, current);
    assert_eq!(case.judge(), Err(TokenFault::WrongSecret));
    case.record.previous = Some(Previous {
        sealed,
        valid_until: NOW.plus_secs(10),
    });
    let at = |seconds| case.judge_as(NOW.plus_secs(seconds), Some("ada@x.io"));
    assert_eq!(at(9), Ok(SecretAge::Previous));
    assert_eq!(at(10), Err(TokenFault::WrongSecret));
}

#[test]
fn a_new_pepper_signs_while_the_old_one_still_checks() {
    let mut case = personal();
    case.peppers = peppers().and("two", [3, 4].repeat(16));
    assert_eq!(case.judge(), Ok(SecretAge::Current));
    assert_eq!(*case.peppers.signer(), PepperId::new("two").unwrap());
    // Before its time the new one is known and does not sign.
    case.peppers =
        Peppers::new("two", [3, 4].repeat(16)).and("one", b"0123456789abcdef0123456789abcdef");
    assert_eq!(case.judge(), Ok(SecretAge::Current));
    // The operator took the old one away too early.
    case.peppers = Peppers::new("two", [3, 4].repeat(16));
    assert_eq!(case.judge(), Err(TokenFault::PepperGone));
    // The same bytes under another name are another pepper.
    case.peppers = Peppers::new("two", b"0123456789abcdef0123456789abcdef");
    assert_eq!(case.judge(), Err(TokenFault::PepperGone));
    // The same id with other bytes.
    case.peppers = Peppers::new("one", [3, 4].repeat(16));
    assert_eq!(case.judge(), Err(TokenFault::WrongSecret));
}

/// Every text, and every list of bytes in the usual encodings, of a dumped row.
fn columns(record: &TokenRecord) -> Vec<String> {
    let row = serde_json::to_value(StoredToken::from(record)).unwrap();
    let mut texts = vec![row.to_string()];
    for value in row.as_object().unwrap().values() {
        texts.push(value.to_string());
        texts.extend(value.as_str().map(str::to_owned));
        if let Some(bytes) = value.as_array() {
            let bytes: Vec<u8> = bytes
                .iter()
                .filter_map(|b| b.as_u64()?.try_into().ok())
                .collect();
            let hex: Vec<_> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            let hex = hex.concat();
            let letters: String = bytes
                .iter()
                .map(|byte| char::from(b'0' + byte % 10))
                .collect();
            texts.extend([hex, letters, String::from_utf8_lossy(&bytes).into_owned()]);
        }
    }
    texts
}

#[test]
fn t25_nothing_in_a_dumped_row_is_a_credential() {
    let case = personal();
    let format = TokenFormat::default();
    let columns = columns(&case.record);
    assert!(columns.len() > 20);
    let verdict = |text: &str| {
        let presentation = Presentation {
            email: Some("ada@x.io"),
            ..Presentation::default()
        };
        let presented = format.parse(text).ok()?;
        verify(
            Some(&case.record),
            &presented,
            &case.peppers,
            NOW,
            presentation,
        )
        .ok()
    };
    assert!(verdict(case.token.expose()).is_some());
    let secret = case.presented().secret().to_owned();
    for column in &columns {
        assert!(!column.contains(&secret));
        assert!(verdict(column).is_none(), "{column}");
        // As the secret of a token with the right id and checksum, cut or filled to its length.
        let filled: String = column
            .chars()
            .filter(char::is_ascii_alphanumeric)
            .chain(std::iter::repeat('0'))
            .take(43)
            .collect();
        let forged = format.assemble(TokenKind::Personal, &case.record.id, &filled);
        assert!(format.parse(forged.expose()).is_ok());
        assert!(verdict(forged.expose()).is_none(), "{column}");
    }
}

#[test]
fn t48_a_record_shows_neither_verifier_nor_address() {
    let case = personal();
    let shown = format!("{:?} {:?}", case.record, StoredToken::from(&case.record));
    let [first, second, ..] = case.record.current.verifier;
    assert!(!shown.contains(&format!("{first}, {second}")));
    assert!(!shown.contains("ada@") && !shown.contains("verifier"));
}
