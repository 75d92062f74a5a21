//! Whole objects at the service: what `check` says, what a new device gets, and how a backup makes it whole.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use client::archive::Archive;
use client::ids::PackId;
use client::pack::{Family, open_footer};
use client::sync::{CheckLevel, RestoreOptions};
use client::vault::{Vault, Work};
use tests::history::{import, listed};
use tests::strata::{Stored, spoil};
use tests::times;
use tests::world::{PASSPHRASE, Place, World, by_passphrase};

use crate::things::{Home, Thing, one_backup, things, three_levels};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Damage {
    Removed,
    Cut,
    Flipped,
    Swapped,
}

const ALL: [Damage; 4] = [Damage::Removed, Damage::Cut, Damage::Flipped, Damage::Swapped];

async fn check(home: &mut Home) -> BTreeMap<PackId, (&'static str, &'static str)> {
    let level = CheckLevel::Contents { percent: 100 };
    let checked = home.vault.check(&mut home.archive, level, &Work::quiet()).await.unwrap();
    assert_eq!(checked.ok, checked.problems.is_empty());
    assert!(checked.problems.iter().all(|p| p.repairable), "{:?}", checked.problems);
    checked.problems.iter().map(|p| (PackId::from_hex(&p.object).unwrap(), (p.kind, p.holds))).collect()
}

/// Damages an object, and with a swap another of its length too; answers what is damaged now and what it is called.
async fn damage(
    world: &World,
    stored: &Stored,
    of: &BTreeMap<PackId, Thing>,
    id: PackId,
    how: Damage,
) -> Vec<(PackId, &'static str)> {
    let bytes = &stored.packs[&id];
    // Behind its chunks a pack of attachments is padding, without which they are all there.
    let attachments = of[&id].holds() == "attachments";
    let (keep, at) = if attachments { (300, 100) } else { (bytes.len() / 2, bytes.len() / 3) };
    let put = |id, bytes: Option<Vec<u8>>| async move { spoil(world, &stored.account, id, bytes.as_deref()).await };
    match how {
        Damage::Removed => put(id, None).await,
        Damage::Cut => put(id, Some(bytes[..keep].to_vec())).await,
        Damage::Flipped => {
            let mut bytes = bytes.clone();
            bytes[at] ^= 1;
            put(id, Some(bytes)).await;
        }
        Damage::Swapped => {
            let other = of.keys().find(|other| **other != id && stored.packs[*other].len() == bytes.len());
            let Some(other) = other else {
                // Nothing else has its length: the longer one is cut to it.
                let longer = of.keys().find(|other| stored.packs[*other].len() > bytes.len()).unwrap();
                put(id, Some(stored.packs[longer][..bytes.len()].to_vec())).await;
                return vec![(id, "damaged")];
            };
            put(id, Some(stored.packs[other].clone())).await;
            put(*other, Some(bytes.clone())).await;
            return vec![(id, "damaged"), (*other, "damaged")];
        }
    }
    let kind = match how {
        Damage::Removed => "missing",
        Damage::Cut => "truncated",
        _ => "damaged",
    };
    vec![(id, kind)]
}

/// A message without what is said of its attachments, and those.
fn parts(line: &str) -> (String, Option<String>) {
    match line.rsplit_once(' ') {
        Some((message, hash)) if hash == "absent" || (hash.len() == 64 && !hash.contains('"')) => {
            (message.to_owned(), Some(hash.to_owned()))
        }
        _ => (line.to_owned(), None),
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.path().is_dir() { copy(&entry.path(), &to) } else { assert!(std::fs::copy(entry.path(), to).is_ok()) }
    }
}

/// Restores on a new device and holds what it shows to what is true: nothing else, and what is lost is counted.
/// Answers the home, in which the restore goes on once everything is whole again.
async fn restored(world: &World, new: &Place, truth: &[String], damaged: &[&Thing], kinds: &[Damage]) -> Place {
    // A home in which nothing was done yet, as often as it is needed: an account has only so many devices.
    let place = Place::new();
    copy(&new.dir.path().join("home"), &place.dir.path().join("home"));
    let mut vault = place.open(world).unwrap();
    let mut archive = vault.archive().unwrap();
    let done = vault.restore(&mut archive, &RestoreOptions::default(), &Work::quiet()).await;
    archive.settle().unwrap();
    let shown = listed(&archive);
    let true_parts: BTreeMap<String, Option<String>> = truth.iter().map(|line| parts(line)).collect();
    let mut absent = 0;
    for (message, hash) in shown.iter().map(|line| parts(line)) {
        let right = true_parts.get(&message).unwrap_or_else(|| panic!("shown and never written: {message}"));
        match hash {
            Some(hash) if hash == "absent" => absent += 1,
            hash => assert_eq!(hash, *right, "{message}"),
        }
    }
    let holds = |what| damaged.iter().any(|thing| thing.holds() == what);
    let done = done.unwrap();
    let pages = damaged.iter().filter_map(|thing| match thing {
        Thing::Page(page) => Some(page.id),
        _ => None,
    });
    let pages: BTreeSet<PackId> = pages.collect();
    assert_eq!(done.lost_pages.iter().map(|(id, _)| *id).collect::<BTreeSet<_>>(), pages, "{kinds:?}");
    if !pages.is_empty() {
        // Of this history one page lists every run: the front page and the tail are left.
        assert!(done.lost_runs.is_empty() && !done.is_whole(), "{done:?}");
        assert!(shown.len() < truth.len() && (holds("front page") || !shown.is_empty()), "{} shown", shown.len());
        assert_writes_nothing(&mut vault, &mut archive).await;
        return place;
    }
    let runs: BTreeSet<PackId> = damaged
        .iter()
        .filter_map(|thing| match thing {
            Thing::Run(run) => Some(run.pack.id),
            _ => None,
        })
        .collect();
    assert_eq!(done.lost_runs.iter().map(|(id, _, _)| *id).collect::<BTreeSet<_>>(), runs, "{kinds:?}");
    let lost: u64 = done.lost_runs.iter().map(|(_, rows, _)| rows).sum();
    assert!(
        (truth.len() - shown.len()) as u64 <= lost,
        "{} of {} shown, {lost} counted lost",
        shown.len(),
        truth.len()
    );
    if !holds("run") {
        assert_eq!(shown.len(), truth.len(), "every text is here");
    }
    if !holds("chunk run") && !holds("attachments") {
        assert_eq!(absent, 0, "every attachment of what is here is here");
    }
    assert_eq!(done.is_whole(), runs.is_empty() && !holds("attachments"), "{kinds:?} {done:?}");
    assert_eq!(done.missing.len(), absent, "each lost attachment is counted");
    // What a chunk run says may stand in another too: after a repair one run says all of it. And with a run, what it
    // showed of a pack swapped with it is lost as well.
    assert!(absent > 0 || !holds("attachments") || holds("run"), "{kinds:?}");
    // This device cannot make whole what it does not have, and does not try.
    if !runs.is_empty() {
        assert_writes_nothing(&mut vault, &mut archive).await;
    }
    place
}

async fn assert_writes_nothing(vault: &mut Vault, archive: &mut Archive) {
    let tried = vault.backup(archive, &Default::default(), &Work::quiet()).await;
    assert_eq!(tried.err().map(|e| e.exit()), Some(30));
}

/// What was lost to a restore comes with the next one, once it is whole.
async fn goes_on(world: &World, place: &Place, truth: &[String]) {
    let mut vault = place.open(world).unwrap();
    let mut archive = vault.archive().unwrap();
    let done = vault.restore(&mut archive, &RestoreOptions::default(), &Work::quiet()).await.unwrap();
    assert!(done.is_whole(), "{done:?}");
    assert_eq!(listed(&archive), truth);
}

/// And then it writes again. It is a copy of a device that others are copied from too, so this comes last.
async fn writes_again(world: &World, place: &Place) {
    let mut vault = place.open(world).unwrap();
    let mut archive = vault.archive().unwrap();
    vault.backup(&mut archive, &Default::default(), &Work::quiet()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_damaged_is_named_and_made_whole_and_nothing_else_suffers() {
    let world = World::new();
    let mut home = three_levels(&world).await;
    let truth = listed(&home.archive);
    let new = Place::new();
    drop(new.install(world.login("ana", by_passphrase(PASSPHRASE), "new").await.unwrap()));
    assert!(check(&mut home).await.is_empty());
    let mut last = None;
    for (turn, what) in ["run", "chunk run", "attachments", "front page", "page"].into_iter().enumerate() {
        for how in ALL.into_iter().cycle().skip(turn).take(times(2, 4)) {
            for n in 0..times(1, 5) {
                let stored = Stored::of(&world, &home.vault).await;
                let things = things(&stored, &home);
                let of_kind: Vec<PackId> =
                    things.iter().filter(|(_, t)| t.holds() == what).map(|(id, _)| *id).collect();
                let id = of_kind[n * 7 % of_kind.len()];
                let spoilt = damage(&world, &stored, &things, id, how).await;
                let expected: BTreeMap<_, _> =
                    spoilt.iter().map(|(id, kind)| (*id, (*kind, things[id].holds()))).collect();
                assert_eq!(check(&mut home).await, expected, "{what} {how:?}");
                let damaged: Vec<&Thing> = spoilt.iter().map(|(id, _)| &things[id]).collect();
                let begun = restored(&world, &new, &truth, &damaged, &[how]).await;
                home.backup().await;
                assert_eq!(check(&mut home).await, BTreeMap::new(), "{what} {how:?}: made whole");
                restored(&world, &new, &truth, &[], &[]).await;
                goes_on(&world, &begun, &truth).await;
                last = Some(begun);
            }
        }
    }
    writes_again(&world, &last.expect("there were turns")).await;
    assert_eq!(listed(&home.archive), truth);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_block_loses_its_own_rows_and_no_others() {
    let world = World::new();
    let mut home = one_backup(&world).await;
    import(&mut home.archive, 5, 0, 3_000, 0);
    home.backup().await;
    let truth = listed(&home.archive);
    let new = Place::new();
    drop(new.install(world.login("ana", by_passphrase(PASSPHRASE), "new").await.unwrap()));
    let stored = Stored::of(&world, &home.vault).await;
    let things = things(&stored, &home);
    let runs = things.values().filter_map(|thing| match thing {
        Thing::Run(run) if run.family == Family::Messages => Some(run),
        _ => None,
    });
    let run = runs.max_by_key(|run| run.blocks).unwrap();
    let bytes = &stored.packs[&run.pack.id];
    let footer = open_footer(&stored.account, &run.pack, &bytes[..run.pack.footer_len as usize]).unwrap();
    // Not the newest, which the front page shows too.
    assert!(footer.blocks().len() >= 4, "{}", footer.blocks().len());
    let mut damaged = bytes.clone();
    damaged[footer.range(2).unwrap().start + 100] ^= 1;
    spoil(&world, &stored.account, run.pack.id, Some(&damaged)).await;
    assert_eq!(check(&mut home).await, BTreeMap::from([(run.pack.id, ("damaged", "run"))]));

    let mut vault = new.open(&world).unwrap();
    let mut archive = vault.archive().unwrap();
    let done = vault.restore(&mut archive, &RestoreOptions::default(), &Work::quiet()).await.unwrap();
    let rows = footer.blocks()[1].rows;
    assert!(rows >= 20 && rows < run.rows / 2, "{rows} of {}", run.rows);
    assert_eq!(done.lost_runs, [(run.pack.id, rows, "damaged".to_owned())]);
    assert_eq!(listed(&archive).len() as u64, truth.len() as u64 - rows);
    assert!(listed(&archive).iter().all(|line| truth.contains(line)));
    assert_writes_nothing(&mut vault, &mut archive).await;
    drop((vault, archive));
    home.backup().await;
    goes_on(&world, &new, &truth).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pack_that_lost_padding_alone_is_named() {
    let world = World::new();
    let mut home = one_backup(&world).await;
    let stored = Stored::of(&world, &home.vault).await;
    let things = things(&stored, &home);
    let (id, _) = things.iter().find(|(_, thing)| thing.holds() == "attachments").unwrap();
    spoil(&world, &stored.account, *id, Some(&stored.packs[id][..1 << 15])).await;
    assert_eq!(check(&mut home).await, BTreeMap::from([(*id, ("truncated", "attachments"))]));
}
