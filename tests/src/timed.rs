//! A service and devices that live by one clock, which moves only when told.

use std::sync::Arc;

use client::archive::Archive;
use client::env::{Clock, Env};
use client::error::Result;
use client::sync::{Backup, BackupOptions, RestoreOptions, Restored, Synced};
use client::vault::{Vault, Where, Work};
use service::auth::secrets::Secrets;
use service::env::SystemEntropy;
use service::meta::Model;
use service::mirror::Mirror;
use service::objects::Memory;
use service::rpc::{Registration, Service, Settings};
use service::sweep::{Sweep, Swept};
use service::testkit::{InProcess, ManualClock};
use tokio::sync::Notify;

use crate::world::{PASSPHRASE, Place, SERVER, World, by_passphrase, label, name, register_at};

pub const HOUR: u64 = 3_600_000;
/// A day long after 1970, ms.
pub const T0: u64 = 1_790_000_000_000;

/// A service with the clock that it and its devices go by.
pub struct Timed {
    pub world: World,
    pub clock: Arc<ManualClock>,
}

struct Hands(Arc<ManualClock>);

impl Clock for Hands {
    fn now_ms(&self) -> u64 {
        service::env::Clock::now_ms(self.0.as_ref())
    }
}

/// A device with its archive and the folder both lie in.
pub struct Device {
    pub vault: Vault,
    pub archive: Archive,
    pub place: Place,
}

impl Timed {
    pub fn new() -> Self {
        let clock = Arc::new(ManualClock::new(T0));
        let settings = Settings {
            server_name: SERVER.to_owned(),
            registration: Registration::Open,
            auth_per_minute: 100_000,
            ..Settings::default()
        };
        let (meta, objects) = (Arc::new(Model::new()), Arc::new(Memory::new()));
        let secrets = Secrets::fresh(&SystemEntropy);
        let service =
            Service::new(meta.clone(), objects.clone(), secrets, clock.clone(), Arc::new(SystemEntropy), settings);
        let world = World { service: Arc::new(InProcess::start(service)), meta, objects };
        Self { world, clock }
    }

    pub fn at(&self) -> Where {
        let mut at = self.world.at();
        at.env = Env { clock: Arc::new(Hands(self.clock.clone())), ..at.env };
        at
    }

    pub fn now(&self) -> i64 {
        service::env::Clock::now_ms(self.clock.as_ref()).cast_signed()
    }

    pub fn wait(&self, hours: u64) {
        self.clock.advance(hours * HOUR);
    }

    /// The account's first device.
    pub async fn first(&self) -> Device {
        let (joined, _) = register_at(self.at(), "ana", "laptop").await.unwrap();
        Device::install(joined)
    }

    /// One more device, with all there is.
    pub async fn another(&self, device: &str) -> Device {
        let joined = Vault::login(self.at(), name("ana"), by_passphrase(PASSPHRASE), label(device)).await.unwrap();
        let mut device = Device::install(joined);
        assert!(device.restore().await.is_whole());
        device
    }

    /// Brings the bucket up to date and deletes what may go.
    pub async fn sweep(&self) -> Swept {
        let (meta, objects, clock) = (self.world.meta.clone(), self.world.objects.clone(), self.clock.clone());
        let mirror = Mirror {
            meta: meta.clone(),
            objects: objects.clone(),
            clock: clock.clone(),
            work: Arc::new(Notify::new()),
        };
        assert!(mirror.drain().await);
        Sweep { meta, objects, clock }.once().await
    }
}

impl Default for Timed {
    fn default() -> Self {
        Self::new()
    }
}

impl Device {
    pub fn install(joined: client::vault::Joined) -> Self {
        let place = Place::new();
        let vault = place.install(joined);
        let archive = vault.archive().unwrap();
        Self { vault, archive, place }
    }

    pub async fn backup(&mut self) -> Backup {
        self.vault.backup(&mut self.archive, &BackupOptions::default(), &Work::quiet()).await.unwrap()
    }

    pub async fn sync(&mut self) -> Synced {
        self.try_sync().await.unwrap()
    }

    pub async fn try_sync(&mut self) -> Result<Synced> {
        self.vault.sync(&mut self.archive, &Work::quiet()).await
    }

    pub async fn restore(&mut self) -> Restored {
        self.vault.restore(&mut self.archive, &RestoreOptions::default(), &Work::quiet()).await.unwrap()
    }
}
