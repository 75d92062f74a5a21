//! What two devices imported, kept apart from the product; and what any device must then show.

use std::collections::BTreeSet;

use client::archive::Archive;
use client::sync::{BackupOptions, RestoreOptions};
use client::vault::{Vault, Work};
use proto::wire::header::RecordKind;
use tests::history::{START, import, listed, photo_bytes};
use tests::strata::Stored;
use tests::world::{PASSPHRASE, Place, World, by_passphrase};

/// A device with its archive.
pub struct Device {
    pub vault: Vault,
    pub archive: Archive,
    _place: Place,
}

impl Device {
    pub fn install(place: Place, joined: client::vault::Joined) -> Self {
        let vault = place.install(joined);
        let archive = vault.archive().unwrap();
        Self { vault, archive, _place: place }
    }

    pub async fn new(world: &World, name: &str) -> Self {
        let joined = world.login("ana", by_passphrase(PASSPHRASE), name).await.unwrap();
        let mut device = Self::install(Place::new(), joined);
        let restored = device.restore().await;
        assert!(restored.is_whole(), "{restored:?}");
        device
    }

    pub async fn backup(&mut self) -> client::sync::Backup {
        self.vault.backup(&mut self.archive, &BackupOptions::default(), &Work::quiet()).await.unwrap()
    }

    pub async fn restore(&mut self) -> client::sync::Restored {
        self.vault.restore(&mut self.archive, &RestoreOptions::default(), &Work::quiet()).await.unwrap()
    }
}

/// Lines as [`listed`] gives them, made from what was imported and nothing else.
#[derive(Default)]
pub struct Model(BTreeSet<String>);

impl Model {
    /// Imports into an archive and takes note.
    pub fn import(&mut self, archive: &mut Archive, chat: usize, from: u64, to: u64, photo: usize) {
        import(archive, chat, from, to, photo);
        for i in from..to {
            let time = START + i as i64 * 60_000;
            let mut line =
                format!("chat{chat} {time} person {} {:?}", i % 3, Some(format!("message {i} of chat {chat}")));
            if photo > 0 && i.is_multiple_of(10) {
                line += &format!(" {}", blake3::hash(&photo_bytes(chat, i, photo)).to_hex());
            }
            self.0.insert(line);
        }
    }

    /// Holds an archive to it: nothing missing, nothing twice.
    pub fn holds(&self, archive: &Archive) {
        let shown = listed(archive);
        let expected: Vec<&String> = self.0.iter().collect();
        assert_eq!(shown.iter().collect::<Vec<_>>(), expected);
        assert_eq!(archive.counts().unwrap().messages as usize, expected.len());
    }

    /// Holds the vault to it, through a device that has nothing else and through the service's own tables: each
    /// generation has one head on top of the last, and the last covers every event. A row stands once in the strata,
    /// but for those that two devices brought at once (`raced`, at most): where the head of the first came between
    /// their records, the second copy lies in a run of its own until the two are merged.
    pub async fn holds_at(&self, world: &World, of: &Vault, raced: usize) -> Stored {
        let mut fresh = Device::new(world, "fresh").await;
        self.holds(&fresh.archive);
        let mut rows = 0;
        fresh
            .archive
            .each_row(None, true, |_| {
                rows += 1;
                Ok(true)
            })
            .unwrap();
        let stored = Stored::of(world, of).await;
        let (copies, keys) = stored.rows(&of.ring);
        assert_eq!(keys, rows);
        assert!(copies - keys <= raced, "{copies} copies of {keys} rows");
        let heads = stored.heads();
        let mut parent = [0; 32];
        for ((clear, leaf), generation) in heads.iter().zip(1..) {
            assert_eq!((clear.generation, clear.parent), (generation, parent));
            parent = leaf.record.digest();
        }
        let covered = heads.last().map_or(0, |(clear, _)| clear.covered_size) as usize;
        let uncovered = stored.entries[covered..].iter();
        let uncovered = uncovered.filter(|(leaf, _)| leaf.record.header.kind == RecordKind::Events).count();
        assert_eq!(uncovered, 0, "events that no head covers");
        assert!(fresh.backup().await.snapshot.is_some());
        stored
    }
}
