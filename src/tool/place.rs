//! Where an operation acts, and what may be done there: sites, permission groups, the user's own
//! permissions (POL-13, POL-15, POL-16).

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::Subject;
use super::claim::at_path;
use super::rule::ToolRule;
use crate::enrich::Enrichment;
use crate::ident::TenantId;
use crate::policy::{Permitted, refusal};
use crate::rejection::{Reason, Rejection};

/// The site, and the organization's policy there.
struct Place<'a> {
    site: Option<Cow<'a, TenantId>>,
    permitted: Option<Cow<'a, Permitted>>,
}

/// Judges a rule's site, group and user permission for a call with these arguments.
pub(super) fn check(
    rule: &ToolRule,
    arguments: &Map<String, Value>,
    subject: &Subject<'_>,
) -> Result<(), Rejection> {
    let place = find(rule, arguments, subject)?;
    let Some(group) = &rule.group else {
        return Ok(());
    };
    if let Some(permitted) = &place.permitted {
        permitted
            .check_group(group)
            .map_err(|denial| refusal(&denial, false))?;
    }
    let site = place.site.as_deref().map(TenantId::as_str);
    let has = |known: &Enrichment| known.permits(group.product(), site, group.intent().name());
    if own_permissions(subject).is_none_or(has) {
        return Ok(());
    }
    Err(Rejection::new(Reason::UserNotPermitted).with_detail("permission", group.to_string()))
}

/// The same where the arguments are not known yet, for lists: what no argument could change.
pub(super) fn may_pass(rule: &ToolRule, subject: &Subject<'_>) -> bool {
    let bound = subject.principal.tenant();
    if bound.is_some() || rule.tenant_argument.is_none() {
        let absent = Map::new();
        return check(rule, &absent, subject).is_ok();
    }
    if rule.tenant_required {
        return false;
    }
    let Some(group) = &rule.group else {
        return true;
    };
    let anywhere = |known: &Enrichment| {
        known.permitted().iter().any(|permitted| {
            permitted.product == group.product() && permitted.has(group.intent().name())
        })
    };
    subject
        .permitted
        .is_none_or(|permitted| permitted.may_allow(group))
        && own_permissions(subject).is_none_or(anywhere)
}

/// The directory, if it says anything about permissions of this user. One that lists none leaves
/// them to the servers behind.
fn own_permissions<'a>(subject: &Subject<'a>) -> Option<&'a Enrichment> {
    subject
        .enrichment
        .filter(|known| !known.permitted().is_empty())
}

fn find<'a>(
    rule: &ToolRule,
    arguments: &Map<String, Value>,
    subject: &Subject<'a>,
) -> Result<Place<'a>, Rejection> {
    let bound = subject.principal.tenant();
    if rule.tenant_required && bound.is_none() {
        return Err(Rejection::new(Reason::TenantRequired).with_message(
            "This operation is for credentials that are bound to one site, and yours is not.",
        ));
    }
    let permitted = subject.permitted.map(Cow::Borrowed);
    let Some(argument) = &rule.tenant_argument else {
        return Ok(Place {
            site: bound.map(Cow::Borrowed),
            permitted,
        });
    };
    let asked = named_site(argument, arguments)?;
    let permitted = match permitted {
        Some(permitted) => Some(Cow::Owned(permitted.on(asked.as_ref()).map_err(
            |denial| refusal(&denial, false).with_detail("argument", argument.as_str()),
        )?)),
        None => None,
    };
    match (bound, asked) {
        (Some(bound), Some(asked)) if *bound != asked => {
            Err(Rejection::new(Reason::TenantMismatch).with_detail("argument", argument.as_str()))
        }
        (Some(bound), _) => Ok(Place {
            site: Some(Cow::Borrowed(bound)),
            permitted,
        }),
        (None, Some(asked)) => Ok(Place {
            site: Some(Cow::Owned(asked)),
            permitted,
        }),
        (None, None) => Err(unnamed(argument)),
    }
}

/// The site that the call names. Whatever is there and is no name is not read as none: the tool
/// might read it as one.
fn named_site(
    argument: &str,
    arguments: &Map<String, Value>,
) -> Result<Option<TenantId>, Rejection> {
    match at_path(arguments, argument) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(site)) => TenantId::new(site)
            .map(Some)
            .ok_or_else(|| unnamed(argument)),
        Some(_) => Err(unnamed(argument)),
    }
}

fn unnamed(argument: &str) -> Rejection {
    Rejection::new(Reason::TenantRequired).with_detail("argument", argument)
}
