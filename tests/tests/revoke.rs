//! A revoked device against a client that does as it likes: the token and connection it had, its keys, records made
//! ready before and after, and every byte the service has. And the devices that stay.

use std::time::Instant;

use client::archive::{Archive, Note};
use client::crypto::{RecoveryKey, open_body, seal_record};
use client::env::SystemEntropy;
use client::ids::PackId;
use client::log::{Alarm, Follower, LogState};
use client::remote::{Refused, Remote, Token};
use client::sync::{BackupOptions, RestoreOptions};
use client::vault::{Vault, Work};
use proto::v1;
use proto::v1::refusal::Reason;
use proto::wire::events::EventsClear;
use proto::wire::header::{Header, Leaf, Record, RecordKind};
use tests::history::{import, listed};
use tests::strata::Stored;
use tests::world::{PASSPHRASE, Place, World, by_kit, by_passphrase, copied, passphrase, refused};

struct Device {
    vault: Vault,
    archive: Archive,
    _place: Place,
}

impl Device {
    async fn new(world: &World, kit: &RecoveryKey, name: &str) -> Self {
        let place = Place::new();
        let vault = place.install(world.login("ana", by_kit(kit), name).await.unwrap());
        let archive = vault.archive().unwrap();
        let mut device = Self { vault, archive, _place: place };
        device.vault.restore(&mut device.archive, &RestoreOptions::default(), &Work::quiet()).await.unwrap();
        device
    }

    async fn backup(&mut self) {
        self.vault.backup(&mut self.archive, &BackupOptions::default(), &Work::quiet()).await.unwrap();
    }

    async fn sync(&mut self) {
        self.vault.sync(&mut self.archive, &Work::quiet()).await.unwrap();
    }

    fn log(&self) -> LogState {
        LogState::decode(&self.archive.note(Note::Log).unwrap().unwrap()).unwrap()
    }

    /// A record of this device's on top of a log, under whatever roster its maker likes.
    fn record(&self, log: &LogState, roster_version: u64) -> (Record, Vec<u8>) {
        let keys = &self.vault.session.device;
        let last = log.devices.get(&keys.id()).map_or((0, [0; 32]), |last| (last.counter, last.digest));
        let header = Header {
            kind: RecordKind::Events,
            flags: 0,
            incarnation: log.incarnation,
            account: self.vault.session.identity.account,
            device: keys.id(),
            counter: last.0 + 1,
            previous: last.1,
            seen_size: log.frontier.size(),
            seen_root: log.frontier.root(),
            agreed: 0,
            roster_version,
            last_day: 0,
            clear_len: 0,
            body_len: 0,
            body_hash: [0; 32],
        };
        let key = self.vault.ring.keyring().current();
        let sealed = seal_record(keys, key, header, &EventsClear::default().encode(), b"", &mut SystemEntropy).unwrap();
        (sealed.record, sealed.body)
    }
}

fn request((record, body): &(Record, Vec<u8>)) -> v1::AppendRequest {
    let record = v1::Record { record: record.encode().to_vec().into(), body: body.clone().into() };
    v1::AppendRequest { records: vec![record], slots: Vec::new() }
}

/// Everything a token is good for, each tried raw.
async fn everything(
    remote: &Remote,
    token: &Token,
    pack: PackId,
    append: v1::AppendRequest,
) -> Vec<(&'static str, Reason)> {
    let open = v1::OpenRequest { client_version: "0.1.0".into(), ..Default::default() };
    let pull = v1::PullRequest { from: 0, known_size: 0, headers_only: false, past_gaps: false };
    let change = v1::RegisterStartRequest {
        opaque_request: vec![1; 32].into(),
        token: token.bytes.clone(),
        ..Default::default()
    };
    let mailbox = v1::OpenMailboxRequest { key: vec![1; 32].into() };
    let why = |refused: Refused| refused.reason;
    let done = Reason::Unspecified;
    vec![
        ("open", remote.open(token, open).await.map_or_else(why, |_| done)),
        ("append", remote.append(Some(token), append).await.map_or_else(why, |_| done)),
        ("pull", remote.pull(token, pull).await.map_or_else(why, |_| done)),
        ("get pack", remote.get_pack(token, pack, 0, 0, 8 << 20).await.map_or_else(why, |_| done)),
        (
            "put pack",
            remote.put_pack(token, PackId([9; 16]), 16, vec![0; 1 << 16].into(), ()).await.map_or_else(why, |_| done),
        ),
        ("staged", remote.staged(token).await.map_or_else(why, |_| done)),
        ("slots", remote.slots(token).await.map_or_else(why, |_| done)),
        ("watch", remote.watch(token, 0).await.map_or_else(why, |_| done)),
        ("passphrase", remote.register_start(change).await.map_or_else(why, |_| done)),
        ("pairing", remote.open_mailbox(token, mailbox).await.map_or_else(why, |_| done)),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_device_does_nothing_more_whatever_it_runs_and_the_others_go_on() {
    let world = World::new();
    let place = Place::new();
    let (joined, kit) = world.register("ana", "a").await;
    let vault = place.install(joined);
    let archive = vault.archive().unwrap();
    let mut a = Device { vault, archive, _place: place };
    import(&mut a.archive, 1, 0, 30, 3_000);
    a.backup().await;
    let (mut b, mut c) = (Device::new(&world, &kit, "b").await, Device::new(&world, &kit, "c").await);
    a.sync().await;
    b.sync().await;
    let pack = *Stored::of(&world, &b.vault).await.packs.keys().next().unwrap();

    // All it needs, at hand an instant before: connection, token, and a record that fits the log.
    let (remote, token) = (b.vault.session.remote().await.unwrap(), b.vault.session.token().await.unwrap());
    assert!(remote.slots(&token).await.is_ok());
    let ready = b.record(&b.log(), b.vault.ring.roster().version);
    let begun = Instant::now();
    let gone = b.vault.session.device.id();
    a.vault.revoke(&mut a.archive, &gone, by_passphrase(PASSPHRASE)).await.unwrap();
    let answers = everything(&remote, &token, pack, request(&ready)).await;
    println!("revoked, and all refused, after {:?}", begun.elapsed());
    let let_in: Vec<_> =
        answers.iter().filter(|(_, r)| !matches!(r, Reason::DeviceGone | Reason::TokenExpired)).collect();
    assert!(let_in.is_empty(), "{let_in:?}");
    // Nor is there another token for its keys.
    assert_eq!(refused(b.vault.session.token().await.map(drop).and(b.vault.usage().await.map(drop))).exit(), 13);

    // A client that knows the new roster from an accomplice, and signs under it.
    let log = {
        a.sync().await;
        a.log()
    };
    let doctored = b.record(&log, log.roster.version);
    let answers = everything(&remote, &token, pack, request(&doctored)).await;
    assert!(answers.iter().all(|(_, r)| matches!(r, Reason::DeviceGone | Reason::TokenExpired)), "{answers:?}");
    // With the service as its accomplice: what stands in the log is refused by those that stay.
    for (record, body) in [&ready, &doctored] {
        let leaf = Leaf { record: record.clone(), server_time: log.server_time };
        let mut follower = Follower::new(log.roster.account, log.clone());
        let taken = follower.accept(log.frontier.size(), &leaf.encode(), body, false).map(drop);
        assert_eq!(taken, Err(Alarm::Forged));
    }

    // A and C write and read each other; B opens none of it, with every byte the service has.
    let before = Stored::of(&world, &a.vault).await.entries.len();
    import(&mut a.archive, 2, 0, 15, 2_000);
    a.backup().await;
    c.sync().await;
    import(&mut c.archive, 3, 0, 15, 0);
    c.backup().await;
    a.sync().await;
    a.vault.restore(&mut a.archive, &RestoreOptions::default(), &Work::quiet()).await.unwrap();
    c.vault.restore(&mut c.archive, &RestoreOptions::default(), &Work::quiet()).await.unwrap();
    assert_eq!(listed(&a.archive), listed(&c.archive));
    assert_eq!(listed(&a.archive).len(), 60);
    let stored = Stored::of(&world, &a.vault).await;
    let (mut opened, keys) = (0, copied(&b.vault));
    for (leaf, entry) in stored.entries.iter().skip(before).filter(|(leaf, _)| leaf.record.header.body_len > 0) {
        let ring = b.vault.ring.keyring();
        let any = (0..=ring.epoch())
            .filter_map(|k| ring.of_epoch(k))
            .any(|k| open_body(&leaf.record, &entry.body, k).is_ok());
        assert!(!any, "record {} opens with an old epoch", entry.index);
        assert!(a.vault.ring.open_body(&leaf.record, &entry.body).is_ok());
        opened += 1;
    }
    assert!(opened >= 4, "{opened}");
    assert!(client::vault::Ring::open(&a.vault.ring.encode(), &keys).is_err(), "the new roster has no wrap for it");
    // It keeps what it had.
    assert_eq!(listed(&b.archive).len(), 30);
}

#[tokio::test(flavor = "multi_thread")]
async fn revoking_one_of_ten_takes_a_moment_and_new_secrets_sign_nobody_out() {
    let world = World::new();
    let place = Place::new();
    let (joined, kit) = world.register("ana", "device 0").await;
    let vault = place.install(joined);
    let archive = vault.archive().unwrap();
    let mut first = Device { vault, archive, _place: place };
    import(&mut first.archive, 1, 0, 20, 0);
    first.backup().await;
    let mut others = Vec::new();
    for n in 1..10 {
        others.push(Device::new(&world, &kit, &format!("device {n}")).await);
    }
    first.sync().await;
    for other in &mut others {
        other.sync().await;
    }
    // Ten devices online; both secrets change under them.
    let new = "nine herons fold silver maps";
    first.vault.change_passphrase(&mut first.archive, by_passphrase(PASSPHRASE), passphrase(new)).await.unwrap();
    let Device { vault, archive, .. } = &mut others[0];
    let new_kit = vault.rotate_root(archive, by_passphrase(new), passphrase(PASSPHRASE), true);
    assert!(new_kit.await.unwrap().is_some());
    for (n, other) in others.iter_mut().enumerate() {
        import(&mut other.archive, 2 + n, 0, 3, 0);
        other.backup().await;
    }
    first.sync().await;
    let lost = others.pop().unwrap();
    let (remote, token) = (lost.vault.session.remote().await.unwrap(), lost.vault.session.token().await.unwrap());
    let begun = Instant::now();
    let gone = lost.vault.session.device.id();
    first.vault.revoke(&mut first.archive, &gone, by_passphrase(PASSPHRASE)).await.unwrap();
    let took = begun.elapsed();
    let refused = remote.slots(&token).await.map(drop).unwrap_err();
    let until_refused = begun.elapsed();
    println!("one of 10 devices revoked in {took:?}, refused after {until_refused:?}");
    assert_eq!(refused.reason, Reason::DeviceGone);
    assert!(took.as_secs() < 10, "{took:?}");
    for other in &mut others {
        other.sync().await;
        assert_eq!(listed(&other.archive).len(), 20 + 9 * 3);
        assert_eq!(other.vault.ring.keyring().epoch(), 2);
    }
}
