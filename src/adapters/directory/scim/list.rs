//! Lists of resources (RFC 7644, 3.4.2), page by page.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::service::{Reply, Service};
use crate::{adapters::directory::rest::Answer, ports::directory::DirectoryError};

const LIST: &str = "urn:ietf:params:scim:api:messages:2.0:ListResponse";

/// One page.
#[derive(Debug)]
pub(super) struct Page {
    /// Of all pages, as the server says.
    pub(super) total: usize,
    pub(super) resources: Vec<Map<String, Value>>,
}

impl Page {
    /// A 200 that isn't such a list is not understood: nobody is told by it that nothing is there.
    pub(super) fn read(answer: &Answer) -> Result<Self, DirectoryError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Body {
            schemas: Vec<String>,
            total_results: usize,
            #[serde(default, rename = "Resources")]
            resources: Option<Vec<Map<String, Value>>>,
        }
        let Body { schemas, total_results, resources } = answer.json()?;
        let resources = resources.unwrap_or_default();
        if !schemas.iter().any(|schema| schema == LIST) || resources.len() > total_results {
            return Err(garbled("a list that is none"));
        }
        Ok(Self { total: total_results, resources })
    }
}

/// What is asked for.
pub(super) struct Question<'q> {
    pub(super) endpoint: &'static str,
    pub(super) filter: &'q str,
    pub(super) attributes: &'q str,
    /// Resources on a page.
    pub(super) page: usize,
    /// Resources that are wanted in all.
    pub(super) most: usize,
}

/// The resources found, and whether these are all.
pub(super) struct Found {
    pub(super) resources: Vec<Map<String, Value>>,
    pub(super) complete: bool,
}

/// Asks for page after page. `Ok(None)`: the server refuses the filter.
pub(super) async fn all(service: &Service, question: &Question<'_>) -> Result<Option<Found>, DirectoryError> {
    let (mut resources, mut seen) = (Vec::new(), BTreeSet::new());
    loop {
        let Some(page) = page(service, question, resources.len() + 1).await? else { return Ok(None) };
        let (before, total) = (resources.len(), page.total);
        for resource in page.resources {
            if seen.insert(id_of(&resource)?.to_owned()) {
                resources.push(resource);
            }
        }
        let complete = resources.len() >= total;
        if complete || resources.len() >= question.most {
            return Ok(Some(Found { resources, complete }));
        }
        if resources.len() == before {
            return Err(garbled("a page with nothing new on it, where more should be"));
        }
    }
}

async fn page(service: &Service, question: &Question<'_>, start: usize) -> Result<Option<Page>, DirectoryError> {
    let (start, count) = (start.to_string(), question.page.to_string());
    let query =
        [("filter", question.filter), ("attributes", question.attributes), ("startIndex", &start), ("count", &count)];
    match service.get(&[question.endpoint], &query).await? {
        Reply::Done(answer) => Page::read(&answer).map(Some),
        Reply::Refused(refusal) if refusal.status.as_u16() == 400 || refusal.status.as_u16() == 501 => Ok(None),
        Reply::Refused(refusal) => Err(refusal.rejected(&format!("it gives no list of {}", question.endpoint))),
    }
}

/// The `id` that every resource has.
pub(super) fn id_of(resource: &Map<String, Value>) -> Result<&str, DirectoryError> {
    resource.get("id").and_then(Value::as_str).ok_or_else(|| garbled("a resource without an id"))
}

/// An answer that isn't understood. Never says what was there: it is somebody's profile.
pub(super) fn garbled(what: &str) -> DirectoryError {
    DirectoryError::Garbled(format!("it answers with {what}"))
}
