//! Where a request came from.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use http::{Extensions, HeaderMap};

use crate::policy::{ForwardedProto, TrustedProxies, client_address, forwarded_proto};

/// The address of the peer of a connection, as the server puts it into a request's extensions.
///
/// Insert it where connections are accepted, or tell
/// [`peer_address`](super::AuthenticatorBuilder::peer_address) where your server keeps its own.
/// Without it, rules about networks refuse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_structs, reason = "a newtype to be made by anyone")]
pub struct PeerAddress(pub IpAddr);

pub(super) type PeerOf = dyn Fn(&Extensions) -> Option<IpAddr> + Send + Sync;

/// How the sender of a request is found.
pub(super) struct Senders {
    pub(super) peer_of: Arc<PeerOf>,
    pub(super) proxies: TrustedProxies,
}

/// Where servers that say nothing else keep the peer's address.
pub(super) fn usual_peer(extensions: &Extensions) -> Option<IpAddr> {
    extensions.get::<PeerAddress>().map(|peer| peer.0)
}

/// When and from where a request came: found out once, for its decision and its record.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrival {
    /// On the monotonic clock; zero if nobody will ask.
    pub(super) at: Duration,
    /// `None` if the part that knows the peer panicked (R15).
    pub(super) sender: Option<Sender>,
}

/// Where a request came from, as far as it can be trusted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sender {
    pub(super) peer: Option<IpAddr>,
    /// The client's address, behind listed proxies too.
    pub(super) address: Option<IpAddr>,
    /// A listed proxy says the client sent everything in the clear.
    pub(super) in_the_clear: bool,
}

impl Senders {
    /// Whether this peer is a listed proxy.
    pub(super) fn is_trusted(&self, peer: Option<IpAddr>) -> bool {
        peer.is_some_and(|peer| self.proxies.contains(peer))
    }

    pub(super) fn of(&self, headers: &HeaderMap, extensions: &Extensions) -> Sender {
        let peer = (self.peer_of)(extensions);
        Sender {
            peer,
            address: client_address(peer, headers, &self.proxies),
            in_the_clear: forwarded_proto(peer, headers, &self.proxies)
                == Some(ForwardedProto::Http),
        }
    }

    /// A sender once the head of its request is gone: where proxies are others than `before`, nobody can
    /// say who stands behind one.
    pub(super) fn again(&self, sender: Sender, before: &Self) -> Sender {
        if self.proxies == before.proxies {
            return sender;
        }
        Sender {
            address: client_address(sender.peer, &HeaderMap::new(), &self.proxies),
            ..sender
        }
    }
}
