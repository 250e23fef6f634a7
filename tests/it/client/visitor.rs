//! A browser without scripts: it keeps cookies, follows redirects, and fills in the forms that are there.

use std::{collections::BTreeMap, fmt::Write as _};

use behalf::adapters::http_client;
use reqwest::{
    RequestBuilder, StatusCode,
    header::{ACCEPT, COOKIE, HOST, HeaderMap, LOCATION, ORIGIN, SET_COOKIE},
};
use url::Url;

use super::app::App;

/// Somebody's browser.
pub(crate) struct Visitor {
    http: reqwest::Client,
    /// The application as it is known outside, and as it is reached.
    at: (String, String),
    pub(crate) cookies: BTreeMap<String, String>,
    /// Headers and bodies of all that came.
    pub(crate) seen: String,
}

/// What came in the end.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

/// One form of a page, as it would be sent.
#[derive(Debug)]
pub(crate) struct Form {
    pub(crate) method: String,
    pub(crate) action: String,
    pub(crate) fields: BTreeMap<String, String>,
}

impl Visitor {
    pub(crate) fn of(app: &App) -> Self {
        let at = (app.public.clone(), app.address.clone());
        Self { http: http_client::build(None).unwrap(), at, cookies: BTreeMap::new(), seen: String::new() }
    }

    /// Opens a page of the application.
    pub(crate) async fn get(&mut self, path: &str) -> Page {
        let url = self.url(path);
        self.follow(self.http.get(url)).await
    }

    /// What a script of the page would get.
    pub(crate) async fn fetch(&mut self, path: &str) -> Page {
        let request = self.http.get(self.url(path)).header(ACCEPT, "application/json");
        self.send(request).await
    }

    /// Fills in the sign-in, and comes back from the provider.
    pub(crate) async fn sign_in(&mut self, login: &str) -> Page {
        let page = self.get("/").await;
        self.press(&page, "Sign in", &[("login", login)]).await
    }

    /// Sends the form with this button.
    pub(crate) async fn press(&mut self, page: &Page, button: &str, fill: &[(&str, &str)]) -> Page {
        let request = self.filled(page.form(button), fill);
        self.follow(request).await
    }

    /// The same, but stays where it is.
    pub(crate) async fn press_only(&mut self, page: &Page, button: &str) -> Page {
        let request = self.filled(page.form(button), &[]);
        self.send(request).await
    }

    fn filled(&self, mut form: Form, fill: &[(&str, &str)]) -> RequestBuilder {
        for (name, value) in fill {
            assert!(form.fields.insert((*name).to_owned(), (*value).to_owned()).is_some(), "{name} isn't in {form:?}");
        }
        let url = self.url(&form.action);
        if form.method == "post" {
            self.http.post(url).header(ORIGIN, &self.at.0).form(&form.fields)
        } else {
            self.http.get(url).query(&form.fields)
        }
    }

    /// Sends any form to the application.
    pub(crate) async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Page {
        let request = self.http.post(self.url(path)).header(ORIGIN, &self.at.0).form(fields);
        self.follow(request).await
    }

    /// Sends it as a page of another origin would; none: as no browser does.
    pub(crate) async fn post_from(&mut self, origin: Option<&str>, path: &str) -> Page {
        let request = self.http.post(self.url(path)).form(&[("login", "ann@example.test")]);
        self.send(origin.map_or(request.try_clone().unwrap(), |origin| request.header(ORIGIN, origin))).await
    }

    /// Opens a page by another name of this machine, and stays there.
    pub(crate) async fn get_as(&mut self, host: &str, path: &str) -> Page {
        let request = self.http.get(self.url(path)).header(HOST, host);
        self.send(request).await
    }

    fn url(&self, path: &str) -> Url {
        Url::parse(&self.at.1).unwrap().join(path).unwrap()
    }

    async fn follow(&mut self, request: RequestBuilder) -> Page {
        let mut page = self.send(request).await;
        for _ in 0..10 {
            let Some(location) = page.headers.get(LOCATION) else { return page };
            let base = &page.headers[AT];
            let to = Url::parse(base.to_str().unwrap()).unwrap().join(location.to_str().unwrap()).unwrap();
            let own = to.as_str().strip_prefix(&format!("{}/", self.at.0));
            let to = own.map_or(to.clone(), |path| self.url(&format!("/{path}")));
            page = self.send(self.http.get(to)).await;
        }
        panic!("ten redirects: {page:?}");
    }

    async fn send(&mut self, request: RequestBuilder) -> Page {
        let cookies = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ");
        let answer = request.header(COOKIE, cookies).send().await.unwrap();
        let (status, mut headers, url) = (answer.status(), answer.headers().clone(), answer.url().clone());
        for (name, value) in &headers {
            writeln!(self.seen, "{name}: {}", value.to_str().unwrap()).unwrap();
        }
        for cookie in headers.get_all(SET_COOKIE) {
            let (name, value) = cookie.to_str().unwrap().split(';').next().unwrap().split_once('=').unwrap();
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
        headers.insert(AT, url.as_str().parse().unwrap());
        let body = answer.text().await.unwrap();
        self.seen.push_str(&body);
        Page { status, headers, body }
    }
}

/// Added to the headers: where the page is.
const AT: &str = "x-is-at";

impl Page {
    pub(crate) fn heading(&self) -> String {
        between(&self.body, "<h1>", "</h1>").map(unescaped).unwrap_or_default()
    }

    /// The text of the element with this id, which has no elements in it.
    pub(crate) fn text(&self, id: &str) -> String {
        let element = between(&self.body, &format!(" id=\"{id}\""), "</").unwrap_or_default();
        unescaped(element.split_once('>').map_or("", |(_, text)| text))
    }

    /// The cells of a claim's row.
    pub(crate) fn row(&self, claim: &str) -> Vec<String> {
        let head = format!("<th scope=\"row\">{claim}</th>");
        let row = between(&self.body, &head, "</tr>").unwrap_or_default();
        row.split("<td>").skip(1).map(|cell| unescaped(cell.split("</td>").next().unwrap())).collect()
    }

    /// The form that has this button.
    pub(crate) fn form(&self, button: &str) -> Form {
        let forms = self.body.split("<form ").skip(1).map(|form| form.split("</form>").next().unwrap());
        let mut fitting = forms.filter(|form| form.contains(&format!(">{button}</button>")));
        let form = fitting.next().unwrap_or_else(|| panic!("no button {button}: {}", self.body));
        let inputs = form.split("<input ").skip(1).map(|input| input.split('>').next().unwrap());
        let field = |input: &str| (attribute(input, "name"), attribute(input, "value"));
        Form {
            method: attribute(form, "method"),
            action: attribute(form, "action"),
            fields: inputs.map(field).collect(),
        }
    }
}

fn between<'t>(text: &'t str, begin: &str, end: &str) -> Option<&'t str> {
    text.split_once(begin).and_then(|(_, rest)| rest.split_once(end)).map(|(inner, _)| inner)
}

fn attribute(element: &str, name: &str) -> String {
    between(&format!(" {element}"), &format!(" {name}=\""), "\"").map(unescaped).unwrap_or_default()
}

fn unescaped(text: &str) -> String {
    let marks = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&amp;", "&")];
    marks.iter().fold(text.trim().to_owned(), |text, (escape, mark)| text.replace(escape, mark))
}
