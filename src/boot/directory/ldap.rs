//! LDAP servers as the configuration names them.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use crate::{
    adapters::{
        directory::{
            entries::{Entries, Lanes},
            ldap::{self, Kind, LdapDirectory, Names, Security, Server, Settings, Trust},
        },
        finding::Finding,
    },
    boot::tenant::Parts,
    config::{self, LDAP_ROLES, LdapKind, LdapSecurity, LdapServer, LdapSettings, is_attribute},
};

/// How long an answer may take that nobody's token waits for.
const INSPECTION: Duration = Duration::from_secs(5);

/// Connections of their own for hooks, so that nothing else holds them up.
pub(super) fn lanes(servers: &LdapSettings, tenant: &config::Tenant, parts: &Parts<'_>) -> Result<Lanes, String> {
    let trust = Trust::load(parts.ca_file)?;
    let lane = |connections| -> Arc<dyn Entries> {
        // A call ends before its deadline does, so that a connection that is silent is known for it.
        let timeout = tenant.budgets.directory * 3 / 4;
        let settings = settings(servers, tenant, connections, timeout);
        let (clock, entropy) = (Arc::clone(parts.clock), Arc::clone(parts.entropy));
        Arc::new(LdapDirectory::new(settings, trust.clone(), clock, entropy))
    };
    Ok(Lanes { hooks: lane(servers.connections), others: lane(servers.connections.div_ceil(4)) })
}

/// What `check` says.
pub(super) async fn inspect(servers: &LdapSettings, tenant: &config::Tenant, parts: &Parts<'_>) -> Vec<Finding> {
    let trust = match Trust::load(parts.ca_file) {
        Ok(trust) => trust,
        Err(why) => return vec![Finding::error(why)],
    };
    ldap::inspect(&settings(servers, tenant, 1, INSPECTION), &trust, parts.clock, parts.entropy).await
}

fn settings(servers: &LdapSettings, tenant: &config::Tenant, connections: usize, timeout: Duration) -> Settings {
    Settings {
        servers: servers.servers.iter().map(server).collect(),
        bind_dn: servers.bind_dn.clone(),
        password: servers.bind_password.clone(),
        base: servers.base.clone(),
        kind: match servers.kind {
            LdapKind::OpenLdap => Kind::OpenLdap,
            LdapKind::Ds389 => Kind::Ds389,
            LdapKind::ActiveDirectory => Kind::ActiveDirectory,
        },
        names: names(&servers.attributes, tenant),
        user_filter: servers.user_filter.clone(),
        connections,
        timeout,
    }
}

fn server(server: &LdapServer) -> Server {
    let security = match server.security {
        LdapSecurity::Tls => Security::Tls,
        LdapSecurity::StartTls => Security::StartTls,
        LdapSecurity::Clear => Security::Clear,
    };
    Server { host: server.host.clone(), port: server.port, security }
}

fn names(map: &BTreeMap<String, String>, tenant: &config::Tenant) -> Names {
    let role = |name: &str| map.get(name).cloned().unwrap_or_default();
    let mut profile: BTreeMap<String, String> = map.clone();
    profile.retain(|ours, _| !LDAP_ROLES.contains(&ours.as_str()));
    // What becomes a claim and isn't in the map is called there as it is called here.
    let claims = tenant.claims.access.iter().chain(&tenant.claims.identity).map(|claim| &claim.attribute);
    for name in claims.chain(&tenant.claims.subject_attribute).filter(|name| is_attribute(name)) {
        if !matches!(name.as_str(), "id" | "login") {
            profile.entry(name.clone()).or_insert_with(|| name.clone());
        }
    }
    Names {
        id: role("id"),
        login: role("login"),
        agents: role("agents"),
        groups: role("groups"),
        user_type: map.get("type").cloned(),
        class: role("class"),
        profile,
    }
}
