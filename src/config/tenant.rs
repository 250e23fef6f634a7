//! A tenant: one identity provider, one directory, one policy.

use std::{path::PathBuf, time::Duration};

use secrecy::{ExposeSecret, SecretString};

use super::{
    duration::{duration_within, spell},
    mistakes::{Fault, Read, fault},
    parse,
    reader::Reader,
    rules,
    settings::{self, Setting},
};
use crate::domain::{
    claims::{ClaimNames, ClaimsPolicy, MappedClaim, MissingAttributes},
    hook::{OnRefusal, RefusalForm},
    ids::{Issuer, TenantName},
    rule::Rule,
};

/// How long Okta waits for a hook's answer (Okta, token inline hook: 3 s, one attempt).
const OKTA_WAITS: Duration = Duration::from_secs(3);

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
    /// The rules, first match wins.
    pub rules: Vec<Rule>,
    /// Time that a hook may take.
    pub budgets: Budgets,
}

/// The wire contract of an identity provider's hook.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DialectKind {
    /// Okta's token inline hook.
    Okta,
}

/// How the identity provider proves that it calls.
#[derive(Debug, Clone)]
pub struct HookCallers {
    /// The header that carries the secret, in lower case.
    pub header: String,
    /// None, one or two values of it, all accepted.
    pub secrets: Vec<SecretString>,
    /// The OAuth token it may send instead.
    pub bearer: Option<HookBearer>,
}

/// What the identity provider's own OAuth token must say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HookBearer {
    /// `iss`, and where its keys are found.
    pub issuer: Issuer,
    /// `aud`.
    pub audience: String,
    /// `cid`.
    pub cid: String,
    /// One of `scp`.
    pub scope: String,
}

/// The embedded directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirectorySettings {
    /// Its users; `None`: none was named and the default isn't there, so that nobody is known.
    pub users_file: Option<PathBuf>,
    /// How often the file is looked at.
    pub reload: Duration,
}

/// Ids of the directory's user types.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UserTypes {
    /// Ordinary users.
    pub user: Option<String>,
    /// The only type that can be a delegator; `None`: any can.
    pub delegatable: Option<String>,
    /// Entities.
    pub entity: Option<String>,
}

/// Bounds of delegations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DelegationSettings {
    /// How long an id can be used, 10 s to 120 s.
    pub life: Duration,
    /// Unused ids of one agent at a time.
    pub max_pending: u32,
}

/// A role by a claim of the user's token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimRole {
    /// The claim.
    pub claim: String,
    /// What it is, or contains.
    pub value: String,
}

/// Time that a hook may take. `directory + commit < hook <` the identity provider's patience.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budgets {
    /// In all.
    pub hook: Duration,
    /// The directory's part.
    pub directory: Duration,
    /// The commit's part.
    pub commit: Duration,
}

pub(super) fn tenant(name: &TenantName, r: &mut Reader<'_>) -> Read<Tenant> {
    let parse_issuer = parse::issuer(r.sources.development);
    let dialect = r.value(&settings::DIALECT, parse::choice(&[("okta", DialectKind::Okta)]));
    let issuer = r.value(&settings::ISSUER, &parse_issuer);
    let audience = r.value(&settings::AUDIENCE, parse::text);
    let hook = hook_callers(r, issuer.as_ref().ok());
    let directory = directory(name, r);
    let api_scope = api_scope(name, r);
    let user_claim = r.value(&settings::USER_CLAIM, parse::word);
    let claims = claims(r);
    let user_types = user_types(r);
    let delegation = delegation(r);
    let refusal = refusal(r);
    let admin = admin(r);
    let at = format!("tenants.{name}.rules");
    let rules = rules::rules(&at, r.sources.in_file(&at), r.found);
    let budgets = budgets(r);
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
        rules: rules?,
        budgets: budgets?,
    })
}

fn hook_callers(r: &mut Reader<'_>, issuer: Option<&Issuer>) -> Read<HookCallers> {
    let header = r.value(&settings::HOOK_HEADER, |text| match http::HeaderName::from_bytes(text.as_bytes()) {
        Ok(name) => Ok(name.as_str().to_owned()),
        Err(_) => Err(fault(format!("`{text}` is no header's name"), "give one such as `authorization`")),
    });
    let first = r.secret(&settings::HOOK_SECRET);
    let second = r.secret(&settings::HOOK_SECRET_2);
    let bearer = bearer(r, issuer);
    let (first, second, bearer) = (first?, second?, bearer?);
    if first.is_none() && second.is_none() && bearer.is_none() {
        let remedy =
            format!("give the secret that the hook's caller sends, or {} and its like", settings::BEARER_CID.env);
        return Err(r.wrong(&settings::HOOK_SECRET, fault("is missing: anybody could call the hook", remedy)));
    }
    let secrets: Vec<_> = [first, second].into_iter().flatten().collect();
    if secrets.iter().any(|secret| secret.expose_secret().len() < 16) {
        let warning =
            format!("{}: a secret of fewer than 16 characters can be guessed", r.place(&settings::HOOK_SECRET));
        r.found.warnings.push(warning);
    }
    Ok(HookCallers { header: header?, secrets, bearer })
}

fn bearer(r: &mut Reader<'_>, tenants: Option<&Issuer>) -> Read<Option<HookBearer>> {
    let parse_issuer = parse::issuer(r.sources.development);
    let issuer = r.optional(&settings::BEARER_ISSUER, parse_issuer);
    let audience = r.optional(&settings::BEARER_AUDIENCE, parse::text);
    let cid = r.optional(&settings::BEARER_CID, parse::word);
    let scope = r.optional(&settings::BEARER_SCOPE, parse::scope);
    let (issuer, audience, cid, scope) = (issuer?, audience?, cid?, scope?);
    if issuer.is_none() && audience.is_none() && cid.is_none() && scope.is_none() {
        return Ok(None);
    }
    let audience = present(r, &settings::BEARER_AUDIENCE, audience);
    let cid = present(r, &settings::BEARER_CID, cid);
    let scope = present(r, &settings::BEARER_SCOPE, scope);
    let (audience, cid, scope) = (audience?, cid?, scope?);
    // Without a tenant's issuer there is a mistake on the list already.
    let issuer = issuer.or_else(|| tenants.cloned());
    Ok(issuer.map(|issuer| HookBearer { issuer, audience, cid, scope }))
}

fn present<T>(r: &mut Reader<'_>, setting: &Setting, value: Option<T>) -> Read<T> {
    value.ok_or_else(|| {
        r.wrong(setting, fault("is missing beside the other settings of the bearer token", "give it, or none"))
    })
}

fn directory(name: &TenantName, r: &mut Reader<'_>) -> Read<DirectorySettings> {
    let kind = r.value(&settings::DIRECTORY, |text| match text {
        "embedded" => Ok(()),
        _ => Err(fault(format!("`{text}` comes with a later version, or is none"), "use `embedded`")),
    });
    let default_tenant = *name == TenantName::default_tenant();
    let okta = if default_tenant && r.is_given(&settings::TENANT) {
        let remedy = "leave TENANT out to use the embedded directory";
        Err(r.wrong(&settings::TENANT, fault("selects the Okta directory, which comes with a later version", remedy)))
    } else {
        Ok(())
    };
    if default_tenant && r.is_given(&settings::TOKEN) && okta.is_ok() {
        r.found.warnings.push("TOKEN is for the Okta directory and isn't used without TENANT".to_owned());
    }
    let named = r.is_given(&settings::USERS_FILE);
    let users_file = if named { r.existing_file(&settings::USERS_FILE) } else { Ok(default_users(r)) };
    let reload = r.value(&settings::RELOAD, duration_within(Duration::from_millis(100)..=Duration::from_hours(24)));
    kind?;
    okta?;
    Ok(DirectorySettings { users_file: users_file?, reload: reload? })
}

fn default_users(r: &mut Reader<'_>) -> Option<PathBuf> {
    let path = r.sources.dir.join(settings::USERS_FILE.default);
    if path.is_file() {
        return Some(path);
    }
    let warning =
        format!("{}: `{}` isn't there, so the directory knows nobody", r.place(&settings::USERS_FILE), path.display());
    r.found.warnings.push(warning);
    None
}

/// Okta Managed Access asked for no scope: whoever starts us with its variables alone gets what he had.
fn api_scope(name: &TenantName, r: &mut Reader<'_>) -> Read<Option<String>> {
    let old = [&settings::ISSUER, &settings::AUDIENCE, &settings::HOOK_SECRET];
    if r.is_given(&settings::API_SCOPE) || !old.into_iter().any(|setting| r.by_old_name(setting)) {
        return r.value(&settings::API_SCOPE, parse::scope).map(Some);
    }
    r.found.warnings.push(format!(
        "tenant {name} runs with the variables of Okta Managed Access and asks for no scope: any token of the audience \
         may change delegations; set {} to ask for one",
        settings::API_SCOPE.env
    ));
    Ok(None)
}

fn claims(r: &mut Reader<'_>) -> Read<ClaimsPolicy> {
    let names = claim_names(r);
    let subject = r.value(&settings::SUBJECT, parse::word);
    let access = mapped(r, &settings::ACCESS_CLAIMS, names.as_ref().ok());
    let identity = mapped(r, &settings::IDENTITY_CLAIMS, names.as_ref().ok());
    let missing = r.value(
        &settings::MISSING,
        parse::choice(&[("remove", MissingAttributes::Remove), ("keep", MissingAttributes::Keep)]),
    );
    // `None` is the login itself, whatever the profile calls `login`.
    let subject_attribute = Some(subject?).filter(|name| name != settings::SUBJECT.default);
    Ok(ClaimsPolicy { names: names?, subject_attribute, access: access?, identity: identity?, missing: missing? })
}

fn claim_names(r: &mut Reader<'_>) -> Read<ClaimNames> {
    let on_behalf = r.value(&settings::ON_BEHALF, parse::word);
    let on_behalf_sub = r.value(&settings::ON_BEHALF_SUB, parse::word);
    let can_delegate = r.value(&settings::CAN_DELEGATE, parse::word);
    let names = ClaimNames { on_behalf: on_behalf?, on_behalf_sub: on_behalf_sub?, can_delegate: can_delegate? };
    if names.on_behalf == names.on_behalf_sub {
        return Err(r.wrong(&settings::ON_BEHALF_SUB, fault("is the name of another claim too", "give each its own")));
    }
    if [&names.on_behalf, &names.on_behalf_sub].contains(&&names.can_delegate) {
        return Err(r.wrong(&settings::CAN_DELEGATE, fault("is the name of another claim too", "give each its own")));
    }
    Ok(names)
}

fn mapped(r: &mut Reader<'_>, setting: &Setting, names: Option<&ClaimNames>) -> Read<Vec<MappedClaim>> {
    let parse = |text: &str| -> Result<MappedClaim, Fault> {
        MappedClaim::parse(text).map_err(|what| fault(what, "name the attributes, such as `email department=dept`"))
    };
    let claims = r.list(setting, parse)?;
    for (at, MappedClaim { claim, .. }) in claims.iter().enumerate() {
        let ours = names.is_some_and(|n| [&n.on_behalf, &n.on_behalf_sub, &n.can_delegate].contains(&claim));
        if ours {
            let what = format!("`{claim}` is a claim that behalf sets itself");
            return Err(r.wrong(setting, fault(what, "take it out, or rename it with `attribute=claim`")));
        }
        if claims.iter().take(at).any(|before| before.claim == *claim) {
            return Err(r.wrong(setting, fault(format!("two attributes become the claim `{claim}`"), "keep one")));
        }
    }
    Ok(claims)
}

fn user_types(r: &mut Reader<'_>) -> Read<UserTypes> {
    let user = r.optional(&settings::USER_TYPE, parse::word);
    let delegatable = r.optional(&settings::DELEGATED_TYPE, parse::word);
    let entity = r.optional(&settings::ENTITY_TYPE, parse::word);
    Ok(UserTypes { user: user?, delegatable: delegatable?, entity: entity? })
}

fn delegation(r: &mut Reader<'_>) -> Read<DelegationSettings> {
    let life = r.value(&settings::LIFE, duration_within(Duration::from_secs(10)..=Duration::from_mins(2)));
    let max_pending = r.value(&settings::MAX_PENDING, parse::number(1..=100));
    Ok(DelegationSettings { life: life?, max_pending: max_pending? })
}

fn refusal(r: &mut Reader<'_>) -> Read<RefusalForm> {
    const FORMS: &[(&str, OnRefusal)] = &[("reject", OnRefusal::Reject), ("pass", OnRefusal::Pass)];
    let on_refused = r.value(&settings::ON_REFUSED, parse::choice(FORMS));
    let on_failure = r.value(&settings::ON_FAILURE, parse::choice(FORMS));
    Ok(RefusalForm { on_refused: on_refused?, on_failure: on_failure? })
}

fn admin(r: &mut Reader<'_>) -> Read<Option<ClaimRole>> {
    let claim = r.optional(&settings::ADMIN_CLAIM, parse::word);
    let value = r.optional(&settings::ADMIN_VALUE, parse::text);
    match (claim?, value?) {
        (Some(claim), Some(value)) => Ok(Some(ClaimRole { claim, value })),
        (None, None) => Ok(None),
        (Some(_), None) => {
            Err(r.wrong(&settings::ADMIN_VALUE, fault("is missing beside the claim", "give both or none")))
        }
        (None, Some(_)) => {
            Err(r.wrong(&settings::ADMIN_CLAIM, fault("is missing beside its value", "give both or none")))
        }
    }
}

fn budgets(r: &mut Reader<'_>) -> Read<Budgets> {
    let bounds = || duration_within(Duration::from_millis(10)..=Duration::from_mins(1));
    let hook = r.value(&settings::BUDGET_HOOK, bounds());
    let directory = r.value(&settings::BUDGET_DIRECTORY, bounds());
    let commit = r.value(&settings::BUDGET_COMMIT, bounds());
    let budgets = Budgets { hook: hook?, directory: directory?, commit: commit? };
    if budgets.hook >= OKTA_WAITS {
        let what = format!("{} is no less than the {} that Okta waits", spell(budgets.hook), spell(OKTA_WAITS));
        return Err(r.wrong(&settings::BUDGET_HOOK, fault(what, "give less: a late answer lets the plain token out")));
    }
    let parts = budgets.directory + budgets.commit;
    if parts >= budgets.hook {
        let what = format!("directory and commit take {} of {}", spell(parts), spell(budgets.hook));
        return Err(r.wrong(&settings::BUDGET_HOOK, fault(what, "give the parts less, or the whole more")));
    }
    Ok(budgets)
}
