//! Tag lists and their pages.

use axum::response::Response;
use http::{StatusCode, header};

use crate::behaviour::Behaviour;
use crate::registry::Shared;
use crate::serve::{error, injected, json, parameter, set};

pub(crate) fn list(
    shared: &Shared,
    behaviour: &Behaviour,
    repository: &str,
    query: &str,
) -> Response {
    let last = parameter(query, "last");
    let mut state = shared.state();
    let page = state.page.entry(repository.to_owned()).or_default();
    *page = if last.is_none() { 1 } else { *page + 1 };
    if let Some((_, fault)) = behaviour
        .fail_page
        .as_ref()
        .filter(|(number, _)| number == page)
    {
        return injected(fault);
    }
    let Some(tags) = state.store.tags(repository) else {
        return error(
            StatusCode::NOT_FOUND,
            "NAME_UNKNOWN",
            "repository name not known",
        );
    };
    drop(state);

    let (shown, more) = if behaviour.ignore_paging {
        (tags, false)
    } else {
        let mut rest: Vec<_> = match last {
            Some(last) => tags.into_iter().filter(|tag| *tag > last).collect(),
            None => tags,
        };
        let asked = parameter(query, "n")
            .and_then(|n| n.parse().ok())
            .unwrap_or(usize::MAX);
        let size = asked.min(behaviour.page_size.unwrap_or(usize::MAX));
        let more = rest.len() > size;
        rest.truncate(size);
        (rest, more)
    };
    let next = shown.last().filter(|_| more).map(|last| {
        let n = shown.len();
        format!("</v2/{repository}/tags/list?last={last}&n={n}>; rel=\"next\"")
    });
    // As the CNCF registry: a list without tags is null.
    let tags = (!shown.is_empty()).then_some(shown);
    let body = behaviour
        .tags_body
        .clone()
        .unwrap_or_else(|| serde_json::json!({"name": repository, "tags": tags}).to_string());
    let mut response = json(StatusCode::OK, body);
    if let Some(link) = behaviour
        .link
        .clone()
        .or(next)
        .filter(|_| !behaviour.omit_link)
    {
        set(&mut response, header::LINK, &link);
    }
    response
}
