//! Registration and sign-in.

use std::sync::Arc;

use client::archive::Note;
use client::crypto::opaque::{Bounds, Cost};
use client::error::Error;
use client::log::LogState;
use client::remote::Connector;
use client::vault::{DeviceStanding, Registration, Slots, Vault, Where};
use proto::v1;
use service::rpc::Settings;
use tonic::transport::Channel;

use tests::world::{
    PASSPHRASE, Place, SERVER, World, by_kit, by_passphrase, label, name, passphrase, reached_by, refused,
};

/// The first call a device makes once it is in.
async fn calls(vault: &Vault) -> v1::OpenResponse {
    let request = v1::OpenRequest { client_version: "0.1.0".into(), ..Default::default() };
    let answer = vault.session.call(|remote, token| {
        let request = request.clone();
        async move { remote.open(&token, request).await }
    });
    answer.await.map_err(|e| e.into_error(&vault.session.identity)).unwrap()
}

#[tokio::test]
async fn either_secret_brings_a_device_in_and_all_know_each_other() {
    let world = World::new();
    let (first, second, third) = (Place::new(), Place::new(), Place::new());
    let (joined, kit) = world.register("ana", "laptop").await;
    first.install(joined);
    let laptop = first.open(&world).unwrap();
    assert_eq!(laptop.session.identity.shown(), "ana@vault.test");
    let phone = second.install(world.login("ana", by_passphrase(PASSPHRASE), "phone").await.unwrap());
    let tablet = third.install(world.login("ana", by_kit(&kit), "tablet").await.unwrap());

    let listed: Vec<_> = tablet.devices().into_iter().map(|d| (d.name, d.platform, d.state, d.current)).collect();
    let active = |name: &str, current| (name.to_owned(), "linux".to_owned(), DeviceStanding::Active, current);
    assert_eq!(listed, [active("laptop", false), active("phone", false), active("tablet", true)]);
    assert!(tablet.devices().iter().all(|d| d.joined_ms == 1_700_000_000_000));

    // Every device computes the same ids, and is admitted.
    let chat = |vault: &Vault| vault.ring.lifetime().event_key().chat("whatsapp", "family");
    assert!(chat(&laptop) == chat(&phone) && chat(&laptop) == chat(&tablet));
    let opened = calls(&laptop).await;
    assert_eq!((opened.log.unwrap().size, opened.last_counter), (3, 0));
    calls(&phone).await;
    calls(&tablet).await;
    // Opened again from its home, a device needs neither secret nor network to read.
    let again = third.open(&world).unwrap();
    assert_eq!(again.devices(), tablet.devices());
    assert_eq!(again.reader().unwrap().chats().unwrap().len(), 0);
}

#[tokio::test]
async fn what_was_verified_is_noted_in_the_archive() {
    let world = World::new();
    let (first, second) = (Place::new(), Place::new());
    let laptop = first.install(world.register("ana", "laptop").await.0);
    let phone = second.install(world.login("ana", by_passphrase(PASSPHRASE), "phone").await.unwrap());
    for (vault, size, restores) in [(&laptop, 1, false), (&phone, 2, true)] {
        let archive = vault.reader().unwrap();
        let log = LogState::decode(&archive.note(Note::Log).unwrap().unwrap()).unwrap();
        assert_eq!((log.frontier.size(), log.incarnation), (size, 1));
        assert_eq!(log.roster.version, size);
        assert_eq!(archive.note(Note::Restore).unwrap().is_some(), restores);
        let slots = Slots::decode(&archive.note(Note::Slots).unwrap().unwrap()).unwrap();
        assert_eq!(Slots::from_wire(&slots.to_wire(), vault.ring.roster()), Some(slots));
    }
    // The log the phone has noted is the one the service has.
    let log = LogState::decode(&phone.reader().unwrap().note(Note::Log).unwrap().unwrap()).unwrap();
    let served = calls(&phone).await.log.unwrap();
    assert_eq!(served.frontier.iter().map(|h| h.to_vec()).collect::<Vec<_>>(), {
        log.frontier.hashes().iter().map(|h| h.to_vec()).collect::<Vec<_>>()
    });
}

#[tokio::test]
async fn a_wrong_secret_is_told_and_leaves_the_machine_untouched() {
    let world = World::new();
    let (_, kit) = world.register("ana", "laptop").await;
    let (_, of_bob) = world.register("bob", "desktop").await;
    let place = Place::new();
    Vault::check_free(&place.home, &place.keys).unwrap();
    let before = place.files();
    let wrong = refused(world.login("ana", by_passphrase("eight otters paint slowly"), "phone").await);
    let nobody = refused(world.login("nobody", by_passphrase(PASSPHRASE), "phone").await);
    let of_another = refused(world.login("ana", by_kit(&of_bob), "phone").await);
    let at_nobody = refused(world.login("nobody", by_kit(&kit), "phone").await);
    assert_eq!(wrong.to_string(), "that passphrase does not open ana@vault.test");
    assert_eq!(nobody.to_string(), "that passphrase does not open nobody@vault.test");
    assert_eq!(of_another.to_string(), at_nobody.to_string());
    assert!(matches!(of_another, Error::WrongRecoveryKey));
    for error in [&wrong, &nobody, &of_another, &at_nobody] {
        assert_eq!(error.exit(), 12);
        let told = format!("{error} {error:?}");
        assert!(!told.contains("otters") && !told.contains(kit.text().as_str()), "{told}");
    }
    assert_eq!(place.files(), before);
}

#[tokio::test]
async fn a_registration_is_refused_with_its_reason() {
    let world = World::new();
    let taken = world.register("ana", "laptop").await;
    drop(taken);
    let register = |at, account: &'static str, chosen: &'static str| {
        let cost = Some(Cost::CHEAP_FOR_TESTS);
        Vault::register(at, name(account), passphrase(chosen), None, label("laptop"), None, cost)
    };
    let error = refused(register(world.at(), "ana", PASSPHRASE).await);
    assert!(matches!(error, Error::NameTaken { name, .. } if name == "ana"));
    for weak in ["short", "password1234", "anamariaanamaria"] {
        // Judged before anything is sent: the same where no server is.
        let error = refused(register(reached_by(Arc::new(Nowhere)), "anamaria", weak).await);
        assert!(matches!(error, Error::WeakPassphrase { .. }), "{weak}: {error}");
        assert!(!format!("{error} {error:?}").contains(weak));
    }
    let error = refused(register(reached_by(Arc::new(Nowhere)), "anamaria", PASSPHRASE).await);
    assert_eq!(error.exit(), 20);
}

/// The cost the server asks for is held to this client's bounds before a byte of memory is taken for it.
#[tokio::test]
async fn a_passphrase_is_stretched_within_bounds_only() {
    let world = World::new();
    world.register("ana", "laptop").await;
    let at = Where { bounds: Bounds::STANDARD, ..world.at() };
    let error = refused(Vault::login(at, name("ana"), by_passphrase(PASSPHRASE), label("phone")).await);
    assert_eq!(error.exit(), 19, "{error}");
    // Without a choice of its own, a device stretches as the server offers: 64 MiB.
    let at = Where { bounds: Bounds::STANDARD, ..world.at() };
    let made = Vault::register(at, name("bob"), passphrase(PASSPHRASE), None, label("desktop"), None, None).await;
    made.unwrap();
    let at = Where { bounds: Bounds::STANDARD, ..world.at() };
    Vault::login(at, name("bob"), by_passphrase(PASSPHRASE), label("phone")).await.unwrap();
}

struct Nowhere;

#[tonic::async_trait]
impl Connector for Nowhere {
    fn server(&self) -> &str {
        SERVER
    }

    async fn connect(&self) -> client::error::Result<Channel> {
        Err(Error::Unreachable { server: SERVER.into(), cause: "nothing is there".into() })
    }
}

#[tokio::test]
async fn a_server_tells_about_itself_before_any_secret() {
    let world = World::with(Settings { notice: "down at five\u{1b}[2J".to_owned(), ..Settings::default() });
    let facts = Vault::peek(&world.at()).await.unwrap();
    assert_eq!((facts.server_name.as_str(), facts.registration), (SERVER, Registration::Open));
    assert_eq!(facts.notice, "down at five[2J");
}

#[tokio::test]
async fn a_device_more_than_the_server_allows_is_refused() {
    let world = World::with(Settings { devices_max: 1, ..Settings::default() });
    world.register("ana", "laptop").await;
    let error = refused(world.login("ana", by_passphrase(PASSPHRASE), "phone").await);
    assert!(matches!(error, Error::DevicesFull), "{error}");
}
