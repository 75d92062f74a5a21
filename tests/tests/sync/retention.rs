//! What the account's rule for snapshots hides.

use client::sync::{BackupOptions, Keep, retention_hides, set_hidden, snapshots};
use client::vault::Work;
use tests::history::import;
use tests::world::{Place, World};

#[tokio::test]
async fn the_newest_snapshot_and_one_shown_again_by_hand_stay() {
    let world = World::new();
    let (joined, _) = world.register("ana", "laptop").await;
    let place = Place::new();
    let mut vault = place.install(joined);
    let mut archive = vault.archive().unwrap();
    for n in 0..3 {
        import(&mut archive, 1, n * 5, n * 5 + 5, 0);
        vault.backup(&mut archive, &BackupOptions::default(), &Work::quiet()).await.unwrap();
    }
    let all: Vec<_> = snapshots(&archive).unwrap().iter().map(|snapshot| snapshot.id).collect();
    assert_eq!(all.len(), 3);
    // A day later nothing of it is young enough.
    let keep = Keep { within_s: 1, ..Keep::default() };
    let now = vault.session.env.now_ms() + 86_400_000;
    assert_eq!(retention_hides(&archive, &keep, now).unwrap(), all[1..], "all but the newest");
    let env = vault.session.env.clone();
    for hide in [true, false] {
        assert_eq!(set_hidden(&mut archive, &env, &all[1..2], hide).unwrap(), 1);
    }
    assert_eq!(retention_hides(&archive, &keep, now).unwrap(), all[2..], "one was shown again");
}
