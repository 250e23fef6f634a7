//! Paths without a route: 404, or 405 with `Allow` where the path has other methods.

use actix_web::{HttpRequest, dev::ResourceDef};
use utoipa::openapi::{OpenApi, path::PathItem};

use super::{error::ApiError, extract};

/// The document's paths and their methods.
pub struct RouteTable(Vec<(ResourceDef, String)>);

impl RouteTable {
    /// Reads them from the document.
    pub fn of(document: &OpenApi) -> Self {
        let row = |(path, item): (&String, &PathItem)| (ResourceDef::new(path.as_str()), methods(item).join(", "));
        Self(document.paths.paths.iter().map(row).collect())
    }

    fn allowed(&self, path: &str) -> Option<&str> {
        self.0.iter().find(|(def, _)| def.is_match(path)).map(|(_, methods)| methods.as_str())
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
    let path = request.path();
    let bare = path.strip_prefix("/t/").and_then(|rest| rest.find('/').map(|at| &rest[at..]));
    match state.routes.allowed(bare.unwrap_or(path)) {
        Some(allowed) => Err(ApiError::Method(allowed.to_owned())),
        None => Err(ApiError::NoSuchRoute),
    }
}
