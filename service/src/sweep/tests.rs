//! What leaves both stores, and when.

use proto::wire::ids::PackId;
use tokio::sync::Notify;

use super::*;
use crate::meta::suite::author::{Author, T0};
use crate::meta::suite::packs::{HOUR, pack, relying, store_pack};
use crate::meta::{Model, UserChange};
use crate::mirror::Mirror;
use crate::objects::Memory;

struct Fixed(u64);

impl Clock for Fixed {
    fn now_ms(&self) -> u64 {
        self.0
    }
}

fn sweep(meta: &Arc<Model>, objects: &Arc<Memory>, now: u64) -> Sweep {
    Sweep { meta: meta.clone(), objects: objects.clone(), clock: Arc::new(Fixed(now)) }
}

async fn put(objects: &Memory, author: &Author, id: u8) {
    let name = ObjectName::pack(&author.account, PackId([id; 16]));
    objects.put(&name, bytes::Bytes::from_static(b"pack")).await.unwrap();
}

#[tokio::test]
async fn staged_packs_go_an_hour_after_they_were_due() {
    let (meta, objects) = (Arc::new(Model::new()), Arc::new(Memory::new()));
    let mut author = Author::register(meta.as_ref(), 1).await;
    for id in 1..=3 {
        store_pack(meta.as_ref(), &author, 0, pack(id, 16), T0).await;
        put(&objects, &author, id).await;
    }
    let pins = author.events(0, &relying(&[2]));
    author.append(meta.as_ref(), 0, pins, T0).await;
    assert_eq!(sweep(&meta, &objects, T0 + 25 * HOUR - 1).once().await, Swept::default());
    let swept = sweep(&meta, &objects, T0 + 25 * HOUR).once().await;
    assert_eq!(swept, Swept { packs: 2, ..Swept::default() });
    let left = objects.list(&author.account.address(), None, 9).await.unwrap();
    assert_eq!(left.iter().map(|f| f.name.pack_id()).collect::<Vec<_>>(), [Some(PackId([2; 16]))]);
    assert_eq!(meta.totals().await.unwrap().stored_bytes, 1 << 16);
}

#[tokio::test]
async fn a_deleted_account_leaves_nothing_and_its_neighbour_everything() {
    let (meta, objects) = (Arc::new(Model::new()), Arc::new(Memory::new()));
    let author = Author::register(meta.as_ref(), 1).await;
    let other = Author::register(meta.as_ref(), 2).await;
    for account in [&author, &other] {
        store_pack(meta.as_ref(), account, 0, pack(1, 16), T0).await;
        put(&objects, account, 1).await;
    }
    let mirror = Mirror {
        meta: meta.clone(),
        objects: objects.clone(),
        clock: Arc::new(Fixed(T0)),
        work: Arc::new(Notify::new()),
    };
    assert!(mirror.drain().await);
    assert_eq!(objects.list("slots", None, 9).await.unwrap().len(), 2);
    meta.user_change(&author.name, UserChange::Delete).await.unwrap();
    let swept = sweep(&meta, &objects, T0).once().await;
    assert_eq!(swept, Swept { accounts: 1, ..Swept::default() });
    assert_eq!(objects.list(&author.account.address(), None, 9).await.unwrap(), []);
    assert_eq!(objects.list(&other.account.address(), None, 9).await.unwrap().len(), 4);
    assert_eq!(objects.list("slots", None, 9).await.unwrap().len(), 1);
    assert_eq!(meta.user(&author.name).await.unwrap(), None);
    assert!(meta.user(&other.name).await.unwrap().is_some());
}
