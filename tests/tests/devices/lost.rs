//! The lost phone: somebody else has it, unlocked, with its keys, its token and every byte the service stores.

use std::time::Duration;

use client::crypto::{open_body, seal_record};
use client::env::SystemEntropy;
use client::ids::{DeviceId, PackId};
use client::log::LogState;
use client::vault::{DeviceStanding, Vault};
use proto::v1;
use proto::v1::refusal::Reason;
use proto::wire::events::EventsClear;
use proto::wire::header::{Header, Record, RecordKind};
use tests::strata::Stored;
use tests::world::{PASSPHRASE, Place, World, by_kit, by_passphrase, device, passphrase, refused};

use crate::model::{Device, Model};

const NEW: &str = "nine herons fold silver maps";

fn open() -> v1::OpenRequest {
    v1::OpenRequest { client_version: "0.1.0".into(), ..Default::default() }
}

/// A record that the service would take from this device if it were still one of the account's.
fn next_record(lost: &Device) -> (Record, Vec<u8>) {
    let note = lost.archive.note(client::archive::Note::Log).unwrap().unwrap();
    let state = LogState::decode(&note).unwrap();
    let keys = &lost.vault.session.device;
    let last = state.devices.get(&keys.id()).map_or((0, [0; 32]), |last| (last.counter, last.digest));
    let header = Header {
        kind: RecordKind::Events,
        flags: 0,
        incarnation: state.incarnation,
        account: lost.vault.session.identity.account,
        device: keys.id(),
        counter: last.0 + 1,
        previous: last.1,
        seen_size: state.frontier.size(),
        seen_root: state.frontier.root(),
        agreed: 0,
        roster_version: state.roster.version,
        last_day: 0,
        clear_len: 0,
        body_len: 0,
        body_hash: [0; 32],
    };
    let epoch = lost.vault.ring.keyring().current();
    let clear = EventsClear::default().encode();
    let sealed = seal_record(keys, epoch, header, &clear, b"", &mut SystemEntropy).unwrap();
    (sealed.record, sealed.body)
}

/// Whether any key of a ring opens a record.
fn opens(vault: &Vault, record: &Record, body: &[u8]) -> bool {
    let ring = vault.ring.keyring();
    (0..=ring.epoch()).filter_map(|k| ring.of_epoch(k)).any(|key| open_body(record, body, key).is_ok())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_phone_reads_and_writes_nothing_more() {
    let world = World::new();
    let mut model = Model::default();
    let (joined, kit) = world.register("ana", "phone").await;
    let mut lost = Device::install(Place::new(), joined);
    model.import(&mut lost.archive, 1, 0, 40, 3_000);
    lost.backup().await;
    let pack: PackId = *Stored::of(&world, &lost.vault).await.packs.keys().next().unwrap();

    // Nothing but the kit; then list, revoke, a new passphrase.
    let place = Place::new();
    let joined = world.login("ana", by_kit(&kit), "new phone").await.unwrap();
    let mut found = Device::install(place, joined);
    found.restore().await;
    model.holds(&found.archive);
    let names: Vec<_> = found.vault.devices().into_iter().map(|d| d.name).collect();
    assert_eq!(names, ["phone", "new phone"]);

    // As a thief would: the token in hand, a record of the newest state ready, both good until now.
    lost.vault.sync(&mut lost.archive, &client::vault::Work::quiet()).await.unwrap();
    let (remote, token) = (lost.vault.session.remote().await.unwrap(), lost.vault.session.token().await.unwrap());
    assert!(remote.open(&token, open()).await.is_ok());
    assert!(remote.get_pack(&token, pack, 0, 0, 8 << 20).await.is_ok());
    let (record, body) = next_record(&lost);
    let before = Stored::of(&world, &found.vault).await.entries.len();

    let gone: DeviceId = device(&found.vault, "phone");
    found.vault.revoke(&mut found.archive, &gone, by_kit(&kit)).await.unwrap();
    found.vault.change_passphrase(&mut found.archive, by_kit(&kit), passphrase(NEW)).await.unwrap();
    let standing = found.vault.devices().into_iter().find(|d| d.id == gone).unwrap().state;
    assert_eq!(standing, DeviceStanding::Revoked);
    tokio::time::sleep(Duration::from_secs(1)).await;

    let reason = |refused: client::remote::Refused| refused.reason;
    let spent = |r| matches!(r, Reason::TokenExpired | Reason::DeviceGone);
    let record = v1::Record { record: record.encode().to_vec().into(), body: body.into() };
    let append = || v1::AppendRequest { records: vec![record.clone()], slots: Vec::new() };
    let pull = || v1::PullRequest { from: 0, known_size: 0, headers_only: false, past_gaps: false };
    assert!(spent(reason(remote.open(&token, open()).await.unwrap_err())));
    assert!(spent(reason(remote.pull(&token, pull()).await.unwrap_err())));
    assert!(spent(reason(remote.get_pack(&token, pack, 0, 0, 8 << 20).await.unwrap_err())));
    assert!(spent(reason(remote.append(Some(&token), append()).await.unwrap_err())));
    assert!(spent(reason(remote.slots(&token).await.map(drop).unwrap_err())));
    assert!(spent(reason(remote.staged(&token).await.map(drop).unwrap_err())));
    let upload = remote.put_pack(&token, PackId([9; 16]), 16, vec![0; 1 << 16].into(), ()).await;
    assert!(spent(reason(upload.map(drop).unwrap_err())));
    // Nor does it get another token; and to its owner it says what happened.
    assert_eq!(refused(lost.vault.usage().await).exit(), 13);
    let again = lost.vault.backup(&mut lost.archive, &Default::default(), &client::vault::Work::quiet()).await;
    assert_eq!(refused(again).exit(), 13);
    model.holds(&lost.archive);
    let old_passphrase = world.login("ana", by_passphrase(PASSPHRASE), "thief").await;
    assert_eq!(refused(old_passphrase).exit(), 12);

    // What is written from now on the lost phone cannot open, even with every byte of the service.
    model.import(&mut found.archive, 2, 0, 25, 2_000);
    found.backup().await;
    let stored = Stored::of(&world, &found.vault).await;
    assert!(stored.entries.iter().skip(before).all(|(leaf, _)| leaf.record.header.device != gone));
    let later: Vec<_> = stored.entries[before..].iter().collect();
    let (mut rosters, mut sealed) = (0, 0);
    for (leaf, entry) in &later {
        match leaf.record.header.kind {
            RecordKind::Roster => {
                rosters += 1;
                let keys = &lost.vault.session.device;
                let next = lost.vault.ring.next(leaf.record.clone(), entry.body.to_vec(), entry.index, keys);
                assert!(next.is_err(), "the lost phone opened a roster that has no wrap for it");
            }
            _ => {
                sealed += 1;
                assert!(opens(&found.vault, &leaf.record, &entry.body), "the owner opens it");
                assert!(!opens(&lost.vault, &leaf.record, &entry.body), "the lost phone opened a later epoch");
            }
        }
    }
    assert_eq!(rosters, 2);
    assert!(sealed >= 3, "events, a snapshot and a head");
    // The new passphrase is a way in, and everything is there.
    let joined = world.login("ana", by_passphrase(NEW), "tablet").await.unwrap();
    let mut tablet = Device::install(Place::new(), joined);
    assert!(tablet.restore().await.is_whole());
    model.holds(&tablet.archive);
}
