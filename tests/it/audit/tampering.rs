//! What verification of an exported trail sees, and the one thing it can't.

use super::*;

/// Nine sealed entries and the checkpoint behind them.
async fn trail() -> (Vec<Entry>, Checkpoint, Arc<SigningKey>) {
    let (rig, key) = (Rig::new(), signing_key());
    rig.write(9).await;
    rig.seal_all(&sealer_with(&key)).await;
    (rig.entries().await, rig.latest().await, key)
}

/// The number that verification of these lines names; `None`: all is well, `Some(0)`: a line can't be read.
fn named(lines: &[String], checkpoint: Option<&Checkpoint>, key: &SigningKey) -> Option<u64> {
    let Ok(entries) = lines.iter().map(|line| Entry::parse(line)).collect::<Result<Vec<_>, _>>() else {
        return Some(0);
    };
    verify(&entries, checkpoint.cloned().into_iter().collect(), key).err().map(|bad| bad.seq)
}

fn lines(entries: &[Entry]) -> Vec<String> {
    entries.iter().map(Entry::line).collect()
}

#[tokio::test]
async fn a_flipped_bit_anywhere_is_found() {
    let (entries, _, key) = trail().await;
    let good = lines(&entries);
    assert_eq!(named(&good, None, &key), None);
    for at in 0..good[4].len() {
        let mut bytes = good[4].clone().into_bytes();
        bytes[at] ^= 1;
        let Ok(flipped) = String::from_utf8(bytes) else { continue };
        let mut lines = good.clone();
        lines[4].clone_from(&flipped);
        let found = named(&lines, None, &key);
        // A flipped number is first seen as one that is missing or comes twice; the others are named exactly.
        assert!(found.is_some(), "{flipped}");
        if !flipped.ends_with("\"seq\":5}") {
            continue;
        }
        assert!(matches!(found, Some(0 | 5)), "{found:?} {flipped}");
    }
}

#[tokio::test]
async fn the_first_entry_that_is_out_of_place_is_named() {
    let (entries, checkpoint, key) = trail().await;
    let good = lines(&entries);
    let changed = |change: &dyn Fn(&mut Vec<String>)| {
        let mut lines = good.clone();
        change(&mut lines);
        named(&lines, Some(&checkpoint), &key)
    };
    assert_eq!(changed(&|_| ()), None);
    assert_eq!(changed(&|lines| lines.swap(3, 6)), Some(4));
    for at in [0, 4] {
        assert_eq!(changed(&|lines| drop(lines.remove(at))), Some(at as u64 + 1));
    }
    assert_eq!(changed(&|lines| drop(lines.pop())), Some(9), "the checkpoint tells that the end is missing");
    assert_eq!(changed(&|lines| lines.insert(5, good[4].clone())), Some(5));
    let foreign = Entry::seal(entries[4].head(), entries[0].event.clone());
    assert_eq!(changed(&|lines| lines.insert(5, foreign.line())), Some(6), "the forged one passes, the true one forks");
    assert_eq!(changed(&|lines| lines[5] = foreign.line()), Some(7));
}

/// Without something that is kept elsewhere, a tail that was cut off and a chain that was made anew look like any
/// other chain. This is asserted so that nobody believes otherwise.
#[tokio::test]
async fn without_an_anchor_elsewhere_the_owner_of_the_data_can_rewrite_everything() {
    let (entries, kept, key) = trail().await;
    assert_eq!(named(&lines(&entries[..6]), None, &key), None);
    let (anew, new_checkpoint, stolen) = {
        let (rig, key) = (Rig::new(), Arc::clone(&key));
        rig.write(9).await;
        rig.seal_all(&sealer_with(&key)).await;
        (rig.entries().await, rig.latest().await, key)
    };
    assert_eq!(named(&lines(&anew), None, &stolen), None);
    assert_eq!(
        named(&lines(&anew), Some(&new_checkpoint), &stolen),
        None,
        "with the key, checkpoints can be made anew"
    );
    assert_eq!(named(&lines(&anew), Some(&kept), &key), Some(9), "one that was kept elsewhere tells");
}
