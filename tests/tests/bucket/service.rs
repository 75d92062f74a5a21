//! A service on SQLite and a folder, as `chatkeepd` runs it, with an account that has a history.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use client::archive::Archive;
use client::crypto::RecoveryKey;
use client::event::{Kind, Row, tag};
use client::sources::{ChatInfo, Sink as _};
use client::sync::BackupOptions;
use client::vault::{Vault, Where, Work};
use service::auth::secrets::Secrets;
use service::env::{Clock, SystemClock, SystemEntropy};
use service::meta::Sqlite;
use service::mirror::Mirror;
use service::objects::Folder;
use service::rpc::{Registration, Service, Settings};
use service::testkit::InProcess;
use tempfile::TempDir;
use tests::exports;
use tests::history::{START, chat, import, message, photo_bytes};
use tests::world::{Pipes, Place, SERVER, reached_by, register_at};

use crate::stopping::{Left, Stopping};

pub struct Running {
    dir: TempDir,
    service: Arc<InProcess>,
    mirror: Mirror,
    objects: Arc<Stopping>,
    pub clock: Arc<Ahead>,
}

/// The clock of service and devices: the system's, and what has been passed over.
#[derive(Default)]
pub struct Ahead(AtomicU64);

impl Ahead {
    pub fn pass(&self, hours: u64) {
        self.0.fetch_add(hours * 3_600_000, Ordering::Relaxed);
    }
}

impl Clock for Ahead {
    fn now_ms(&self) -> u64 {
        SystemClock.now_ms() + self.0.load(Ordering::Relaxed)
    }
}

struct Hands(Arc<Ahead>);

impl client::env::Clock for Hands {
    fn now_ms(&self) -> u64 {
        self.0.now_ms()
    }
}

impl Running {
    pub async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let meta = Arc::new(Sqlite::open(&dir.path().join("service.db")).await.unwrap());
        let objects = Arc::new(Stopping::new(Folder::open(&dir.path().join("objects")).await.unwrap()));
        let settings = Settings {
            server_name: SERVER.to_owned(),
            registration: Registration::Open,
            auth_per_minute: 10_000,
            ..Settings::default()
        };
        let clock = Arc::new(Ahead::default());
        let secrets = Secrets::fresh(&SystemEntropy);
        let service =
            Service::new(meta.clone(), objects.clone(), secrets, clock.clone(), Arc::new(SystemEntropy), settings);
        let mirror = Mirror { meta, objects: objects.clone(), clock: clock.clone(), work: service.mirror_work() };
        Self { dir, service: Arc::new(InProcess::start(service)), mirror, objects, clock }
    }

    pub fn at(&self) -> Where {
        let mut at = reached_by(Arc::new(Pipes(self.service.clone())));
        at.env.clock = Arc::new(Hands(self.clock.clone()));
        at
    }

    /// The folder, once everything that is to be mirrored is.
    pub async fn bucket(&self) -> PathBuf {
        assert!(self.mirror.drain().await, "the mirror's queue does not empty");
        self.folder()
    }

    /// The folder as it is.
    pub fn folder(&self) -> PathBuf {
        self.dir.path().join("objects")
    }

    /// Mirrors no more than that; true when nothing was left to do.
    pub async fn mirror_until(&self, left: Left) -> bool {
        self.objects.leave(left);
        let drained = self.mirror.drain().await;
        self.objects.leave(Left::All);
        drained
    }
}

/// An account whose only device has backed up a history of every shape, in several backups.
pub struct Written {
    pub running: Running,
    pub place: Place,
    pub vault: Vault,
    pub archive: Archive,
    pub key: RecoveryKey,
}

impl Written {
    pub async fn start() -> Self {
        let running = Running::start().await;
        let place = Place::new();
        let (joined, key) = register_at(running.at(), "ana", "laptop").await.unwrap();
        let vault = place.install(joined);
        let archive = vault.archive().unwrap();
        Self { running, place, vault, archive, key }
    }

    pub async fn with_history() -> Self {
        let mut it = Self::start().await;
        let exported = it.place.dir.path().join("export");
        // Rows with ids, photos of one pack and of more, the same photo twice.
        import(&mut it.archive, 1, 0, 40, 5_000);
        import(&mut it.archive, 2, 0, 25, 200_000);
        it.backup().await;
        // Rows without ids, and a text longer than a row.
        exports::write(&exported, 0, 80);
        exports::import(&mut it.archive, &exported, "Family");
        long_texts(&mut it.archive);
        it.backup().await;
        // Edits, reactions, a longer export of the same chat, a file of several chunks.
        edits(&mut it.archive);
        exports::write(&exported, 40, 120);
        exports::import(&mut it.archive, &exported, "Family");
        it.backup().await;
        video(&mut it.archive);
        it.backup().await;
        it
    }

    pub async fn backup(&mut self) {
        self.vault.backup(&mut self.archive, &BackupOptions::default(), &Work::quiet()).await.unwrap();
    }

    /// Writes the recovery key into a file, as a kit has it.
    pub fn kit(&self, path: &Path) {
        std::fs::write(path, format!("Recovery key:\n{}\n", *self.key.text())).unwrap();
    }
}

fn take(archive: &mut Archive, n: usize, rows: Vec<Row>) {
    let mut import = archive.import().unwrap();
    import.chat(&chat(n), &ChatInfo { title: Some(format!("Chat {n}")), shape: None }).unwrap();
    for row in rows {
        import.row(&chat(n), row).unwrap();
    }
    import.finish().unwrap();
}

fn long_texts(archive: &mut Archive) {
    let text = |n: u64| (0..4_000).map(|word| format!("word{} ", word * n)).collect::<String>();
    take(archive, 3, (1..4).map(|n| message(n, &text(n))).collect());
}

fn edits(archive: &mut Archive) {
    let edited = |n: u64| {
        let mut row = message(n, &format!("message {n} of chat 1, put right"));
        row.fields.set_number(tag::EDITED_AT, START + 1_000_000 + n as i64);
        row
    };
    take(archive, 1, (0..12).map(edited).collect());
    let mut import = archive.import().unwrap();
    for n in [3u64, 5, 8] {
        let mut row = Row::new(Kind::REACTION_ADD, START + n as i64 * 60_000, format!("{n}/by Ben/thumb"));
        row.fields.set(tag::EMOJI, "\u{1f44d}".as_bytes());
        row.set_sender(&client::event::Party { name: Some("Ben".to_owned()), ..Default::default() });
        import.about(&chat(1), &n.to_string(), row).unwrap();
    }
    import.finish().unwrap();
}

fn video(archive: &mut Archive) {
    use client::event::{Attachment, Presence, Role};
    let mut import = archive.import().unwrap();
    let taken = import.file("a photo", &mut std::io::Cursor::new(photo_bytes(9, 9, 5 << 20))).unwrap();
    let mut row = message(100, "the film");
    row.set_attachments(&[Attachment {
        name: Some("film.mp4".to_owned()),
        mime: Some("video/mp4".to_owned()),
        size: Some(taken.bytes),
        role: Role::Video,
        presence: Presence::Present,
        hash: Some(taken.hash),
        source_ref: None,
        rest: Default::default(),
    }]);
    import.row(&chat(1), row).unwrap();
    import.finish().unwrap();
}
