//! What the bucket holds at every moment, failures included.

use std::ops::Range;
use std::sync::Mutex;

use async_trait::async_trait;
use bytes::Bytes;
use proto::wire::roster::SlotKind;

use super::*;
use crate::meta::Model;
use crate::meta::suite::author::{Author, T0};
use crate::objects::{Content, Found, Memory, Result, collect};

pub struct Fixed(pub u64);

impl Clock for Fixed {
    fn now_ms(&self) -> u64 {
        self.0
    }
}

/// A store that notes every change and fails on the leaves it is told.
#[derive(Default)]
struct Watched {
    inner: Memory,
    changes: Mutex<Vec<String>>,
    failing: Mutex<Vec<String>>,
}

impl Watched {
    fn change(&self, verb: &str, name: &ObjectName) -> Result<()> {
        if self.failing.lock().unwrap().iter().any(|leaf| leaf == name.leaf()) {
            return Err(ObjectError::Deadline);
        }
        let what = if name.folder() == "slots" { "recovery" } else { name.leaf() };
        self.changes.lock().unwrap().push(format!("{verb} {what}"));
        Ok(())
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.changes.lock().unwrap())
    }
}

#[async_trait]
impl Objects for Watched {
    async fn put(&self, name: &ObjectName, content: Bytes) -> Result<()> {
        self.change("put", name)?;
        self.inner.put(name, content).await
    }
    async fn put_stream(&self, name: &ObjectName, length: u64, content: Content) -> Result<()> {
        self.inner.put_stream(name, length, content).await
    }
    async fn get(&self, name: &ObjectName, range: Option<Range<u64>>) -> Result<Content> {
        self.inner.get(name, range).await
    }
    async fn length(&self, name: &ObjectName) -> Result<u64> {
        self.inner.length(name).await
    }
    async fn delete(&self, name: &ObjectName) -> Result<()> {
        self.change("erase", name)?;
        self.inner.delete(name).await
    }
    async fn list(&self, folder: &str, after: Option<&ObjectName>, limit: usize) -> Result<Vec<Found>> {
        self.inner.list(folder, after, limit).await
    }
    async fn free_bytes(&self) -> Result<Option<u64>> {
        Ok(None)
    }
    async fn ready(&self) -> Result<()> {
        Ok(())
    }
}

fn mirror(meta: &Arc<Model>, objects: &Arc<Watched>, now: u64) -> Mirror {
    Mirror { meta: meta.clone(), objects: objects.clone(), clock: Arc::new(Fixed(now)), work: Arc::new(Notify::new()) }
}

/// Replaces the recovery slot without a new root.
async fn replace_recovery(meta: &Model, author: &mut Author) {
    let generation = author.roster.slots[1].generation + 1;
    let (bytes, said) = author.slot(SlotKind::Recovery, generation);
    let mut next = author.next_roster();
    next.slots[1] = said;
    let roster = author.sign_roster(next, None, None);
    author.append_roster(meta, roster, vec![bytes]).await;
}

#[tokio::test]
async fn what_replaces_is_there_before_what_it_replaces_goes() {
    let (meta, objects) = (Arc::new(Model::new()), Arc::new(Watched::default()));
    let mut author = Author::register(meta.as_ref(), 1).await;
    let mirror = mirror(&meta, &objects, T0 + 7000);
    assert_eq!(mirror.age().await.unwrap(), Duration::from_secs(7));
    assert!(mirror.drain().await);
    assert_eq!(objects.take(), ["put slot-1", "put opaque", "put recovery", "put roster"]);
    assert_eq!(mirror.age().await.unwrap(), Duration::ZERO);

    let head = author.head(0, &author.next_head());
    author.append(meta.as_ref(), 0, head, T0).await;
    replace_recovery(meta.as_ref(), &mut author).await;
    objects.failing.lock().unwrap().push("roster".to_owned());
    assert!(!mirror.drain().await);
    assert_eq!(objects.take(), ["put recovery"], "head and erasure wait for the roster");
    assert_eq!(objects.list("slots", None, 9).await.unwrap().len(), 2);
    objects.failing.lock().unwrap().clear();
    assert!(mirror.drain().await);
    assert_eq!(objects.take(), ["put roster", "put head", "erase recovery"]);
    assert_eq!(objects.list("slots", None, 9).await.unwrap().len(), 1);
}

#[tokio::test]
async fn one_accounts_failure_keeps_no_other_waiting() {
    let (meta, objects) = (Arc::new(Model::new()), Arc::new(Watched::default()));
    let first = Author::register(meta.as_ref(), 1).await;
    objects.failing.lock().unwrap().push("slot-1".to_owned());
    let mirror = mirror(&meta, &objects, T0);
    assert!(!mirror.drain().await);
    assert_eq!(objects.take(), Vec::<String>::new());
    objects.failing.lock().unwrap().clear();
    let name = ObjectName::mirrored(&first.account, &crate::meta::MirrorObject::PassphraseSlot);
    for seed in 2..=40 {
        Author::register(meta.as_ref(), seed).await;
    }
    objects.failing.lock().unwrap().push("opaque".to_owned());
    assert!(!mirror.drain().await);
    assert!(objects.take().iter().all(|change| change == "put slot-1"));
    objects.failing.lock().unwrap().clear();
    assert!(mirror.drain().await);
    assert_eq!(objects.list("slots", None, 99).await.unwrap().len(), 40);
    let slot = collect(objects.get(&name, None).await.unwrap(), 512).await.unwrap();
    assert_eq!(slot, first.slot(SlotKind::Passphrase, 1).0.slot);
}

#[tokio::test]
async fn a_stop_drains_the_queue() {
    let (meta, objects) = (Arc::new(Model::new()), Arc::new(Watched::default()));
    let mirror = mirror(&meta, &objects, T0);
    let work = mirror.work.clone();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let running = tokio::spawn(async move { mirror.run(async { drop(stopped.await) }).await });
    Author::register(meta.as_ref(), 1).await;
    work.notify_one();
    while meta.mirror_since().await.unwrap().is_some() {
        tokio::task::yield_now().await;
    }
    Author::register(meta.as_ref(), 2).await;
    stop.send(()).unwrap();
    running.await.unwrap();
    assert_eq!(meta.mirror_since().await.unwrap(), None);
    assert_eq!(objects.take().len(), 8);
}
