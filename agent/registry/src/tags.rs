//! Tag lists: whole, or an error (reliability.md R7, G17).

use std::collections::HashSet;

use http::{HeaderMap, Method, StatusCode};
use serde::{Deserialize, Deserializer};
use sluice_core::port::RegistryFault;
use url::Url;

use crate::fault::{BROKEN, quotable};
use crate::link;
use crate::repository::is_tag;
use crate::session::Session;
use crate::transport::same_origin;

/// One page. `tags` may be null (a repository whose tags were all deleted) but not absent.
#[derive(Deserialize)]
struct Page {
    #[serde(deserialize_with = "null_or_list")]
    tags: Option<Vec<String>>,
}

/// Without this, serde takes an absent field for null.
fn null_or_list<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Vec<String>>, D::Error> {
    Option::deserialize(from)
}

/// All tags, each once, in the registry's order.
pub(crate) async fn list(session: &Session<'_>) -> Result<Vec<String>, RegistryFault> {
    let limits = &session.registry.limits;
    let asked = usize::from(session.config().page_size);
    let mut first = session.address("tags/list")?;
    first.query_pairs_mut().append_pair("n", &asked.to_string());

    let mut seen = HashSet::new();
    let mut tags = Vec::new();
    let mut visited = HashSet::new();
    let mut linked = false;
    let mut next = Some(first.clone());
    while let Some(url) = next {
        if visited.len() == limits.pages {
            let cause = format!("the list has more than {} pages", limits.pages);
            return Err(session
                .ask
                .unavailable(cause, "Raise pageSize, or remove old tags"));
        }
        if !visited.insert(url.clone()) {
            let cause = format!(
                "page {} of the list leads back to an earlier page",
                visited.len()
            );
            return Err(session.ask.unavailable(cause, BROKEN));
        }
        let (page, link) = fetch(session, url, visited.len()).await?;
        let (size, last) = (page.len(), page.last().cloned());
        let before = tags.len();
        for tag in page {
            check(session, &tag)?;
            if seen.insert(tag.clone()) {
                tags.push(tag);
            }
        }
        if tags.len() > limits.tags {
            let cause = format!("the repository has more than {} tags", limits.tags);
            return Err(session.ask.unavailable(cause, "Remove old tags"));
        }
        next = match link {
            Some(target) => {
                linked = true;
                Some(follow(session, &first, &target)?)
            }
            // A registry that never sent a Link and filled the page exactly may have more that it
            // does not point to. One that had sent all would answer nothing new.
            None if !linked && size == asked && tags.len() > before => last.map(|last| {
                let mut more = first.clone();
                more.query_pairs_mut().append_pair("last", &last);
                more
            }),
            None => None,
        };
    }
    tracing::debug!(
        repository = session.repository.name(),
        tags = tags.len(),
        "tags listed"
    );
    Ok(tags)
}

/// One page, and what its `Link` header names as the next.
async fn fetch(
    session: &Session<'_>,
    url: Url,
    number: usize,
) -> Result<(Vec<String>, Option<String>), RegistryFault> {
    let response = session.send(Method::GET, url, HeaderMap::new()).await?;
    if response.status() != StatusCode::OK {
        return Err(session.refusal(response).await);
    }
    let link = link::next(response.headers()).map_err(|problem| {
        let cause = format!("page {number} of the list has {problem}");
        session.ask.unavailable(cause, BROKEN)
    })?;
    let body = session
        .body(response, session.registry.limits.tags_page_bytes)
        .await?;
    let page: Page = serde_json::from_slice(&body).map_err(|error| {
        let cause = format!(
            "page {number} is not a tag list: {}",
            quotable(&error.to_string())
        );
        session.ask.unavailable(cause, BROKEN)
    })?;
    Ok((page.tags.unwrap_or_default(), link))
}

/// The next page's address: the same list on the same host, with another query.
fn follow(session: &Session<'_>, first: &Url, target: &str) -> Result<Url, RegistryFault> {
    let next = first.join(target).ok();
    let next = next.filter(|next| same_origin(next, first) && next.path() == first.path());
    next.ok_or_else(|| {
        let cause = format!(
            "the next page is said to be at {}, which is not this list",
            quotable(target)
        );
        session.ask.unavailable(
            cause,
            "Such links are not followed; behind a proxy, let the registry send relative links",
        )
    })
}

fn check(session: &Session<'_>, tag: &str) -> Result<(), RegistryFault> {
    if is_tag(tag) {
        return Ok(());
    }
    let cause = format!(
        "the list contains \"{}\", which is not a tag",
        quotable(tag)
    );
    Err(session.ask.unavailable(cause, BROKEN))
}
