//! Paths without a route: 404, or 405 with `Allow` where the path has other methods.

use std::collections::BTreeSet;

use actix_web::{HttpRequest, dev::ResourceDef};
use utoipa::openapi::{OpenApi, path::PathItem};

use super::{error::ApiError, extract};
use crate::domain::ids::TenantName;

/// The document's paths and their methods.
pub struct RouteTable(Vec<Row>);

struct Row {
    path: ResourceDef,
    methods: Vec<&'static str>,
    /// Operators' routes belong to no tenant.
    bare_only: bool,
}

impl RouteTable {
    /// Reads them from the document.
    pub fn of(document: &OpenApi) -> Self {
        let row = |(path, item): (&String, &PathItem)| {
            let bare_only = [&item.get, &item.post].into_iter().flatten().any(|o| o.servers.is_some());
            Row { path: ResourceDef::new(path.as_str()), methods: methods(item), bare_only }
        };
        Self(document.paths.paths.iter().map(row).collect())
    }

    /// The methods of all routes at this path; empty: there is no such path.
    fn allowed(&self, path: &str, bare: bool) -> String {
        let here = self.0.iter().filter(|row| (bare || !row.bare_only) && row.path.is_match(path));
        let methods: BTreeSet<_> = here.flat_map(|row| &row.methods).copied().collect();
        methods.into_iter().collect::<Vec<_>>().join(", ")
    }
}

fn methods(item: &PathItem) -> Vec<&'static str> {
    let all = [
        ("DELETE", item.delete.is_some()),
        ("GET", item.get.is_some()),
        ("PATCH", item.patch.is_some()),
        ("POST", item.post.is_some()),
        ("PUT", item.put.is_some()),
    ];
    all.into_iter().filter(|(_, has)| *has).map(|(name, _)| name).collect()
}

/// The service of last resort.
pub async fn unknown_route(request: HttpRequest) -> Result<actix_web::HttpResponse, ApiError> {
    let state = extract::state(&request)?;
    let allowed = match request.path().strip_prefix("/t/") {
        None => state.routes.allowed(request.path(), true),
        Some(rest) => {
            let (tenant, _) = rest.split_once('/').ok_or(ApiError::NoSuchRoute)?;
            let there = TenantName::parse(tenant).is_ok_and(|name| state.doors.contains_key(&name));
            if there { state.routes.allowed(&rest[tenant.len()..], false) } else { String::new() }
        }
    };
    Err(if allowed.is_empty() { ApiError::NoSuchRoute } else { ApiError::Method(allowed) })
}
