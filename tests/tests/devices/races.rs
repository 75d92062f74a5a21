//! Two devices that take turns, then back up at the same moment.

use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};

use client::sync::{Backup, BackupOptions, CheckLevel};
use client::vault::{Cancel, Phase, Work};
use service::meta::Meta as _;
use tests::strata::{Stored, caller};
use tests::times;
use tests::world::{Place, World};

use crate::model::{Device, Model};

async fn pair(world: &World) -> (Device, Device, Model) {
    let mut model = Model::default();
    let (joined, _) = world.register("ana", "laptop").await;
    let mut laptop = Device::install(Place::new(), joined);
    model.import(&mut laptop.archive, 0, 0, 30, 1_000);
    laptop.backup().await;
    let phone = Device::new(world, "phone").await;
    (laptop, phone, model)
}

#[tokio::test(flavor = "multi_thread")]
async fn turns_and_races_lose_nothing_and_double_nothing() {
    let world = World::new();
    let (mut laptop, mut phone, mut model) = pair(&world).await;
    let rounds = times(6, 50);
    for turn in 0..rounds {
        let device = if turn % 2 == 0 { &mut phone } else { &mut laptop };
        model.import(&mut device.archive, 1 + turn % 5, turn as u64 * 100, turn as u64 * 100 + 12, 700);
        let backup = device.backup().await;
        assert!(backup.created && !backup.disagreed, "turn {turn}: {backup:?}");
    }
    model.holds_at(&world, &laptop.vault, 0).await;
    for round in 0..rounds {
        // Half of what each has is the same: the same messages of the same chat.
        let from = 100_000 + round as u64 * 100;
        model.import(&mut laptop.archive, round % 7, from, from + 20, 900);
        model.import(&mut phone.archive, round % 7, from + 10, from + 30, 900);
        let (one, two) = tokio::join!(laptop.backup(), phone.backup());
        assert!(!one.disagreed && !two.disagreed, "round {round}: {one:?} {two:?}");
        assert_eq!((one.attachments_waiting, two.attachments_waiting), (0, 0));
    }
    for _ in 0..2 {
        laptop.backup().await;
        phone.backup().await;
        laptop.restore().await;
        phone.restore().await;
    }
    model.holds(&laptop.archive);
    model.holds(&phone.archive);
    assert_eq!(laptop.archive.digest().unwrap().hash(), phone.archive.digest().unwrap().hash());
    model.holds_at(&world, &laptop.vault, 10 * rounds).await;
    for device in [&mut laptop, &mut phone] {
        let level = CheckLevel::Contents { percent: 100 };
        let checked = device.vault.check(&mut device.archive, level, &Work::quiet()).await.unwrap();
        assert!(checked.ok, "{:?}", checked.problems);
    }
}

/// Work that, when its rows are in the log and its fold is about to begin, says so and waits for a word.
fn stopping(reached: Sender<()>, go: Receiver<()>) -> Work {
    let once = Mutex::new(Some((reached, go)));
    let told = move |progress: client::vault::Progress| {
        if progress.phase != Phase::Commit {
            return;
        }
        if let Some((reached, go)) = once.lock().unwrap().take() {
            reached.send(()).unwrap();
            go.recv().unwrap();
        }
    };
    Work::new(told, Cancel::default())
}

/// Backs up in a thread of its own, which may be held up.
fn backing_up(mut device: Device, work: Work) -> std::thread::JoinHandle<(Device, Backup)> {
    let runtime = tokio::runtime::Handle::current();
    std::thread::spawn(move || {
        let options = BackupOptions::default();
        let backup = device.vault.backup(&mut device.archive, &options, &work);
        let done = runtime.block_on(backup).unwrap();
        (device, done)
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn who_loses_a_head_plans_again_on_the_one_that_won() {
    let world = World::new();
    let (mut laptop, mut phone, mut model) = pair(&world).await;
    model.import(&mut laptop.archive, 1, 0, 25, 0);
    model.import(&mut phone.archive, 2, 0, 25, 0);
    let before = Stored::of(&world, &laptop.vault).await.heads().len();
    let ((at_phone, phone_stands), (to_phone, phone_goes)) = (channel(), channel());
    let ((at_laptop, laptop_stands), (to_laptop, laptop_goes)) = (channel(), channel());
    // The phone's rows come first, then the laptop's, which the phone has not seen; then the phone's head, which the
    // laptop has not seen.
    let phone = backing_up(phone, stopping(at_phone, phone_goes));
    phone_stands.recv().unwrap();
    let laptop = backing_up(laptop, stopping(at_laptop, laptop_goes));
    laptop_stands.recv().unwrap();
    to_phone.send(()).unwrap();
    let (mut phone, first) = phone.join().unwrap();
    to_laptop.send(()).unwrap();
    let (mut laptop, second) = laptop.join().unwrap();
    assert!(first.created && second.created && !first.disagreed && !second.disagreed);

    let stored = Stored::of(&world, &laptop.vault).await;
    let heads = stored.heads();
    assert_eq!(heads.len(), before + 2, "each made one head that stands");
    let authors: Vec<_> = heads[before..].iter().map(|(_, leaf)| leaf.record.header.device).collect();
    assert_eq!(authors, [phone.vault.session.device.id(), laptop.vault.session.device.id()]);
    // The packs of the head that was refused lie staged at the service, pinned by nothing.
    let left = |staged: Vec<service::meta::StagedPack>| staged.len();
    let laptops = left(world.meta.staged(&caller(&world, &laptop.vault).await, 0).await.unwrap());
    let phones = left(world.meta.staged(&caller(&world, &phone.vault).await, 0).await.unwrap());
    assert!(laptops > 0, "the laptop's first plan was sent and lost");
    assert_eq!(phones, 0);
    phone.backup().await;
    laptop.backup().await;
    model.holds_at(&world, &phone.vault, 0).await;
}
