//! What a command has to work with: settings, the ways out, the home, its keys, and the way to the server.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use client::archive::Archive;
use client::env::Env;
use client::error::Error;
use client::home::{FileKeys, Home, KeyStore, Lock, LockError};
use client::remote::{Network, Proxy, ServerAddress};
use client::vault::{Cancel, Identity, Kept, Phase, Progress as Told, Vault, Where, Work};

use crate::agent::{self, Given};
use crate::args::Global;
use crate::keyring::{NoKeyring, OsKeys};
use crate::logging;
use crate::output::Output;
use crate::problem::{Problem, Result};
use crate::progress::Progress;
use crate::scratch::Scratch;
use crate::settings::Settings;

pub struct Context {
    pub settings: Settings,
    pub output: Output,
    pub progress: Progress,
    pub cancel: Cancel,
    pub env: Env,
    flags: Global,
}

/// How long a running `sync --watch`, or a writer it has given the home to, is waited for.
const GIVE_WAIT: Duration = Duration::from_secs(120);
const SOON_WAIT: Duration = Duration::from_secs(2);

/// An opened home whose lock this process holds.
pub struct Writing {
    pub vault: Vault,
    pub archive: Archive,
    /// Freed last.
    _lock: Held,
}

/// The home's lock.
pub struct Held {
    _lock: Lock,
    /// The watcher that gave it; hears of the end after the lock is free.
    _given: Option<Given>,
}

impl Context {
    pub fn new(flags: &Global) -> Result<Self> {
        let settings = Settings::load(flags)?;
        let quiet = flags.quiet;
        let output = Output::new(settings.json, quiet, settings.no_input, settings.colour());
        logging::begin(&settings, flags.verbose, quiet);
        let interval = settings.time("progress_interval");
        let progress = Progress::new(settings.mode(), interval, settings.json, quiet);
        let flags = flags.clone();
        Ok(Self { settings, output, progress, cancel: Cancel::default(), env: Env::system(), flags })
    }

    /// The same command under the settings as they are now.
    pub fn again(&self) -> Result<Self> {
        let settings = Settings::load(&self.flags)?;
        let output = Output::new(settings.json, self.output.quiet, settings.no_input, settings.colour());
        let (progress, cancel) = (self.progress.clone(), self.cancel.clone());
        Ok(Self { settings, output, progress, cancel, env: self.env.clone(), flags: self.flags.clone() })
    }

    /// The configuration file that a flag names.
    pub fn config_flag(&self) -> Option<&Path> {
        self.flags.config.as_deref()
    }

    pub fn home(&self) -> Home {
        Home::at(&self.settings.places.home)
    }

    /// Where this home's keys are: in its key file, or in the OS keyring where there is one.
    pub fn keys(&self) -> Box<dyn KeyStore> {
        let home = self.home();
        let file = || Box::new(FileKeys::new(&home.key_path()));
        if self.settings.places.own_home || home.key_path().exists() {
            return file();
        }
        match OsKeys::find(home.dir()) {
            Some(keys) => Box::new(keys),
            None if self.keys_out_of_reach() => Box::new(NoKeyring),
            None => file(),
        }
    }

    /// Whether the keys of an archive that is here are in a keyring this session does not reach.
    pub fn keys_out_of_reach(&self) -> bool {
        let home = self.home();
        let in_keyring = !self.settings.places.own_home && !home.key_path().exists() && OsKeys::has(home.dir());
        in_keyring && home.archive_dir().exists() && OsKeys::find(home.dir()).is_none()
    }

    /// Says where the keys of a new device went, when not into the OS keyring.
    pub fn tell_key_place(&self) {
        let path = self.home().key_path();
        if path.exists() && !self.settings.places.own_home {
            self.output.note(&format!("No OS keyring here: this device's keys are in {} (0600).", path.display()));
        }
    }

    /// The way to a server, by its address as given or as `--server` says instead.
    pub fn at(&self, server: &str) -> Result<Where> {
        let address = self.address(server)?;
        let ca = match self.settings.value("ca_file") {
            None => None,
            Some(path) => Some(std::fs::read(path).map_err(|e| Problem::usage(format!("cannot read {path}: {e}")))?),
        };
        let proxy = self.proxy(&address)?;
        Ok(Where::new(Arc::new(Network::new(address, ca).through(proxy)), self.env.clone()))
    }

    /// A server's address as given, or as `--server` says instead.
    pub fn address(&self, server: &str) -> Result<ServerAddress> {
        let given = self.settings.value("server").unwrap_or(server);
        ServerAddress::parse(given).map_err(|e| Problem::usage(e.to_string()))
    }

    /// The proxy that the environment names for a server.
    pub fn proxy(&self, address: &ServerAddress) -> Result<Option<Proxy>> {
        Proxy::from_environment(address).map_err(|e| Problem::usage(e.to_string()))
    }

    /// Which account is set up here.
    pub fn identity(&self) -> Result<Identity> {
        let identity = Vault::identity(&*self.keys())?.ok_or(Error::NotSetUp)?;
        match self.settings.value("account") {
            Some(account) if account != identity.shown() => {
                let origin = self.settings.setting("account").map(|s| s.origin.clone()).unwrap_or_default();
                let here = identity.shown();
                Err(Problem::new("E_CONFIG", 2, format!("{origin} says {account}, but {here} is set up here"))
                    .hint("another account needs a profile of its own: --profile NAME"))
            }
            _ => Ok(identity),
        }
    }

    /// Opens the vault as this device has it. Needs no network and takes no lock.
    pub fn vault(&self) -> Result<Vault> {
        let identity = self.identity()?;
        let keys = self.keys();
        Ok(Vault::open(&self.home(), &*keys, self.at(&identity.server)?)?)
    }

    /// Opens vault and archive for reading, also while another process writes.
    pub fn reading(&self) -> Result<(Vault, Archive)> {
        let vault = self.vault()?;
        let archive = vault.reader()?;
        Ok((vault, archive))
    }

    /// Opens the archive for reading: that of the device set up here, or one that was kept without a device.
    pub fn archive(&self) -> Result<Archive> {
        match self.reading() {
            Ok((_, archive)) => Ok(archive),
            Err(problem) if problem.exit == 10 => Ok(self.kept()?.reader()?),
            Err(problem) => Err(problem),
        }
    }

    /// The archive that was kept here without a device.
    pub fn kept(&self) -> Result<Kept> {
        Ok(Kept::open(&self.home(), &*self.keys(), self.env.clone())?)
    }

    /// Opens vault and archive for writing, as the only writer.
    pub fn writing(&self, command: &str) -> Result<Writing> {
        self.identity()?;
        self.open(self.lock(command)?)
    }

    /// As [`writing`](Self::writing), where nobody shall wait long: for what can as well be done another time.
    pub fn writing_soon(&self, command: &str) -> Result<Writing> {
        self.identity()?;
        self.open(self.lock_within(command, SOON_WAIT)?)
    }

    /// As [`writing`](Self::writing), but asks no watcher for the home.
    pub fn writing_alone(&self, command: &str) -> Result<Writing> {
        self.identity()?;
        self.open(Held { _lock: self.lock_now(command)?, _given: None })
    }

    fn open(&self, lock: Held) -> Result<Writing> {
        let vault = self.vault()?;
        let archive = vault.archive()?;
        Ok(Writing { vault, archive, _lock: lock })
    }

    /// Takes the home's lock or says who has it. A running `sync --watch` gives it away meanwhile.
    pub fn lock(&self, command: &str) -> Result<Held> {
        self.lock_within(command, GIVE_WAIT)
    }

    fn lock_within(&self, command: &str, wait: Duration) -> Result<Held> {
        match self.lock_now(command) {
            Ok(lock) => Ok(Held { _lock: lock, _given: None }),
            Err(busy) if busy.exit == 11 => {
                let given = agent::ask(&self.settings.places.agent_socket(), wait).ok_or(busy)?;
                Ok(Held { _lock: self.lock_now(command)?, _given: Some(given) })
            }
            Err(problem) => Err(problem),
        }
    }

    fn lock_now(&self, command: &str) -> Result<Lock> {
        let home = self.home();
        let made = Home::open(home.dir()).map_err(|e| Problem::io(home.dir(), &e))?;
        Lock::take(&made.lock_path(), std::process::id(), command).map_err(|e| match e {
            LockError::Busy(busy) => Error::Busy { pid: busy.pid, command: busy.command }.into(),
            LockError::Io(e) => Problem::io(&made.lock_path(), &e),
            _ => Problem::internal("the home's lock failed"),
        })
    }

    /// How many bytes a second the configuration lets uploads have.
    pub fn limit_upload(&self) -> Option<u64> {
        self.settings.value("backup.limit_upload").and_then(|v| crate::args::rate(v).ok())
    }

    /// Work that shows its progress and stops at the first interrupt.
    pub fn work(&self, op: &'static str) -> Work {
        self.progress.begin(op);
        let progress = self.progress.clone();
        let waiting = self.progress.clone();
        let work = Work::new(move |told| progress.tell(told), self.cancel.clone());
        let work = work.on_wait(move |wait| waiting.waits(wait));
        work.max_wait(self.settings.time("max_wait"))
    }

    /// Fills the search index with what an operation brought; all of that is kept and readable already, so an interrupt
    /// only leaves the rest for the next time. Answers the seconds it took.
    pub fn index(&self, archive: &mut Archive, op: &'static str) -> Result<f64> {
        let begun = Instant::now();
        let work = self.work(op);
        let mut total_items = None;
        archive.index(|left| {
            let total_items = *total_items.get_or_insert(left);
            let done_items = total_items - left.min(total_items);
            work.tell(Told { phase: Phase::Write, done_bytes: 0, total_bytes: 0, done_items, total_items });
            !work.is_cancelled()
        })?;
        self.progress.end();
        Ok(begun.elapsed().as_secs_f64())
    }

    /// A place that goes away again.
    pub fn scratch(&self, prefix: &str) -> Result<Scratch> {
        Scratch::new(&self.settings.places.cache, prefix)
    }

    pub fn now_ms(&self) -> i64 {
        self.env.now_ms()
    }
}
