//! V: nothing but the signature, verified by aws-lc-rs with a key parsed once.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256,
    VerificationAlgorithm,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use tower_mcp_auth::SigningAlgorithm;

use crate::Failure;
use crate::rows::{Row, Rows};
use crate::world::World;

/// The layer's name in the table.
pub const NAME: &str = "raw_verify";

/// Adds a row for each algorithm: the floor no layer gets under at the first sight of a token.
///
/// # Errors
/// If a key or a token cannot be read.
pub fn add(rows: &mut Rows<'_>, world: &World) -> Result<(), Failure> {
    let rs256: &'static dyn VerificationAlgorithm = &RSA_PKCS1_2048_8192_SHA256;
    let algorithms = [
        ("rs256", SigningAlgorithm::Rs256, rs256),
        ("es256", SigningAlgorithm::Es256, &ECDSA_P256_SHA256_FIXED),
        ("eddsa", SigningAlgorithm::EdDsa, &ED25519),
    ];
    for (name, algorithm, verification) in algorithms {
        let key = ParsedPublicKey::new(verification, world.public_der(algorithm)?)?;
        let token = world.token(algorithm).sign();
        let (message, signature) = token.rsplit_once('.').ok_or("a token has three parts")?;
        let (message, signature) = (message.to_owned(), URL_SAFE_NO_PAD.decode(signature)?);
        rows.other(Row::other(NAME, name, move || {
            key.verify_sig(message.as_bytes(), &signature).is_ok()
        }));
    }
    Ok(())
}
