//! Roots of trust, as files have them.

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

/// Every certificate of a PEM file (RFC 7468), one at least; or what is wrong, and what to give.
pub(super) fn from_pem(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let found =
        read.map_err(|error| format!("not readable as PEM ({error}); give CERTIFICATE sections"))?;
    if found.is_empty() {
        return Err("no CERTIFICATE section in this PEM; give at least one".to_owned());
    }
    Ok(found)
}
