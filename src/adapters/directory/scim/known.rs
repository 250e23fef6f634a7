//! What a server can do, as it says itself (RFC 7644, 4) and as a question shows: kept for a while, asked again after
//! that and whenever it turns out otherwise. Never asked before it is needed.

use std::time::Duration;

use reqwest::StatusCode;
use serde::Deserialize;
use tokio::sync::Mutex;

use super::{
    filter::{Attribute, equal},
    list::{Page, garbled},
    service::{Reply, Service},
};
use crate::ports::{
    directory::DirectoryError,
    entropy::{Entropy, bytes},
};

const CONFIG: &str = "urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig";
/// How long it is kept.
const KEPT: Duration = Duration::from_mins(5);
/// Resources on a page.
const PAGE: usize = 100;

/// What the server says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Capabilities {
    /// `PATCH` is supported.
    pub(super) patch: bool,
    /// Resources have versions, and `If-Match` is looked at.
    pub(super) etag: bool,
    /// `filter` is supported.
    pub(super) filter: bool,
    /// Resources on a page.
    pub(super) page: usize,
}

/// What is looked up by a filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LookUp {
    /// Users by `userName`.
    Logins,
    /// Users by the agents they list.
    Delegators,
    /// Groups by their members.
    Groups,
}

/// How a filter that nothing can match was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Filter {
    Works,
    /// With hits.
    Ignored,
    Refused,
}

#[derive(Default)]
struct Kept {
    since: Duration,
    capabilities: Option<Capabilities>,
    filters: Vec<(LookUp, Filter)>,
}

/// What is known by now.
#[derive(Default)]
pub(super) struct Known(Mutex<Kept>);

impl Known {
    /// What the server says that it can do.
    pub(super) async fn capabilities(&self, service: &Service) -> Result<Capabilities, DirectoryError> {
        let mut kept = self.0.lock().await;
        kept.capabilities(service).await
    }

    /// Size of a page, if that look-up is possible; else `Rejected`.
    pub(super) async fn page_for(
        &self,
        look_up: LookUp,
        attribute: &Attribute,
        service: &Service,
        entropy: &dyn Entropy,
    ) -> Result<usize, DirectoryError> {
        let mut kept = self.0.lock().await;
        let capabilities = kept.capabilities(service).await?;
        if !capabilities.filter {
            return Err(look_up.impossible("its ServiceProviderConfig says that it does not support filters"));
        }
        let mut known = kept.filters.iter().find(|(of, _)| *of == look_up).map(|(_, filter)| *filter);
        if known.is_none() {
            let filter = look_up.probe(attribute, service, entropy).await?;
            kept.filters.push((look_up, filter));
            known = Some(filter);
        }
        match known.unwrap_or(Filter::Refused) {
            Filter::Works => Ok(capabilities.page),
            Filter::Ignored => Err(look_up.impossible("it ignores the filter and answers with everything")),
            Filter::Refused => Err(look_up.impossible("it refuses the filter")),
        }
    }

    /// It turned out otherwise: the next one asks.
    pub(super) async fn forget(&self) {
        *self.0.lock().await = Kept::default();
    }
}

impl Kept {
    async fn capabilities(&mut self, service: &Service) -> Result<Capabilities, DirectoryError> {
        let now = service.clock().monotonic();
        if let Some(capabilities) = self.capabilities
            && now.saturating_sub(self.since) < KEPT
        {
            return Ok(capabilities);
        }
        let capabilities = ask(service).await?;
        *self = Self { since: now, capabilities: Some(capabilities), filters: Vec::new() };
        Ok(capabilities)
    }
}

impl LookUp {
    /// A refusal that says what it means.
    pub(super) fn impossible(self, why: &str) -> DirectoryError {
        let what = match self {
            Self::Logins => "users can't be looked up by userName, only by id",
            Self::Delegators => "delegators can't be looked up by their agent",
            Self::Groups => "groups can't be looked up by their members, and the user's own `groups` is not given",
        };
        DirectoryError::Rejected(format!("{what}: {why}"))
    }

    /// The filter that finds what has this value.
    pub(super) fn filter(self, attribute: &Attribute, value: &str) -> String {
        match self {
            Self::Logins => equal("userName", value),
            Self::Delegators => attribute.holding(value),
            Self::Groups => equal("members.value", value),
        }
    }

    /// Where it is asked.
    pub(super) fn endpoint(self) -> &'static str {
        if self == Self::Groups { "Groups" } else { "Users" }
    }

    /// Asks for a value that nobody has.
    async fn probe(
        self,
        attribute: &Attribute,
        service: &Service,
        entropy: &dyn Entropy,
    ) -> Result<Filter, DirectoryError> {
        let nobody = format!("behalf-probe-{:032x}", u128::from_be_bytes(bytes(entropy)));
        let filter = self.filter(attribute, &nobody);
        let query = [("filter", filter.as_str()), ("attributes", "id"), ("startIndex", "1"), ("count", "1")];
        match service.get(&[self.endpoint()], &query).await? {
            Reply::Done(answer) => {
                let page = Page::read(&answer)?;
                Ok(if page.total == 0 { Filter::Works } else { Filter::Ignored })
            }
            Reply::Refused(refusal) if matches!(refusal.status, StatusCode::NOT_FOUND) => {
                Err(refusal.rejected(&format!("it has no {}; is BEHALF_SCIM_URL right?", self.endpoint())))
            }
            Reply::Refused(_) => Ok(Filter::Refused),
        }
    }
}

async fn ask(service: &Service) -> Result<Capabilities, DirectoryError> {
    #[derive(Deserialize)]
    struct Supported {
        supported: bool,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Filter {
        supported: bool,
        max_results: Option<usize>,
    }
    #[derive(Deserialize)]
    struct Body {
        schemas: Vec<String>,
        patch: Option<Supported>,
        filter: Option<Filter>,
        etag: Option<Supported>,
    }
    let answer = match service.get(&["ServiceProviderConfig"], &[]).await? {
        Reply::Done(answer) => answer,
        Reply::Refused(refusal) => {
            return Err(refusal.rejected("it has no ServiceProviderConfig; is BEHALF_SCIM_URL right?"));
        }
    };
    let Body { schemas, patch, filter, etag } = answer.json()?;
    if !schemas.iter().any(|schema| schema == CONFIG) {
        return Err(garbled("a ServiceProviderConfig that is none"));
    }
    let page = filter.as_ref().and_then(|filter| filter.max_results).unwrap_or(PAGE).clamp(1, PAGE);
    Ok(Capabilities {
        patch: patch.is_some_and(|patch| patch.supported),
        etag: etag.is_some_and(|etag| etag.supported),
        filter: filter.is_some_and(|filter| filter.supported),
        page,
    })
}
