//! The pages of a policy.

pub(crate) mod clients;
pub(crate) mod networks;
pub(crate) mod overview;
pub(crate) mod permissions;

use axum::http::StatusCode;
use axum::response::Response;

use super::desk::Desk;
use super::edit::{Change, Saved};
use super::lines::Mistake;
use super::page::see;
use super::session::Admin;

/// What a form that could not be saved is shown again with.
pub(crate) struct Again {
    pub(crate) status: StatusCode,
    /// On which the next try is based.
    pub(crate) version: u64,
    pub(crate) mistakes: Vec<Mistake>,
    /// What somebody else has done meanwhile.
    pub(crate) changes: Vec<Change>,
}

impl Again {
    /// A page as it is asked for.
    pub(crate) fn first(version: u64) -> Self {
        Self {
            status: StatusCode::OK,
            version,
            mistakes: Vec::new(),
            changes: Vec::new(),
        }
    }
}

/// Away from a form that is saved, or with it to what is wrong.
pub(crate) fn answer(
    desk: &Desk,
    admin: &Admin,
    place: &str,
    saved: Saved,
) -> Result<Response, Saved> {
    let notice = match saved {
        Saved::Done => "Saved. It holds from now on.",
        Saved::Same => "Nothing was different, so nothing was saved.",
        other => return Err(other),
    };
    desk.sessions.tell(&admin.session, notice);
    Ok(see(place))
}

/// Of a form that was based on `seen`.
pub(crate) fn again(
    saved: Saved,
    seen: &str,
    blame: impl FnOnce(&[tower_mcp_auth::error::Problem]) -> Vec<Mistake>,
) -> Again {
    match saved {
        Saved::Problems(problems) => {
            let mut mistakes = blame(&problems);
            if mistakes.is_empty() {
                // Of a part of the policy that this form does not show.
                let text = problems.iter().map(ToString::to_string).collect::<Vec<_>>();
                let text = text.join("; ");
                let id = "main".to_owned();
                mistakes.push(Mistake { id, text });
            }
            Again {
                status: StatusCode::UNPROCESSABLE_ENTITY,
                version: seen.parse().unwrap_or(0),
                mistakes,
                changes: Vec::new(),
            }
        }
        Saved::Stale(stale) => Again {
            status: StatusCode::CONFLICT,
            version: stale.policy.version(),
            mistakes: Vec::new(),
            changes: stale.changes,
        },
        Saved::Done | Saved::Same => Again::first(0),
    }
}
