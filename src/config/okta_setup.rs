//! What `behalf setup okta` needs to know. The rest of the configuration may still be missing.

use std::path::{Path, PathBuf};

use super::{
    Config, Mistakes,
    mistakes::{Findings, Read},
    parse,
    reader::Reader,
    server, settings,
    source::Sources,
    tenant::{self, HookHeader, OktaSettings, UserTypes},
};
use crate::domain::ids::{Issuer, TenantName};

/// A tenant on Okta, as far as its set-up is concerned. Its `Debug` shows no secret.
#[derive(Debug, Clone)]
pub struct OktaSetup {
    /// Whose it is.
    pub tenant: TenantName,
    /// The organisation, and how to sign in there.
    pub organisation: OktaSettings,
    /// The authorization server.
    pub issuer: Issuer,
    /// `aud` of its tokens.
    pub audience: Option<String>,
    /// The header of the hook's secret, and the secrets.
    pub hook: HookHeader,
    /// True if hooks may come with an OAuth token.
    pub bearer: bool,
    /// Name of the claim `can_delegate`.
    pub can_delegate: String,
    /// The API's scope; `None`: it asks for none.
    pub api_scope: Option<String>,
    /// The user types.
    pub user_types: UserTypes,
    /// Certificates to trust besides the system's, PEM.
    pub ca_file: Option<PathBuf>,
    /// What is allowed and yet worth a look.
    pub warnings: Vec<String>,
}

/// A setting that a set-up gives a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SetUp {
    /// The ordinary user type.
    UserType,
    /// The type of users who can be delegators.
    DelegatableType,
    /// The header of the hook's secret.
    HookHeader,
    /// The file of the hook's secret.
    HookSecretFile,
}

impl OktaSetup {
    /// As a line of the environment, or of the file for another tenant than `default`.
    pub fn assignment(&self, what: SetUp, value: &str) -> String {
        let (setting, file) = match what {
            SetUp::UserType => (settings::USER_TYPE, ""),
            SetUp::DelegatableType => (settings::DELEGATED_TYPE, ""),
            SetUp::HookHeader => (settings::HOOK_HEADER, ""),
            SetUp::HookSecretFile => (settings::HOOK_SECRET, "_file"),
        };
        if self.tenant == TenantName::default_tenant() {
            return format!("{}{}={value}", setting.env, file.to_uppercase());
        }
        format!("{}{file} = {}", setting.full_key(self.tenant.as_str()), serde_json::Value::from(value))
    }
}

impl Config {
    /// Reads it from the process's environment and the files it names.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
    pub fn okta_setup(tenant: &TenantName) -> Result<OktaSetup, Mistakes> {
        let mut found = Findings::default();
        let sources = Sources::gather(std::env::vars_os(), Path::new(""), None, &mut found);
        match read(tenant, &sources, &mut found) {
            Ok(setup) if found.mistakes.is_empty() => Ok(OktaSetup { warnings: found.warnings, ..setup }),
            _ => Err(found.mistakes),
        }
    }
}

fn read(name: &TenantName, sources: &Sources, found: &mut Findings) -> Read<OktaSetup> {
    let ca_file = server::ca_file(&mut Reader::new(sources, found));
    let mut reader = Reader::of(name.clone(), sources, found);
    let r = &mut reader;
    let organisation = tenant::okta(r);
    let issuer = r.value(&settings::ISSUER, parse::issuer(sources.development));
    let audience = r.optional(&settings::AUDIENCE, parse::text);
    let hook = tenant::hook_header(r);
    let bearer = r.is_given(&settings::BEARER_CID);
    let can_delegate = r.value(&settings::CAN_DELEGATE, parse::word);
    let api_scope = tenant::api_scope(name, r);
    let user_types = tenant::user_types(r);
    Ok(OktaSetup {
        tenant: name.clone(),
        organisation: organisation?,
        issuer: issuer?,
        audience: audience?,
        hook: hook?,
        bearer,
        can_delegate: can_delegate?,
        api_scope: api_scope?,
        user_types: user_types?,
        ca_file: ca_file?,
        warnings: Vec::new(),
    })
}
