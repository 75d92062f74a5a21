//! What the operator decides. Flag before `CHATKEEPD_SECTION__KEY` before file before default; unknown keys are refused.

mod layers;
mod values;

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use thiserror::Error;

pub use layers::{KEYS, load};
pub use values::{ByteSize, Span};

use crate::rpc::{Registration, Settings};

/// Where an installed service keeps its state.
const SYSTEM_DATA_DIR: &str = "/var/lib/chatkeepd";
const SYSTEM_ADMIN_SOCKET: &str = "/run/chatkeepd/admin.sock";
/// Where `--config` points when it is not given; that file may be absent.
pub const SYSTEM_CONFIG: &str = "/etc/chatkeepd/config.toml";
const SQLITE_SCHEME: &str = "sqlite://";
/// Turns a listener off.
const OFF: &str = "off";

#[derive(Debug, Error)]
pub enum ConfigError {
    #[error("{path}: {source}")]
    Unreadable { path: PathBuf, source: std::io::Error },
    #[error("{place}: {problem}")]
    File { place: String, problem: String },
    #[error("unknown key \"{key}\" in {origin}{hint}")]
    UnknownKey { key: String, origin: String, hint: String },
    #[error("{key}: {problem}")]
    Value { key: &'static str, problem: String },
}

/// The whole configuration, every default filled in.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    pub listen: SocketAddr,
    #[serde(default)]
    pub public_url: Option<String>,
    pub data_dir: PathBuf,
    #[serde(default)]
    pub tls: Tls,
    #[serde(default)]
    pub database: Database,
    #[serde(default)]
    pub storage: Storage,
    #[serde(default)]
    pub auth: Auth,
    #[serde(default)]
    pub registration: RegistrationPolicy,
    #[serde(default)]
    pub quota: Quota,
    #[serde(default)]
    pub limits: Limits,
    #[serde(default)]
    pub ops: Ops,
    #[serde(default)]
    pub log: Log,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum TlsMode {
    Files,
    Proxy,
    #[default]
    Off,
}

#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Tls {
    /// Left out: `files` where a certificate is named, otherwise `off`.
    pub mode: Option<TlsMode>,
    pub cert: Option<PathBuf>,
    pub key: Option<PathBuf>,
    /// In mode `proxy`: who may connect, and is believed about whom it speaks for.
    pub trusted_proxies: Vec<IpAddr>,
}

#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Database {
    pub url: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum StorageKind {
    #[default]
    Fs,
    S3,
}

#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Storage {
    pub kind: StorageKind,
    /// The folder of kind `fs`.
    pub path: Option<PathBuf>,
    pub endpoint: Option<String>,
    pub region: Option<String>,
    pub bucket: Option<String>,
    pub path_style: bool,
    pub access_key_file: Option<PathBuf>,
    pub secret_key_file: Option<PathBuf>,
    pub accept_undeletable: bool,
}

#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Auth {
    pub opaque_seed_file: Option<PathBuf>,
    pub token_key_file: Option<PathBuf>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct RegistrationPolicy {
    pub mode: Registration,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Quota {
    pub account_bytes: ByteSize,
    pub devices: u32,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    pub max_in_flight: usize,
    pub queue: usize,
    pub queue_timeout: Span,
    pub auth_per_minute: u32,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Ops {
    /// An address, or `off`.
    pub listen: String,
    pub admin_socket: Option<PathBuf>,
    pub shutdown_grace: Span,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    Json,
    Text,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    pub format: LogFormat,
    pub level: String,
}

impl Default for RegistrationPolicy {
    fn default() -> Self {
        Self { mode: Settings::default().registration }
    }
}

impl Default for Quota {
    fn default() -> Self {
        let settings = Settings::default();
        Self { account_bytes: ByteSize(settings.quota_bytes), devices: settings.devices_max }
    }
}

impl Default for Limits {
    fn default() -> Self {
        let Settings { max_in_flight, queue, queue_timeout, auth_per_minute, .. } = Settings::default();
        Self { max_in_flight, queue, queue_timeout: Span(queue_timeout), auth_per_minute }
    }
}

impl Default for Ops {
    fn default() -> Self {
        let shutdown_grace = Span(std::time::Duration::from_secs(30));
        Self { listen: "127.0.0.1:9464".to_owned(), admin_socket: None, shutdown_grace }
    }
}

impl Default for Log {
    fn default() -> Self {
        Self { format: LogFormat::Json, level: "info".to_owned() }
    }
}

/// The state folder of a service nobody configured.
fn default_data_dir(env: &dyn Fn(&str) -> Option<String>, privileged: bool) -> PathBuf {
    if privileged {
        return PathBuf::from(SYSTEM_DATA_DIR);
    }
    let set = |name| env(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    let state = set("XDG_STATE_HOME").filter(|p| p.is_absolute());
    let state = state.or_else(|| set("HOME").map(|home| home.join(".local/state")));
    state.unwrap_or_else(|| PathBuf::from(".")).join(crate::PRODUCT)
}

impl Config {
    /// Refuses what cannot work or would be unsafe, before anything starts.
    pub fn check(&self) -> Result<(), ConfigError> {
        let bad = |key, problem: &str| Err(ConfigError::Value { key, problem: problem.to_owned() });
        match self.tls_mode() {
            TlsMode::Off if !self.listen.ip().is_loopback() => {
                return bad("listen", "an address others can reach needs [tls] cert and key, or mode = \"proxy\"");
            }
            TlsMode::Files if self.tls.cert.is_none() || self.tls.key.is_none() => {
                return bad("tls.mode", "files needs both cert and key");
            }
            _ => {}
        }
        if self.limits.max_in_flight == 0 || self.limits.auth_per_minute == 0 {
            return bad("limits", "zero would admit nobody");
        }
        if self.quota.devices == 0 || self.quota.devices as usize > proto::wire::limits::ACTIVE_DEVICES_MAX {
            return bad("quota.devices", "an account has 1 to 20 devices");
        }
        if self.storage.kind == StorageKind::S3 && self.storage.bucket.is_none() {
            return bad("storage.bucket", "kind = \"s3\" needs a bucket");
        }
        if let Some(url) = &self.public_url
            && host_of(url).is_none()
        {
            return bad("public_url", "expected https://HOST");
        }
        self.ops_listen().and(self.sqlite_path().map(drop))
    }

    pub fn tls_mode(&self) -> TlsMode {
        let implied = if self.tls.cert.is_some() { TlsMode::Files } else { TlsMode::Off };
        self.tls.mode.unwrap_or(implied)
    }

    pub fn sqlite_path(&self) -> Result<PathBuf, ConfigError> {
        let Some(url) = &self.database.url else { return Ok(self.data_dir.join("chatkeepd.db")) };
        let path = url.strip_prefix(SQLITE_SCHEME).filter(|p| !p.is_empty());
        let problem = || "this build knows sqlite:///PATH".to_owned();
        path.map(PathBuf::from).ok_or_else(|| ConfigError::Value { key: "database.url", problem: problem() })
    }

    pub fn objects_path(&self) -> PathBuf {
        self.storage.path.clone().unwrap_or_else(|| self.data_dir.join("objects"))
    }

    /// The ops listener's address; nothing where it is off.
    pub fn ops_address(&self) -> Option<SocketAddr> {
        self.ops.listen.parse().ok()
    }

    fn ops_listen(&self) -> Result<(), ConfigError> {
        let problem = || "expected an address or \"off\"".to_owned();
        let good = self.ops.listen == OFF || self.ops_address().is_some();
        if good { Ok(()) } else { Err(ConfigError::Value { key: "ops.listen", problem: problem() }) }
    }

    pub fn admin_socket(&self) -> PathBuf {
        let system = self.data_dir == Path::new(SYSTEM_DATA_DIR);
        let default = || if system { SYSTEM_ADMIN_SOCKET.into() } else { self.data_dir.join("admin.sock") };
        self.ops.admin_socket.clone().unwrap_or_else(default)
    }

    pub fn opaque_seed_file(&self) -> PathBuf {
        self.auth.opaque_seed_file.clone().unwrap_or_else(|| self.secrets_dir().join("opaque.seed"))
    }

    pub fn token_key_file(&self) -> PathBuf {
        self.auth.token_key_file.clone().unwrap_or_else(|| self.secrets_dir().join("token.keys"))
    }

    /// Beside the state folder, not in it: a copy of the state must not hold the secrets.
    fn secrets_dir(&self) -> PathBuf {
        let mut name = self.data_dir.file_name().unwrap_or_default().to_owned();
        name.push("-secrets");
        self.data_dir.with_file_name(name)
    }

    /// How long running calls may go on after the service was told to stop.
    pub fn shutdown_grace(&self) -> std::time::Duration {
        self.ops.shutdown_grace.0
    }

    /// The name sign-ins are bound to.
    pub fn server_name(&self) -> String {
        self.public_url.as_deref().and_then(host_of).unwrap_or("localhost").to_owned()
    }

    pub fn settings(&self) -> Settings {
        Settings {
            server_name: self.server_name(),
            registration: self.registration.mode,
            quota_bytes: self.quota.account_bytes.0,
            devices_max: self.quota.devices,
            max_in_flight: self.limits.max_in_flight,
            queue: self.limits.queue,
            queue_timeout: self.limits.queue_timeout.0,
            auth_per_minute: self.limits.auth_per_minute,
            notice: String::new(),
        }
    }
}

/// The host of `https://host[:port][/…]`.
fn host_of(url: &str) -> Option<&str> {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"))?;
    let authority = rest.split('/').next()?;
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => host,
        _ => authority,
    };
    (!host.is_empty()).then_some(host)
}

#[cfg(test)]
mod tests;
