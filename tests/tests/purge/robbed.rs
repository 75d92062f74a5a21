//! A thief who writes by himself: a head that names nothing and drops all. What it dropped comes back.

use client::archive::Acting;
use client::crypto::seal_record;
use client::env::SystemEntropy;
use client::strata::{Counts, FORMAT, HeadContent};
use client::sync::{CheckLevel, distrust};
use client::vault::{Vault, Work};
use proto::wire::head::{Drop, DropReason, HeadClear, NO_PACK};
use proto::wire::header::{Header, RecordKind};
use proto::wire::tree::Frontier;
use service::meta::{Meta as _, NewRecord};
use tests::history::{chat, import, listed};
use tests::strata::{Stored, caller};
use tests::timed::{Device, Timed};
use tests::world::{PASSPHRASE, by_passphrase, copied, device, label, name};

/// Writes a head with the keys of a device: it names no page, drops every pack, and says that it has purged every record
/// there is.
async fn robs(timed: &Timed, phone: &Device) {
    let (vault, world) = (&phone.vault, &timed.world);
    let stored = Stored::of(world, vault).await;
    let mut log = Frontier::default();
    stored.entries.iter().for_each(|(leaf, _)| log.append(leaf.hash()));
    let (parent, leaf) = stored.heads().pop().unwrap();
    let me = vault.session.device.id();
    let last = stored
        .entries
        .iter()
        .rev()
        .map(|(leaf, _)| &leaf.record)
        .find(|r| r.header.device == me && r.header.kind != RecordKind::Roster);
    let (who, now) = (caller(world, vault).await, timed.now().cast_unsigned());
    let mut drops = Vec::new();
    for pack in stored.packs.keys() {
        if world.meta.readable_pack(&who, *pack, now).await.is_ok() {
            drops.push(Drop { pack: *pack, reason: DropReason::Purged });
        }
    }
    let clear = HeadClear {
        generation: parent.generation + 1,
        parent: leaf.record.digest(),
        covered_size: log.size(),
        covered_root: log.root(),
        front_size: 0,
        erase: Vec::new(),
        adds: Vec::new(),
        drops,
        pages: vec![NO_PACK],
    };
    let content = HeadContent {
        pages: Vec::new(),
        authors: Vec::new(),
        digests: vec![(0, phone.archive.digest().unwrap().hash())],
        counts: Counts::default(),
        least_format: FORMAT,
        front_last_day: 0,
        purged: vec![(0, log.size())],
        rest: Default::default(),
    };
    let header = Header {
        kind: RecordKind::Head,
        flags: 0,
        incarnation: 1,
        account: stored.account,
        device: me,
        counter: last.map_or(0, |record| record.header.counter) + 1,
        previous: last.map_or([0; 32], |record| record.digest()),
        seen_size: log.size(),
        seen_root: log.root(),
        agreed: last.map_or(0, |record| record.header.agreed),
        roster_version: vault.ring.roster().version,
        last_day: 0,
        clear_len: 0,
        body_len: 0,
        body_hash: [0; 32],
    };
    let epoch = vault.ring.keyring().current();
    let sealed =
        seal_record(&copied(vault), epoch, header, &clear.encode(), &content.encode(), &mut SystemEntropy).unwrap();
    let record = NewRecord { record: sealed.record, body: sealed.body.into() };
    world.meta.append(&who, vec![record], now).await.unwrap();
}

/// A laptop with photos, and a phone that a thief has; and all messages as they were.
async fn two(timed: &Timed) -> (Device, Device, Vec<String>) {
    let mut laptop = timed.first().await;
    import(&mut laptop.archive, 1, 0, 60, 400_000);
    laptop.backup().await;
    import(&mut laptop.archive, 2, 0, 130, 3_000);
    laptop.backup().await;
    let phone = timed.another("phone").await;
    laptop.sync().await;
    let before = listed(&laptop.archive);
    (laptop, phone, before)
}

/// Days later: a new device has everything, this one too, and nothing is damaged.
async fn all_is_there(timed: &Timed, here: &mut Device, before: &[String]) {
    for _ in 0..16 {
        timed.wait(24);
        here.sync().await;
        timed.sweep().await;
    }
    assert!(here.restore().await.is_whole());
    let mut fresh = timed.another("tablet").await;
    for device in [here, &mut fresh] {
        let here = listed(&device.archive);
        let lost: Vec<&String> = before.iter().filter(|line| !here.contains(line)).collect();
        assert!(here.len() == before.len() && lost.is_empty(), "{} of {}, not {lost:?}", here.len(), before.len());
        let level = CheckLevel::Contents { percent: 100 };
        let checked = device.vault.check(&mut device.archive, level, &Work::quiet()).await.unwrap();
        assert!(checked.ok, "{:?}", checked.problems);
        assert_eq!(device.archive.check().unwrap(), Vec::<String>::new());
    }
}

async fn revokes(here: &mut Device) {
    let lost = device(&here.vault, "phone");
    here.vault.revoke(&mut here.archive, &lost, by_passphrase(PASSPHRASE)).await.unwrap();
    here.sync().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_drops_all_is_made_good_once_its_device_is_revoked() {
    let timed = Timed::new();
    let (mut laptop, phone, before) = two(&timed).await;
    robs(&timed, &phone).await;
    timed.wait(5);
    revokes(&mut laptop).await;
    all_is_there(&timed, &mut laptop, &before).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_without_the_photos_brings_them_back_too() {
    let timed = Timed::new();
    let (_laptop, mut phone, before) = two(&timed).await;
    // Rows only: its photos lie in the vault and nowhere else.
    let joined = Vault::login(timed.at(), name("ana"), by_passphrase(PASSPHRASE), label("old tablet")).await.unwrap();
    let mut tablet = Device::install(joined);
    tablet.sync().await;
    phone.sync().await;
    robs(&timed, &phone).await;
    timed.wait(30);
    revokes(&mut tablet).await;
    // The laptop, which has the photos, is not there.
    all_is_there(&timed, &mut tablet, &before).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_deleted_and_called_purged_at_once_is_undone_for_two_weeks() {
    let timed = Timed::new();
    let (mut laptop, mut phone, before) = two(&timed).await;
    let thief = phone.vault.session.device.id();
    for n in [1, 2] {
        let id = phone.archive.chat_id(&chat(n));
        let mut acting = Acting { now: timed.now(), entropy: &mut SystemEntropy };
        phone.archive.delete_chat(&id, None, &mut acting, |_| true).unwrap();
    }
    phone.sync().await;
    robs(&timed, &phone).await;
    laptop.sync().await;
    assert!(listed(&laptop.archive).is_empty());
    timed.wait(9 * 24);
    let all = laptop.archive.deletions(timed.now(), &laptop.vault.session.device.id()).unwrap();
    assert_eq!(all.len(), before.len(), "no row of them has gone here");
    let mut acting = Acting { now: timed.now(), entropy: &mut SystemEntropy };
    let undone = laptop.archive.undelete(&all, timed.now(), &mut acting).unwrap();
    assert_eq!(undone.undone as usize, before.len());
    distrust(&mut laptop.archive, [thief]).unwrap();
    laptop.sync().await;
    all_is_there(&timed, &mut laptop, &before).await;
}
