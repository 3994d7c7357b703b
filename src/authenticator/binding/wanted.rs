//! What the sender of a token has to show: pure, and the place where downgrades are refused.

use crate::confirmation::{Confirmation, Thumbprint};
use crate::rejection::Reason;

/// What this server can check.
#[derive(Clone, Copy, Default)]
pub(super) struct Taken {
    pub(super) dpop: bool,
    pub(super) dpop_required: bool,
    pub(super) certificates: bool,
}

/// What the sender has to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wanted<'c> {
    pub(super) key: Option<&'c Thumbprint>,
    pub(super) certificate: Option<&'c Thumbprint>,
}

/// What the sender of a token with this confirmation has to show, or why nothing would do.
pub(super) fn wanted(
    by_dpop: bool,
    confirmation: Option<&Confirmation>,
    taken: Taken,
) -> Result<Wanted<'_>, Reason> {
    let key = confirmation.and_then(Confirmation::key);
    let certificate = confirmation.and_then(Confirmation::certificate);
    match (by_dpop, key) {
        (true, None) => return Err(Reason::UnboundToken),
        (false, Some(_)) => return Err(Reason::SenderConstrained),
        (true, Some(_)) if !taken.dpop => return Err(Reason::SenderConstrained),
        (false, None) if taken.dpop_required => return Err(Reason::DpopRequired),
        (true, Some(_)) | (false, None) => {}
    }
    if certificate.is_some() && !taken.certificates {
        return Err(Reason::SenderConstrained);
    }
    Ok(Wanted { key, certificate })
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: Thumbprint = [1; 32];
    const CERTIFICATE: Thumbprint = [2; 32];

    /// Every way to send every token to every server, and what comes of it.
    #[test]
    fn dpop_07_dpop_08_mtls_01_no_downgrade_passes() {
        use Reason::{DpopRequired, SenderConstrained, UnboundToken};
        let everything = Taken {
            dpop: true,
            dpop_required: false,
            certificates: true,
        };
        let required = Taken {
            dpop_required: true,
            ..everything
        };
        let nothing = Taken::default();
        let key = Confirmation::new(Some(KEY), None);
        let certificate = Confirmation::new(None, Some(CERTIFICATE));
        let both = Confirmation::new(Some(KEY), Some(CERTIFICATE));
        let ok = |key: bool, certificate: bool| {
            Ok(Wanted {
                key: key.then_some(&KEY),
                certificate: certificate.then_some(&CERTIFICATE),
            })
        };
        for (by_dpop, confirmation, taken, expected) in [
            (false, None, nothing, ok(false, false)),
            (false, None, everything, ok(false, false)),
            (false, None, required, Err(DpopRequired)),
            (false, key, nothing, Err(SenderConstrained)),
            (false, key, everything, Err(SenderConstrained)),
            (false, key, required, Err(SenderConstrained)),
            (false, certificate, nothing, Err(SenderConstrained)),
            (false, certificate, everything, ok(false, true)),
            (false, certificate, required, Err(DpopRequired)),
            (false, both, nothing, Err(SenderConstrained)),
            (false, both, everything, Err(SenderConstrained)),
            (true, None, everything, Err(UnboundToken)),
            (true, None, required, Err(UnboundToken)),
            (true, key, nothing, Err(SenderConstrained)),
            (true, key, everything, ok(true, false)),
            (true, key, required, ok(true, false)),
            (true, certificate, everything, Err(UnboundToken)),
            (true, both, everything, ok(true, true)),
            (
                true,
                both,
                Taken {
                    certificates: false,
                    ..everything
                },
                Err(SenderConstrained),
            ),
            (
                true,
                both,
                Taken {
                    dpop: false,
                    ..everything
                },
                Err(SenderConstrained),
            ),
        ] {
            assert_eq!(
                wanted(by_dpop, confirmation.as_ref(), taken),
                expected,
                "{by_dpop} {confirmation:?}"
            );
        }
    }
}
