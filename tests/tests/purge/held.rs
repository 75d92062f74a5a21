//! Too much for a day: the service holds it for two weeks, whoever dropped it.

use proto::wire::ids::PackId;
use service::meta::Meta as _;
use tests::history::{import, listed};
use tests::strata::{Stored, caller};
use tests::timed::Timed;

use crate::gone::delete;

#[tokio::test(flavor = "multi_thread")]
async fn a_vault_emptied_at_once_is_in_the_bucket_for_two_weeks() {
    let timed = Timed::new();
    let mut laptop = timed.first().await;
    import(&mut laptop.archive, 1, 0, 100, 400_000);
    laptop.backup().await;
    let photos: Vec<PackId> = Stored::of(&timed.world, &laptop.vault).await.pinned();
    for n in 0..100 {
        delete(&mut laptop.archive, &format!("message {n} of chat 1"), timed.now());
    }
    laptop.backup().await;
    timed.wait(25);
    laptop.backup().await;
    assert_eq!(listed(&laptop.archive), Vec::<String>::new());
    let left = async || {
        timed.sweep().await;
        let stored = Stored::of(&timed.world, &laptop.vault).await;
        photos.iter().filter(|pack| stored.packs.contains_key(*pack)).count()
    };
    let all = left().await;
    assert!(all > 0, "four MiB of photos are more than a day's part");
    timed.wait(13 * 24);
    assert_eq!(left().await, all);
    // Until its time it can be read, and a head can take it back.
    let who = caller(&timed.world, &laptop.vault).await;
    let now = timed.now().cast_unsigned();
    let mut readable = 0;
    for pack in &photos {
        readable += usize::from(timed.world.meta.readable_pack(&who, *pack, now).await.is_ok());
    }
    assert_eq!(readable, all);
    timed.wait(26);
    assert_eq!(left().await, 0);
}
