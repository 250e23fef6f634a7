//! A tenant: one identity provider, one directory, one policy.

use super::{mistakes::Read, parse, reader::Reader, rules, settings};
use std::sync::Arc;

use crate::domain::{
    application::Application,
    claims::{ClaimsPolicy, LifetimeBounds},
    hook::RefusalForm,
    ids::{Issuer, TenantName},
    rule::Rule,
    shared_account::SharedAccounts,
};
pub(super) use applications::KEY as APPLICATIONS;
pub use callers::{ClaimRole, HookBearer, HookCallers, HookHeader};
pub(super) use callers::{api_scope, hook_header};
pub use delegation::{Budgets, DelegationSettings};
pub use directory::{
    DirectoryKind, DirectorySettings, EmbeddedSettings, LDAP_ROLES, LdapKind, LdapSecurity, LdapServer, LdapSettings,
    OktaCredentials, OktaSettings, ScimSettings, UserTypes, is_attribute,
};
pub(super) use directory::{okta, user_types};
pub use keys::KeySettings;
pub use notify::{EmailSecurity, EmailSettings, NotifySettings, WebhookKey, WebhookSettings};
pub(super) use shared_accounts::KEY as SHARED_ACCOUNTS;

mod applications;
mod callers;
mod claims;
mod delegation;
mod directory;
mod keys;
mod notify;
mod shared_accounts;

/// One tenant's configuration.
#[derive(Debug, Clone)]
pub struct Tenant {
    /// The authorization server whose hooks and tokens are taken.
    pub issuer: Issuer,
    /// `aud` of the tokens that may call the API.
    pub audience: String,
    /// Whose hook it is.
    pub dialect: DialectKind,
    /// Who may call the hook. At least one way is given.
    pub hook: HookCallers,
    /// Where users are looked up.
    pub directory: DirectorySettings,
    /// Scope that a token needs to change anything; `None`: not asked for (old variables).
    pub api_scope: Option<String>,
    /// Claim of a user's token that names him by the hook's id.
    pub user_claim: String,
    /// How delegated tokens look.
    pub claims: ClaimsPolicy,
    /// The directory's user types.
    pub user_types: UserTypes,
    /// Bounds of delegations.
    pub delegation: DelegationSettings,
    /// What refusals and failures do to the token.
    pub refusal: RefusalForm,
    /// Who is an administrator; `None`: nobody.
    pub admin: Option<ClaimRole>,
    /// Who may skip votes in an emergency; `None`: nobody.
    pub break_glass: Option<ClaimRole>,
    /// What approvers' keys must come through.
    pub keys: KeySettings,
    /// The rules, first match wins.
    pub rules: Vec<Rule>,
    /// Accounts that are used by reservation.
    pub shared: SharedAccounts,
    /// How people are told of what concerns them; `None`: not at all.
    pub notify: Option<NotifySettings>,
    /// Applications without OIDC.
    pub applications: Vec<Arc<Application>>,
    /// Time that a hook may take.
    pub budgets: Budgets,
}

/// The wire contract of an identity provider's hook.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DialectKind {
    /// Okta's token inline hook.
    Okta,
}

impl DialectKind {
    /// Seconds between which it can set a token's lifetime.
    pub fn lifetime_bounds(self) -> Option<LifetimeBounds> {
        match self {
            Self::Okta => Some((300, 86_400)),
        }
    }
}

pub(super) fn tenant(name: &TenantName, r: &mut Reader<'_>) -> Read<Tenant> {
    let parse_issuer = parse::issuer(r.sources.development);
    let dialect = r.value(&settings::DIALECT, parse::choice(&[("okta", DialectKind::Okta)]));
    let issuer = r.value(&settings::ISSUER, &parse_issuer);
    let audience = r.value(&settings::AUDIENCE, parse::text);
    let hook = callers::hook_callers(r, issuer.as_ref().ok());
    let directory = directory::directory(r);
    let api_scope = callers::api_scope(name, r);
    let user_claim = r.value(&settings::USER_CLAIM, parse::word);
    let mut claims = claims::claims(r);
    let user_types = directory::user_types(r);
    directory::types_are_told(r, directory.as_ref().ok(), user_types.as_ref().ok());
    let delegation = delegation::delegation(r);
    let refusal = delegation::refusal(r);
    let admin = callers::admin(r);
    let break_glass = callers::break_glass(r);
    let at = format!("tenants.{name}.rules");
    let bounds = dialect.as_ref().ok().and_then(|dialect| dialect.lifetime_bounds());
    let rules = rules::rules(&at, r.sources.in_file(&at), bounds, r.found);
    let shared = shared_accounts::shared_accounts(name, r);
    if let (Ok(claims), Ok(shared)) = (&mut claims, &shared)
        && shared.is_empty()
    {
        // Where nobody reserves anything, the name is anybody's.
        claims.names.reserved_by = None;
    }
    let applications = applications::applications(name, r, shared.as_ref().ok());
    let keys = keys::keys(r);
    let at = format!("tenants.{name}.notify");
    let place = (r.sources.dir.as_path(), r.sources.development);
    let notify = notify::notify(&at, r.sources.in_file(&at), place, r.found);
    let budgets = delegation::budgets(r);
    Ok(Tenant {
        issuer: issuer?,
        audience: audience?,
        dialect: dialect?,
        hook: hook?,
        directory: directory?,
        api_scope: api_scope?,
        user_claim: user_claim?,
        claims: claims?,
        user_types: user_types?,
        delegation: delegation?,
        refusal: refusal?,
        admin: admin?,
        break_glass: break_glass?,
        keys: keys?,
        rules: rules?,
        shared: shared?,
        notify: notify?,
        applications: applications?,
        budgets: budgets?,
    })
}
