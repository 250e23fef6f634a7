//! Who else on the machine may open a file that holds a secret.

use std::{fs::Metadata, os::unix::fs::MetadataExt as _};

/// What others must not have: anything at all.
const OTHERS: u32 = 0o007;
/// What the file's group must not have, unless it is one of ours.
const GROUP: u32 = 0o070;
/// What our own group may have. Kubernetes mounts secrets this way: root's, readable for the group of the pod.
const OWN_GROUP_MAY: u32 = 0o040;

/// The file's mode, if others than its owner and this process's own groups may read it, or others than its owner write
/// it.
pub fn open_to_others(meta: &Metadata) -> Option<u32> {
    wide(meta.mode() & 0o777, || is_own_group(meta.gid()))
}

fn is_own_group(group: u32) -> bool {
    let group = rustix::process::Gid::from_raw(group);
    group == rustix::process::getegid() || rustix::process::getgroups().is_ok_and(|groups| groups.contains(&group))
}

fn wide(mode: u32, own_group: impl Fn() -> bool) -> Option<u32> {
    let for_group = mode & GROUP;
    let too_much = mode & OTHERS != 0 || for_group & !OWN_GROUP_MAY != 0 || (for_group != 0 && !own_group());
    too_much.then_some(mode)
}

#[cfg(test)]
mod tests {
    use std::{fs::Permissions, os::unix::fs::PermissionsExt as _};

    use super::*;

    #[test]
    fn the_own_group_may_read_and_nobody_else_anything() {
        for (mode, ours, strangers) in [
            (0o600, None, None),
            (0o400, None, None),
            (0o440, None, Some(0o440)),
            (0o640, None, Some(0o640)),
            (0o660, Some(0o660), Some(0o660)),
            (0o444, Some(0o444), Some(0o444)),
            (0o604, Some(0o604), Some(0o604)),
            (0o602, Some(0o602), Some(0o602)),
        ] {
            assert_eq!(wide(mode, || true), ours, "{mode:o}");
            assert_eq!(wide(mode, || false), strangers, "{mode:o}");
        }
    }

    #[test]
    fn a_file_that_this_process_made_has_a_group_of_its_own() {
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().set_permissions(Permissions::from_mode(0o440)).unwrap();
        assert_eq!(open_to_others(&file.as_file().metadata().unwrap()), None);
        file.as_file().set_permissions(Permissions::from_mode(0o444)).unwrap();
        assert_eq!(open_to_others(&file.as_file().metadata().unwrap()), Some(0o444));
    }
}
