//! Who somebody is. A token is believed only when the API server says whose it is, for our audience
//! (reliability.md I3); a cookie only when it names a session that such a token, or the identity
//! provider, began. Nothing else in a request names anybody: no header, no form field (I1, attack 14).

use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use k8s_openapi::api::authentication::v1::{TokenReview, TokenReviewSpec, TokenReviewStatus};
use kube::Api;
use kube::api::PostParams;
use sluice_core::policy::{Identity, IdentityProvider, Policy};

use crate::app::App;
use crate::origin;
use crate::problem::Problem;
use crate::routes::Access;
use crate::session::{self, same_secret};
use crate::write;

/// Longest token that is passed on. Real ones have one or two kilobytes.
const TOKEN_LIMIT: usize = 8 * 1024;

/// Whoever sent a request.
#[derive(Clone, Debug)]
pub(crate) enum Visitor {
    /// Nobody we know.
    Anonymous,
    /// A person or an account.
    Known(Known),
}

/// Somebody whom the API server vouches for.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    pub(crate) who: Identity,
    /// What a form must carry; none for a program with its own token, which no browser adds.
    csrf: Option<String>,
}

impl Visitor {
    pub(crate) fn known(&self) -> Option<&Known> {
        match self {
            Self::Known(known) => Some(known),
            Self::Anonymous => None,
        }
    }
}

impl Known {
    /// How the page calls them: by the policy's name where their own is a number at a provider.
    pub(crate) fn shown(&self, policy: &Policy) -> String {
        match (self.who.provider, policy.entry(&self.who)) {
            (IdentityProvider::Oidc, Some(person)) => person.name.clone(),
            _ => self.who.username.clone(),
        }
    }

    /// The token for this session's forms.
    pub(crate) fn csrf(&self) -> &str {
        self.csrf.as_deref().unwrap_or_default()
    }

    /// Whether a change was meant: a session's forms carry its token.
    pub(crate) fn check_csrf(&self, given: Option<&str>) -> Result<(), Problem> {
        match &self.csrf {
            None => Ok(()),
            Some(csrf) if given.is_some_and(|given| same_secret(csrf, given)) => Ok(()),
            Some(_) => Err(Problem::forbidden(
                "form-expired",
                "the form does not belong to this sign-in",
                "open the page again and repeat it there; programs send the token of the page in \
                 the header x-sluice-csrf",
            )),
        }
    }
}

/// Lets a request in as far as its route's access goes, or says why not. The only place where a
/// request gets a name.
pub(crate) async fn admit(
    app: &App,
    access: Access,
    changes: bool,
    parts: &Parts,
) -> Result<Visitor, Problem> {
    if access.is_for_machines() {
        // A browser's cookie is nothing there, and so a browser can be made to do nothing there.
        return Ok(Visitor::Anonymous);
    }
    if changes {
        let brings_token = parts.headers.contains_key(header::AUTHORIZATION);
        origin::check_origin(&app.config, parts, brings_token)?;
    }
    let visitor = match access {
        // Nothing there depends on a name; a token is not even looked at.
        Access::Anyone | Access::Hint | Access::Caller | Access::Callback => {
            by_session(app, &parts.headers).map_or(Visitor::Anonymous, Visitor::Known)
        }
        Access::Reader | Access::Person | Access::May(_) => visitor(app, &parts.headers).await?,
    };
    let enough = match access {
        Access::Anyone | Access::Hint | Access::Caller | Access::Callback => true,
        Access::Reader => app.config.public_read || visitor.known().is_some(),
        Access::Person | Access::May(_) => visitor.known().is_some(),
    };
    if enough {
        return Ok(visitor);
    }
    Err(Problem::sign_in(
        &app.config.audience,
        "nobody is signed in",
    ))
}

async fn visitor(app: &App, headers: &HeaderMap) -> Result<Visitor, Problem> {
    let mut given = headers.get_all(header::AUTHORIZATION).iter();
    let Some(first) = given.next() else {
        return Ok(by_session(app, headers).map_or(Visitor::Anonymous, Visitor::Known));
    };
    // A bad token is an error even where a cookie would do: whoever sends it means it.
    let token = first
        .to_str()
        .ok()
        .filter(|_| given.next().is_none())
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, token)| token.trim());
    match token {
        Some(token) => {
            let who = whose(app, token).await?;
            Ok(Visitor::Known(Known { who, csrf: None }))
        }
        None => Err(Problem::sign_in(
            &app.config.audience,
            "the Authorization header is not one bearer token",
        )),
    }
}

/// Whether a request comes with the cookie of somebody who is signed in.
pub(crate) fn has_session(app: &App, headers: &HeaderMap) -> bool {
    by_session(app, headers).is_some()
}

fn by_session(app: &App, headers: &HeaderMap) -> Option<Known> {
    let id = session::id_in(headers, app.config.secure_cookies)?;
    let session = app.sessions.find(&id, app.now())?;
    Some(Known {
        who: session.who,
        csrf: Some(session.csrf),
    })
}

/// Asks the API server whose token this is. Whatever is not a clear yes is a no.
pub(crate) async fn whose(app: &App, token: &str) -> Result<Identity, Problem> {
    let audience = &app.config.audience;
    let refused = |why: &str| Problem::sign_in(audience, why);
    if token.is_empty() || token.len() > TOKEN_LIMIT || !token.bytes().all(|b| b.is_ascii_graphic())
    {
        return Err(refused("that is not a token"));
    }
    let review = TokenReview {
        spec: TokenReviewSpec {
            audiences: Some(vec![audience.clone()]),
            token: Some(token.to_owned()),
        },
        ..TokenReview::default()
    };
    let api: Api<TokenReview> = Api::all(app.client.clone());
    let what = "say whose token that is";
    let answer = write::call(
        &app.reviews,
        what,
        api.create(&PostParams::default(), &review),
    )
    .await?
    .map_err(|e| write::problem(what, &e))?;
    vouched(answer.status, audience)
        .ok_or_else(|| refused("the cluster does not accept that token for this page"))
}

/// The identity behind a review, if the API server vouches for it without any reservation.
fn vouched(status: Option<TokenReviewStatus>, audience: &str) -> Option<Identity> {
    let status = status?;
    let for_us = status
        .audiences
        .as_ref()
        .is_some_and(|all| all.iter().any(|a| a == audience));
    let no_error = status.error.as_ref().is_none_or(String::is_empty);
    if status.authenticated != Some(true) || !for_us || !no_error {
        return None;
    }
    let user = status.user?;
    let who = Identity::kubernetes(user.username?, user.groups.unwrap_or_default());
    who.is_authenticated().then_some(who)
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::authentication::v1::UserInfo;

    use super::*;

    fn good() -> TokenReviewStatus {
        TokenReviewStatus {
            authenticated: Some(true),
            audiences: Some(vec!["sluice".into()]),
            user: Some(UserInfo {
                username: Some("alice".into()),
                groups: Some(vec!["tech-leads".into()]),
                ..UserInfo::default()
            }),
            error: None,
        }
    }

    #[test]
    fn a_clear_yes_is_believed() {
        let who = vouched(Some(good()), "sluice").unwrap();
        assert_eq!((who.username.as_str(), who.groups.len()), ("alice", 1));
    }

    #[test]
    fn everything_else_is_a_no() {
        let broken: [fn(&mut TokenReviewStatus); 9] = [
            |s| s.authenticated = Some(false),
            |s| s.authenticated = None,
            |s| s.audiences = None,
            |s| s.audiences = Some(vec!["other".into()]),
            |s| s.error = Some("odd".into()),
            |s| s.user = None,
            |s| s.user.as_mut().unwrap().username = None,
            |s| s.user.as_mut().unwrap().username = Some(String::new()),
            |s| s.user.as_mut().unwrap().username = Some("system:anonymous".into()),
        ];
        for (n, change) in broken.iter().enumerate() {
            let mut status = good();
            change(&mut status);
            assert_eq!(vouched(Some(status), "sluice"), None, "case {n}");
        }
        assert_eq!(vouched(None, "sluice"), None);
    }
}
