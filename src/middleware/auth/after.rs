//! What happens to the inner service's response.

use bytes::Bytes;
use http::{HeaderValue, Response, header};
use http_body::Body;

use super::visit::Visit;
use crate::authenticator::Opening;
use crate::context::AuthContext;
use crate::response::{DPOP_NONCE, EventIds, Framing, RequestMarks, ResponseBody};
use crate::session::MCP_SESSION_ID;
use crate::step_up::StepUp;

/// What is remembered of a request while the inner service has it.
#[derive(Debug)]
pub(super) struct After {
    visit: Visit,
    context: Option<AuthContext>,
    marks: RequestMarks,
    /// The credential, where a response that goes on has to ask about it again.
    kept: Option<HeaderValue>,
    /// The credential came in the header for API keys.
    by_key_header: bool,
}

impl After {
    pub(super) fn new(
        visit: Visit,
        context: Option<AuthContext>,
        marks: RequestMarks,
        (kept, by_key_header): (Option<HeaderValue>, bool),
    ) -> Self {
        Self {
            visit,
            context,
            marks,
            kept,
            by_key_header,
        }
    }

    /// The response as the client gets it.
    pub(super) fn finish<B: Body<Data = Bytes>>(
        self,
        mut response: Response<B>,
    ) -> Response<ResponseBody<B>> {
        if let Some(answer) = self.step_up(&mut response) {
            return answer.map(ResponseBody::own);
        }
        self.seal_session(&mut response);
        self.renew_nonce(&mut response);
        self.keep_private(&mut response);
        match Framing::of(response.headers()) {
            Some(framing) => self.finish_stream(response, framing),
            None => response.map(ResponseBody::inner),
        }
    }

    /// A response that may go on for long.
    fn finish_stream<B: Body<Data = Bytes>>(
        &self,
        mut response: Response<B>,
        framing: Framing,
    ) -> Response<ResponseBody<B>> {
        let ids = match framing {
            Framing::Events(_) => self.event_ids(&mut response),
            Framing::Coded | Framing::Grpc(_) => None,
        };
        let response = match self.lease() {
            Some(opening) => response.map(|body| ResponseBody::leased(body, framing, opening)),
            None => response.map(ResponseBody::inner),
        };
        response.map(|body| body.with_ids(ids))
    }

    /// What seals the ids of events: who comes back with one has to be who got it (T44). The response
    /// is longer than its service said.
    fn event_ids<B>(&self, response: &mut Response<B>) -> Option<Box<EventIds>> {
        let sessions = self.visit.sessions()?;
        response.headers_mut().remove(header::CONTENT_LENGTH);
        let ids = EventIds::new(sessions.events.clone(), self.context.clone());
        Some(Box::new(ids))
    }

    /// The next nonce rides on the answer to a proof with an older one (RFC 9449 §8.2), which is then
    /// nobody else's (DPOP-11).
    fn renew_nonce<B>(&self, response: &mut Response<B>) {
        let context = self
            .context
            .as_ref()
            .filter(|_| self.visit.stages.credential);
        if let Some(nonce) = context.and_then(AuthContext::next_nonce) {
            let headers = response.headers_mut();
            headers.insert(DPOP_NONCE, nonce.clone());
            headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        }
    }

    /// A shared cache keeps no answer to a request with `Authorization` unless it is told to (RFC 9111
    /// §3.5). It does not know that a header for API keys means the same.
    fn keep_private<B>(&self, response: &mut Response<B>) {
        let headers = response.headers_mut();
        if self.by_key_header && !headers.contains_key(header::CACHE_CONTROL) {
            headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private"));
        }
    }

    /// What ends the response with the credential (MCP-20).
    fn lease(&self) -> Option<Opening> {
        let context = self.context.as_ref()?;
        self.visit.opening(context, self.kept.as_ref())
    }

    /// The challenge, if the handler asked the client to come back with more. Answered, and put on
    /// record, where the credential was judged.
    fn step_up<B>(&self, response: &mut Response<B>) -> Option<Response<Bytes>> {
        if !self.visit.stages.credential {
            return None;
        }
        let asked = response.extensions_mut().remove::<StepUp>();
        let (auth, context) = (&self.visit.auth, self.context.as_ref());
        let asked = asked
            .as_ref()
            .or_else(|| context.and_then(AuthContext::asked_step_up));
        let Some(asked) = asked else {
            context.inspect(|context| context.answered());
            return None;
        };
        let rejection = match context {
            Some(context) => auth.judge_step_up(context, asked),
            None => auth.ask_for_credential(),
        };
        Some(self.visit.step_up(context, &rejection, &self.marks.facts()))
    }

    /// A session id leaves this server sealed for the principal of the request that it answers.
    fn seal_session<B>(&self, response: &mut Response<B>) {
        let Some(sessions) = self.visit.sessions() else {
            return;
        };
        // Asked first, because an entry makes room for itself.
        if !response.headers().contains_key(&MCP_SESSION_ID) {
            return;
        }
        let owner = self.context.as_ref().map(AuthContext::owner);
        if let header::Entry::Occupied(mut line) = response.headers_mut().entry(&MCP_SESSION_ID) {
            match sessions.ids.seal(line.get(), owner) {
                Some(sealed) => drop(line.insert(sealed)),
                None => drop(line.remove()),
            }
        }
    }
}
