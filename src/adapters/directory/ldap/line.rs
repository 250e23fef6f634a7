//! One connection to a server, signed in. Many may ask on it at the same time.

use std::{
    collections::HashSet,
    panic::AssertUnwindSafe,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use futures_util::FutureExt as _;
use ldap3::{
    Ldap, LdapError, LdapResult, Mod, Scope, SearchOptions,
    controls::{MakeCritical as _, PagedResults, RawControl},
};
use secrecy::ExposeSecret as _;
use tokio::{
    sync::Mutex,
    task::AbortHandle,
    time::{Instant, timeout},
};

use super::{
    fault::{self, garbled, unavailable},
    filter::Filter,
    guard,
    raw::Raw,
    settings::{Server, Settings},
    stream::{self, Trust},
};
use crate::ports::directory::DirectoryError;

/// The control of paged results (RFC 2696).
const PAGED: &str = "1.2.840.113556.1.4.319";

/// Entries beyond those asked for that are passed over before the server is taken for mad.
const MOST_BEYOND: usize = 1000;
/// Servers write to a disk, and one after the other; and whether a change that isn't answered was made isn't known.
const CHANGES_TAKE: u32 = 3;

/// A signed-in connection.
pub(super) struct Line {
    ldap: Ldap,
    /// Which of the servers it leads to.
    pub(super) server: usize,
    /// When it came about.
    pub(super) since: Instant,
    within: Duration,
    broken: AtomicBool,
    driver: AbortHandle,
    /// Some servers keep one paged search for each connection, and forget it over the next.
    paging: Mutex<()>,
}

/// What is asked.
pub(super) struct Query<'q> {
    pub(super) base: &'q str,
    pub(super) scope: Scope,
    pub(super) filter: Filter,
    pub(super) attributes: Vec<String>,
    /// More entries than that are not taken.
    pub(super) most: usize,
}

/// What came.
pub(super) struct Found {
    pub(super) entries: Vec<Raw>,
    pub(super) result: LdapResult,
    /// Whether the server said that others know more.
    pub(super) elsewhere: bool,
}

/// Changes of one entry, by attribute.
pub(super) type Changes<'c> = Vec<Mod<&'c [u8]>>;

impl Line {
    /// Connects to the `at`-th server and signs in.
    pub(super) async fn open(settings: &Settings, at: usize, trust: &Trust) -> Result<Self, DirectoryError> {
        let server = &settings.servers[at];
        let connecting = timeout(settings.timeout, stream::open(server, trust)).await;
        let connected = connecting.map_err(|_| unavailable(format!("{server}: no connection in time")))?;
        let (conn, ldap) = connected.map_err(|error| unavailable(format!("{server}: {error}")))?;
        // Whatever ends it, whoever waits for an answer is told.
        let driver = tokio::spawn(async move { drop(conn.drive().await) }).abort_handle();
        let line = Self {
            ldap,
            server: at,
            since: Instant::now(),
            within: settings.timeout,
            broken: AtomicBool::new(false),
            driver,
            paging: Mutex::default(),
        };
        line.sign_in(settings, server).await?;
        Ok(line)
    }

    async fn sign_in(&self, settings: &Settings, server: &Server) -> Result<(), DirectoryError> {
        let mut ldap = self.ldap.clone();
        let bind = async move { ldap.simple_bind(&settings.bind_dn, settings.password.expose_secret()).await };
        match self.within(bind).await?.rc {
            0 => Ok(()),
            code => Err(fault::of_result(code, &format!("{server}: signing in"))),
        }
    }

    /// False if nothing more is to be asked on it.
    pub(super) fn is_alive(&self) -> bool {
        !self.broken.load(Ordering::Relaxed) && !self.driver.is_finished()
    }

    /// Ends it; who waits for an answer gets none.
    fn break_off(&self) {
        self.broken.store(true, Ordering::Relaxed);
        self.driver.abort();
    }

    /// Asks for the root DSE, which everybody may see.
    pub(super) async fn answers(&self) -> bool {
        let attributes = vec!["1.1".to_owned()];
        let query = Query { base: "", scope: Scope::Base, filter: Filter::any(), attributes, most: 1 };
        self.search(query).await.is_ok()
    }

    /// What the server finds, whatever its result code.
    pub(super) async fn search(&self, query: Query<'_>) -> Result<Found, DirectoryError> {
        self.within_of(self.within, self.searched(query, Vec::new())).await
    }

    /// The same with a control.
    pub(super) async fn search_with(&self, query: Query<'_>, control: RawControl) -> Result<Found, DirectoryError> {
        self.within_of(self.within, self.searched(query, vec![control])).await
    }

    /// The same in pages of `page` entries, until there are no more or `query.most` are there.
    pub(super) async fn search_all(&self, query: Query<'_>, page: usize) -> Result<Found, DirectoryError> {
        let _alone = self.paging.lock().await;
        let mut all = Vec::new();
        let mut cookie = Vec::new();
        let mut elsewhere = false;
        loop {
            let size = i32::try_from(page.min(query.most - all.len())).unwrap_or(i32::MAX);
            let control: RawControl = PagedResults { size, cookie: std::mem::take(&mut cookie) }.critical().into();
            let Query { base, scope, ref filter, ref attributes, .. } = query;
            let part = Query { base, scope, filter: filter.clone(), attributes: attributes.clone(), most: page };
            let found = self.within_of(self.within, self.searched(part, vec![control])).await?;
            all.extend(found.entries);
            elsewhere |= found.elsewhere;
            cookie = next_page(&found.result);
            if found.result.rc != 0 || cookie.is_empty() || all.len() >= query.most {
                return Ok(Found { entries: all, result: found.result, elsewhere });
            }
        }
    }

    async fn searched(&self, query: Query<'_>, controls: Vec<RawControl>) -> Result<Found, DirectoryError> {
        let Query { base, scope, filter, attributes, most } = query;
        let mut ldap = self.ldap.clone();
        let limit = if controls.is_empty() { i32::try_from(most).unwrap_or(i32::MAX) } else { 0 };
        ldap.with_search_options(SearchOptions::new().sizelimit(limit)).with_controls(controls);
        let mut stream = ldap.streaming_search(base, scope, filter.as_str(), attributes).await.map_err(of_library)?;
        let (mut entries, mut elsewhere, mut beyond) = (Vec::new(), false, 0);
        while let Some(item) = stream.next().await.map_err(of_library)? {
            if item.is_ref() {
                elsewhere = true;
                continue;
            }
            if entries.len() < most {
                entries.push(Raw::read(item.0).ok_or_else(|| garbled("it sent an entry that isn't understood"))?);
                continue;
            }
            // Not every server keeps to the limit.
            beyond += 1;
            if beyond > MOST_BEYOND {
                self.break_off();
                return Err(unavailable("it sends far more entries than it was asked for"));
            }
        }
        let mut result = stream.finish().await;
        if beyond > 0 && result.rc == 0 {
            result.rc = fault::SIZE_LIMIT;
        }
        Ok(Found { entries, result, elsewhere })
    }

    /// Changes an entry, all or nothing; gives the result code.
    pub(super) async fn modify(
        &self,
        dn: &str,
        changes: Changes<'_>,
        control: Option<RawControl>,
    ) -> Result<u32, DirectoryError> {
        let mut ldap = self.ldap.clone();
        if let Some(control) = control {
            ldap.with_controls(vec![control]);
        }
        let change = async move { ldap.modify(dn, changes).await.map_err(of_library) };
        Ok(self.within_of(self.within * CHANGES_TAKE, change).await?.rc)
    }

    async fn within<A>(&self, call: impl Future<Output = Result<A, LdapError>>) -> Result<A, DirectoryError> {
        self.within_of(self.within, async { call.await.map_err(of_library) }).await
    }

    /// What isn't answered in time may never be: the next call gets another connection.
    async fn within_of<A>(
        &self,
        time: Duration,
        call: impl Future<Output = Result<A, DirectoryError>>,
    ) -> Result<A, DirectoryError> {
        // The library panics over an answer to another kind of question than was asked.
        match timeout(time, AssertUnwindSafe(call).catch_unwind()).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => {
                self.break_off();
                Err(unavailable("it answered something else than it was asked"))
            }
            Err(_) => {
                // Others who ask on it may only have asked something easier.
                self.broken.store(true, Ordering::Relaxed);
                Err(unavailable(format!("no answer within {time:?}")))
            }
        }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// The values to add or delete.
pub(super) fn one(value: &[u8]) -> HashSet<&[u8]> {
    HashSet::from([value])
}

fn next_page(result: &LdapResult) -> Vec<u8> {
    let control = result.ctrls.iter().find(|control| control.1.ctype == PAGED);
    control.and_then(|control| guard::cookie(control.1.val.as_deref()?)).unwrap_or_default()
}

/// The library's errors are all about the connection: result codes are read here.
fn of_library(error: LdapError) -> DirectoryError {
    match error {
        LdapError::FilterParsing => fault::rejected("BEHALF_LDAP_USER_FILTER is no filter"),
        LdapError::EndOfStream | LdapError::ResultRecv { .. } | LdapError::OpSend { .. } => {
            unavailable("the connection broke")
        }
        other => unavailable(other.to_string()),
    }
}
