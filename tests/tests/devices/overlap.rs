//! Two devices read exports of one chat without ids, apart, and then meet.

use std::collections::BTreeMap;

use client::archive::Archive;
use client::vault::Work;
use tests::exports::{import, line, write};
use tests::world::{PASSPHRASE, Place, World, by_passphrase};

use crate::model::Device;

/// Every message shown, in order: sender and text.
fn shown(archive: &Archive) -> Vec<(String, String)> {
    let messages = archive.export(None, None, None).unwrap().map(|message| message.unwrap().0);
    messages.map(|m| (m.sender.and_then(|s| s.name).unwrap_or_default(), m.text.unwrap_or_default())).collect()
}

fn expected(lines: std::ops::Range<usize>) -> Vec<(String, String)> {
    lines.map(line).map(|(_, sender, text)| (sender.to_owned(), text)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_two_exports_share_stands_once() {
    let world = World::new();
    let folder = tempfile::tempdir().unwrap();
    let (early, late) = (folder.path().join("early"), folder.path().join("late"));
    write(&early, 0, 260);
    write(&late, 120, 400);
    let (joined, _) = world.register("ana", "laptop").await;
    let mut laptop = Device::install(Place::new(), joined);
    let joined = world.login("ana", by_passphrase(PASSPHRASE), "phone").await.unwrap();
    let mut phone = Device::install(Place::new(), joined);
    // The phone begins in the middle of the chat and knows nothing of what the laptop has.
    import(&mut laptop.archive, &early, "Family");
    import(&mut phone.archive, &late, "Family");
    assert_eq!(shown(&laptop.archive), expected(0..260));
    assert_eq!(shown(&phone.archive), expected(120..400));
    for _ in 0..2 {
        laptop.vault.sync(&mut laptop.archive, &Work::quiet()).await.unwrap();
        phone.vault.sync(&mut phone.archive, &Work::quiet()).await.unwrap();
    }
    let all = expected(0..400);
    assert_eq!(shown(&laptop.archive), all);
    assert_eq!(shown(&phone.archive), all);
    laptop.backup().await;
    let fresh = Device::new(&world, "fresh").await;
    assert_eq!(shown(&fresh.archive), all);
    // Reading either export again, anywhere, adds no message.
    for device in [&mut laptop, &mut phone] {
        import(&mut device.archive, &late, "Family");
        import(&mut device.archive, &early, "Family");
        device.backup().await;
        assert_eq!(shown(&device.archive), all);
    }
    let mut counted: BTreeMap<(String, String), usize> = BTreeMap::new();
    for message in shown(&phone.archive) {
        *counted.entry(message).or_default() += 1;
    }
    assert_eq!(counted[&("Mum".to_owned(), "yes please".to_owned())], (0..400).filter(|n| n % 21 == 0).count());
}
