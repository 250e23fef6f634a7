//! What is wanted.

use url::Url;

/// The attribute of a user's profile that lists his agents.
pub const ATTRIBUTE: &str = "delegatedAgents";
/// The only type of hook that can patch tokens.
pub const HOOK_TYPE: &str = "com.okta.oauth2.tokens.transform";
/// Name of the user type that is made.
pub const TYPE_NAME: &str = "delegatableUser";
/// What people see of it.
pub const TYPE_DISPLAY: &str = "Delegatable user";
/// What the claim says of the user of a plain token.
pub const CLAIM_VALUE: &str = r#"(user.delegatedAgents != null) ? "True" : "False""#;
/// Okta's word for every client in a policy's conditions.
pub const ALL_CLIENTS: &str = "ALL_CLIENTS";

/// A tenant's set-up, as it is to be. Holds no secret.
#[derive(Debug, Clone)]
pub struct Wish {
    /// Who can be a delegator.
    pub delegatable: Delegatable,
    /// The hook.
    pub hook: HookWish,
    /// Name of the claim that says whether a user lists agents.
    pub claim: String,
    /// Scope that behalf's API asks for; `None`: it asks for none.
    pub scope: Option<String>,
    /// The authorization server, as its tokens name it.
    pub issuer: String,
    /// `aud` of its tokens; `None`: not known yet.
    pub audience: Option<String>,
    /// The apps whose users may act for others.
    pub clients: Vec<String>,
    /// Change what exists and differs, too.
    pub fix: bool,
}

/// The users who can be delegators.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delegatable {
    /// Those of the type that is called [`TYPE_NAME`], which is made if it isn't there.
    Ours,
    /// Those of the type of this id, which must be there.
    Type(String),
    /// Those of the default type.
    Everybody,
}

/// The hook, as it is to be.
#[derive(Debug, Clone)]
pub struct HookWish {
    /// What Okta shows.
    pub name: String,
    /// Where it calls. All of these are this service; the first is given to a hook that is made.
    pub addresses: Vec<Url>,
    /// The header that carries the secret, in lower case.
    pub header: String,
    /// True if a hook that sends an OAuth token is taken as well.
    pub bearer: bool,
    /// What is known of the secret.
    pub secret: SecretState,
    /// Write the secret of a hook that is there again.
    pub set_secret: bool,
}

/// What is known of the hook's secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecretState {
    /// It is configured.
    Configured,
    /// An earlier run made it, and left it in its file.
    InFile,
    /// There is none yet.
    None,
}
