use jiff::SignedDuration;
use proptest::{collection::vec, prelude::*};
use serde_json::json;

use super::{super::canonical::canonical, *};

mod as_written;

fn acme() -> TenantName {
    TenantName::parse("acme").unwrap()
}

/// A signature that anybody can check and nobody should rely on: the key's bytes over the message's hash, twice.
fn sign(key: u8, message: &[u8]) -> Signature {
    let half = Digest::of(&[key], message).0;
    let mut out = [0; 64];
    out[..32].copy_from_slice(&half);
    out[32..].copy_from_slice(&half);
    Signature(out)
}

fn check(key: &PublicKey, message: &[u8], signature: &Signature) -> bool {
    sign(key.0[0], message) == *signature
}

fn key(number: u8) -> PublicKey {
    PublicKey([number; 32])
}

fn settings(checkpoints: Vec<Checkpoint>) -> Settings {
    let keys = Keyring::new([key(1)], check);
    Settings { tenant: acme(), start: Start::Attested, from: None, to: None, repeats: false, checkpoints, keys }
}

fn checkpoint(head: SealedHead, signer: u8) -> Checkpoint {
    let says = Unsigned { tenant: acme(), head, time: Timestamp::UNIX_EPOCH, key: key(signer).id() };
    let signature = sign(signer, &says.message().unwrap());
    Checkpoint { says, signature }
}

fn chain(events: impl IntoIterator<Item = Value>) -> Vec<Entry> {
    let mut head = SealedHead::genesis(&acme());
    let link = |event: Value| {
        let entry = Entry::seal(head, SealedEvent::read(event.to_string().as_bytes()).unwrap());
        head = entry.head();
        entry
    };
    events.into_iter().map(link).collect()
}

fn some(count: i64) -> Vec<Entry> {
    chain((0..count).map(|n| {
        json!({"v": 1, "tenant": "acme", "time": Timestamp::from_second(n).unwrap(), "code": "DA1000", "z": {"b": n, "a": "é\n"}})
    }))
}

fn verify(entries: &[Entry], settings: Settings) -> std::result::Result<Report, Bad> {
    let mut verifier = Verifier::new(settings);
    for entry in entries {
        verifier.feed(entry)?;
    }
    verifier.finish()
}

fn wrong(entries: &[Entry], settings: Settings) -> (u64, Wrong) {
    let bad = verify(entries, settings).unwrap_err();
    (bad.seq, bad.wrong)
}

/// Hashes made with other tools; they fix the tags, the canonical form and the field names for good.
#[test]
fn known_chain() {
    assert_eq!(genesis(&acme()).to_string(), "sha256:492d1d3bfcc75f8ca3da56d0039e6899d91f85429cdea77f5511632c6cc05b38");
    let entries = chain([
        json!({"type": "request.created", "request_id": "req_01JZZZZZZZZZZZZZZZZZZZZZZZ"}),
        json!({
            "type": "approval.signed",
            "request_digest": "sha256:dc29c9f9faa6feb5872e5a5805bda9401a5d5a715c091e5c9e31f9269c8cf779",
        }),
        json!({"type": "grant.consumed", "jti": "AT.1"}),
    ]);
    let hashes: Vec<String> = entries.iter().map(|e| e.hash.to_string()).collect();
    assert_eq!(
        hashes,
        [
            "sha256:b88a7a9d304c7cc69f83ae761eb8deba51047ec5a1ff1ebef1b7bbbf969783ad",
            "sha256:e8e314bc7f40b3e2d0d656b245b825ea7ec9610e22f3c56ac1f910b9c5c7da8a",
            "sha256:1010d54cb28af35355b13ecce8bdf6d508fadd45f2554aeb26ef64fb05fd4b5c",
        ]
    );
    assert_eq!(
        entries[2].hashed(),
        "{\"event\":{\"jti\":\"AT.1\",\"type\":\"grant.consumed\"},\"prev\":\"sha256:e8e314bc7f40b3e2d0d656b245b825\
         ea7ec9610e22f3c56ac1f910b9c5c7da8a\",\"seq\":3}"
    );
    assert_eq!(verify(&entries, settings(Vec::new())).unwrap().entries, 3);
}

#[test]
fn what_is_hashed_is_what_jcs_makes_of_it() {
    for entry in some(3) {
        let event: Value = serde_json::from_str(entry.event.json()).unwrap();
        let whole = json!({"seq": entry.seq, "prev": entry.prev, "event": event});
        assert_eq!(canonical(&whole).unwrap(), entry.hashed());
        let whole = json!({"seq": entry.seq, "prev": entry.prev, "event": event, "hash": entry.hash});
        assert_eq!(canonical(&whole).unwrap(), entry.line());
        assert_eq!(Entry::parse(&entry.line()).unwrap(), entry);
    }
}

#[test]
fn a_line_has_one_spelling() {
    let line = some(1)[0].line();
    for other in [
        line.replace("\"seq\":", "\"seq\": "),
        line.replace("\\n", "\\u000a"),
        line.replace("\"v\":1", "\"v\":1.0"),
        line.replace("\"code\":\"DA1000\"", "\"code\":\"DA9999\",\"code\":\"DA1000\""),
        line.replace("sha256:", "sha256:0"),
        format!("{line} "),
    ] {
        assert_ne!(other, line);
        assert!(Entry::parse(&other).is_err(), "{other}");
    }
}

#[test]
fn an_integer_that_jcs_would_round_is_not_a_second_spelling() {
    let event = SealedEvent::read(br#"{"n":9007199254740993}"#);
    let line = event.map(|event| Entry::seal(SealedHead::genesis(&acme()), event).line());
    // Refused, or rounded for good: never two numbers under one hash within an export.
    assert!(line.is_err() || !line.unwrap().contains("9007199254740993"));
}

#[test]
fn moved_entries_are_named() {
    let good = some(9);
    let mut swapped = good.clone();
    swapped.swap(3, 4);
    assert_eq!(wrong(&swapped, settings(Vec::new())), (4, Wrong::Missing(5)));
    let mut deleted = good.clone();
    deleted.remove(0);
    assert_eq!(wrong(&deleted, settings(Vec::new())), (1, Wrong::Missing(2)));
    let mut repeated = good.clone();
    repeated.insert(5, good[4].clone());
    assert_eq!(wrong(&repeated, settings(Vec::new())), (5, Wrong::Repeated));
    let tolerant = Settings { repeats: true, ..settings(Vec::new()) };
    assert_eq!(verify(&repeated, tolerant.clone()).unwrap().repeated, 1);
    let mut forked = good.clone();
    let twin = Entry::seal(good[3].head(), SealedEvent::read(b"{}").unwrap());
    forked.insert(5, twin);
    assert_eq!(wrong(&forked, tolerant), (5, Wrong::Fork));
    let mut relinked = good.clone();
    relinked[5] = Entry::seal(SealedHead { seq: 5, hash: good[0].hash }, good[5].event.clone());
    assert_eq!(wrong(&relinked, settings(Vec::new())), (6, Wrong::Prev));
    let other = Settings { tenant: TenantName::parse("other").unwrap(), ..settings(Vec::new()) };
    assert_eq!(wrong(&good, other), (1, Wrong::Tenant));
}

#[test]
fn checkpoints_hold_the_end_and_the_past() {
    let good = some(9);
    let at = |n: usize| checkpoint(good[n - 1].head(), 1);
    assert_eq!(verify(&good, settings(vec![at(4), at(9)])).unwrap().checkpoints, 2);
    assert_eq!(wrong(&good[..7], settings(vec![at(4), at(9)])), (9, Wrong::CutOff(7)));
    assert_eq!(wrong(&[], settings(vec![at(4)])), (4, Wrong::CutOff(0)));
    let to = Settings { to: Some(7), ..settings(vec![at(9)]) };
    assert!(verify(&good[..7], to).is_ok());
    let to = Settings { to: Some(8), ..settings(Vec::new()) };
    assert_eq!(wrong(&good[..7], to), (8, Wrong::Ends(7)));
    let forged = Checkpoint { signature: at(4).signature, ..at(5) };
    assert_eq!(wrong(&good, settings(vec![forged])), (5, Wrong::Signature));
    let unknown = checkpoint(good[4].head(), 2);
    assert_eq!(wrong(&good, settings(vec![unknown])), (5, Wrong::UnknownKey(key(2).id())));
}

/// The limit of every chain that its owner holds alone: made anew as a whole, it is a good chain. Only what was kept
/// elsewhere, a checkpoint or a hash in the identity provider's log, tells.
#[test]
fn a_chain_made_anew_is_seen_by_a_checkpoint_only() {
    let (good, anew) = (some(9), chain((0..9).map(|n| json!({"tenant": "acme", "n": n}))));
    assert!(verify(&anew, settings(Vec::new())).is_ok());
    let kept = checkpoint(good[4].head(), 1);
    assert_eq!(wrong(&anew, settings(vec![kept])), (5, Wrong::Checkpoint));
}

#[test]
fn verification_can_begin_in_the_middle() {
    let good = some(9);
    let from = Settings { from: Some(4), ..settings(Vec::new()) };
    let report = verify(&good, from.clone()).unwrap();
    assert_eq!((report.range, report.anchored), (Some((4, 9)), false));
    let kept = vec![checkpoint(good[2].head(), 1), checkpoint(good[0].head(), 1)];
    let report = verify(&good, Settings { checkpoints: kept.clone(), ..from.clone() }).unwrap();
    assert_eq!((report.range, report.anchored, report.checkpoints), (Some((4, 9)), true, 1));
    // What was dropped up to a checkpoint is not missed by whoever has that checkpoint.
    assert!(verify(&good[3..], settings(kept)).unwrap().anchored);
    assert_eq!(wrong(&good[..2], from), (4, Wrong::Ends(2)));
}

#[test]
fn a_trimmed_chain_begins_behind_its_checkpoint_and_nowhere_else() {
    let trim = json!({"tenant": "acme", "code": "DA9002", "details": {"up_to": 3}});
    let good = chain((0..8).map(|n| if n == 6 { trim.clone() } else { json!({"tenant": "acme", "n": n}) }));
    let at = |n: usize, signer| checkpoint(good[n - 1].head(), signer);
    let behind = |n: usize| Settings { start: Start::Behind(at(n, 1)), ..settings(vec![at(1, 1), at(8, 1)]) };
    let report = verify(&good[3..], behind(3)).unwrap();
    assert_eq!((report.range, report.behind, report.told), (Some((4, 8)), Some(3), true));
    assert_eq!((report.anchored, report.checkpoints, report.earlier), (true, 2, 1));
    assert!(!verify(&good[4..], behind(4)).unwrap().told, "the entry tells of another number");
    assert!(!verify(&good[3..6], Settings { to: Some(6), ..behind(3) }).unwrap().told);
    for (entries, seq, found) in [(&good[4..], 4, 5), (&good[2..], 4, 3), (&good[..], 4, 1)] {
        assert_eq!(wrong(entries, behind(3)), (seq, Wrong::Missing(found)));
    }
    // Everything was dropped, and what tells of it is not sealed yet.
    assert_eq!(verify(&[], Settings { checkpoints: Vec::new(), ..behind(8) }).unwrap().behind, Some(8));
    assert_eq!(wrong(&[], behind(3)), (8, Wrong::CutOff(3)));
    // A checkpoint that is only there doesn't make a start, neither does one that is forged.
    let whole = Settings { start: Start::Whole, ..settings(vec![at(3, 1)]) };
    assert_eq!(wrong(&good[3..], whole), (1, Wrong::Missing(4)));
    let forged = |checkpoint| Settings { start: Start::Behind(checkpoint), ..settings(Vec::new()) };
    let moved = Checkpoint { says: at(3, 1).says, signature: at(4, 1).signature };
    assert_eq!(wrong(&good[3..], forged(moved)), (3, Wrong::Signature));
    assert_eq!(wrong(&good[3..], forged(at(3, 2))), (3, Wrong::UnknownKey(key(2).id())));
    let other = checkpoint(SealedHead { seq: 3, hash: good[0].hash }, 1);
    assert_eq!(wrong(&good[3..], forged(other)), (3, Wrong::Checkpoint));
}

#[test]
fn time_that_runs_back_is_mentioned_only() {
    let event = |seconds: i64| json!({"time": Timestamp::UNIX_EPOCH.saturating_add(SignedDuration::from_secs(seconds)).unwrap()});
    let report = verify(&chain([1000, 700, 699, 1200].map(event)), settings(Vec::new())).unwrap();
    assert_eq!((report.time_ran_back, report.times_back), (vec![3], 1));
}

fn rotated(old: u8, new: u8, old_signs: bool) -> Value {
    let message = Rotation::message(&acme(), &key(old), &key(new)).unwrap();
    let rotation = Rotation {
        tenant: acme(),
        old_key: key(old),
        new_key: key(new),
        old_signature: old_signs.then(|| sign(old, &message)),
        new_signature: sign(new, &message),
    };
    json!({"code": "DA9001", "details": {"rotation": rotation}})
}

#[test]
fn trust_passes_on_only_if_both_keys_say_so() {
    let both = chain([json!({}), rotated(1, 2, true), json!({})]);
    let marks = vec![checkpoint(both[0].head(), 1), checkpoint(both[2].head(), 2)];
    assert_eq!(verify(&both, settings(marks.clone())).unwrap().checkpoints, 2);
    // Whoever has the new key only believes the old one, too.
    let new_only = Settings { keys: Keyring::new([key(2)], check), ..settings(marks) };
    assert_eq!(verify(&both, new_only).unwrap().checkpoints, 2);
    let alone = chain([json!({}), rotated(1, 2, false), json!({})]);
    let mark = vec![checkpoint(alone[2].head(), 2)];
    assert_eq!(wrong(&alone, settings(mark)), (3, Wrong::UnknownKey(key(2).id())));
    // A stranger's key can't sign itself in.
    let stranger = chain([rotated(7, 8, true)]);
    let mark = vec![checkpoint(stranger[0].head(), 8)];
    assert_eq!(wrong(&stranger, settings(mark)).1, Wrong::UnknownKey(key(8).id()));
}

fn read_all(text: &str) -> bool {
    let mut verifier = Verifier::new(settings(Vec::new()));
    for line in text.lines() {
        let Ok(entry) = Entry::parse(line) else { return false };
        if verifier.feed(&entry).is_err() {
            return false;
        }
    }
    verifier.finish().is_ok_and(|report| report.entries == 6)
}

proptest! {
    /// Every bit of every field counts, and every bit between the fields.
    #[test]
    fn a_flipped_bit_is_found(place in any::<prop::sample::Index>(), bit in 0..8_u8) {
        let text = some(6).iter().map(Entry::line).collect::<Vec<_>>().join("\n");
        prop_assert!(read_all(&text));
        let mut bytes = text.into_bytes();
        let at = place.index(bytes.len());
        bytes[at] ^= 1 << bit;
        // What isn't text any more can't be read.
        if let Ok(text) = String::from_utf8(bytes) {
            prop_assert!(!read_all(&text));
        }
    }

    /// Whatever is taken out, moved or doubled: only the order as it was passes.
    #[test]
    fn another_order_is_found(order in vec(0..6_usize, 1..9)) {
        let good = some(6);
        let moved: Vec<Entry> = order.iter().map(|n| good[*n].clone()).collect();
        let checkpoint = checkpoint(good[5].head(), 1);
        let is_whole = order.iter().copied().eq(0..6);
        prop_assert_eq!(verify(&moved, settings(vec![checkpoint])).is_ok(), is_whole);
    }
}
