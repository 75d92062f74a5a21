//! Puts the layers together: defaults, file, environment, flags.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::{Config, ConfigError, SYSTEM_CONFIG, default_data_dir};

/// How a key's value is read from text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Text,
    Number,
    Switch,
    /// Comma-separated.
    List,
}

/// Every key there is; tables by their dotted name.
pub const KEYS: &[(&str, Kind)] = &[
    ("listen", Kind::Text),
    ("public_url", Kind::Text),
    ("data_dir", Kind::Text),
    ("tls.mode", Kind::Text),
    ("tls.cert", Kind::Text),
    ("tls.key", Kind::Text),
    ("tls.trusted_proxies", Kind::List),
    ("database.url", Kind::Text),
    ("storage.kind", Kind::Text),
    ("storage.path", Kind::Text),
    ("storage.endpoint", Kind::Text),
    ("storage.region", Kind::Text),
    ("storage.bucket", Kind::Text),
    ("storage.path_style", Kind::Switch),
    ("storage.access_key_file", Kind::Text),
    ("storage.secret_key_file", Kind::Text),
    ("storage.accept_undeletable", Kind::Switch),
    ("auth.opaque_seed_file", Kind::Text),
    ("auth.token_key_file", Kind::Text),
    ("registration.mode", Kind::Text),
    ("quota.account_bytes", Kind::Text),
    ("quota.devices", Kind::Number),
    ("limits.max_in_flight", Kind::Number),
    ("limits.queue", Kind::Number),
    ("limits.queue_timeout", Kind::Text),
    ("limits.auth_per_minute", Kind::Number),
    ("ops.listen", Kind::Text),
    ("ops.admin_socket", Kind::Text),
    ("ops.shutdown_grace", Kind::Text),
    ("log.format", Kind::Text),
    ("log.level", Kind::Text),
];

const ENV_PREFIX: &str = "CHATKEEPD_";
/// Variables of that prefix that are no keys: where the file lies.
const ENV_CONFIG: &str = "CHATKEEPD_CONFIG";

/// Reads the configuration. `flags` are dotted keys with their values; `privileged` chooses the default places.
pub fn load(
    file: Option<&Path>,
    env: &BTreeMap<String, String>,
    flags: &[(String, String)],
    privileged: bool,
) -> Result<Config, ConfigError> {
    let lookup = |name: &str| env.get(name).cloned();
    let mut table = Table::new();
    table.insert("listen".to_owned(), Value::String("127.0.0.1:8443".to_owned()));
    let data_dir = default_data_dir(&lookup, privileged);
    table.insert("data_dir".to_owned(), Value::String(data_dir.to_string_lossy().into_owned()));
    let named = file.map(Path::to_owned).or_else(|| lookup(ENV_CONFIG).map(PathBuf::from));
    let (path, may_be_absent) = match named {
        Some(path) => (path, false),
        None => (PathBuf::from(SYSTEM_CONFIG), true),
    };
    match std::fs::read_to_string(&path) {
        Ok(text) => overlay(&mut table, from_file(&path, &text)?),
        Err(e) if may_be_absent && e.kind() == std::io::ErrorKind::NotFound => {}
        Err(source) => return Err(ConfigError::Unreadable { path, source }),
    }
    for (name, value) in env {
        let Some(rest) = name.strip_prefix(ENV_PREFIX).filter(|_| name != ENV_CONFIG) else { continue };
        let key = rest.to_ascii_lowercase().replace("__", ".");
        set(&mut table, &key, value, &format!("the environment ({name})"))?;
    }
    for (key, value) in flags {
        set(&mut table, key, value, "the flags")?;
    }
    let config: Config = table.try_into().map_err(|e: toml::de::Error| ConfigError::File {
        place: "configuration".to_owned(),
        problem: e.message().to_owned(),
    })?;
    config.check()?;
    Ok(config)
}

/// Reads the file alone first, so that its mistakes are told with their line.
fn from_file(path: &Path, text: &str) -> Result<Table, ConfigError> {
    let table: Table = toml::from_str(text).map_err(|e| in_file(path, text, e.span(), e.message().to_owned()))?;
    for (key, value) in &table {
        match value {
            Value::Table(inner) => {
                for name in inner.keys() {
                    known(path, text, &format!("{key}.{name}"), name)?;
                }
            }
            _ => known(path, text, key, key)?,
        }
    }
    let mut whole = table.clone();
    for (key, value) in [("listen", "127.0.0.1:0"), ("data_dir", ".")] {
        whole.entry(key).or_insert_with(|| Value::String(value.to_owned()));
    }
    let typed: Result<Config, toml::de::Error> = whole.try_into();
    match typed {
        Ok(_) => Ok(table),
        Err(e) => Err(in_file(path, text, e.span(), e.message().to_owned())),
    }
}

fn known(path: &Path, text: &str, key: &str, name: &str) -> Result<(), ConfigError> {
    if KEYS.iter().any(|(k, _)| *k == key) {
        return Ok(());
    }
    let line = text.lines().position(|l| l.trim_start().starts_with(name));
    let origin = match line {
        Some(at) => format!("{}:{}", path.display(), at + 1),
        None => path.display().to_string(),
    };
    Err(ConfigError::UnknownKey { key: key.to_owned(), origin, hint: nearest(key) })
}

fn in_file(path: &Path, text: &str, span: Option<std::ops::Range<usize>>, problem: String) -> ConfigError {
    let line = span.and_then(|s| text.get(..s.start)).map(|before| before.matches('\n').count() + 1);
    let place = match line {
        Some(line) => format!("{}:{line}", path.display()),
        None => path.display().to_string(),
    };
    ConfigError::File { place, problem }
}

fn overlay(table: &mut Table, upper: Table) {
    for (key, value) in upper {
        match (table.get_mut(&key), value) {
            (Some(Value::Table(below)), Value::Table(above)) => overlay(below, above),
            (_, value) => {
                table.insert(key, value);
            }
        }
    }
}

fn set(table: &mut Table, key: &str, text: &str, origin: &str) -> Result<(), ConfigError> {
    let Some((key, kind)) = KEYS.iter().find(|(k, _)| *k == key) else {
        return Err(ConfigError::UnknownKey { key: key.to_owned(), origin: origin.to_owned(), hint: nearest(key) });
    };
    let wrong = |expected: &str| ConfigError::Value { key, problem: format!("expected {expected} in {origin}") };
    let value = match kind {
        Kind::Text => Value::String(text.to_owned()),
        Kind::Number => Value::Integer(text.trim().parse().map_err(|_| wrong("a number"))?),
        Kind::Switch => Value::Boolean(text.trim().parse().map_err(|_| wrong("true or false"))?),
        Kind::List => {
            let parts = text.split(',').map(str::trim).filter(|p| !p.is_empty());
            Value::Array(parts.map(|p| Value::String(p.to_owned())).collect())
        }
    };
    let (section, name) = key.split_once('.').map_or((None, *key), |(s, n)| (Some(s), n));
    let target = match section {
        None => table,
        Some(section) => match table.entry(section).or_insert_with(|| Value::Table(Table::new())) {
            Value::Table(inner) => inner,
            _ => return Err(wrong("a table")),
        },
    };
    target.insert(name.to_owned(), value);
    Ok(())
}

/// ` (did you mean "…"?)`, where a known key is near.
fn nearest(key: &str) -> String {
    let near = KEYS.iter().map(|(k, _)| (distance(key, k), *k)).min().filter(|(d, _)| *d <= 3);
    near.map(|(_, k)| format!(" (did you mean \"{k}\"?)")).unwrap_or_default()
}

/// Edits between two words.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (y, above) in b.chars().zip(row.iter_mut().skip(1)) {
            let cost = (diagonal + usize::from(x != y)).min(*above + 1).min(left + 1);
            diagonal = std::mem::replace(above, cost);
            left = cost;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}
