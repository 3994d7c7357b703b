//! The arguments of a call, read so that no other reader finds others in them.

use serde_json::{Map, Value};

use crate::rejection::{Reason, Rejection};
use crate::rpc;

/// The arguments as an object; absent and `null` are none.
///
/// Two members of one name, at any depth, refuse the call: of two readers, one takes the first and
/// the other the last (T36).
pub(super) fn read(raw: Option<&[u8]>) -> Result<Map<String, Value>, Rejection> {
    let malformed =
        || Rejection::new(Reason::MalformedMessage).with_note("the arguments of the call");
    let Some(raw) = raw.filter(|raw| raw.trim_ascii() != b"null") else {
        return Ok(Map::new());
    };
    rpc::check(raw).map_err(|_| malformed())?;
    serde_json::from_slice(raw).map_err(|_| malformed())
}
