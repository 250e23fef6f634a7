//! Reading users and what belongs to them.

use std::collections::BTreeSet;

use serde::{Deserialize, de::DeserializeOwned};
use url::Url;

use super::{
    account::{Account, Listed},
    api::{Api, Said, garbled},
    expression,
    limits::Bucket,
    links::{self, Next},
};
use crate::{
    adapters::directory::entries::{MOST_AGENTS, each_once},
    domain::ids::{GroupId, Login, UserId},
    ports::directory::{DirectoryError, MOST_MEMBERS, Members},
};

/// Entries that are asked for at a time.
const PAGE: &str = "200";
/// Groups that a user may be in.
const MOST_GROUPS: usize = 5000;
/// Users that may hold a login, whatever Okta says.
const MOST_NAMESAKES: usize = 10;

/// Whether the text can be an id. Nothing else can name a user by id: `me` is the owner of our own token, and where Okta
/// takes an id it takes logins too.
pub(super) fn is_id(text: &str) -> bool {
    let plain = text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    plain && !text.is_empty() && !text.eq_ignore_ascii_case("me")
}

/// The user with exactly that id.
pub(super) async fn by_id(api: &Api, id: &UserId) -> Result<Option<Account>, DirectoryError> {
    if !is_id(id.as_str()) {
        return Ok(None);
    }
    let found = at(api, api.of_user(id, &[])?).await?;
    Ok(found.filter(|account| account.entry.user.id == *id))
}

/// The user with exactly that login: found by it, and read again by his id.
pub(super) async fn by_login(api: &Api, login: &Login) -> Result<Option<Account>, DirectoryError> {
    let text = login.as_str();
    if !can_be_login(text) {
        return Ok(None);
    }
    // The address of such a login isn't his.
    if text.contains('/') {
        return by_filter(api, login).await;
    }
    let found = at(api, api.url(&["users", text], &[])?).await?;
    let Some(found) = found.filter(|account| account.entry.user.login == *login) else { return Ok(None) };
    again(api, &found.entry.user.id, login).await
}

/// The user whose id, or else whose login, is exactly that.
pub(super) async fn by_either(api: &Api, text: &Login) -> Result<Option<Account>, DirectoryError> {
    let Some(id) = UserId::parse(text.as_str()).ok().filter(|id| is_id(id.as_str())) else {
        return by_login(api, text).await;
    };
    let Some(found) = at(api, api.of_user(&id, &[])?).await? else { return Ok(None) };
    let user = &found.entry.user;
    if user.id == id {
        return Ok(Some(found));
    }
    if user.login == *text { again(api, &user.id.clone(), text).await } else { Ok(None) }
}

/// The ids of those who list the agent, as the search index knows them.
pub(super) async fn candidates(api: &Api, agent: &UserId) -> Result<Vec<UserId>, DirectoryError> {
    let search = expression::lists(agent);
    let url = api.url(&["users"], &[("search", &search), ("limit", PAGE)])?;
    let found: Vec<Listed> = pages(api, Bucket::Users, url, MOST_AGENTS).await?.unwrap_or_default();
    Ok(each_once(found.into_iter().map(|listed| listed.id).collect()))
}

/// The ids of all groups that the user is in.
pub(super) async fn groups(api: &Api, user: &UserId) -> Result<BTreeSet<GroupId>, DirectoryError> {
    #[derive(Deserialize)]
    struct Group {
        id: GroupId,
    }
    if !is_id(user.as_str()) {
        return Err(DirectoryError::NoSuchUser);
    }
    let url = api.url(&["users", user.as_str(), "groups"], &[("limit", PAGE)])?;
    let found: Option<Vec<Group>> = pages(api, Bucket::Groups, url, MOST_GROUPS).await?;
    let found = found.ok_or(DirectoryError::NoSuchUser)?;
    Ok(found.into_iter().map(|group| group.id).collect())
}

/// The ids of users in the group; `None`: there is no such group.
pub(super) async fn members(api: &Api, group: &GroupId, limit: usize) -> Result<Option<Members>, DirectoryError> {
    if !is_id(group.as_str()) {
        return Ok(None);
    }
    let url = api.url(&["groups", group.as_str(), "users"], &[("limit", PAGE)])?;
    // One beyond the limit tells that there are others.
    let wanted = limit.min(MOST_MEMBERS).saturating_add(1);
    let found: Option<Vec<Listed>> = some_pages(api, Bucket::Members, url, wanted).await?;
    Ok(found.map(|found| {
        let cut_off = found.len() >= wanted;
        let first = Members::first(limit, found.into_iter().map(|listed| listed.id));
        Members { more: first.more || cut_off, ..first }
    }))
}

/// All pages of a list; `None`: whose list it would be isn't there.
async fn pages<T: DeserializeOwned>(
    api: &Api,
    bucket: Bucket,
    first: Url,
    most: usize,
) -> Result<Option<Vec<T>>, DirectoryError> {
    let all = some_pages(api, bucket, first, most.saturating_add(1)).await?;
    if all.as_ref().is_some_and(|all| all.len() > most) {
        return Err(garbled("a list is too long"));
    }
    Ok(all)
}

/// Pages of a list until there are no more of them or `wanted` entries are there.
async fn some_pages<T: DeserializeOwned>(
    api: &Api,
    bucket: Bucket,
    first: Url,
    wanted: usize,
) -> Result<Option<Vec<T>>, DirectoryError> {
    let mut all = Vec::new();
    let mut here = first;
    // A page may be empty, but not all of them.
    for _ in 0..wanted {
        let answer = match api.get(bucket, here.clone()).await? {
            Said::Done(answer) => answer,
            Said::Refused(refusal) if refusal.is_not_found() && all.is_empty() => return Ok(None),
            Said::Refused(refusal) => return Err(refusal.error()),
        };
        let page: Vec<T> = answer.json()?;
        all.extend(page);
        if all.len() >= wanted {
            return Ok(Some(all));
        }
        match links::next(&answer.headers, &here) {
            Next::End => return Ok(Some(all)),
            Next::At(next) => here = next,
            Next::Elsewhere => return Err(garbled("the next page of a list is somewhere else")),
        }
    }
    Err(garbled("a list doesn't end"))
}

/// Whoever is at that address.
async fn at(api: &Api, url: Url) -> Result<Option<Account>, DirectoryError> {
    match api.get(Bucket::User, url).await? {
        Said::Done(answer) => Account::read(&answer).map(Some),
        Said::Refused(refusal) if refusal.is_not_found() => Ok(None),
        Said::Refused(refusal) => Err(refusal.error()),
    }
}

async fn again(api: &Api, id: &UserId, login: &Login) -> Result<Option<Account>, DirectoryError> {
    Ok(by_id(api, id).await?.filter(|account| account.entry.user.login == *login))
}

async fn by_filter(api: &Api, login: &Login) -> Result<Option<Account>, DirectoryError> {
    let filter = expression::has_login(login);
    let url = api.url(&["users"], &[("filter", &filter), ("limit", PAGE)])?;
    let found: Vec<Listed> = pages(api, Bucket::Users, url, MOST_NAMESAKES).await?.unwrap_or_default();
    for listed in found {
        if let Some(account) = again(api, &listed.id, login).await? {
            return Ok(Some(account));
        }
    }
    Ok(None)
}

/// Okta takes characters of the Basic Multilingual Plane only, and other words mean something else in an address.
fn can_be_login(text: &str) -> bool {
    let reserved = matches!(text, "." | "..") || text.eq_ignore_ascii_case("me");
    !reserved && text.chars().all(|c| u32::from(c) <= 0xffff)
}
