//! Asks for the caller's grants with the generated client: the agents' logins, and what a wrong id is answered with.

use std::{env, error::Error};

use behalf_client::apis::{self, configuration::Configuration, delegations_api, grants_api};

fn main() -> Result<(), Box<dyn Error>> {
    let configuration = Configuration {
        base_path: env::var("BASE")?,
        bearer_access_token: Some(env::var("TOKEN")?),
        ..Configuration::default()
    };
    for agent in grants_api::grant_list(&configuration)?.items {
        println!("{} {}", agent.login.unwrap_or_default(), agent.status);
    }
    match delegations_api::delegation_cancel(&configuration, "none") {
        Err(apis::Error::ResponseError(answer)) => println!("{}", answer.status.as_u16()),
        other => return Err(format!("{other:?}").into()),
    }
    Ok(())
}
