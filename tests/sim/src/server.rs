//! The API server: one request in, one answer or stream out.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use http::{Method, Response, StatusCode, header};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use serde_json::Value;
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::api::call::{Call, Outcome, Verb};
use crate::api::error::ApiError;
use crate::api::log::LogOptions;
use crate::api::path::{Place, Query, Review, Target};
use crate::api::read::{Paging, Scope, Shape};
use crate::api::resource::Resource;
use crate::api::selector::{Fields, Selector};
use crate::api::{discovery, path, watch};
use crate::client::Instance;
use crate::fault::Fault;
use crate::model::Model;
use crate::timing;

/// The largest request body; the real server's limit.
pub(crate) const MAX_BODY: usize = 3 << 20;

/// The body of an answer.
pub(crate) type ResponseBody = UnsyncBoxBody<Bytes, Infallible>;

/// A cluster: the model under its lock, and the tasks that keep it moving.
pub(crate) struct Server {
    model: Mutex<Model>,
    /// Told after each request, so that the driver looks for new work.
    pub(crate) wake: Arc<Notify>,
    /// The driver, and what the HTTP door runs. Ends with the cluster.
    pub(crate) tasks: Mutex<JoinSet<()>>,
}

impl Server {
    pub(crate) fn new(model: Model) -> Arc<Self> {
        Arc::new(Self {
            model: Mutex::new(model),
            wake: Arc::new(Notify::new()),
            tasks: Mutex::new(JoinSet::new()),
        })
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Model> {
        self.model.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Serves one request. Hangs for ever when its client has crashed.
    pub(crate) async fn handle(
        self: Arc<Self>,
        caller: Arc<Instance>,
        parts: Parts,
        body: Bytes,
    ) -> Response<ResponseBody> {
        let answered = Arc::clone(&self).answer(&caller, parts, body).await;
        caller.resumed().await;
        caller.hang_if_crashed().await;
        match answered {
            Ok(response) => response,
            Err(error) => error_response(&error),
        }
    }

    async fn answer(
        self: Arc<Self>,
        caller: &Arc<Instance>,
        parts: Parts,
        body: Bytes,
    ) -> Result<Response<ResponseBody>, ApiError> {
        caller.hang_if_crashed().await;
        let latency = self.draw_latency(&caller.user.name);
        pause(latency / 2).await;
        // A write that is on its way arrives in the end, whether or not somebody waits for it.
        let reads = parts.method == Method::GET;
        if reads {
            caller.resumed().await;
        }
        caller.hang_if_crashed().await;
        let query = Query::parse(parts.uri.query().unwrap_or_default());
        let place = match path::parse(parts.uri.path()) {
            Target::Objects(place) => place,
            Target::Review(review) => return self.review(caller, review, &parts, &body),
            Target::Version => return Ok(json_response(200, &discovery::version())),
            Target::Health => return Ok(response(200, "text/plain", Bytes::from_static(b"ok"))),
            Target::CoreVersions => return Ok(json_response(200, &discovery::core_versions())),
            Target::Groups => return Ok(json_response(200, &discovery::group_list())),
            Target::Group(name) => return found(discovery::group(&name)),
            Target::Resources { group, version } => {
                return found(discovery::resources(&group, &version));
            }
            Target::Nothing => return Err(ApiError::no_route()),
        };
        let verb = verb(&parts.method, &place, &query)?;
        self.check_access(caller, verb, &place)?;
        let is_log = is_log(&place);
        let outcome = match verb {
            Verb::Watch => return self.watch(caller, &place, &parts, &query),
            Verb::Get | Verb::List => self.read(caller, &place, &parts, &query),
            Verb::Create | Verb::Update | Verb::Patch | Verb::Delete | Verb::DeleteCollection => {
                let call = Call::new(caller, verb, place, &parts, &query, &body)?;
                self.write(caller, call).await
            }
        };
        pause(latency - latency / 2).await;
        let outcome = outcome?;
        let content_type = if is_log {
            "text/plain"
        } else {
            "application/json"
        };
        Ok(response(outcome.code, content_type, outcome.body))
    }

    fn draw_latency(&self, user: &str) -> Duration {
        let mut model = self.lock();
        match model.faults.latency(user) {
            Some(range) => timing::draw(&mut model.random, &range),
            None => Duration::ZERO,
        }
    }

    fn check_access(&self, caller: &Instance, verb: Verb, place: &Place) -> Result<(), ApiError> {
        let info = place.resource.info();
        let access = crate::identity::Access {
            user: &caller.user.name,
            verb: verb.name(),
            group: info.group,
            resource: info.plural,
            subresource: place.subresource.as_deref().unwrap_or_default(),
            namespace: place.namespace.as_deref().unwrap_or_default(),
        };
        if self.lock().identities.allows(&access) {
            return Ok(());
        }
        let name = place.name.as_deref().unwrap_or_default();
        Err(ApiError::forbidden(
            place.resource,
            name,
            &access.refusal(place.resource),
        ))
    }

    fn review(
        &self,
        caller: &Instance,
        review: Review,
        parts: &Parts,
        body: &Bytes,
    ) -> Result<Response<ResponseBody>, ApiError> {
        if parts.method != Method::POST {
            return Err(ApiError::method_not_allowed());
        }
        let body: Value = serde_json::from_slice(body)
            .map_err(|error| ApiError::bad_request(format!("cannot read the review: {error}")))?;
        Ok(json_response(
            201,
            &self.lock().review(&caller.user, review, body),
        ))
    }

    fn read(
        &self,
        caller: &Instance,
        place: &Place,
        parts: &Parts,
        query: &Query,
    ) -> Result<Outcome, ApiError> {
        let model = self.lock();
        if let Some(name) = &place.name {
            let namespace = place.namespace.as_deref().unwrap_or_default();
            let key = crate::api::store::Key::new(place.resource, namespace, name);
            return match place.subresource.as_deref() {
                None | Some("status") => model.get(&key, shape(parts)).map(Outcome::ok),
                Some("scale") => model
                    .get_scale(&key)
                    .map(|value| Outcome::json(200, &value)),
                Some(_) if is_log(place) => model
                    .pod_log(&key, &LogOptions::of(query))
                    .map(|log| Outcome::ok(Bytes::from(log))),
                Some(_) => Err(ApiError::no_route()),
            };
        }
        let scope = scope(place, parts, query)?;
        let horizon = model.horizon(&caller.user.name, Instant::now());
        let paging = Paging {
            limit: query
                .number("limit")
                .and_then(|limit| usize::try_from(limit).ok()),
            token: Some(query.get("continue").to_owned()).filter(|token| !token.is_empty()),
            version: query.number("resourceVersion"),
            exact: query.get("resourceVersionMatch") == "Exact",
            ceiling: Some(horizon.version),
        };
        model.list(&scope, &paging).map(Outcome::ok)
    }

    fn watch(
        self: Arc<Self>,
        caller: &Arc<Instance>,
        place: &Place,
        parts: &Parts,
        query: &Query,
    ) -> Result<Response<ResponseBody>, ApiError> {
        let mut scope = scope(place, parts, query)?;
        if let Some(name) = &place.name {
            // `GET …/<name>?watch=true` watches that one object.
            scope.fields =
                Fields::parse(&format!("metadata.name={name}")).map_err(ApiError::bad_request)?;
        }
        let start = watch::Start {
            version: query.number("resourceVersion"),
            initial: query.is_true("sendInitialEvents"),
            bookmarks: query.is_true("allowWatchBookmarks"),
            timeout: query.number("timeoutSeconds").map(Duration::from_secs),
        };
        let stream = watch::open(self, Arc::clone(caller), scope, start);
        let mut response = Response::new(StreamBody::new(stream).boxed_unsync());
        let json = header::HeaderValue::from_static("application/json");
        response.headers_mut().insert(header::CONTENT_TYPE, json);
        Ok(response)
    }

    async fn write(
        self: &Arc<Self>,
        caller: &Arc<Instance>,
        call: Call,
    ) -> Result<Outcome, ApiError> {
        let (number, fault) = if call.options.dry_run {
            (None, None)
        } else {
            self.lock()
                .faults
                .number(&caller.user.name, call.place.resource)
        };
        let refuse = |error: ApiError| {
            self.lock().log_refused(&call, number, &error);
            Err(error)
        };
        match fault {
            Some(Fault::CrashBefore) => {
                caller.crash();
                std::future::pending().await
            }
            Some(Fault::Conflict) => {
                let name = call.place.name.clone().unwrap_or_default();
                return refuse(ApiError::modified(call.place.resource, &name));
            }
            Some(Fault::ServerErrorNotApplied) => return refuse(ApiError::unavailable()),
            Some(Fault::Hold(time)) => return self.held(caller, call, number, time).await,
            Some(Fault::Pause) => caller.pause(true),
            Some(Fault::CrashAfter | Fault::ServerErrorApplied | Fault::TimeoutApplied(_))
            | None => {}
        }
        if caller.is_paused() {
            return self.held(caller, call, number, Duration::ZERO).await;
        }
        let outcome = self.lock().carry_out(&call, number);
        self.wake.notify_one();
        match fault {
            Some(Fault::CrashAfter) => {
                caller.crash();
                std::future::pending().await
            }
            Some(Fault::ServerErrorApplied) => Err(ApiError::unavailable()),
            Some(Fault::TimeoutApplied(after)) => {
                pause(after).await;
                Err(ApiError::timeout())
            }
            Some(
                Fault::CrashBefore
                | Fault::Conflict
                | Fault::ServerErrorNotApplied
                | Fault::Hold(_)
                | Fault::Pause,
            )
            | None => outcome,
        }
    }

    /// Carries a write out after a time, and when its client is not paused any more. In a task of the
    /// cluster: what is on its way arrives although nobody may wait for it by then.
    async fn held(
        self: &Arc<Self>,
        caller: &Arc<Instance>,
        call: Call,
        number: Option<u64>,
        time: Duration,
    ) -> Result<Outcome, ApiError> {
        let (tell, told) = oneshot::channel();
        // A strong reference would be a circle: the server owns this task.
        let (server, caller) = (Arc::downgrade(self), Arc::clone(caller));
        let arrive = async move {
            pause(time).await;
            caller.resumed().await;
            let Some(server) = server.upgrade().filter(|_| !caller.is_crashed()) else {
                return;
            };
            let outcome = server.lock().carry_out(&call, number);
            server.wake.notify_one();
            // The program may have given up.
            let _ = tell.send(outcome);
        };
        self.tasks
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .spawn(arrive);
        match told.await {
            Ok(outcome) => outcome,
            Err(_) => std::future::pending().await,
        }
    }
}

fn verb(method: &Method, place: &Place, query: &Query) -> Result<Verb, ApiError> {
    let named = place.name.is_some();
    match *method {
        Method::GET if query.is_true("watch") => Ok(Verb::Watch),
        Method::GET if named => Ok(Verb::Get),
        Method::GET => Ok(Verb::List),
        Method::POST if !named => Ok(Verb::Create),
        Method::PUT if named => Ok(Verb::Update),
        Method::PATCH if named => Ok(Verb::Patch),
        Method::DELETE if named => Ok(Verb::Delete),
        Method::DELETE => Ok(Verb::DeleteCollection),
        _ => Err(ApiError::method_not_allowed()),
    }
}

fn is_log(place: &Place) -> bool {
    place.resource == Resource::Pods && place.subresource.as_deref() == Some("log")
}

fn shape(parts: &Parts) -> Shape {
    let accept = parts
        .headers
        .get(header::ACCEPT)
        .and_then(|value| value.to_str().ok());
    Shape::of(accept.unwrap_or_default())
}

/// The objects that a request's path, selectors and `Accept` header mean.
pub(crate) fn scope(place: &Place, parts: &Parts, query: &Query) -> Result<Scope, ApiError> {
    Ok(Scope {
        resource: place.resource,
        namespace: place.namespace.clone(),
        labels: Selector::parse(query.get("labelSelector")).map_err(ApiError::bad_request)?,
        fields: Fields::parse(query.get("fieldSelector")).map_err(ApiError::bad_request)?,
        shape: shape(parts),
    })
}

async fn pause(duration: Duration) {
    if !duration.is_zero() {
        tokio::time::sleep(duration).await;
    }
}

fn found(value: Option<Value>) -> Result<Response<ResponseBody>, ApiError> {
    value
        .map(|value| json_response(200, &value))
        .ok_or_else(ApiError::no_route)
}

fn json_response(code: u16, value: &Value) -> Response<ResponseBody> {
    response(code, "application/json", Bytes::from(value.to_string()))
}

fn response(code: u16, content_type: &'static str, body: Bytes) -> Response<ResponseBody> {
    let mut response = Response::new(Full::new(body).boxed_unsync());
    *response.status_mut() =
        StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let content_type = header::HeaderValue::from_static(content_type);
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, content_type);
    response
}

/// A refusal as the client reads it.
pub(crate) fn error_response(error: &ApiError) -> Response<ResponseBody> {
    json_response(error.code, &error.to_status())
}
