//! Who calls, if it is an application: an HS256 token with one of its keys, each good for one change.

mod registry;

use jiff::{SignedDuration, Timestamp};

pub use self::registry::{Refused, Registry};
use super::{Services, Tenant, error::AppError, records};
use crate::{
    domain::{
        application::{Accepted, Application, Fault, JwtId, LEEWAY},
        audit::{Actor, Code},
        ids::{ApplicationUri, RecordId},
    },
    ports::store::{Change, Expect, IndexRow, Key, Kind, Put, StoreError},
};
use std::sync::Arc;

const TOKEN: Kind = Kind(13);

/// An authenticated application.
#[derive(Debug, Clone)]
pub struct ApplicationCaller {
    /// Which one.
    pub application: Arc<Application>,
    /// What its token says.
    pub token: Accepted,
    /// The id of the request it calls with, for the audit trail.
    pub request: Option<String>,
}

impl ApplicationCaller {
    /// The application, for the audit trail.
    pub fn actor(&self) -> Actor {
        Actor::application(&self.application.uri)
    }
}

/// Why nobody was authenticated.
#[derive(Debug, thiserror::Error)]
pub enum NotAuthenticated {
    /// The token is no good. The caller isn't told why; log and audit trail are.
    #[error("the token is refused: {0}")]
    Refused(Fault),
    /// It couldn't be found out whether it was used before.
    #[error(transparent)]
    Failed(#[from] AppError),
}

/// What a request does with its token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Looks; the token can do so again.
    Look,
    /// Changes something: the token is used up, whatever becomes of the request.
    Change,
}

/// An application whose token is good, as long as it wasn't used up before.
pub struct Proven {
    caller: ApplicationCaller,
    now: Timestamp,
}

/// The application that signed this token. Reads and writes nothing but the event of a refusal, so that it can be asked
/// before anybody's requests are counted.
pub async fn prove(
    services: &Services,
    tenant: &Tenant,
    token: &str,
    request: Option<String>,
) -> Result<Proven, NotAuthenticated> {
    let now = services.clock.now();
    match tenant.applications.verify(token, now) {
        Ok((application, token)) => Ok(Proven { caller: ApplicationCaller { application, token, request }, now }),
        Err(refused) => Err(refuse(services, tenant, refused, request.as_deref()).await),
    }
}

impl Proven {
    /// Which one it is.
    pub fn uri(&self) -> &ApplicationUri {
        &self.caller.application.uri
    }

    /// Lets it in. A token that is used up is so before anything is done with it: what is lost on the way must be asked
    /// for with a new one.
    pub async fn admit(
        self,
        services: &Services,
        tenant: &Tenant,
        purpose: Purpose,
    ) -> Result<ApplicationCaller, NotAuthenticated> {
        let Self { caller, now } = self;
        let uri = &caller.application.uri;
        if purpose == Purpose::Change && !spend(services, tenant, uri, &caller.token, now).await? {
            let refused = Refused { application: Some(uri.clone()), fault: Fault::Replayed };
            return Err(refuse(services, tenant, refused, caller.request.as_deref()).await);
        }
        Ok(caller)
    }
}

/// Uses the token up. False: it was before.
async fn spend(
    services: &Services,
    tenant: &Tenant,
    application: &ApplicationUri,
    token: &Accepted,
    now: Timestamp,
) -> Result<bool, AppError> {
    let key = token_key(application, &token.id);
    let snapshot = services.store.read(&tenant.name, &[key]).await?;
    if snapshot.get(&key).is_some() {
        return Ok(false);
    }
    // The store's clock may be another than ours: what counts is how long the token can still be shown to us.
    let left = token.over.duration_since(now).saturating_add(LEEWAY);
    let change = Change {
        expect: vec![(key, Expect::Absent)],
        puts: vec![put_token(key, application, snapshot.now, left)?],
        ..Change::new(services.change_id(), services.not_after(snapshot.now, tenant))
    };
    Ok(services.settle(&tenant.name, change, key).await?.stands())
}

fn token_key(application: &ApplicationUri, id: &JwtId) -> Key {
    Key { kind: TOKEN, id: RecordId::natural(&["application-token", application.as_str(), id.as_str()]) }
}

fn put_token(key: Key, application: &ApplicationUri, now: Timestamp, left: SignedDuration) -> Result<Put, StoreError> {
    let end = now.saturating_add(left).unwrap_or(Timestamp::MAX);
    let indexes = vec![IndexRow { index: records::droppable(), sort: records::millis(end) }];
    Ok(Put { key, body: records::encode(application)?, live_until: None, drop_at: Some(end), indexes })
}

/// Logs why, and writes it down where an application is named: once a minute for each reason, because anybody can send
/// a token that names it.
async fn refuse(services: &Services, tenant: &Tenant, refused: Refused, request: Option<&str>) -> NotAuthenticated {
    let Refused { application, fault } = refused;
    let named = application.as_ref().map_or("-", ApplicationUri::as_str);
    tracing::info!(tenant = %tenant.name, application = named, why = %fault, "an application's token was refused");
    if let Some(uri) = application
        && tenant.applications.is_first(&tenant.name, &uri, fault, services.clock.now())
    {
        services
            .record(tenant, |now| {
                services
                    .event(&tenant.name, Code::ApplicationRefused, Actor::application(&uri), now)
                    .failed_with(&fault.to_string())
                    .in_request(request)
            })
            .await;
    }
    NotAuthenticated::Refused(fault)
}
