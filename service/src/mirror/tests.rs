//! What the bucket holds at every moment, failures included.

use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use proto::wire::bytes::Reader;
use proto::wire::header::Leaf;
use proto::wire::limits::LEAF_BYTES;
use proto::wire::roster::{Roster, RosterClear, SlotKind};
use proto::wire::slot::{SlotPrefix, slot_digest};

use super::*;
use crate::meta::suite::author::{Author, T0};
use crate::meta::{MirrorObject, Model, NewRecord, SlotBytes};
use crate::objects::{Content, Found, Memory, Result, collect};

pub struct Fixed(pub u64);

impl Clock for Fixed {
    fn now_ms(&self) -> u64 {
        self.0
    }
}

/// A store that notes every change and fails on the names it is told.
#[derive(Default)]
struct Watched {
    inner: Memory,
    changes: Mutex<Vec<String>>,
    failing: Mutex<Vec<String>>,
    /// How many changes it makes before it fails; none where there is no end.
    left: Mutex<Option<usize>>,
    /// Whether the last of them is made and fails all the same: what a crash before the queue is told looks like.
    untold: AtomicBool,
    /// What happens after so many changes, while the mirror is at work.
    meanwhile: Mutex<Option<(usize, Arc<Model>, NewRecord, Vec<SlotBytes>)>>,
}

impl Watched {
    async fn change(&self, verb: &str, name: &ObjectName) -> Result<()> {
        let fails = |failing: &String| [name.leaf(), &name.key()].contains(&failing.as_str());
        if self.failing.lock().unwrap().iter().any(fails) {
            return Err(ObjectError::Deadline);
        }
        match &mut *self.left.lock().unwrap() {
            Some(0) => return Err(ObjectError::Deadline),
            Some(left) => *left -= 1,
            None => {}
        }
        let what = if name.folder() == "slots" { "recovery" } else { name.leaf() };
        let count = {
            let mut changes = self.changes.lock().unwrap();
            changes.push(format!("{verb} {what}"));
            changes.len()
        };
        let due = self.meanwhile.lock().unwrap().take_if(|(after, ..)| *after == count);
        if let Some((_, meta, roster, slots)) = due {
            meta.append_roster(roster, slots, T0).await.unwrap();
        }
        Ok(())
    }

    fn told(&self) -> Result<()> {
        let lost = self.untold.load(Ordering::Relaxed) && *self.left.lock().unwrap() == Some(0);
        if lost { Err(ObjectError::Deadline) } else { Ok(()) }
    }

    /// Lets the mirror make one change and then loses the service: before the queue is told, or just after.
    async fn step(&self, mirror: &Mirror, untold: bool) -> bool {
        self.untold.store(untold, Ordering::Relaxed);
        *self.left.lock().unwrap() = Some(1);
        let drained = mirror.drain().await;
        *self.left.lock().unwrap() = None;
        drained
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.changes.lock().unwrap())
    }
}

#[async_trait]
impl Objects for Watched {
    async fn put(&self, name: &ObjectName, content: Bytes) -> Result<()> {
        self.change("put", name).await?;
        self.inner.put(name, content).await?;
        self.told()
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
        self.change("erase", name).await?;
        self.inner.delete(name).await?;
        self.told()
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
    let name = ObjectName::mirrored(&first.account, &MirrorObject::PassphraseSlot);
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

/// The work of more accounts than are read at once waits behind one that always fails, whatever its id.
#[tokio::test]
async fn an_account_that_always_fails_keeps_its_place_and_nobody_elses() {
    let (meta, objects) = (Arc::new(Model::new()), Arc::new(Watched::default()));
    let mut authors = Vec::new();
    for seed in 1..=70 {
        authors.push(Author::register(meta.as_ref(), seed).await);
    }
    authors.sort_by_key(|author| author.account);
    let (first, others) = authors.split_first_mut().unwrap();
    let roster = ObjectName::mirrored(&first.account, &MirrorObject::Roster);
    objects.failing.lock().unwrap().push(roster.key());
    let mirror = mirror(&meta, &objects, T0);
    for round in 0..2 {
        assert!(!mirror.drain().await);
        assert_eq!(meta.mirror_accounts(None, 9).await.unwrap(), [first.account], "{round}");
        for author in others.iter_mut() {
            let (roster, slots) = (author.sign_roster(author.next_roster(), None, None), vec![]);
            author.append_roster(meta.as_ref(), roster, slots).await;
        }
    }
    objects.failing.lock().unwrap().clear();
    assert!(mirror.drain().await);
    assert!(held(&objects, &roster).await.is_some());
}

async fn held(objects: &Watched, name: &ObjectName) -> Option<Bytes> {
    match objects.get(name, None).await {
        Ok(content) => Some(collect(content, 1 << 20).await.unwrap().into()),
        Err(ObjectError::NotFound) => None,
        Err(e) => panic!("{e}"),
    }
}

/// The roster in the bucket names one of the recovery slots in it, and every rotation before it is there. The roster's
/// version.
async fn opens(objects: &Watched, author: &Author) -> u64 {
    let at = |object| ObjectName::mirrored(&author.account, &object);
    let roster = held(objects, &at(MirrorObject::Roster)).await.unwrap();
    let roster = read_roster(&roster);
    let said = roster.slot(SlotKind::Recovery).unwrap();
    let mut named = 0;
    for found in objects.list("slots", None, 9).await.unwrap() {
        let slot = held(objects, &found.name).await.unwrap();
        let (prefix, _) = SlotPrefix::split(&slot).unwrap();
        if slot_digest(&slot) == said.slot_digest && prefix.root_generation == roster.root_generation {
            named += 1;
        }
    }
    assert_eq!(named, 1, "{:?}", objects.changes.lock().unwrap());
    for generation in 2..=roster.root_generation {
        let rotation = held(objects, &at(MirrorObject::Rotation(generation))).await.expect("every rotation is there");
        assert_eq!(read_roster(&rotation).root_generation, generation);
    }
    roster.version
}

fn read_roster(object: &[u8]) -> Roster {
    let mut r = Reader::new(object);
    r.u64().unwrap();
    let leaf = Leaf::decode(r.take(LEAF_BYTES).unwrap()).unwrap();
    let (clear, _) = leaf.record.split_body(r.rest()).unwrap();
    RosterClear::decode(clear).unwrap().roster
}

/// Two rotations, the second at every point of the first's way into the bucket, with the recovery key kept or replaced;
/// and the service is lost after every change, told or untold.
#[tokio::test]
async fn wherever_the_mirror_is_cut_off_a_slot_in_the_bucket_opens_the_roster_in_it() {
    for case in 0..4 * 8 {
        let (keeps_key, untold, second_after) = (case % 2 == 0, case / 2 % 2 == 0, case / 4);
        let (meta, objects) = (Arc::new(Model::new()), Arc::new(Watched::default()));
        let mut author = Author::register(meta.as_ref(), 1).await;
        let mirror = mirror(&meta, &objects, T0);
        assert!(mirror.drain().await);
        let name = author.slot(SlotKind::Recovery, 1).0.slot_name.filter(|_| keeps_key);
        let rotation = author.rotation(name);
        author.rotate(meta.as_ref(), rotation, T0).await;
        for step in 0.. {
            assert!(step < 40, "case {case} goes on for ever");
            if step == second_after {
                let rotation = author.rotation(name);
                author.rotate(meta.as_ref(), rotation, T0).await;
            }
            if untold {
                objects.step(&mirror, true).await;
                opens(&objects, &author).await;
            }
            let drained = objects.step(&mirror, false).await;
            opens(&objects, &author).await;
            if drained && step > second_after {
                break;
            }
        }
        assert_eq!(opens(&objects, &author).await, 3);
        assert_eq!(objects.list("slots", None, 9).await.unwrap().len(), 1, "case {case}: what was replaced is erased");
    }
}

/// A rotation that commits while an older one's jobs are under way is mirrored after them, not between them.
#[tokio::test]
async fn a_rotation_that_comes_meanwhile_waits_for_its_turn() {
    for case in 0..6 * 14 {
        let (after, cut) = (1 + case / 14, 1 + case % 14);
        let (meta, objects) = (Arc::new(Model::new()), Arc::new(Watched::default()));
        let mut author = Author::register(meta.as_ref(), 1).await;
        let mirror = mirror(&meta, &objects, T0);
        assert!(mirror.drain().await);
        let name = author.slot(SlotKind::Recovery, 1).0.slot_name;
        let first = author.rotation(name);
        author.rotate(meta.as_ref(), first, T0).await;
        let second = author.rotation(name);
        let roster = author.sign_roster(second.roster, None, Some(&second.old));
        *objects.meanwhile.lock().unwrap() = Some((after, meta.clone(), roster, second.slots));
        objects.take();
        *objects.left.lock().unwrap() = Some(cut);
        mirror.drain().await;
        opens(&objects, &author).await;
        *objects.left.lock().unwrap() = None;
        assert!(mirror.drain().await);
        assert_eq!(opens(&objects, &author).await, 3);
        assert_eq!(objects.list("slots", None, 9).await.unwrap().len(), 1);
    }
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
