//! The one table of settings. Reading, `.env.example`, the table in `docs/configuration.md` and the search for typos all start here.

/// Whom a setting concerns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    /// The process. The key stands as it is in the file.
    Process,
    /// A tenant. The key stands under `tenants.<name>`; the variable belongs to the tenant `default`.
    Tenant,
}

/// One setting.
#[derive(Debug, Clone, Copy)]
pub(super) struct Setting {
    /// Dotted TOML key, below the tenant for a tenant's; empty: by variable only.
    pub(super) key: &'static str,
    /// Environment variable.
    pub(super) env: &'static str,
    /// The variable's name in Okta Managed Access, if it has one.
    pub(super) old: Option<&'static str>,
    /// As it would be written; empty: none.
    pub(super) default: &'static str,
    /// One line for people.
    pub(super) meaning: &'static str,
    /// True if it must not be shown and may come from a file of its own.
    pub(super) secret: bool,
    /// Whom it concerns.
    pub(super) scope: Scope,
}

impl Setting {
    const fn secret(self) -> Self {
        Self { secret: true, ..self }
    }

    const fn old(self, name: &'static str) -> Self {
        Self { old: Some(name), ..self }
    }

    const fn of(self, scope: Scope) -> Self {
        Self { scope, ..self }
    }

    /// Every variable that can give it, and whether that one names a file.
    pub(super) fn variables(&self) -> Vec<(String, bool)> {
        let names = [Some(self.env), self.old];
        let plain = names.into_iter().flatten().map(|name| (name.to_owned(), false));
        let files = names.into_iter().flatten().filter(|_| self.secret).map(|name| (format!("{name}_FILE"), true));
        plain.chain(files).collect()
    }

    /// The whole TOML key for `tenant`; empty if there is none.
    pub(super) fn full_key(&self, tenant: &str) -> String {
        match self.scope {
            _ if self.key.is_empty() => String::new(),
            Scope::Process => self.key.to_owned(),
            Scope::Tenant => format!("tenants.{tenant}.{}", self.key),
        }
    }
}

const fn setting(key: &'static str, env: &'static str, default: &'static str, meaning: &'static str) -> Setting {
    Setting { key, env, old: None, default, meaning, secret: false, scope: Scope::Process }
}

/// Settings that belong together, under a heading.
pub(super) struct Section {
    pub(super) title: &'static str,
    pub(super) settings: &'static [Setting],
}

macro_rules! settings {
    ($( $scope:ident $title:literal { $( $name:ident = $setting:expr; )+ } )+) => {
        $($( pub(super) const $name: Setting = $setting.of(Scope::$scope); )+)+

        /// All settings, in the order of the documents.
        pub(super) const SECTIONS: &[Section] = &[ $( Section { title: $title, settings: &[ $($name),+ ] } ),+ ];
    };
}

/// All settings without their headings.
pub(super) fn all() -> impl Iterator<Item = &'static Setting> {
    SECTIONS.iter().flat_map(|section| section.settings)
}

settings! {
    Process "Where the configuration comes from" {
        CONFIG = setting("", "BEHALF_CONFIG", "behalf.toml", "Path of the file; one that is named must exist");
        ENV = setting("", "BEHALF_ENV", "production",
            "`development` reads `.env` from the working directory and lets issuers use http");
    }
    Process "Server" {
        BIND = setting("server.bind", "BEHALF_BIND", "127.0.0.1:8080",
            "Address and port to listen on; 0.0.0.0 is the default address where PORT or TENANT is set");
        PORT = setting("", "PORT", "", "Port alone, as Okta Managed Access has it");
        TLS_CERT = setting("server.tls_cert_file", "BEHALF_TLS_CERT_FILE", "",
            "PEM certificate chain; without it TLS is the ingress's business");
        TLS_KEY = setting("server.tls_key_file", "BEHALF_TLS_KEY_FILE", "", "PEM private key of the certificate");
        CORS = setting("server.cors_origins", "BEHALF_CORS_ORIGINS", "",
            "Origins of browser clients that may call the API, such as `https://app.example.com`");
        WORKERS = setting("server.workers", "BEHALF_WORKERS", "", "Worker threads; by default one for each core");
        GRACE = setting("server.shutdown_grace", "BEHALF_SHUTDOWN_GRACE", "10s",
            "How long requests in flight may take once the process is told to stop");
        DRAIN = setting("server.drain_delay", "BEHALF_DRAIN_DELAY", "2s",
            "How long requests are still taken after that, while `/readyz` says no");
        RATE_LIMIT = setting("server.rate_limit", "BEHALF_RATE_LIMIT", "600",
            "API requests that one user may make in a minute; hooks have no limit");
        APPLICATIONS_AUDIENCE = setting("applications.audience", "BEHALF_APPLICATIONS_AUDIENCE", "",
            "What tokens of applications without OIDC have in `aud`: this service's own address. Required where a tenant has `applications`");
        OTP_KEY = setting("otp.key_file", "BEHALF_OTP_KEY_FILE", "",
            "The key that seals the secrets of one-time codes: 32 bytes in base64; two lines while it is changed, the new one first. Without it nobody can enrol");
        DOCS = setting("server.docs", "BEHALF_DOCS", "",
            "Whether the pages at `/docs/` show the API document; by default off, and on with BEHALF_ENV=development");
        METRICS = setting("metrics.enabled", "BEHALF_METRICS", "on", "Whether `/metrics` answers");
        METRICS_BIND = setting("metrics.bind", "BEHALF_METRICS_BIND", "",
            "Address and port for `/metrics` alone, without TLS; it then answers nowhere else");
    }
    Process "Logs" {
        LOG_LEVEL = setting("log.level", "BEHALF_LOG_LEVEL", "info",
            "error, warn, info, http, verbose, debug or silly").old("LOG_LEVEL");
        LOG_FORMAT = setting("log.format", "BEHALF_LOG_FORMAT", "json", "json or pretty");
        LOG_FILTER = setting("log.filter", "BEHALF_LOG", "",
            "Filter directives in place of the level, such as `warn,behalf=trace`; other crates' traces may hold secrets");
    }
    Process "Traces" {
        TRACES_ENDPOINT = setting("traces.endpoint", "OTEL_EXPORTER_OTLP_ENDPOINT", "",
            "Where a collector takes OTLP over HTTP with protobuf, such as `http://collector:4318`; without it there are no traces");
        TRACES_HEADERS = setting("traces.headers", "OTEL_EXPORTER_OTLP_HEADERS", "",
            "What the collector wants to see: `name=value`, several with commas between").secret();
        TRACES_SERVICE = setting("traces.service_name", "OTEL_SERVICE_NAME", "behalf", "What the collector calls the service");
        TRACES_RATIO = setting("traces.ratio", "OTEL_TRACES_SAMPLER_ARG", "1",
            "The part of all traces that is exported, from 0 to 1");
    }
    Process "Store and outbound calls" {
        STORE = setting("store.url", "BEHALF_STORE", "embedded:./data",
            "`embedded:<directory>`; `memory`, which forgets everything at the end; `redis://[user@]host[:6379][/db]`, with TLS `rediss://…`; `redis-sentinel://[user@]host[:26379],host2/<master-name>[/db][?tls=true]`; `redis-cluster://[user@]host[:6379],host2[?tls=true]`");
        CA_FILE = setting("outbound.ca_file", "BEHALF_CA_FILE", "",
            "PEM certificates to trust besides the system's, for calls to issuers and directories");
    }
    Process "Redis, if it is the store" {
        REDIS_USERNAME = setting("store.redis.username", "BEHALF_REDIS_USERNAME", "",
            "ACL user, if the URL names none; by default Redis' default user");
        REDIS_PASSWORD = setting("store.redis.password", "BEHALF_REDIS_PASSWORD", "",
            "The user's password; never in the URL").secret();
        REDIS_SENTINEL_USERNAME = setting("store.redis.sentinel_username", "BEHALF_REDIS_SENTINEL_USERNAME", "",
            "ACL user at the sentinels");
        REDIS_SENTINEL_PASSWORD = setting("store.redis.sentinel_password", "BEHALF_REDIS_SENTINEL_PASSWORD", "",
            "That user's password").secret();
        REDIS_CLIENT_NAME = setting("store.redis.client_name", "BEHALF_REDIS_CLIENT_NAME", "behalf",
            "What `CLIENT LIST` calls the connections");
        REDIS_CONNECTIONS = setting("store.redis.connections", "BEHALF_REDIS_CONNECTIONS", "1",
            "Connections of a process to each server, besides one of each worker thread: 1 to 16");
        REDIS_CONNECT_TIMEOUT = setting("store.redis.connect_timeout", "BEHALF_REDIS_CONNECT_TIMEOUT", "1s",
            "How long a connection may take to come about: 50ms to 30s");
        REDIS_RESPONSE_TIMEOUT = setting("store.redis.response_timeout", "BEHALF_REDIS_RESPONSE_TIMEOUT", "500ms",
            "How long an answer may take: 50ms to 30s; no more than BEHALF_BUDGET_COMMIT makes sense");
    }
    Process "Audit trail" {
        SIGNING_KEY = setting("audit.signing_key_file", "BEHALF_SIGNING_KEY_FILE", "",
            "Ed25519 private key, PKCS#8, that signs checkpoints; by default one is made in the store's directory. Required with Redis, the same for all replicas");
        FORMER_KEY = setting("audit.previous_signing_key_file", "BEHALF_SIGNING_KEY_PREVIOUS_FILE", "",
            "The key before it, which signs the change of keys; not needed any more after the first start");
        AUDIT_SINK = setting("audit.sink", "BEHALF_AUDIT_SINK", "off",
            "Where sealed entries go besides the store: `off`, `stdout`, or, but with Redis, `file:<path>`");
        AUDIT_KEEP = setting("audit.keep", "BEHALF_AUDIT_KEEP", "90d",
            "How long the store keeps entries that such a file has (with Redis: that went to stdout); at least 1h. Without such a sink it keeps them all. By default 7d with Redis");
    }
    Tenant "Identity provider" {
        DIALECT = setting("dialect", "BEHALF_DIALECT", "okta", "Whose hook it is: okta");
        ISSUER = setting("issuer", "BEHALF_ISSUER", "",
            "Required. The authorization server, exactly as tokens name it in `iss`").old("ISSUER");
        AUDIENCE = setting("audience", "BEHALF_AUDIENCE", "",
            "Required. What tokens of this API have in `aud`").old("TOKEN_AUD");
    }
    Tenant "Callers of the hook: a secret, a bearer token, or either" {
        HOOK_HEADER = setting("hook.header", "BEHALF_HOOK_HEADER", "authorization", "Header that carries the secret");
        HOOK_SECRET = setting("hook.secret", "BEHALF_HOOK_SECRET", "",
            "The header's whole value, as entered at the identity provider").secret().old("SERVICE_AUTH_SECRET");
        HOOK_SECRET_2 = setting("hook.second_secret", "BEHALF_HOOK_SECOND_SECRET", "",
            "Accepted as well, while the secret is being changed").secret();
        BEARER_AUDIENCE = setting("hook.bearer.audience", "BEHALF_HOOK_BEARER_AUDIENCE", "",
            "`aud` of the OAuth token with which the identity provider calls");
        BEARER_CID = setting("hook.bearer.cid", "BEHALF_HOOK_BEARER_CID", "", "`cid` of that token: the client it is for");
        BEARER_SCOPE = setting("hook.bearer.scope", "BEHALF_HOOK_BEARER_SCOPE", "", "Scope that token must have in `scp`");
        BEARER_ISSUER = setting("hook.bearer.issuer", "BEHALF_HOOK_BEARER_ISSUER", "",
            "`iss` of that token; by default the tenant's issuer");
    }
    Tenant "Callers of the API" {
        API_SCOPE = setting("api.scope", "BEHALF_API_SCOPE", "behalf",
            "Scope that a token needs to change anything; not asked for where `ISSUER`, `TOKEN_AUD` and `SERVICE_AUTH_SECRET` are all used and this isn't set");
        USER_CLAIM = setting("identity.user_claim", "BEHALF_USER_CLAIM", "uid",
            "Claim that names the user by the same id as the hook does");
        ADMIN_CLAIM = setting("roles.admin.claim", "BEHALF_ADMIN_CLAIM", "", "Claim that makes an administrator");
        ADMIN_VALUE = setting("roles.admin.value", "BEHALF_ADMIN_VALUE", "", "The value it must have, or contain");
        BREAK_GLASS_CLAIM = setting("roles.break_glass.claim", "BEHALF_BREAK_GLASS_CLAIM", "",
            "Claim of those who may skip the votes of an approval in an emergency; by default nobody may");
        BREAK_GLASS_VALUE = setting("roles.break_glass.value", "BEHALF_BREAK_GLASS_VALUE", "",
            "The value it must have, or contain");
    }
    Tenant "Directory" {
        DIRECTORY = setting("directory.kind", "BEHALF_DIRECTORY", "embedded",
            "Where users are looked up: embedded, okta, ldap or scim; where BEHALF_OKTA_URL is given, okta is the default");
        USERS_FILE = setting("directory.users_file", "BEHALF_USERS_FILE", "users.yaml",
            "The embedded directory's users; one that is named must exist");
        RELOAD = setting("directory.reload", "BEHALF_USERS_RELOAD", "5s", "How often that file is looked at for changes");
        DIRECTORY_CONCURRENCY = setting("directory.concurrency", "BEHALF_DIRECTORY_CONCURRENCY", "32",
            "Calls that hooks may have under way at a directory elsewhere: 1 to 1000; everything else has a quarter of it");
        OKTA_URL = setting("directory.okta.url", "BEHALF_OKTA_URL", "",
            "The Okta organisation, such as `https://example.okta.com`; http on this machine, and in development").old("TENANT");
        OKTA_TOKEN = setting("directory.okta.token", "BEHALF_OKTA_TOKEN", "",
            "API token of an administrator there; or a service app, which needs no such token").secret().old("TOKEN");
        OKTA_CLIENT_ID = setting("directory.okta.client_id", "BEHALF_OKTA_CLIENT_ID", "",
            "Client id of a service app there (OAuth 2.0, private_key_jwt)");
        OKTA_KEY_FILE = setting("directory.okta.key_file", "BEHALF_OKTA_KEY_FILE", "",
            "The app's private key: PEM, PKCS#8, RSA or EC P-256");
        OKTA_KEY_ID = setting("directory.okta.key_id", "BEHALF_OKTA_KEY_ID", "", "The key's `kid`, as Okta shows it");
        SCIM_URL = setting("directory.scim.url", "BEHALF_SCIM_URL", "",
            "Address of a SCIM 2.0 service, below which `/Users` lies; https, but on this machine");
        SCIM_TOKEN = setting("directory.scim.token", "BEHALF_SCIM_TOKEN", "", "Bearer token for it").secret();
        SCIM_EXTENSION = setting("directory.scim.extension", "BEHALF_SCIM_EXTENSION",
            "urn:behalf:params:scim:schemas:extension:delegation:2.0:User", "URN of the schema that grants are in");
        SCIM_ATTRIBUTE = setting("directory.scim.attribute", "BEHALF_SCIM_ATTRIBUTE", "delegations.value",
            "Attribute of that schema with the agents' ids: `name` if it holds texts, `name.value` if it holds objects");
        USER_TYPE = setting("user_types.user", "BEHALF_USER_TYPE_ID", "",
            "The directory's id of the ordinary user type").old("USER_TYPE_ID");
        DELEGATED_TYPE = setting("user_types.delegatable", "BEHALF_DELEGATED_USER_TYPE_ID", "",
            "Id of the only user type that can be a delegator; by default any can").old("DELEGATED_USER_TYPE_ID");
        ENTITY_TYPE = setting("user_types.entity", "BEHALF_ENTITY_TYPE_ID", "",
            "Id of the user type of entities").old("ENTITY_TYPE_ID");
    }
    Tenant "LDAP, if it is the directory" {
        LDAP_URL = setting("directory.ldap.url", "BEHALF_LDAP_URL", "",
            "Required. The servers, `ldaps://host[:636]` or `ldap://host[:389]`, in the order in which they are tried: the one that takes changes first");
        LDAP_STARTTLS = setting("directory.ldap.starttls", "BEHALF_LDAP_STARTTLS", "on",
            "Whether TLS is started on `ldap://`; off only on this machine, or with BEHALF_ENV=development");
        LDAP_KIND = setting("directory.ldap.kind", "BEHALF_LDAP_KIND", "", "Required. openldap, 389ds or ad");
        LDAP_BIND_DN = setting("directory.ldap.bind_dn", "BEHALF_LDAP_BIND_DN", "",
            "Required. The account that reads users and writes their agents");
        LDAP_BIND_PASSWORD = setting("directory.ldap.bind_password", "BEHALF_LDAP_BIND_PASSWORD", "",
            "Required. Its password").secret();
        LDAP_BASE = setting("directory.ldap.base", "BEHALF_LDAP_BASE", "", "Required. The DN below which all users are");
        LDAP_USER_FILTER = setting("directory.ldap.user_filter", "BEHALF_LDAP_USER_FILTER", "",
            "Which entries are users; by default `(objectClass=person)`, with ad `(&(objectCategory=person)(objectClass=user))`");
        LDAP_ATTRIBUTES = setting("directory.ldap.attributes", "BEHALF_LDAP_ATTRIBUTES", "",
            "Our names of attributes and the server's, where they aren't the default, such as `login=mail type=employeeType`: `id`, `login`, `agents`, `class` (the auxiliary class that allows agents), `groups`, `type`, or any attribute of the profile");
        LDAP_CONNECTIONS = setting("directory.ldap.connections", "BEHALF_LDAP_CONNECTIONS", "4",
            "Connections for hooks: 1 to 64; everything else has a quarter of it");
    }
    Tenant "Delegated tokens" {
        ACCESS_CLAIMS = setting("claims.access", "BEHALF_ACCESS_CLAIMS", "",
            "The delegator's attributes for the access token: `attribute` or `attribute=claim`").old("DELEGATED_ACCESS_CLAIMS");
        IDENTITY_CLAIMS = setting("claims.identity", "BEHALF_IDENTITY_CLAIMS", "",
            "The same for the ID token").old("DELEGATED_IDENTITY_CLAIMS");
        MISSING = setting("claims.missing_attributes", "BEHALF_MISSING_ATTRIBUTES", "remove",
            "`remove` or `keep` the agent's value of such a claim where the delegator has none");
        SUBJECT = setting("identity.subject_attribute", "BEHALF_SUBJECT_ATTRIBUTE", "login",
            "The delegator's attribute that becomes his subject in the token");
        ON_BEHALF = setting("claims.on_behalf", "BEHALF_CLAIM_ON_BEHALF", "on_behalf", "Name of the claim `on_behalf`");
        ON_BEHALF_SUB = setting("claims.on_behalf_sub", "BEHALF_CLAIM_ON_BEHALF_SUB", "on_behalf_sub",
            "Name of the claim with the delegator's subject");
        CAN_DELEGATE = setting("claims.can_delegate", "BEHALF_CLAIM_CAN_DELEGATE", "can_delegate",
            "Name of the claim `can_delegate`");
        RESERVED_BY = setting("claims.reserved_by", "BEHALF_CLAIM_RESERVED_BY", "reserved_by",
            "Name of the claim with the holder's subject, in a shared account's tokens; taken from all others where the tenant has shared accounts");
    }
    Tenant "Delegations" {
        LIFE = setting("delegation.life", "BEHALF_DELEGATION_LIFE", "60s", "How long an id can be used: 10s to 120s");
        MAX_PENDING = setting("delegation.max_pending", "BEHALF_MAX_PENDING", "10", "Unused ids that one agent may have at a time");
        MAX_OPEN = setting("approvals.max_open", "BEHALF_APPROVALS_MAX_OPEN", "20",
            "Requests for approval that one user may have open at a time: 1 to 200");
        MAX_HELD = setting("reservations.max_held", "BEHALF_MAX_HELD", "1",
            "Shared accounts that one user may hold at a time: 1 to 20");
        KEY_APPROVERS = setting("approvals.key_approvers", "BEHALF_APPROVALS_KEY_APPROVERS", "",
            "Who must approve a new key before its owner signs with it: `user:<id>` and `group:<id>`, at most 8; by default nobody, and a fresh sign-in is asked for");
        KEY_COOLDOWN = setting("approvals.key_cooldown", "BEHALF_APPROVALS_KEY_COOLDOWN", "0s",
            "How long a key must have been in use before it signs: 0s to 7d");
        ON_REFUSED = setting("on_refused", "BEHALF_ON_REFUSED", "reject",
            "After a refusal: `reject` the token, or `pass` it undelegated");
        ON_FAILURE = setting("on_failure", "BEHALF_ON_FAILURE", "reject",
            "The same where a delegation couldn't be checked");
        BUDGET_HOOK = setting("budgets.hook", "BEHALF_BUDGET_HOOK", "2200ms", "Time for a whole hook; Okta waits 3 s");
        BUDGET_DIRECTORY = setting("budgets.directory", "BEHALF_BUDGET_DIRECTORY", "1200ms", "The directory's share of it");
        BUDGET_COMMIT = setting("budgets.commit", "BEHALF_BUDGET_COMMIT", "500ms", "The store's share of it");
    }
}
