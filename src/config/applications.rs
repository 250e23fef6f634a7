//! What applications of all tenants need, and must not share.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Tenant,
    mistakes::{Findings, Read, Recorded, fault},
    reader::Reader,
    settings,
    source::Sources,
};
use crate::domain::{application::Right, ids::TenantName};

/// Checks what no tenant alone can be wrong about.
pub(super) fn check(tenants: &BTreeMap<TenantName, Tenant>, sources: &Sources, found: &mut Findings) -> Read<()> {
    let issuers = issuers_are_none(tenants, found);
    let settings = settings_are_given(tenants, sources, found);
    shared_keys(tenants, found);
    issuers.and(settings)
}

/// `iss` alone tells whose token it is.
fn issuers_are_none(tenants: &BTreeMap<TenantName, Tenant>, found: &mut Findings) -> Read<()> {
    let issuers: BTreeSet<&str> = tenants.values().map(|tenant| tenant.issuer.as_str()).collect();
    let mut all_well = Ok(());
    for (name, tenant) in tenants {
        for (at, application) in tenant.applications.iter().enumerate() {
            if issuers.contains(application.uri.as_str()) {
                let key = format!("tenants.{name}.applications[{at}]");
                let what = format!("its URI `{}` is the issuer of a tenant", application.uri);
                found.mistake_at(&key, key.clone(), fault(what, "give the application a name of its own"));
                all_well = Err(Recorded);
            }
        }
    }
    all_well
}

fn settings_are_given(tenants: &BTreeMap<TenantName, Tenant>, sources: &Sources, found: &mut Findings) -> Read<()> {
    let all = || tenants.values().flat_map(|tenant| &tenant.applications);
    let needed = [
        (&settings::APPLICATIONS_AUDIENCE, all().next().is_some(), "a tenant has `applications`"),
        (&settings::OTP_KEY, all().any(|it| it.may.contains(&Right::Otp)), "an application may have codes checked"),
    ];
    let mut reader = Reader::new(sources, found);
    let mut all_well = Ok(());
    for (setting, needed, why) in needed {
        if needed && !reader.is_given(setting) {
            all_well = Err(reader.wrong(setting, fault(format!("is missing, and {why}"), "give it a value")));
        }
    }
    all_well
}

/// Whoever has a key of two tenants' applications is good for both of them.
fn shared_keys(tenants: &BTreeMap<TenantName, Tenant>, found: &mut Findings) {
    let mut seen: BTreeMap<&[u8], (&TenantName, &str)> = BTreeMap::new();
    for (name, tenant) in tenants {
        for application in &tenant.applications {
            for key in &application.keys {
                let Some((other, uri)) = seen.insert(key.expose(), (name, application.uri.as_str())) else { continue };
                found.warnings.push(format!(
                    "key `tenants.{name}.applications`: `{}` has a key of `{uri}` of tenant `{other}`; give each its own",
                    application.uri
                ));
            }
        }
    }
}
