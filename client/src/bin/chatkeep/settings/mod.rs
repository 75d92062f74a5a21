//! Settings: flag before variable before profile before file before default, each with its origin.

mod edit;
mod file;

use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;

pub use edit::set;
pub use file::{Source, expand};

use crate::args::{Global, rate, span};
use crate::output::Colour;
use crate::problem::{Problem, Result};
use crate::progress::Mode;
use file::File;

/// Folders and files of this client (SURFACE §7).
#[derive(Clone, Debug)]
pub struct Places {
    pub config: PathBuf,
    /// Archive and keys.
    pub home: PathBuf,
    /// What happened: `chatkeep.log`.
    pub state: PathBuf,
    /// What may be deleted at any time.
    pub cache: PathBuf,
    /// What lives as long as a session: the socket of a running `sync --watch`.
    pub runtime: PathBuf,
    /// Whether `CHATKEEP_HOME` names it: then the OS keyring is never touched.
    pub own_home: bool,
}

/// One setting in force.
#[derive(Clone, Debug)]
pub struct Setting {
    pub key: &'static str,
    pub value: Option<String>,
    /// `flag --server`, `CHATKEEP_SERVER`, `profile work`, the file, or `default`.
    pub origin: String,
}

pub struct Settings {
    pub places: Places,
    pub profile: Option<String>,
    pub all: Vec<Setting>,
    pub sources: Vec<Source>,
    pub json: bool,
    pub no_input: bool,
    pub yes: bool,
}

/// Keys a file may hold, the variable that stands for each, and its default.
pub const KEYS: [(&str, Option<&str>, Option<&str>); 12] = [
    ("account", None, None),
    ("server", Some("CHATKEEP_SERVER"), None),
    ("device_name", Some("CHATKEEP_DEVICE_NAME"), None),
    ("ca_file", Some("CHATKEEP_CA_FILE"), None),
    ("progress", Some("CHATKEEP_PROGRESS"), Some("auto")),
    ("progress_interval", Some("CHATKEEP_PROGRESS_INTERVAL"), Some("10s")),
    ("max_wait", None, Some("2m")),
    ("color", None, Some("auto")),
    ("log", Some("CHATKEEP_LOG"), None),
    ("backup.limit_upload", None, None),
    ("sync.interval", None, Some("15m")),
    ("status.stale_after", None, Some("7d")),
];

/// Holds a value to what its key takes.
pub fn valid(key: &str, value: &str) -> Result<(), String> {
    use clap::ValueEnum as _;
    match key {
        "progress" => {
            Mode::from_str(value, false).map(drop).map_err(|_| "expected auto, bar, lines, json or none".into())
        }
        "color" => Colour::from_str(value, false).map(drop).map_err(|_| "expected auto, always or never".into()),
        "progress_interval" | "max_wait" | "sync.interval" | "status.stale_after" => span(value).map(drop),
        "backup.limit_upload" => rate(value).map(drop),
        "account" if !value.contains('@') => Err("expected NAME@SERVER".into()),
        _ if value.is_empty() => Err("expected some text".into()),
        _ => Ok(()),
    }
}

impl Settings {
    pub fn load(flags: &Global) -> Result<Self> {
        let profile = flags.profile.clone().or_else(|| variable("CHATKEEP_PROFILE"));
        if let Some(name) = &profile
            && (name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_')))
        {
            return Err(Problem::usage(format!("\"{name}\" cannot be a profile's name: use letters, digits, - and _")));
        }
        let named = flags.config.clone().or_else(|| variable("CHATKEEP_CONFIG").map(PathBuf::from));
        let places = Places::find(named.clone(), profile.as_deref())?;
        let file = File::read(&places.config, named.is_some())?;
        let mut all = Vec::new();
        for (key, name, default) in KEYS {
            all.push(resolve(key, name, default, flag(flags, key), &file, profile.as_deref())?);
        }
        Ok(Self {
            sources: file.sources(profile.as_deref()),
            places,
            all,
            json: flags.json || asks_for_json(),
            no_input: flags.no_input || is_set("CHATKEEP_NO_INPUT"),
            yes: flags.yes || is_set("CHATKEEP_YES"),
            profile,
        })
    }

    pub fn setting(&self, key: &str) -> Option<&Setting> {
        self.all.iter().find(|s| s.key == key)
    }

    pub fn value(&self, key: &str) -> Option<&str> {
        self.setting(key)?.value.as_deref()
    }

    /// A length of time; every such key has a default that can be read.
    pub fn time(&self, key: &str) -> Duration {
        self.value(key).and_then(|v| span(v).ok()).unwrap_or_default()
    }

    pub fn mode(&self) -> Mode {
        use clap::ValueEnum as _;
        self.value("progress").and_then(|v| Mode::from_str(v, false).ok()).unwrap_or_default()
    }

    pub fn colour(&self) -> Colour {
        use clap::ValueEnum as _;
        self.value("color").and_then(|v| Colour::from_str(v, false).ok()).unwrap_or_default()
    }
}

impl Places {
    /// Where a running `sync --watch` is asked for the home.
    pub fn agent_socket(&self) -> PathBuf {
        self.runtime.join("agent.sock")
    }

    fn find(config: Option<PathBuf>, profile: Option<&str>) -> Result<Self> {
        let within = |base: PathBuf| match profile {
            Some(name) => base.join("profiles").join(name),
            None => base,
        };
        if let Some(own) = variable("CHATKEEP_HOME") {
            let own = PathBuf::from(own);
            let config = config.unwrap_or_else(|| own.join("config.toml"));
            let home = within(own);
            return Ok(Self {
                config,
                state: home.clone(),
                cache: home.join("cache"),
                runtime: home.clone(),
                home,
                own_home: true,
            });
        }
        let known = directories::ProjectDirs::from("", "", crate::NAME)
            .ok_or_else(|| Problem::usage("this machine names no home folder").hint("set CHATKEEP_HOME"))?;
        let config = config.unwrap_or_else(|| known.config_dir().join("config.toml"));
        let state = known.state_dir().unwrap_or_else(|| known.data_local_dir());
        Ok(Self {
            config,
            home: within(known.data_dir().to_path_buf()),
            state: within(state.to_path_buf()),
            cache: within(known.cache_dir().to_path_buf()),
            runtime: within(known.runtime_dir().unwrap_or(state).to_path_buf()),
            own_home: false,
        })
    }
}

/// Whether the variable asks for JSON: known before anything else can fail.
pub fn asks_for_json() -> bool {
    is_set("CHATKEEP_JSON")
}

fn resolve(
    key: &'static str,
    name: Option<&'static str>,
    default: Option<&str>,
    flag: Option<String>,
    file: &File,
    profile: Option<&str>,
) -> Result<Setting> {
    if let Some(value) = flag {
        return Ok(Setting { key, value: Some(value), origin: format!("flag --{}", key.replace('_', "-")) });
    }
    if let Some(name) = name
        && let Some(value) = variable(name)
    {
        valid(key, &value).map_err(|why| Problem::new("E_CONFIG", 2, format!("{name}: {why}")))?;
        return Ok(Setting { key, value: Some(value), origin: name.to_owned() });
    }
    if let Some((value, origin)) = file.value(key, profile) {
        return Ok(Setting { key, value: Some(value), origin });
    }
    Ok(Setting { key, value: default.map(str::to_owned), origin: "default".to_owned() })
}

/// What the command line says of a key, in the form a file would say it.
fn flag(flags: &Global, key: &str) -> Option<String> {
    use clap::ValueEnum as _;
    let name = |value: Option<clap::builder::PossibleValue>| value.map(|v| v.get_name().to_owned());
    let seconds = |d: Duration| format!("{}s", d.as_secs());
    match key {
        "server" => flags.server.clone(),
        "progress" => name(flags.progress.and_then(|m| m.to_possible_value())),
        "progress_interval" => flags.progress_interval.map(seconds),
        "max_wait" => flags.max_wait.map(seconds),
        "color" => name(flags.color.and_then(|c| c.to_possible_value())),
        _ => None,
    }
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|v| !v.is_empty())
}

fn is_set(name: &str) -> bool {
    variable(name).is_some_and(|v| !matches!(v.to_lowercase().as_str(), "0" | "false" | "no" | "off"))
}

impl Setting {
    pub fn to_json(&self) -> Value {
        serde_json::json!({ "key": self.key, "value": self.value, "origin": self.origin })
    }
}
