//! The service as a device sees it, over real HTTP/2, on both pairs of stores.

mod device;

use std::sync::Arc;

use bytes::Bytes;
use device::{Device, random, reason, root};
use proto::v1;
use proto::v1::refusal::Reason;
use service::auth::secrets::Secrets;
use service::env::{Clock as _, SystemEntropy};
use service::meta::{Invite, Meta, Model, Sqlite};
use service::objects::{Folder, Memory, Objects};
use service::rpc::{INVITE_BYTES, Registration, Service, Settings, invite_hash};
use service::testkit::{InProcess, ManualClock};
use tonic::Code;

const START_MS: u64 = 1_790_000_000_000;

struct World {
    meta: Arc<dyn Meta>,
    objects: Arc<dyn Objects>,
    clock: Arc<ManualClock>,
    running: InProcess,
    _folder: tempfile::TempDir,
}

async fn world(on_disk: bool, settings: Settings) -> World {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::new(START_MS));
    let (meta, objects): (Arc<dyn Meta>, Arc<dyn Objects>) = match on_disk {
        false => (Arc::new(Model::new()), Arc::new(Memory::new())),
        true => (
            Arc::new(Sqlite::open(&folder.path().join("chatkeepd.db")).await.unwrap()),
            Arc::new(Folder::open(&folder.path().join("objects")).await.unwrap()),
        ),
    };
    let secrets = Secrets::fresh(&SystemEntropy);
    let entropy = Arc::new(SystemEntropy);
    let service = Service::new(meta.clone(), objects.clone(), secrets, clock.clone(), entropy, settings);
    World { meta, objects, clock, running: InProcess::start(service), _folder: folder }
}

fn open_to_all() -> Settings {
    Settings { registration: Registration::Open, auth_per_minute: 1000, ..Settings::default() }
}

impl World {
    async fn device(&self, name: &str) -> Device {
        Device::new(&self.running.channel().await.unwrap(), name, "lantern quiet copper ribbon")
    }

    async fn registered(&self, name: &str) -> Device {
        let mut device = self.device(name).await;
        device.register(&[]).await.unwrap();
        device.sign_in().await.unwrap();
        device
    }
}

#[tokio::test]
async fn a_device_backs_up_and_another_gets_everything_back() {
    for on_disk in [false, true] {
        let world = world(on_disk, open_to_all()).await;
        let mut ana = world.registered("ana").await;
        let pack = random();
        let content = Bytes::from(vec![0x5a; 1 << 20]);
        let frames = vec![content.slice(..300_000), content.slice(300_000..300_000), content.slice(300_000..)];
        assert!(!ana.put_pack(pack, 20, frames.clone()).await.unwrap());
        assert!(ana.put_pack(pack, 20, frames).await.unwrap(), "the second upload is not needed");
        let staged = ana.vault.staged(ana.with(v1::StagedRequest {})).await.unwrap().into_inner().packs;
        assert_eq!(staged.len(), 1);
        assert_eq!((staged[0].class, staged[0].whole), (20, true));
        let records = vec![ana.events(&[pack], 900), ana.events(&[], 60_000)];
        let first = ana.append(records.clone()).await.unwrap();
        assert_eq!(first.placed.iter().map(|p| p.index).collect::<Vec<_>>(), [1, 2]);
        world.clock.advance(5000);
        assert_eq!(ana.append(records.clone()).await.unwrap(), first, "exactly once");
        assert_eq!(ana.get_pack(pack, 0, 0).await.unwrap(), content);
        assert_eq!(ana.get_pack(pack, 65536, 131072).await.unwrap(), content[..131072]);
        assert_eq!(ana.get_pack(pack, 1, 65536).await.unwrap_err().code(), Code::InvalidArgument);
        assert_eq!(ana.get_pack(random(), 0, 0).await.unwrap_err().code(), Code::NotFound);

        let (_, answer) = ana.login("ana", "lantern quiet copper ribbon").await.unwrap();
        let answer = answer.unwrap();
        assert_eq!((&answer.account[..], &answer.slot[..]), (&ana.account[..], &ana.slots[0].2[..]));
        let by_key = ana.recover(&ana.recovery_key.clone()).await.unwrap();
        assert_eq!(by_key.slot, ana.slots[1].2);
        assert_eq!(by_key.rosters, answer.rosters);

        let pull = v1::PullRequest { from: 0, known_size: 0, headers_only: false, past_gaps: false };
        let pulled = ana.vault.pull(ana.with(pull)).await.unwrap().into_inner();
        assert_eq!(pulled.entries.len(), 3);
        for (entry, record) in pulled.entries[1..].iter().zip(&records) {
            assert_eq!((&entry.leaf[..276], &entry.body), (&record.record[..], &record.body));
        }
        let leaves: Vec<_> = pulled.entries.iter().map(|e| e.leaf.clone()).collect();
        let log = pulled.log.unwrap();
        assert_eq!(log.size, 3);
        // Size 3: subtrees of two leaves and of one.
        assert_eq!(log.frontier, [root(&leaves[..2]).to_vec(), root(&leaves[2..]).to_vec()]);
        let open = v1::OpenRequest { known_size: 1, known_incarnation: 1, ..Default::default() };
        let opened = ana.vault.open(ana.with(open)).await.unwrap().into_inner();
        assert_eq!((opened.last_counter, &opened.last_digest[..]), (2, &ana.previous[..]));
        assert_eq!(opened.tail.len(), 2);
        assert!(opened.continuity);
        assert_eq!(
            opened.consistency,
            [device::h("log leaf", &leaves[1]).to_vec(), device::h("log leaf", &leaves[2]).to_vec()]
        );
        assert_eq!(opened.usage.unwrap().stored_bytes, 1 << 20);
        let slots = ana.vault.slots(ana.with(v1::SlotsRequest {})).await.unwrap().into_inner().slots;
        assert_eq!(slots, ana.slot_bytes(&[1, 2]));
        world.running.stop().await.unwrap();
    }
}

#[tokio::test]
async fn a_wrong_secret_and_an_unknown_name_are_answered_alike() {
    let world = world(false, open_to_all()).await;
    let mut ana = world.registered("ana").await;
    let (known, wrong) = ana.login("ana", "not it at all").await.unwrap();
    let (unknown, nobody) = ana.login("nobody", "not it at all").await.unwrap();
    let (wrong, nobody) = (wrong.unwrap_err(), nobody.unwrap_err());
    assert_eq!(known, unknown);
    assert_eq!((reason(&wrong), reason(&nobody)), (Reason::WrongSecret, Reason::WrongSecret));
    assert_eq!((wrong.code(), wrong.message()), (nobody.code(), nobody.message()));
    // Few accounts stretch at the large cost; among names that nobody has there are some too, each always told alike.
    let mut costs = std::collections::BTreeMap::new();
    for n in 0..300 {
        let cost = ana.cost_told(&format!("nobody-{n}")).await;
        costs.entry(cost).or_insert(Vec::new()).push(n);
    }
    assert!(costs.len() == 2 && costs.values().map(Vec::len).min() < Some(100), "{costs:?}");
    for (cost, names) in &costs {
        assert_eq!(ana.cost_told(&format!("nobody-{}", names[0])).await, *cost);
    }
    let stranger = ed25519_dalek::SigningKey::from_bytes(&random());
    let wrong = ana.recover(&stranger).await.unwrap_err();
    ana.name = "nobody".to_owned();
    let nobody = ana.recover(&stranger).await.unwrap_err();
    assert_eq!((wrong.code(), wrong.message(), reason(&wrong)), (nobody.code(), nobody.message(), reason(&nobody)));
    assert_eq!(reason(&wrong), Reason::WrongSecret);
    for name in ["ana", "nobody"] {
        world.clock.advance(2 * 3_600_000);
        let mut tries = 0;
        let spent = loop {
            match ana.login(name, "guess").await {
                Ok(_) => tries += 1,
                Err(status) => break status,
            }
        };
        assert_eq!((tries, reason(&spent)), (10, Reason::GuessesSpent), "{name}");
        world.clock.advance(10 * 60 * 1000 - 1);
        assert!(ana.login(name, "guess").await.is_err());
        world.clock.advance(1);
        assert!(ana.login(name, "guess").await.is_ok());
        assert!(ana.login(name, "guess").await.is_err());
    }
    ana.name = "ana".to_owned();
    let key = ana.recovery_key.clone();
    assert!(ana.recover(&key).await.is_ok(), "the recovery key is never delayed");
}

#[tokio::test]
async fn a_new_roster_ends_old_tokens_and_a_changed_passphrase_the_old_one() {
    for on_disk in [false, true] {
        let world = world(on_disk, open_to_all()).await;
        let mut ana = world.registered("ana").await;
        let old_token = ana.token.clone();
        let mut hints = ana.vault.watch(ana.with(v1::WatchRequest::default())).await.unwrap().into_inner();
        assert_eq!(hints.message().await.unwrap().unwrap().size, 1);
        let record = ana.events(&[], 10);
        ana.append(vec![record]).await.unwrap();
        assert_eq!(hints.message().await.unwrap().unwrap().size, 2);
        ana.change_passphrase("mosaic tunnel orbit").await.unwrap();
        let told = loop {
            match hints.message().await {
                Ok(Some(hint)) => assert_eq!(hint.size, 3),
                Ok(None) => panic!("the stream must say why it ends"),
                Err(status) => break status,
            }
        };
        assert_eq!(reason(&told), Reason::TokenExpired);
        ana.token = old_token;
        let pull = v1::PullRequest::default();
        let refused = ana.vault.pull(ana.with(pull)).await.unwrap_err();
        assert_eq!((refused.code(), reason(&refused)), (Code::Unauthenticated, Reason::TokenExpired));
        ana.sign_in().await.unwrap();
        assert!(ana.vault.pull(ana.with(pull)).await.is_ok());
        let (_, old) = ana.login("ana", "lantern quiet copper ribbon").await.unwrap();
        assert_eq!(reason(&old.unwrap_err()), Reason::WrongSecret);
        let (_, new) = ana.login("ana", "mosaic tunnel orbit").await.unwrap();
        assert_eq!(new.unwrap().slot, ana.slots[0].2);
        world.clock.advance(3_600_000);
        let refused = ana.vault.pull(ana.with(pull)).await.unwrap_err();
        assert_eq!(reason(&refused), Reason::TokenExpired);
    }
}

#[tokio::test]
async fn nothing_is_read_or_written_without_a_token() {
    let world = world(false, open_to_all()).await;
    let mut ana = world.registered("ana").await;
    let mut bent = ana.token.clone().unwrap().to_vec();
    bent[40] ^= 1;
    let record = ana.events(&[], 10);
    for token in [Bytes::new(), Bytes::from(bent), Bytes::from_static(&[1; 113])] {
        ana.token = Some(token);
        let refused = [
            ana.append(vec![record.clone()]).await.unwrap_err(),
            ana.vault.pull(ana.with(v1::PullRequest::default())).await.unwrap_err(),
            ana.vault.open(ana.with(v1::OpenRequest::default())).await.unwrap_err(),
            ana.vault.watch(ana.with(v1::WatchRequest::default())).await.unwrap_err(),
            ana.vault.slots(ana.with(v1::SlotsRequest {})).await.unwrap_err(),
            ana.vault.staged(ana.with(v1::StagedRequest {})).await.unwrap_err(),
            ana.put_pack(random(), 16, vec![Bytes::from(vec![0; 1 << 16])]).await.unwrap_err(),
            ana.get_pack(random(), 0, 0).await.unwrap_err(),
        ];
        for status in refused {
            assert_eq!((status.code(), reason(&status)), (Code::Unauthenticated, Reason::TokenExpired), "{status:?}");
        }
    }
    // Another account's device is admitted to its own log alone.
    let mut bob = world.registered("bob").await;
    ana.token = bob.token.clone();
    let refused = ana.append(vec![record]).await.unwrap_err();
    assert_eq!(reason(&refused), Reason::BadRecord);
    let pulled = bob.vault.pull(bob.with(v1::PullRequest::default())).await.unwrap().into_inner();
    assert_eq!(pulled.entries.len(), 1);
}

#[tokio::test]
async fn uploads_are_exact_and_reserved_first() {
    for on_disk in [false, true] {
        let world = world(on_disk, Settings { quota_bytes: 1 << 20, ..open_to_all() }).await;
        let mut ana = world.registered("ana").await;
        let content = |n: usize| Bytes::from(vec![9; n]);
        let id = random();
        for frames in [vec![content(65535)], vec![content(65536), content(1)], vec![content(1 << 18)], vec![]] {
            let wrong = ana.put_pack(id, 16, frames).await.unwrap_err();
            assert_eq!(wrong.code(), Code::InvalidArgument, "{wrong:?}");
            assert_eq!(ana.get_pack(id, 0, 0).await.unwrap_err().code(), Code::NotFound);
        }
        let unpinned = ana.events(&[id], 10);
        let refused = ana.append(vec![unpinned.clone()]).await.unwrap_err();
        assert_eq!(reason(&refused), Reason::PackGone);
        assert!(!ana.put_pack(id, 16, vec![content(65536)]).await.unwrap());
        let conflict = ana.put_pack(id, 17, vec![content(1 << 17)]).await.unwrap_err();
        assert_eq!(reason(&conflict), Reason::PackConflict);
        ana.append(vec![unpinned]).await.unwrap();
        let full = ana.put_pack(random(), 20, vec![content(1 << 20)]).await.unwrap_err();
        assert_eq!((full.code(), reason(&full)), (Code::ResourceExhausted, Reason::Quota));
        for class in [0, 13, 24, 300] {
            let refused = ana.put_pack(random(), class, vec![content(10)]).await.unwrap_err();
            assert_eq!(refused.code(), Code::InvalidArgument);
        }
        let text = ana.events(&[], 50_000);
        ana.append(vec![text]).await.expect("text is always admitted");
    }
}

#[tokio::test]
async fn invites_admit_as_often_as_they_say() {
    let settings = Settings { registration: Registration::Invite, auth_per_minute: 1000, ..Settings::default() };
    let world = world(true, settings).await;
    let token = random::<INVITE_BYTES>();
    let now_ms = world.clock.now_ms();
    let invite = Invite {
        hash: invite_hash(&token),
        uses_left: 1,
        expires_ms: now_ms + 1000,
        quota_bytes: Some(1 << 30),
        created_ms: now_ms,
        revoked: false,
    };
    world.meta.invite_create(invite).await.unwrap();
    // Refused before a passphrase is evaluated, and again when the invite shown then is left out at the end.
    let closed = world.device("ana").await.registration(&[]).await.unwrap_err();
    assert_eq!(reason(&closed), Reason::RegistrationClosed);
    let mut request = world.device("ana").await.registration(&token).await.unwrap();
    request.invite = Bytes::new();
    let closed = world.device("ana").await.accounts.register_finish(request).await.unwrap_err();
    assert_eq!(reason(&closed), Reason::RegistrationClosed);
    let forged = world.device("ana").await.register(&random::<INVITE_BYTES>()).await.unwrap_err();
    assert_eq!(reason(&forged), Reason::InviteInvalid);
    let mut ana = world.device("ana").await;
    ana.register(&token).await.unwrap();
    ana.sign_in().await.unwrap();
    let opened = ana.vault.open(ana.with(v1::OpenRequest::default())).await.unwrap().into_inner();
    assert_eq!(opened.usage.unwrap().quota_bytes, 1 << 30);
    let used = world.device("bob").await.register(&token).await.unwrap_err();
    assert_eq!(reason(&used), Reason::InviteInvalid);
    let taken = world.device("ana").await.register(&token).await.unwrap_err();
    assert_eq!(reason(&taken), Reason::InviteInvalid, "without a good invite nobody learns which names exist");
}

#[tokio::test]
async fn names_and_credential_ids_cannot_be_taken_over() {
    let world = world(false, open_to_all()).await;
    let ana = world.registered("ana").await;
    let taken = world.device("ana").await.register(&[]).await.unwrap_err();
    assert_eq!(reason(&taken), Reason::NameTaken);
    let invalid = world.device("Ana").await.register(&[]).await.unwrap_err();
    assert_eq!(reason(&invalid), Reason::NameInvalid);
    // Bob names Ana's credential id, so that his guesses would be evaluated under her key.
    let mut bob = world.device("bob").await;
    let mut request = bob.registration(&[]).await.unwrap();
    let mut stolen = request.slots[0].credential.to_vec();
    let at = 1 + 32 + 4 + 1 + 3;
    stolen[at..at + 32].copy_from_slice(&ana.slots[0].3[at..at + 32]);
    bob.slots[0].3 = stolen;
    bob.roster_version = 0;
    request.roster = Some(bob.roster_record(Some(bob.id)));
    request.slots = bob.slot_bytes(&[1, 2]);
    let refused = bob.accounts.register_finish(request).await.unwrap_err();
    assert_eq!(reason(&refused), Reason::BadRecord);
}

#[tokio::test]
async fn a_network_that_tries_too_often_is_told_when_to_come_back() {
    let world = world(false, Settings { auth_per_minute: 3, ..open_to_all() }).await;
    let mut ana = world.device("ana").await;
    for _ in 0..3 {
        assert!(ana.login("ana", "x").await.is_ok());
    }
    let refused = ana.login("ana", "x").await.unwrap_err();
    assert_eq!((refused.code(), reason(&refused)), (Code::ResourceExhausted, Reason::Busy));
    assert!(refused.metadata().get("chatkeep-request-id").is_some());
    world.clock.advance(20_000);
    assert!(ana.login("ana", "x").await.is_ok());
}

#[tokio::test]
async fn a_missing_object_is_the_services_fault_and_open_does_not_need_it() {
    let world = world(true, open_to_all()).await;
    let mut ana = world.registered("ana").await;
    let pack = random();
    ana.put_pack(pack, 14, vec![Bytes::from(vec![1; 1 << 14])]).await.unwrap();
    let account = proto::wire::ids::AccountId(ana.account);
    let name = service::objects::ObjectName::pack(&account, proto::wire::ids::PackId(pack));
    world.objects.delete(&name).await.unwrap();
    assert_eq!(ana.get_pack(pack, 0, 0).await.unwrap_err().code(), Code::DataLoss);
    assert!(ana.vault.open(ana.with(v1::OpenRequest::default())).await.is_ok());
}

#[tokio::test]
async fn a_fresh_device_gets_the_front_page_with_its_first_answer() {
    for on_disk in [false, true] {
        let world = world(on_disk, open_to_all()).await;
        let mut ana = world.registered("ana").await;
        let (page, catalogue) = (random::<16>(), random::<16>());
        let content = Bytes::from(random::<16384>().to_vec());
        ana.put_pack(page, 14, vec![content.clone()]).await.unwrap();
        ana.put_pack(catalogue, 14, vec![Bytes::from(vec![2; 1 << 14])]).await.unwrap();
        let pulled = ana.vault.pull(ana.with(v1::PullRequest::default())).await.unwrap().into_inner();
        let covered_root = root(&[pulled.entries[0].leaf.clone()]);
        // Format §4.5: generation, parent, covered size and root, front page's size, nothing to erase.
        let mut clear = 1u64.to_le_bytes().to_vec();
        clear.extend([0; 32]);
        clear.extend(1u64.to_le_bytes());
        clear.extend(covered_root);
        clear.extend(1u64.to_le_bytes());
        clear.push(0);
        clear.extend(2u16.to_le_bytes());
        let mut adds = [page, catalogue];
        adds.sort();
        for pack in adds {
            clear.extend(pack);
            clear.push(14);
            clear.extend(0u32.to_le_bytes());
        }
        clear.extend(0u16.to_le_bytes());
        clear.extend(2u16.to_le_bytes());
        clear.extend(page);
        clear.extend(catalogue);
        let head = ana.record(3, clear, 500);
        ana.append(vec![head.clone()]).await.unwrap();
        let more = ana.events(&[], 100);
        ana.append(vec![more.clone()]).await.unwrap();

        let fresh = ana.vault.open(ana.with(v1::OpenRequest::default())).await.unwrap().into_inner();
        assert_eq!(fresh.front_page, content);
        let told = fresh.head.unwrap();
        assert_eq!((told.index, &told.leaf[..276]), (1, &head.record[..]));
        assert_eq!(
            fresh.tail.iter().map(|e| e.index).collect::<Vec<_>>(),
            [1, 2],
            "the tail begins at the page's size"
        );
        assert_eq!(fresh.tail_from.unwrap().frontier, [covered_root.to_vec()]);
        let known = v1::OpenRequest { known_size: 2, known_incarnation: 1, known_head: 1, ..Default::default() };
        let known = ana.vault.open(ana.with(known)).await.unwrap().into_inner();
        assert!(known.front_page.is_empty() && known.head.is_none());
        let without = v1::OpenRequest { no_front_page: true, ..Default::default() };
        assert!(ana.vault.open(ana.with(without)).await.unwrap().into_inner().front_page.is_empty());
        let (_, answer) = ana.login("ana", "lantern quiet copper ribbon").await.unwrap();
        assert_eq!(answer.unwrap().head.unwrap().body, head.body);
    }
}

#[tokio::test]
async fn a_full_service_refuses_soon_and_says_when_to_come_back() {
    let queue_timeout = std::time::Duration::from_millis(50);
    let world = world(false, Settings { max_in_flight: 1, queue: 8, queue_timeout, ..open_to_all() }).await;
    let mut ana = world.registered("ana").await;
    let (sender, upload) = tokio::sync::mpsc::channel(1);
    let message = v1::PutPackRequest { id: Bytes::copy_from_slice(&random::<16>()), class: 20, ..Default::default() };
    sender.send(message).await.unwrap();
    let request = ana.with(tokio_stream::wrappers::ReceiverStream::new(upload));
    let mut vault = ana.vault.clone();
    let uploading = tokio::spawn(async move { vault.put_pack(request).await });
    let refused = loop {
        match ana.vault.pull(ana.with(v1::PullRequest::default())).await {
            Ok(_) => tokio::time::sleep(queue_timeout / 10).await,
            Err(status) => break status,
        }
    };
    assert_eq!((refused.code(), reason(&refused)), (Code::ResourceExhausted, Reason::Busy));
    let bytes = refused.metadata().get_bin("chatkeep-reason-bin").unwrap().to_bytes().unwrap();
    let detail = <v1::Refusal as prost::Message>::decode(bytes).unwrap();
    assert_eq!(detail.retry_after_ms, 5000, "reading waits longer than signing in");
    uploading.abort();
    drop(sender);
    let _ = uploading.await;
    while ana.vault.pull(ana.with(v1::PullRequest::default())).await.is_err() {}
}

#[tokio::test]
async fn a_watcher_is_handed_what_comes_next_and_pulls_the_rest() {
    for on_disk in [false, true] {
        let world = world(on_disk, open_to_all()).await;
        let mut ana = world.registered("ana").await;
        let early = ana.events(&[], 900);
        ana.append(vec![early]).await.unwrap();
        let mut from_start = ana.vault.watch(ana.with(v1::WatchRequest::default())).await.unwrap().into_inner();
        let request = v1::WatchRequest { known_size: 2 };
        let mut hints = ana.vault.watch(ana.with(request)).await.unwrap().into_inner();
        for stream in [&mut from_start, &mut hints] {
            let hint = stream.message().await.unwrap().unwrap();
            assert_eq!((hint.size, hint.entries), (2, vec![]), "what lay there before is pulled");
        }
        let mut handed = Vec::new();
        // Two at once, then one that is too long to be handed over, then one that follows it.
        for sizes in [&[900, 10][..], &[60_000], &[10]] {
            let records = sizes.iter().map(|n| ana.events(&[], *n)).collect();
            let size = ana.append(records).await.unwrap().size;
            for stream in [&mut from_start, &mut hints] {
                let hint = stream.message().await.unwrap().unwrap();
                assert_eq!(hint.size, size);
                let whole = sizes[0] < 60_000;
                assert_eq!(hint.entries.len(), if whole { sizes.len() } else { 0 });
                handed.extend(hint.entries);
            }
        }
        let pull = v1::PullRequest { from: 2, known_size: 0, headers_only: false, past_gaps: false };
        let pulled = ana.vault.pull(ana.with(pull)).await.unwrap().into_inner().entries;
        assert_eq!(pulled.len(), 4);
        let twice = |entry: &v1::Entry| handed.iter().filter(|handed| *handed == entry).count();
        assert_eq!(pulled.iter().map(twice).collect::<Vec<_>>(), [2, 2, 0, 2]);
    }
}

#[tokio::test]
async fn a_revoked_device_is_handed_nothing_that_comes_after() {
    let world = world(true, open_to_all()).await;
    let mut ana = world.registered("ana").await;
    let request = v1::WatchRequest { known_size: 1 };
    let mut hints = ana.vault.watch(ana.with(request)).await.unwrap().into_inner();
    assert_eq!(hints.message().await.unwrap().unwrap().size, 1);
    // Nobody reads meanwhile: the new roster and what follows it meet in one hint.
    ana.change_passphrase("mosaic tunnel orbit").await.unwrap();
    ana.sign_in().await.unwrap();
    let record = ana.events(&[], 10);
    ana.append(vec![record]).await.unwrap();
    loop {
        match hints.message().await {
            Ok(Some(hint)) => assert_eq!(hint.entries, vec![], "{hint:?}"),
            Ok(None) => panic!("the stream must say why it ends"),
            Err(status) => break assert_eq!(reason(&status), Reason::TokenExpired),
        }
    }
}

#[tokio::test]
async fn an_account_has_so_many_streams_and_a_place_comes_free() {
    let world = world(false, open_to_all()).await;
    let mut ana = world.registered("ana").await;
    let mut streams = Vec::new();
    let refused = loop {
        match ana.vault.watch(ana.with(v1::WatchRequest::default())).await {
            Ok(stream) if streams.len() < 100 => streams.push(stream.into_inner()),
            Ok(_) => panic!("streams have no end"),
            Err(status) => break status,
        }
    };
    assert_eq!((streams.len(), reason(&refused)), (40, Reason::Busy));
    let pull = v1::PullRequest::default();
    assert!(ana.vault.pull(ana.with(pull)).await.is_ok(), "calls have places of their own");
    let mut other = world.registered("bob").await;
    assert!(other.vault.watch(other.with(v1::WatchRequest::default())).await.is_ok());
    streams.pop();
    let again = async {
        while ana.vault.watch(ana.with(v1::WatchRequest::default())).await.is_err() {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(10), again).await.expect("a place comes free");
}
