//! What the command line and the configuration want, in Okta's terms.

use std::sync::Arc;

use url::Url;

use super::OktaArgs;
use crate::{
    adapters::{
        directory::{
            okta::{auth::SignIn, limits::Limits},
            rest::Rest,
        },
        http_client,
        okta_admin::{
            client::{Client, SCOPES},
            wish::{Delegatable, HookWish, SecretState, Wish},
        },
        system::{OsEntropy, SystemClock},
    },
    boot::okta_credentials,
    config::OktaSetup,
    domain::ids::TenantName,
    ports::{clock::Clock, entropy::Entropy},
};

/// Where hooks of Okta are taken. The first is given to hooks that are made.
const HOOKS: [&str; 2] = ["hooks/okta", "tokenEnrichment/agent"];

/// The address that Okta calls, checked as Okta does: https, and nothing behind the path.
pub(super) fn public_address(text: &str) -> Result<Url, String> {
    let url =
        Url::parse(text).map_err(|_| "it is no address; give one such as https://behalf.example.com".to_owned())?;
    if url.scheme() != "https" {
        return Err("Okta calls https only".to_owned());
    }
    let bare = url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
    if !bare || url.password().is_some() || text.len() > 512 {
        return Err("give scheme, host and path only, such as https://behalf.example.com".to_owned());
    }
    Ok(url)
}

/// A client's id goes into a policy, where a word like `ALL_CLIENTS` would mean everybody.
pub(super) fn client_id(text: &str) -> Result<String, String> {
    let fits = text.len() <= 64 && text.bytes().all(|b| b.is_ascii_alphanumeric());
    if fits && !text.is_empty() { Ok(text.to_owned()) } else { Err("it is no client id, such as 0oa1b2c3".to_owned()) }
}

/// The id of the authorization server: the end of its issuer, whatever the host (there may be a custom domain).
pub(super) fn server(args: &OktaArgs, setup: &OktaSetup) -> Result<String, String> {
    if let Some(server) = &args.server {
        return Ok(server.clone());
    }
    let issuer = setup.issuer.as_str();
    let id = issuer.rsplit_once("/oauth2/").map(|(_, id)| id.trim_end_matches('/'));
    id.filter(|id| !id.is_empty() && !id.contains('/')).map(str::to_owned).ok_or_else(|| {
        format!(
            "the issuer {issuer} isn't that of a custom authorization server (https://…/oauth2/<id>), and token hooks run \
             on no other: make one under Security > API, set BEHALF_ISSUER to its issuer, or name it by --server"
        )
    })
}

pub(super) fn wish(args: &OktaArgs, setup: &OktaSetup, secret: SecretState) -> Result<Wish, String> {
    let delegatable = match (&setup.user_types.delegatable, args.every_user) {
        (Some(id), true) => {
            return Err(format!("--every-user and BEHALF_DELEGATED_USER_TYPE_ID={id} contradict each other: keep one"));
        }
        (Some(id), false) => Delegatable::Type(id.clone()),
        (None, true) => Delegatable::Everybody,
        (None, false) => Delegatable::Ours,
    };
    let default = args.tenant == TenantName::default_tenant();
    let name = if default { "behalf".to_owned() } else { format!("behalf {}", args.tenant) };
    let mut clients = args.clients.clone();
    clients.sort();
    clients.dedup();
    Ok(Wish {
        delegatable,
        hook: HookWish {
            name,
            addresses: addresses(&args.address, &args.tenant),
            header: setup.hook.name.clone(),
            bearer: setup.bearer,
            secret,
            set_secret: args.set_secret,
        },
        claim: setup.can_delegate.clone(),
        scope: setup.api_scope.clone(),
        issuer: setup.issuer.as_str().to_owned(),
        audience: setup.audience.clone(),
        clients,
        fix: args.fix,
    })
}

/// All routes on which this tenant's hooks are taken. The tenant `default` has them twice.
fn addresses(base: &Url, tenant: &TenantName) -> Vec<Url> {
    let under = |prefix: &str| {
        HOOKS.map(|route| {
            let mut url = base.clone();
            url.set_path(&format!("{}/{prefix}{route}", base.path().trim_end_matches('/')));
            url
        })
    };
    let own = under(&format!("t/{tenant}/"));
    if *tenant == TenantName::default_tenant() { under("").into_iter().chain(own).collect() } else { own.to_vec() }
}

/// What is known of the secret once it was sent.
pub(super) fn known(sent: bool, before: SecretState) -> SecretState {
    if sent { SecretState::Configured } else { before }
}

/// Calls with the connector's credentials.
pub(super) fn client(setup: &OktaSetup) -> Result<Client, String> {
    let http = http_client::build(setup.ca_file.as_deref()).map_err(|error| http_client::explain(&error))?;
    let rest = Rest::new(http, setup.organisation.url.clone());
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let entropy: Arc<dyn Entropy> = Arc::new(OsEntropy);
    let limits = Arc::new(Limits::new(Arc::clone(&clock), Arc::clone(&entropy)));
    let credentials = okta_credentials(&setup.organisation.credentials)?;
    let sign_in =
        SignIn::new(credentials, SCOPES, &rest, &limits, &clock, &entropy).map_err(|error| error.to_string())?;
    Ok(Client::new(rest, sign_in, clock, Arc::new(super::say)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_those_of_the_routes() {
        let base = |text: &str| public_address(text).unwrap();
        let tenant = |name: &str| TenantName::parse(name).unwrap();
        let all =
            |base: &Url, name: &str| addresses(base, &tenant(name)).iter().map(Url::to_string).collect::<Vec<_>>();
        let expected =
            ["hooks/okta", "tokenEnrichment/agent", "t/default/hooks/okta", "t/default/tokenEnrichment/agent"];
        for given in ["https://b.example.com", "https://b.example.com/"] {
            assert_eq!(all(&base(given), "default"), expected.map(|path| format!("https://b.example.com/{path}")));
        }
        let below = all(&base("https://e.example.com/behalf/"), "acme");
        assert_eq!(below[0], "https://e.example.com/behalf/t/acme/hooks/okta");
        assert_eq!(below.len(), 2);
    }

    #[test]
    fn addresses_and_clients_that_okta_wouldnt_take_are_refused() {
        for bad in [
            "behalf.example.com",
            "http://b.example.com",
            "https://b?x=1",
            "https://b#x",
            "https://u@b",
            "https://u:p@b",
        ] {
            assert!(public_address(bad).is_err(), "{bad}");
        }
        for bad in ["", "ALL_CLIENTS", "0oa 1", "0oa/1", "é"] {
            assert!(client_id(bad).is_err(), "{bad}");
        }
        assert_eq!(client_id("0oa1b2C3").as_deref(), Ok("0oa1b2C3"));
    }
}
