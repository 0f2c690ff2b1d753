//! The pages for people. Templates escape everything that is not markup of ours.

use askama::Template;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::{Html, IntoResponse, Response};
use sluice_core::authorize::Action;
use sluice_core::policy::Policy;
use url::form_urlencoded;

use crate::act::Done;
use crate::admit::{Known, Visitor, whose};
use crate::app::App;
use crate::assets::VERSION;
use crate::body::Fields;
use crate::problem::Problem;
use crate::session;
use crate::view::{self, Banner, PipelineView, RolloutView, Scene, Summary};

/// Rollouts in the list of the overview.
const RECENT: usize = 20;

/// What stands around every page.
struct Frame {
    title: String,
    who: Option<String>,
    csrf: String,
    assets: &'static str,
}

impl Frame {
    fn new(title: &str, known: Option<&Known>, policy: &Policy) -> Self {
        Self {
            title: title.to_owned(),
            who: known.map(|k| k.shown(policy)),
            csrf: known.map(|k| k.csrf().to_owned()).unwrap_or_default(),
            assets: &VERSION,
        }
    }
}

#[derive(Template)]
#[template(path = "overview.html")]
struct OverviewPage {
    frame: Frame,
    banner: Banner,
    pipelines: Vec<PipelineView>,
    recent: Vec<Summary>,
    now: String,
}

#[derive(Template)]
#[template(path = "overview_fragment.html")]
struct OverviewFragment {
    banner: Banner,
    pipelines: Vec<PipelineView>,
    recent: Vec<Summary>,
}

#[derive(Template)]
#[template(path = "rollout.html")]
struct RolloutPage {
    frame: Frame,
    banner: Banner,
    rollout: RolloutView,
    notice: Option<&'static str>,
    now: String,
}

#[derive(Template)]
#[template(path = "rollout_fragment.html")]
struct RolloutFragment {
    frame: Frame,
    banner: Banner,
    rollout: RolloutView,
}

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignInPage {
    frame: Frame,
    audience: String,
    next: String,
    /// The way to the identity provider, where there is one.
    provider: Option<String>,
}

#[derive(Template)]
#[template(path = "problem.html")]
struct ProblemPage<'a> {
    frame: Frame,
    problem: &'a Problem,
}

fn render(page: &impl Template) -> Result<Response, Problem> {
    let text = page.render().map_err(|e| Problem::ours(&e.to_string()))?;
    Ok(Html(text).into_response())
}

pub(crate) fn overview(app: &App, visitor: &Visitor) -> Result<Response, Problem> {
    let scene = Scene::of(app);
    render(&OverviewPage {
        frame: Frame::new("Overview", visitor.known(), &scene.policy),
        banner: Banner::new(&scene),
        pipelines: view::pipelines(&scene),
        recent: view::recent(&scene, RECENT, |_| true),
        now: scene.now.to_string(),
    })
}

pub(crate) fn overview_fragment(app: &App, _: &Visitor) -> Result<Response, Problem> {
    let scene = Scene::of(app);
    render(&OverviewFragment {
        banner: Banner::new(&scene),
        pipelines: view::pipelines(&scene),
        recent: view::recent(&scene, RECENT, |_| true),
    })
}

pub(crate) fn rollout(
    app: &App,
    visitor: &Visitor,
    namespace: &str,
    name: &str,
    query: &str,
) -> Result<Response, Problem> {
    let scene = Scene::of(app);
    let known = visitor.known();
    let rollout = view::rollout(&scene, known.map(|k| &k.who), namespace, name)?;
    let summary = &rollout.summary;
    let title = format!(
        "{} {} → {}",
        summary.pipeline, summary.version, summary.environment
    );
    render(&RolloutPage {
        frame: Frame::new(&title, known, &scene.policy),
        banner: rollout.banner.clone(),
        notice: notice(query),
        now: scene.now.to_string(),
        rollout,
    })
}

pub(crate) fn rollout_fragment(
    app: &App,
    visitor: &Visitor,
    namespace: &str,
    name: &str,
) -> Result<Response, Problem> {
    let scene = Scene::of(app);
    let known = visitor.known();
    let rollout = view::rollout(&scene, known.map(|k| &k.who), namespace, name)?;
    render(&RolloutFragment {
        frame: Frame::new("", known, &scene.policy),
        banner: rollout.banner.clone(),
        rollout,
    })
}

/// Leads back to the Rollout with a word about what was done.
pub(crate) fn done(namespace: &str, name: &str, action: Action, done: &Done) -> Response {
    let said = if done.repeated {
        "repeated"
    } else {
        action.as_str()
    };
    see_other(&format!("{}?done={said}", view::href(namespace, name)))
}

/// The sentence behind `?done=`. Fixed texts: nothing of the address is shown.
fn notice(query: &str) -> Option<&'static str> {
    let (_, said) = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "done")?;
    Some(match said.as_ref() {
        "approve" => "Your approval is recorded. The agent counts it now.",
        "reject" => "Your rejection is recorded. The agent ends the rollout.",
        "abort" => "Asked to stop. The agent puts the stable version back if anything had changed.",
        "rollback" => "Asked to roll back. The agent starts it now.",
        "pause" => "Asked to pause. No further step starts.",
        "resume" => "Asked to resume.",
        "promote" => "Asked to go on.",
        "repeated" => "You had said that already; nothing was added.",
        _ => return None,
    })
}

/// Where people who are not signed in are led.
pub(crate) fn to_sign_in(from: &Uri) -> Response {
    let next = from.path_and_query().map_or("/", |p| p.as_str());
    let query: String = form_urlencoded::Serializer::new(String::new())
        .append_pair("next", next)
        .finish();
    see_other(&format!("/sign-in?{query}"))
}

pub(crate) fn see_other(to: &str) -> Response {
    match HeaderValue::from_str(to) {
        Ok(to) => (StatusCode::SEE_OTHER, [(header::LOCATION, to)]).into_response(),
        Err(_) => problem(&Problem::ours("an address with odd characters"), None),
    }
}

/// A path of ours to go to after the sign-in, never another site.
pub(crate) fn local(next: Option<&str>) -> &str {
    let fine = |path: &&str| {
        path.starts_with('/')
            && !path.starts_with("//")
            && path.bytes().all(|b| b.is_ascii_graphic() && b != b'\\')
    };
    next.filter(fine).unwrap_or("/")
}

pub(crate) fn sign_in_form(app: &App, query: &str) -> Result<Response, Problem> {
    let next = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "next");
    let next = next.map(|(_, path)| path.into_owned());
    let next = local(next.as_deref()).to_owned();
    let provider = app.config.oidc.is_some().then(|| {
        let query: String = form_urlencoded::Serializer::new(String::new())
            .append_pair("next", &next)
            .finish();
        format!("/sign-in/oidc?{query}")
    });
    render(&SignInPage {
        frame: Frame::new("Sign in", None, &app.policy()),
        audience: app.config.audience.clone(),
        next,
        provider,
    })
}

pub(crate) async fn sign_in(app: &App, fields: &Fields) -> Result<Response, Problem> {
    let who = whose(app, fields.get("token").unwrap_or_default()).await?;
    tracing::info!(by = who.username, "signed in to the web page");
    let id = app.sessions.start(who, None, app.now());
    let mut response = see_other(local(fields.get("next")));
    let cookie = session::cookie(app.config.secure_cookies, Some(&id));
    add_cookie(&mut response, cookie)?;
    Ok(response)
}

/// Adds a cookie to those of an answer.
pub(crate) fn add_cookie(
    response: &mut Response,
    cookie: Option<HeaderValue>,
) -> Result<(), Problem> {
    let cookie = cookie.ok_or_else(|| Problem::ours("the cookie could not be written"))?;
    response.headers_mut().append(header::SET_COOKIE, cookie);
    Ok(())
}

pub(crate) fn sign_out(app: &App, headers: &HeaderMap) -> Response {
    let secure = app.config.secure_cookies;
    if let Some(id) = session::id_in(headers, secure) {
        app.sessions.end(&id);
    }
    let mut response = see_other("/sign-in");
    if let Some(cookie) = session::cookie(secure, None) {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    response
}

/// A refusal as a page.
pub(crate) fn problem(problem: &Problem, known: Option<&Known>) -> Response {
    let page = ProblemPage {
        frame: Frame::new("Not done", known, &Policy::absent()),
        problem,
    };
    match page.render() {
        Ok(text) => problem.dress((problem.status, Html(text)).into_response()),
        Err(_) => problem.json(),
    }
}

#[cfg(test)]
mod tests {
    use super::local;

    #[test]
    fn a_sign_in_leads_to_our_own_pages_only() {
        assert_eq!(local(Some("/rollouts/a/b?done=x")), "/rollouts/a/b?done=x");
        let bad = [
            "//evil.example",
            "https://evil.example",
            "/\\evil.example",
            "",
            "/a b",
            "x",
            "/ä",
        ];
        for bad in bad {
            assert_eq!(local(Some(bad)), "/", "{bad}");
        }
        assert_eq!(local(None), "/");
    }
}
