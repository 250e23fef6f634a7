//! Approvals that an application asks for on its own. Who decides is its own template's business; no hook ever uses one.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::{
    Found, Refused, TEMPLATE_FORM, eligible, events, not_bound, read,
    records::{self, OfApplication, Roster, RosterEntry},
    with_room,
};
use crate::{
    app::{
        Services, Tenant, application::ApplicationCaller, epoch, error::AppError, grants::find_user, records as all,
    },
    domain::{
        approval::{
            Approval, ApprovalId, Asked, Opening, State, Template,
            application::FromApplication,
            request::{Action, ApplicationData, Request, TemplateRef, Ticket},
            template::Demand,
        },
        audit::{Actor, Code},
        delegation::Party,
        ids::{ClientId, UserRef},
        reason::Reason,
    },
    ports::{
        entropy,
        store::{Change, Expect},
    },
    trace,
};

/// What an application asks for. Texts are checked already.
pub struct Wanted<'a> {
    /// About whom; he can't decide about it.
    pub user: &'a UserRef,
    /// What it is about, in the application's words.
    pub said: FromApplication,
    /// Why.
    pub reason: Option<String>,
    /// A ticket number.
    pub ticket: Option<String>,
}

/// Asks for an approval, or finds the same request while it waits or stands. True: it is new.
pub async fn ask(
    services: &Services,
    tenant: &Tenant,
    caller: &ApplicationCaller,
    wanted: Wanted<'_>,
) -> Result<(Approval, bool), AppError> {
    let template = caller.application.approval.as_ref().ok_or(Reason::Internal)?;
    let user = find_user(&*tenant.directory, wanted.user).await?.ok_or(AppError::NotFound("user"))?;
    let user = Party::of(&user);
    let run = Ask { services, tenant, caller, template, user, wanted };
    let done = match run.check().await {
        Ok(()) => run.find_or_open().await,
        Err(error) => Err(error),
    };
    if let Err(AppError::Approval(refused)) = &done {
        run.write_refusal(refused.code()).await;
    }
    done
}

struct Ask<'a> {
    services: &'a Services,
    tenant: &'a Tenant,
    caller: &'a ApplicationCaller,
    template: &'a Template,
    user: Party,
    wanted: Wanted<'a>,
}

impl Ask<'_> {
    async fn check(&self) -> Result<(), AppError> {
        let Wanted { reason, ticket, .. } = &self.wanted;
        if self.template.reason == Demand::Required && reason.is_none() {
            return Err(Refused::ReasonRequired.into());
        }
        if self.template.ticket == Demand::Required && ticket.is_none() {
            return Err(Refused::TicketRequired.into());
        }
        eligible::check(self.tenant, self.template, &[&self.user.id]).await
    }

    async fn find_or_open(&self) -> Result<(Approval, bool), AppError> {
        let roster_key = records::roster_of_application(&self.caller.application.uri, &self.user.id);
        let asks = self.fingerprint()?;
        let mut tries = self.services.tries();
        while tries.again().await {
            let keys = [all::epoch_key(), roster_key];
            let snapshot = self.services.store.read(&self.tenant.name, &keys).await?;
            let (epoch, epoch_record) = epoch::of(&snapshot)?;
            let roster = all::find::<Roster>(&snapshot, &roster_key)?.map(|(roster, _)| roster).unwrap_or_default();
            let same = roster.open.iter().find(|entry| entry.asks == asks && snapshot.now < entry.end);
            if let Some(entry) = same
                && let Some(approval) = self.standing(entry.id, epoch.number).await?
            {
                return Ok((approval, false));
            }
            let mut roster = with_room(self.services, self.tenant, roster, &asks, snapshot.now).await?;
            let approval = self.opened(epoch.number, snapshot.now)?;
            let (id, key) = (approval.id, records::key(approval.id));
            roster.open.push(RosterEntry { id, asks: asks.clone(), end: approval.latest_end() });
            let put = records::put(&approval)?;
            if put.body.len() > records::MOST_BYTES {
                return Err(Refused::TooLong.into());
            }
            let event = events::requested(self.services, &self.tenant.name, &approval, snapshot.now);
            let change = Change {
                expect: vec![
                    (key, Expect::Absent),
                    (all::epoch_key(), Expect::Version(epoch_record.version)),
                    (roster_key, snapshot.as_seen(&roster_key)),
                ],
                puts: vec![records::put_roster_at(roster_key, &roster, snapshot.now)?, put],
                events: all::encode_events(&[event.in_request(self.caller.request.as_deref())])?,
                ..Change::new(self.services.change_id(), self.services.not_after(snapshot.now, self.tenant))
            };
            if self.services.settle(&self.tenant.name, change, key).await?.stands() {
                let (Found { approval, .. }, _) = read(self.services, self.tenant, id).await?;
                return Ok((approval, true));
            }
        }
        Err(Reason::Busy.into())
    }

    fn fingerprint(&self) -> Result<String, AppError> {
        let Wanted { said, reason, ticket, .. } = &self.wanted;
        let data = said.data().map_err(|fault| invalid("context", &fault))?;
        let asks = OfApplication {
            title: &said.title,
            subject: said.subject.as_deref(),
            data: &data,
            template: self.template,
            reason: reason.as_deref(),
            ticket: ticket.as_deref(),
        };
        Ok(asks.fingerprint())
    }

    /// The approval of the roster, unless it is over or void.
    async fn standing(&self, id: ApprovalId, epoch: u64) -> Result<Option<Approval>, AppError> {
        let snapshot = self.services.store.read(&self.tenant.name, &[records::key(id)]).await?;
        let found = Found::in_snapshot(&snapshot, id)?.map(|found| found.approval);
        Ok(found.filter(|it| !matches!(it.state, State::Closed(_)) && it.epoch == epoch))
    }

    fn opened(&self, epoch: u64, now: Timestamp) -> Result<Approval, AppError> {
        let Wanted { said, reason, ticket, .. } = &self.wanted;
        let uri = &self.caller.application.uri;
        let id = ApprovalId::mint(now, entropy::bytes(&*self.services.entropy));
        let client = ClientId::parse(uri.as_str()).map_err(|_| Reason::Internal)?;
        let asked = Asked {
            requester: self.user.clone(),
            delegator: self.user.clone(),
            client,
            issuer: self.tenant.issuer.clone(),
            scopes: BTreeSet::new(),
            reason: reason.clone(),
            ticket: ticket.clone(),
            application: Some(said.clone()),
        };
        let rule = format!("application {uri}");
        let data = ApplicationData {
            uri: uri.clone(),
            title: said.title.clone(),
            subject: said.subject.clone(),
            data: said.data().map_err(|fault| invalid("context", &fault))?,
        };
        let request = Request {
            tenant: self.tenant.name.clone(),
            request_id: id.to_string(),
            request_version: 1,
            action: Action::Application,
            requester: asked.requester.clone(),
            subject: asked.delegator.clone(),
            client_id: asked.client.clone(),
            issuer: asked.issuer.clone(),
            scopes: asked.scopes.clone(),
            roles: BTreeSet::new(),
            not_before: now,
            max_duration_s: u64::try_from(self.template.valid_for.as_secs()).unwrap_or(0),
            uses: self.template.max_uses,
            justification: asked.reason.clone(),
            ticket: asked.ticket.clone().map(|id| Ticket { id, system: None }),
            template: TemplateRef { id: rule.clone(), version: TEMPLATE_FORM, digest: self.template.digest() },
            expires_at: now.saturating_add(self.template.decide_within).unwrap_or(Timestamp::MAX),
            application: Some(data),
        };
        let (binding, _) = request.bind().map_err(|error| not_bound(&error))?;
        let template = self.template.clone();
        let opened = Approval::open(Opening { id, asked, rule, template, binding, epoch }, now);
        Ok(Approval { trace: trace::here(), ..opened })
    }

    async fn write_refusal(&self, exact: &'static str) {
        let (services, tenant, caller) = (self.services, self.tenant, self.caller);
        services
            .record(tenant, |now| {
                services
                    .event(&tenant.name, Code::ApprovalRefused, Actor::application(&caller.application.uri), now)
                    .failed_with(exact)
                    .in_request(caller.request.as_deref())
                    .on("user", &self.user.id)
                    .detail("operation", "request")
            })
            .await;
    }
}

fn invalid(field: &'static str, fault: &dyn std::fmt::Display) -> AppError {
    AppError::Invalid { field, problem: fault.to_string() }
}
