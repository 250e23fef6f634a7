//! What approvers' keys must come through.

use std::{collections::BTreeSet, time::Duration};

use crate::{
    config::{
        duration::duration_within,
        mistakes::{Read, fault},
        reader::Reader,
        settings,
    },
    domain::approval::template::Approver,
};

/// The most who approve keys.
const MOST_APPROVERS: usize = 8;

/// What is demanded of approvers' keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeySettings {
    /// Who approves new keys; empty: nobody has to.
    pub approvers: BTreeSet<Approver>,
    /// From the first moment of use of a key until it can sign for new challenges.
    pub cooldown: Duration,
}

pub(super) fn keys(r: &mut Reader<'_>) -> Read<KeySettings> {
    let approvers = r.list(&settings::KEY_APPROVERS, |text| {
        text.parse().map_err(|error| fault(format!("`{text}` {error}"), "give such as `user:00u…` or `group:00g…`"))
    });
    let cooldown = r.value(&settings::KEY_COOLDOWN, duration_within(Duration::ZERO..=Duration::from_hours(7 * 24)));
    let approvers: BTreeSet<Approver> = approvers?.into_iter().collect();
    if approvers.len() > MOST_APPROVERS {
        let remedy = "name a group that they are in";
        return Err(r.wrong(&settings::KEY_APPROVERS, fault(format!("names more than {MOST_APPROVERS}"), remedy)));
    }
    let lonely = approvers.len() == 1 && approvers.iter().all(|approver| matches!(approver, Approver::User(_)));
    if lonely {
        let place = r.place(&settings::KEY_APPROVERS);
        r.found.warnings.push(format!("{place} names one user alone: nobody can approve a key of his own"));
    }
    Ok(KeySettings { approvers, cooldown: cooldown? })
}
