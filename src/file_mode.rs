//! Who else on the machine may open a file that holds a secret.

use std::{fs::Metadata, os::unix::fs::MetadataExt as _};

/// What others must not have: anything at all.
const OTHERS: u32 = 0o007;
/// What the file's group must not have, unless it is how this process may read a file of root's.
const GROUP: u32 = 0o070;
/// What that group may have.
const LENT: u32 = 0o040;
/// Root's number.
const ROOT: u32 = 0;

/// The file's mode, if others than this process may read it, or others than its owner write it. A group may read only
/// what is root's and lent to this process: by a group of its own, as Kubernetes mounts secrets for the group of the
/// pod, or by an access list, whose rights show as those of root's group (systemd's credentials). A file that is this
/// process's own needs no group, and its group may be one that people share (`users`).
pub fn open_to_others(meta: &Metadata) -> Option<u32> {
    let (process, group) = (rustix::process::geteuid().as_raw(), meta.gid());
    wide(meta.mode() & 0o777, || is_lent(meta.uid(), process) && (group == ROOT || is_own_group(group)))
}

fn is_lent(owner: u32, process: u32) -> bool {
    owner == ROOT && process != ROOT
}

fn is_own_group(group: u32) -> bool {
    let group = rustix::process::Gid::from_raw(group);
    group == rustix::process::getegid() || rustix::process::getgroups().is_ok_and(|groups| groups.contains(&group))
}

fn wide(mode: u32, lent: impl Fn() -> bool) -> Option<u32> {
    let for_group = mode & GROUP;
    let too_much = mode & OTHERS != 0 || for_group & !LENT != 0 || (for_group != 0 && !lent());
    too_much.then_some(mode)
}

#[cfg(test)]
mod tests {
    use std::{fs::Permissions, os::unix::fs::PermissionsExt as _};

    use super::*;

    #[test]
    fn the_group_it_is_lent_to_may_read_and_nobody_else_anything() {
        for (mode, lent, otherwise) in [
            (0o600, None, None),
            (0o400, None, None),
            (0o440, None, Some(0o440)),
            (0o640, None, Some(0o640)),
            (0o660, Some(0o660), Some(0o660)),
            (0o444, Some(0o444), Some(0o444)),
            (0o604, Some(0o604), Some(0o604)),
            (0o602, Some(0o602), Some(0o602)),
        ] {
            assert_eq!(wide(mode, || true), lent, "{mode:o}");
            assert_eq!(wide(mode, || false), otherwise, "{mode:o}");
        }
    }

    #[test]
    fn only_roots_files_are_lent_to_who_is_not_root() {
        let asked = [(0, 1000), (1000, 1000), (1001, 1000), (0, 0), (1000, 0)];
        assert_eq!(asked.map(|(owner, process)| is_lent(owner, process)), [true, false, false, false, false]);
    }

    /// Its group may be one that people share, whoever runs this.
    #[test]
    fn a_file_that_this_process_made_is_for_itself_alone() {
        let file = tempfile::NamedTempFile::new().unwrap();
        for (mode, told) in [(0o600, None), (0o440, Some(0o440)), (0o640, Some(0o640)), (0o444, Some(0o444))] {
            file.as_file().set_permissions(Permissions::from_mode(mode)).unwrap();
            assert_eq!(open_to_others(&file.as_file().metadata().unwrap()), told, "{mode:o}");
        }
    }
}
