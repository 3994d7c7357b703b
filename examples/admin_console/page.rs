//! Pages, and answers that are none of the pages one asked for.

use askama::Template;
use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, LOCATION};
use axum::response::{IntoResponse, Response};
use tower_mcp_auth::BackendError;

use super::desk::Desk;
use super::lines::Mistake;
use super::session::Admin;

/// What stands around every page of a session.
pub(crate) struct Frame {
    pub(crate) title: &'static str,
    /// The place in the navigation.
    pub(crate) section: &'static str,
    pub(crate) organization: String,
    pub(crate) subject: String,
    pub(crate) csrf: String,
    /// What the last form has done.
    pub(crate) notice: Option<String>,
    /// What is wrong with this one.
    pub(crate) mistakes: Vec<Mistake>,
}

impl Frame {
    pub(crate) fn new(
        desk: &Desk,
        admin: &Admin,
        section: &'static str,
        title: &'static str,
    ) -> Self {
        Self {
            title,
            section,
            organization: admin.organization.to_string(),
            subject: admin.subject.clone(),
            csrf: admin.csrf.clone(),
            notice: desk.sessions.told(&admin.session),
            mistakes: Vec::new(),
        }
    }

    pub(crate) fn with_mistakes(mut self, mistakes: Vec<Mistake>) -> Self {
        self.mistakes = mistakes;
        self
    }
}

pub(crate) fn html(status: StatusCode, page: &impl Template) -> Response {
    match page.render() {
        Ok(text) => (status, [(CONTENT_TYPE, "text/html; charset=utf-8")], text).into_response(),
        Err(error) => {
            tracing::error!(%error, "a page could not be made");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// After a form: the browser asks for a page, so that loading it again sends nothing twice.
pub(crate) fn see(place: &str) -> Response {
    (StatusCode::SEE_OTHER, [(LOCATION, place)]).into_response()
}

/// A page with a sentence, for those who have no session or no right.
#[derive(Template)]
#[template(path = "message.html")]
pub(crate) struct Message<'a> {
    pub(crate) title: &'a str,
    pub(crate) text: &'a str,
    /// Where to go from here, and what that is called.
    pub(crate) way: Option<(&'a str, &'a str)>,
}

/// Why there is no page.
#[derive(Debug)]
pub(crate) enum Failure {
    /// To the page where one logs in.
    ToStart,
    SignedOut,
    /// There is no such thing, or it is another organization's: nobody learns which.
    Unknown,
    Refused(&'static str),
    Wrong(&'static str),
    /// The database or the issuer did not answer.
    Unavailable,
}

impl From<BackendError> for Failure {
    fn from(error: BackendError) -> Self {
        tracing::error!(error = error.report(), "the console cannot work");
        Self::Unavailable
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let home = Some(("/", "Back to the start"));
        let (status, title, text, way) = match self {
            Self::ToStart => return see("/"),
            Self::SignedOut => (
                StatusCode::UNAUTHORIZED,
                "You are signed out",
                "Nothing was changed. Sign in and try again.",
                Some(("/login", "Sign in")),
            ),
            Self::Unknown => (
                StatusCode::NOT_FOUND,
                "Not found",
                "There is nothing here under this name.",
                home,
            ),
            Self::Refused(why) => (StatusCode::FORBIDDEN, "Refused", why, home),
            Self::Wrong(why) => (StatusCode::BAD_REQUEST, "That did not work", why, home),
            Self::Unavailable => (
                StatusCode::SERVICE_UNAVAILABLE,
                "Not available just now",
                "Something behind this page does not answer. Nothing is lost: try again in a moment.",
                home,
            ),
        };
        html(status, &Message { title, text, way })
    }
}
