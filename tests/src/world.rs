//! A service in this process, and homes of devices in folders that go away.

use std::path::Path;
use std::sync::Arc;

use client::crypto::opaque::{Bounds, Cost};
use client::crypto::passphrase::Passphrase;
use client::crypto::roster::Label;
use client::crypto::{DeviceKeys, RecoveryKey};
use client::env::Env;
use client::error::{Error, Result};
use client::home::{FileKeys, Home};
use client::ids::DeviceId;
use client::remote::Connector;
use client::vault::{Joined, Secret, Vault, Where};
use proto::wire::slot::AccountName;
use service::auth::secrets::Secrets;
use service::env::{SystemClock, SystemEntropy};
use service::meta::Model;
use service::objects::Memory;
use service::rpc::{Registration, Service, Settings};
use service::testkit::InProcess;
use tempfile::TempDir;
use tonic::transport::Channel;

pub const SERVER: &str = "vault.test";
pub const PASSPHRASE: &str = "seven otters paint slowly";

/// A running service, and the ways to it.
pub struct World {
    pub service: Arc<InProcess>,
    /// What the service keeps, for an operator's acts.
    pub meta: Arc<Model>,
    pub objects: Arc<Memory>,
}

/// Opens pipes to a service.
pub struct Pipes(pub Arc<InProcess>);

#[tonic::async_trait]
impl Connector for Pipes {
    fn server(&self) -> &str {
        SERVER
    }

    async fn connect(&self) -> Result<Channel> {
        let refused = |e: tonic::transport::Error| Error::Unreachable { server: SERVER.into(), cause: e.to_string() };
        self.0.channel().await.map_err(refused)
    }
}

impl World {
    pub fn new() -> Self {
        Self::with(Settings::default())
    }

    pub fn with(settings: Settings) -> Self {
        let settings = Settings {
            server_name: SERVER.to_owned(),
            registration: Registration::Open,
            auth_per_minute: 10_000,
            ..settings
        };
        let (meta, objects) = (Arc::new(Model::new()), Arc::new(Memory::new()));
        let secrets = Secrets::fresh(&SystemEntropy);
        let (clock, entropy) = (Arc::new(SystemClock), Arc::new(SystemEntropy));
        let service = Service::new(meta.clone(), objects.clone(), secrets, clock, entropy, settings);
        Self { service: Arc::new(InProcess::start(service)), meta, objects }
    }

    pub fn at(&self) -> Where {
        reached_by(Arc::new(Pipes(self.service.clone())))
    }

    pub async fn register(&self, account: &str, device: &str) -> (Joined, RecoveryKey) {
        register_at(self.at(), account, device).await.unwrap()
    }

    pub async fn login(&self, account: &str, secret: Secret, device: &str) -> Result<Joined> {
        Vault::login(self.at(), name(account), secret, label(device)).await
    }
}

pub fn reached_by(connector: Arc<dyn Connector>) -> Where {
    Where { connector, env: Env::system(), bounds: Bounds::FOR_TESTS }
}

pub async fn register_at(at: Where, account: &str, device: &str) -> Result<(Joined, RecoveryKey)> {
    let cost = Some(Cost::CHEAP_FOR_TESTS);
    let key = RecoveryKey::generate(&mut at.env.entropy.clone());
    let joined = Vault::register(at, name(account), passphrase(PASSPHRASE), Some(&key), label(device), None, cost);
    Ok((joined.await?, key))
}

/// A folder with the keys of one device in a file.
pub struct Place {
    pub dir: TempDir,
    pub home: Home,
    pub keys: FileKeys,
}

impl Place {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::at(&dir.path().join("home"));
        let keys = FileKeys::new(&home.key_path());
        Self { dir, home, keys }
    }

    pub fn install(&self, joined: Joined) -> Vault {
        joined.install(&self.home, &self.keys).unwrap()
    }

    /// Opens what is set up here, as a new process would.
    pub fn open(&self, world: &World) -> Result<Vault> {
        Vault::open(&self.home, &self.keys, world.at())
    }

    /// The same home in another folder.
    pub fn copied(&self) -> Self {
        let other = Self::new();
        let copied = std::process::Command::new("cp").arg("-a").arg(self.home.dir()).arg(other.home.dir()).status();
        assert!(copied.unwrap().success());
        other
    }

    /// Every path below this place.
    pub fn files(&self) -> Vec<String> {
        let mut found = Vec::new();
        walk(self.dir.path(), &mut found);
        found.sort();
        found
    }
}

fn walk(dir: &Path, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        found.push(path.display().to_string());
        if path.is_dir() {
            walk(&path, found);
        }
    }
}

pub fn name(text: &str) -> AccountName {
    AccountName::new(text).unwrap()
}

pub fn label(device: &str) -> Label {
    Label::new(device, "linux", 1_700_000_000_000)
}

pub fn passphrase(text: &str) -> Passphrase {
    Passphrase::new(text).unwrap()
}

pub fn by_passphrase(text: &str) -> Secret {
    Secret::Passphrase(passphrase(text))
}

/// The recovery key as a person has it: as text.
pub fn by_kit(key: &RecoveryKey) -> Secret {
    Secret::Recovery(again(key))
}

pub fn again(key: &RecoveryKey) -> RecoveryKey {
    RecoveryKey::parse(&key.text()).unwrap()
}

/// The device of this name.
pub fn device(vault: &Vault, name: &str) -> DeviceId {
    vault.devices().iter().find(|d| d.name == name).unwrap().id
}

/// A device's keys once more, as a copy of its disk has them.
pub fn copied(vault: &Vault) -> DeviceKeys {
    DeviceKeys::import(&vault.session.device.export())
}

/// The error where one is due.
pub fn refused<T>(result: Result<T>) -> Error {
    match result {
        Ok(_) => panic!("this should have been refused"),
        Err(error) => error,
    }
}
