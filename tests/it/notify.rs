//! Notifications: made once of each event, sent at least once, to a real receiver and a real mail server.

mod addresses;
mod delivery;
mod making;
mod processes;
mod receiver;
mod routes;
mod smtp;

use std::{collections::BTreeSet, sync::Arc};

use behalf::{
    adapters::notify::{
        email::{self, Security, Smtp},
        guard::SystemLookup,
        webhook::{Settings, SignedWebhook},
    },
    app::{
        Services, Tenant,
        notify::{
            Outlet, Outlets, Way, make, records as own,
            send::{self, Outcome},
        },
        records,
    },
    domain::{
        audit::{Actor, Code, Event},
        ids::{EventId, TenantName},
        notice::{Channel, Notification, TOPICS},
    },
    ports::store::{Change, Committed, Page},
};
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::support::test_app::{TestApp, refresh_hook};
use receiver::Receiver;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const OTHER_SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";

fn key_of(secret: &str) -> Vec<u8> {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap()
}

fn default_tenant() -> TenantName {
    TenantName::default_tenant()
}

fn every_kind() -> BTreeSet<String> {
    TOPICS.iter().map(|topic| topic.kind.to_owned()).collect()
}

/// A webhook to that address, signed with both secrets.
fn webhook(name: &str, url: &str) -> Outlet {
    let keys = [key_of(SECRET), key_of(OTHER_SECRET)];
    let settings = Settings {
        url: url.parse().unwrap(),
        keys: keys.iter().map(Vec::as_slice).collect(),
        allow_private: true,
        ca_file: None,
    };
    let webhook = SignedWebhook::new(&settings, Arc::new(SystemLookup)).unwrap();
    Outlet::new(Channel::Webhook(name.to_owned()), Way::Webhook(Arc::new(webhook)), every_kind())
}

/// E-mail through a server on this machine, without TLS.
fn email(port: u16) -> Outlet {
    let settings = email::Settings {
        host: "127.0.0.1",
        port,
        security: Security::None,
        credentials: None,
        from: "behalf <noreply@example.test>".parse().unwrap(),
        ca_file: None,
    };
    email_with(Smtp::new(settings).unwrap())
}

fn email_with(smtp: Smtp) -> Outlet {
    Outlet::new(Channel::Email, Way::Email { mailer: Arc::new(smtp), attribute: "email".to_owned() }, every_kind())
}

fn outlets(all: Vec<Outlet>) -> Outlets {
    Outlets { all, base_url: "https://people.example.test/behalf/".to_owned() }
}

/// The application with ways to tell people; nothing is told of what was before.
struct Rig {
    app: TestApp,
    outlets: Outlets,
}

impl Rig {
    async fn new(all: Vec<Outlet>) -> Self {
        Self::over(TestApp::new().await, all).await
    }

    async fn over(app: TestApp, all: Vec<Outlet>) -> Self {
        make::begin(&app.services, &default_tenant()).await.unwrap();
        Self { app, outlets: outlets(all) }
    }

    fn services(&self) -> &Services {
        &self.app.services
    }

    fn tenant(&self) -> &Tenant {
        self.app.services.tenant(&default_tenant()).unwrap()
    }

    /// Ann acts for Bob once: an event, written by a hook.
    async fn act(&self, event: &str) {
        let id = self.app.begin().await;
        let (status, body) = self.app.deliver(&refresh_hook(event, Some(&id)).to_string()).await;
        assert!(status == 200 && body.contains("on_behalf"), "{body}");
    }

    /// Writes an event of that type, made up.
    async fn write(&self, kind: &str, shape: impl FnOnce(Event) -> Event) -> EventId {
        let now = self.services().store.read(&default_tenant(), &[]).await.unwrap().now;
        let ann = Actor { kind: "user".into(), id: "00uann".into(), login: Some("ann@example.test".into()) };
        let mut event = self.services().event(&default_tenant(), Code::HookGranted, ann, now);
        kind.clone_into(&mut event.kind);
        let event = shape(event);
        let id = event.id.clone();
        let late = now + SignedDuration::from_secs(10);
        let events = records::encode_events(&[event]).unwrap();
        let change = Change { events, ..Change::new(self.services().change_id(), late) };
        let done = self.services().store.commit(&default_tenant(), change).await.unwrap();
        assert!(matches!(done, Committed::Done(_)));
        id
    }

    /// Ann asks for an approval that these may decide about.
    async fn ask(&self, approvers: &[&str]) -> EventId {
        self.write("approval.requested", |event| {
            event.on("approval", &"apr_x").on("agent", &"00uann").detail("approvers", json!(approvers))
        })
        .await
    }

    async fn make(&self) -> usize {
        let mut made = 0;
        loop {
            let pass = make::pass(self.services(), &default_tenant(), &self.outlets, "me").await.unwrap();
            made += pass.notifications;
            if !pass.more {
                return made;
            }
        }
    }

    /// One pass of the sender of that way.
    async fn send(&self, way: usize) -> Vec<Outcome> {
        self.send_as(way, "me").await
    }

    async fn send_as(&self, way: usize, holder: &str) -> Vec<Outcome> {
        let outlet = &self.outlets.all[way];
        send::pass(self.services(), self.tenant(), &self.outlets, outlet, holder).await.unwrap().outcomes
    }

    /// All notifications in that state, newest first.
    async fn in_state(&self, name: &str) -> Vec<Notification> {
        let page = Page { up_to: u64::MAX, after: None, limit: 1000 };
        let found = self.services().store.list(&default_tenant(), own::in_state(name), page).await.unwrap();
        found.readable().map(|(_, _, record)| records::decode(record).unwrap()).collect()
    }

    /// Events with that code.
    async fn coded(&self, code: &str) -> Vec<Event> {
        self.app.events().await.into_iter().filter(|event| event.code == code).collect()
    }
}

fn header<'a>(seen: &'a receiver::Seen, name: &str) -> &'a str {
    seen.headers.get(name).map(String::as_str).unwrap_or_default()
}

fn payload(seen: &receiver::Seen) -> Value {
    serde_json::from_str(&seen.body).unwrap()
}
