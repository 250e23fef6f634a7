//! One tenant's adapters.

use std::{collections::BTreeMap, fs::File, io::BufReader, path::Path, sync::Arc};

use jiff::SignedDuration;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};

use super::{
    BootError,
    directory::{self, Directories, Watched},
};
use crate::{
    adapters::{
        dialect::okta::{self, BearerCaller, HeaderSecrets, Okta},
        directory::shown::Kept,
        oidc::{OidcSettings, OidcVerifier},
    },
    app::{self, Budget, DelegationLimits, application::Registry, caller::IdentityPolicy, keys::KeyPolicy},
    config::{self, Config},
    domain::{
        ids::{Issuer, TenantName},
        otp::OtpKeys,
    },
    metrics::Metrics,
    policy::{InForce, TenantPolicy},
    ports::{clock::Clock, dialect::Dialect, entropy::Entropy, store::Store, token_verifier::TokenVerifier},
    web::state::Door,
};

/// What all tenants share.
pub(super) struct Parts<'a> {
    pub(super) http: reqwest::Client,
    /// Certificates to trust besides the system's, for those who don't speak HTTP.
    pub(super) ca_file: Option<&'a Path>,
    pub(super) metrics: &'a Arc<Metrics>,
    pub(super) clock: &'a Arc<dyn Clock>,
    pub(super) entropy: &'a Arc<dyn Entropy>,
    pub(super) store: &'a Arc<dyn Store>,
    pub(super) kept: Arc<Kept>,
    /// What applications' tokens have in `aud`.
    applications_audience: &'a str,
    otp_keys: Option<&'a Arc<OtpKeys>>,
}

impl<'a> Parts<'a> {
    pub(super) fn new(
        http: reqwest::Client,
        config: &'a Config,
        metrics: &'a Arc<Metrics>,
        clock: &'a Arc<dyn Clock>,
        entropy: &'a Arc<dyn Entropy>,
        store: &'a Arc<dyn Store>,
    ) -> Self {
        let kept = Arc::new(Kept::new(clock, metrics));
        let (ca_file, otp_keys) = (config.ca_file.as_deref(), config.otp_keys.as_ref());
        let applications_audience = config.applications_audience.as_deref().unwrap_or_default();
        Self { http, ca_file, metrics, clock, entropy, store, kept, applications_audience, otp_keys }
    }
}

/// The tenant's way in, and the file of users that the background watches.
pub(super) fn build(
    name: &TenantName,
    settings: &config::Tenant,
    parts: &Parts<'_>,
) -> Result<(Door, Option<Watched>), BootError> {
    let fault = |what: String| BootError::Tenant(name.clone(), what);
    let verifier = verifier(name, &settings.issuer, &settings.audience, parts).map_err(fault)?;
    let dialect = dialect(name, settings, parts).map_err(fault)?;
    let directories = directory::build(name, settings, parts).map_err(fault)?;
    let tenant = Arc::new(tenant(name, settings, &directories, parts));
    let dialects = BTreeMap::from([(dialect.name(), dialect)]);
    let file = directories.file;
    let users_in_doubt = file.as_ref().map(|file| {
        let directory = Arc::clone(&file.directory);
        Arc::new(move || directory.last_error().is_some()) as Arc<dyn Fn() -> bool + Send + Sync>
    });
    let (entity_type, series) = (settings.user_types.entity.clone(), parts.metrics.tenant(name));
    let door = Door { tenant, dialects, verifier, users_in_doubt, entity_type, series };
    Ok((door, file))
}

fn tenant(name: &TenantName, settings: &config::Tenant, directories: &Directories, parts: &Parts<'_>) -> app::Tenant {
    let life = SignedDuration::try_from(settings.delegation.life).unwrap_or(SignedDuration::from_secs(60));
    app::Tenant {
        name: name.clone(),
        issuer: settings.issuer.clone(),
        directory: Arc::clone(&directories.others),
        directory_of_hooks: Arc::clone(&directories.hooks),
        shown: Arc::clone(&directories.shown),
        policy: InForce::from(TenantPolicy::from(settings)),
        claims: settings.claims.clone(),
        shared: settings.shared.clone(),
        applications: Registry::new(parts.applications_audience, settings.applications.iter().cloned()),
        otp_keys: parts.otp_keys.cloned(),
        refusal: settings.refusal,
        limits: DelegationLimits {
            life,
            max_pending: settings.delegation.max_pending as usize,
            max_open: settings.delegation.max_open as usize,
            least_lifetime: settings.dialect.lifetime_bounds().map(|(least, _)| least),
        },
        budget: Budget { hook: settings.budgets.hook, commit: settings.budgets.commit },
        keys: KeyPolicy {
            approvers: settings.keys.approvers.clone(),
            cooldown: SignedDuration::try_from(settings.keys.cooldown).unwrap_or(SignedDuration::ZERO),
        },
        identity: IdentityPolicy {
            user_claim: settings.user_claim.clone(),
            administrator: settings.admin.clone().map(|role| (role.claim, role.value)),
            break_glass: settings.break_glass.clone().map(|role| (role.claim, role.value)),
            scope: settings.api_scope.clone(),
            claims: settings.claims.names.clone(),
        },
    }
}

impl From<&config::Tenant> for TenantPolicy {
    fn from(settings: &config::Tenant) -> Self {
        Self { rules: settings.rules.clone(), delegatable_type: settings.user_types.delegatable.clone() }
    }
}

/// Makes what checks tokens; asks nobody yet.
pub(super) fn verifier(
    name: &TenantName,
    issuer: &Issuer,
    audience: &str,
    parts: &Parts<'_>,
) -> Result<Arc<dyn TokenVerifier>, String> {
    let settings = OidcSettings::new(name.clone(), issuer.clone(), audience);
    let (clock, metrics) = (Arc::clone(parts.clock), Arc::clone(parts.metrics));
    let verifier = OidcVerifier::new(settings, parts.http.clone(), clock, metrics).map_err(|e| e.to_string())?;
    Ok(Arc::new(verifier))
}

/// Makes what reads and writes hooks.
pub(super) fn dialect(
    name: &TenantName,
    settings: &config::Tenant,
    parts: &Parts<'_>,
) -> Result<Arc<dyn Dialect>, String> {
    let config::DialectKind::Okta = settings.dialect;
    let claims = &settings.claims;
    okta::check_claim_names(&claims.names, &claims.access, &claims.identity).map_err(|faults| faults.join("; "))?;
    let roles: Vec<_> = [&settings.admin, &settings.break_glass].into_iter().flatten().collect();
    let speaks = |claim: &String| claim == &settings.user_claim || roles.iter().any(|role| claim == &role.claim);
    if let Some(mapped) = claims.access.iter().chain(&claims.identity).find(|mapped| speaks(&mapped.claim)) {
        return Err(format!(
            "the claim `{}` says who calls and with which right; no attribute may set it",
            mapped.claim
        ));
    }
    let callers = &settings.hook;
    let header = match callers.secrets.as_slice() {
        [] => None,
        secrets => Some(HeaderSecrets::new(&callers.header, secrets).map_err(|e| e.to_string())?),
    };
    let bearer = match &callers.bearer {
        None => None,
        Some(bearer) => {
            let verifier = verifier(name, &bearer.issuer, &bearer.audience, parts)?;
            Some(BearerCaller::new(verifier, &bearer.cid, &bearer.scope).map_err(|e| e.to_string())?)
        }
    };
    Ok(Arc::new(Okta::new(okta::Settings { header, bearer })))
}

/// The server's side of TLS; ALPN is actix's business.
pub(super) fn tls(files: &config::TlsFiles) -> Result<rustls::ServerConfig, String> {
    let open = |path: &std::path::Path| {
        File::open(path).map(BufReader::new).map_err(|error| format!("{}: {error}", path.display()))
    };
    let chain = CertificateDer::pem_reader_iter(open(&files.cert)?)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| format!("BEHALF_TLS_CERT_FILE {}: {error:?}", files.cert.display()))?;
    let key = PrivateKeyDer::from_pem_reader(open(&files.key)?)
        .map_err(|error| format!("BEHALF_TLS_KEY_FILE {}: {error:?}", files.key.display()))?;
    rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(|error| format!("BEHALF_TLS_CERT_FILE and BEHALF_TLS_KEY_FILE: {error}"))
}
