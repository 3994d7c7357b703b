//! The second look at a request whose body took its time.

use http::request::Parts;

use super::operation::Caller;
use super::visit::{Visit, head_of};
use crate::authenticator::Begin;
use crate::middleware::origin;

impl Visit {
    /// Judges the credential once more, if the client took its time with the body: nobody keeps a
    /// right that has ended by holding back the last byte. After a reload all that the head decides is
    /// judged by the new settings, and the body will be. An outer layer's party is not known any better
    /// than it was.
    pub(super) fn begin_again(&mut self, request: &Parts, caller: &Caller) -> Option<Begin> {
        let is_current = match caller {
            Caller::Party(context) => self.auth.is_current(context, self.changes),
            Caller::Nobody(_) => self.auth.changes() == self.changes,
        };
        if !self.stages.credential || is_current {
            return None;
        }
        let head = head_of(request);
        if let Some(newer) = self.auth.newer() {
            self.arrival = newer.arrival_again(head, self.arrival);
            self.auth = newer;
            let listed = || origin::judge(self.auth.resource(), &request.uri, &request.headers);
            if self.stages.edge
                && let Err(rejection) = listed()
            {
                return Some(Begin::Decided(Err(rejection)));
            }
        } else if let Caller::Nobody(_) = caller {
            return None;
        }
        let begin = || self.auth.begin_again(head, self.arrival);
        Some(self.auth.watch(head.method, &mut self.observation, begin))
    }
}
