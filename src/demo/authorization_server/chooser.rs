//! Who signs in, where a browser doesn't say it: a page with a link for each user.

use actix_web::{HttpResponse, http::header::ContentType};
use url::Url;

use super::Shared;

/// The page. The request goes on as it is, with the user's login as `login_hint`.
pub(super) fn page(shared: &Shared, asked: &Url) -> HttpResponse {
    let links: String = shared.settings.users.iter().map(|user| link(asked, &user.login)).collect();
    HttpResponse::Ok().content_type(ContentType::html()).body(format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Sign in</title><h1>Who are you?</h1>\
         <p>This is for demo and tests only: anybody is signed in, without a password.</p><ul>{links}</ul></html>\n"
    ))
}

fn link(asked: &Url, login: &str) -> String {
    let mut with = asked.clone();
    with.query_pairs_mut().append_pair("login_hint", login);
    format!("<li><a href=\"{}\">{}</a></li>", escaped(with.as_str()), escaped(login))
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}
