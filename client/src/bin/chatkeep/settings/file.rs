//! The configuration file: read whole, every key known, every fault with its line.

use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{KEYS, valid};
use crate::problem::{Problem, Result};

/// An export that `backup` reads when no path is given.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Source {
    pub path: PathBuf,
    pub format: String,
}

/// One value with the table and line it stands in.
struct Entry {
    profile: Option<String>,
    key: String,
    value: String,
    line: usize,
}

pub struct File {
    path: PathBuf,
    entries: Vec<Entry>,
    sources: Vec<(Option<String>, Vec<Source>)>,
}

const BYTES_MAX: u64 = 1 << 20;
const TABLES: [&str; 4] = ["backup", "sync", "status", "profile"];

impl File {
    /// Reads the file; one that nobody named may be missing.
    pub fn read(path: &Path, named: bool) -> Result<Self> {
        let failed = |why: String| Problem::new("E_CONFIG", 2, format!("{}: {why}", path.display()));
        let text = match std::fs::metadata(path) {
            Ok(facts) if facts.len() > BYTES_MAX => return Err(failed("it is too long".to_owned())),
            Ok(_) => std::fs::read_to_string(path).map_err(|e| failed(e.to_string()))?,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound && !named => String::new(),
            Err(e) => return Err(failed(e.to_string())),
        };
        Self::parse(path, &text)
    }

    pub fn parse(path: &Path, text: &str) -> Result<Self> {
        let mut file = Self { path: path.to_path_buf(), entries: Vec::new(), sources: Vec::new() };
        let table = DeTable::parse(text).map_err(|e| {
            let line = e.span().map_or(1, |s| line_of(text, s.start));
            file.fault(line, e.message())
        })?;
        file.table(text, table.get_ref(), "", None)?;
        Ok(file)
    }

    /// The value of a key for a profile, and where it stands.
    pub fn value(&self, key: &str, profile: Option<&str>) -> Option<(String, String)> {
        let find = |wanted: Option<&str>| self.entries.iter().find(|e| e.key == key && e.profile.as_deref() == wanted);
        let found = profile.and_then(|name| find(Some(name))).or_else(|| find(None))?;
        let table = found.profile.as_deref().map_or(String::new(), |name| format!(" [profile.{name}]"));
        Some((found.value.clone(), format!("{}:{}{table}", self.name(), found.line)))
    }

    pub fn sources(&self, profile: Option<&str>) -> Vec<Source> {
        let find = |wanted: Option<&str>| self.sources.iter().find(|(p, _)| p.as_deref() == wanted);
        let found = profile.and_then(|name| find(Some(name))).or_else(|| find(None));
        found.map(|(_, list)| list.clone()).unwrap_or_default()
    }

    fn name(&self) -> String {
        self.path.file_name().map_or_else(|| "config.toml".to_owned(), |n| n.to_string_lossy().into_owned())
    }

    fn fault(&self, line: usize, why: &str) -> Box<Problem> {
        let details = serde_json::json!({ "path": self.path.display().to_string(), "line": line });
        Problem::new("E_CONFIG", 2, format!("{}:{line}: {why}", self.name())).details(details)
    }

    fn table(&mut self, text: &str, table: &DeTable<'_>, within: &str, profile: Option<&str>) -> Result<()> {
        for (key, value) in table {
            let line = line_of(text, key.span().start);
            let full =
                if within.is_empty() { key.get_ref().to_string() } else { format!("{within}.{}", key.get_ref()) };
            match value.get_ref() {
                DeValue::Array(list) if full == "backup.sources" => {
                    let list = list.iter().map(|item| self.source(text, item)).collect::<Result<Vec<_>>>()?;
                    self.sources.push((profile.map(str::to_owned), list));
                }
                DeValue::Table(inner) if full == "profile" && profile.is_none() => {
                    for (name, one) in inner {
                        let DeValue::Table(one) = one.get_ref() else {
                            return Err(self.fault(line_of(text, name.span().start), "a profile is a table"));
                        };
                        self.table(text, one, "", Some(name.get_ref()))?;
                    }
                }
                DeValue::Table(inner) if TABLES.contains(&full.as_str()) && full != "profile" => {
                    self.table(text, inner, &full, profile)?;
                }
                value => {
                    let Some(value) = plain(value).filter(|_| KEYS.iter().any(|(known, ..)| *known == full)) else {
                        return Err(self.unknown(line, within, key.get_ref()));
                    };
                    valid(&full, &value).map_err(|why| self.fault(line, &format!("{full}: {why}")))?;
                    self.entries.push(Entry { profile: profile.map(str::to_owned), key: full, value, line });
                }
            }
        }
        Ok(())
    }

    fn source(&self, text: &str, item: &Spanned<DeValue<'_>>) -> Result<Source> {
        let line = line_of(text, item.span().start);
        let wrong = || self.fault(line, "a source is { path = \"…\", format = \"auto\" }");
        let DeValue::Table(table) = item.get_ref() else { return Err(wrong()) };
        let mut source = Source { path: PathBuf::new(), format: "auto".to_owned() };
        for (key, value) in table {
            let value = value.get_ref().as_str().ok_or_else(wrong)?;
            match key.get_ref().as_ref() {
                "path" => source.path = expand(value),
                "format" => source.format = value.to_owned(),
                other => return Err(self.unknown(line, "backup.sources", other)),
            }
        }
        if source.path.as_os_str().is_empty() { Err(wrong()) } else { Ok(source) }
    }

    fn unknown(&self, line: usize, within: &str, key: &str) -> Box<Problem> {
        let place = if within.is_empty() { String::new() } else { format!(" in [{within}]") };
        let problem = self.fault(line, &format!("unknown key \"{key}\"{place}"));
        match nearest(within, key) {
            Some(near) => problem.hint(format!("did you mean \"{near}\"?")),
            None => problem.hint("`chatkeep config show` lists all keys"),
        }
    }
}

/// The known key of a table that is written most alike.
pub fn nearest(within: &str, key: &str) -> Option<&'static str> {
    let beside = KEYS.iter().filter_map(|(known, ..)| match known.rsplit_once('.') {
        Some((table, name)) => (table == within).then_some(name),
        None => within.is_empty().then_some(*known),
    });
    let tables = TABLES.iter().copied().filter(|_| within.is_empty());
    let (distance, name) = beside.chain(tables).map(|name| (distance(key, name), name)).min()?;
    (distance <= 1 + key.len() / 4).then_some(name)
}

/// Changes of one letter that lead from one word to the other.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut before = i;
        let mut left = i + 1;
        for (j, y) in b.iter().enumerate() {
            let above = row.get(j + 1).copied().unwrap_or(0);
            let here = (before + usize::from(x != *y)).min(left + 1).min(above + 1);
            before = above;
            if let Some(cell) = row.get_mut(j) {
                *cell = left;
            }
            left = here;
        }
        if let Some(last) = row.last_mut() {
            *last = left;
        }
    }
    row.last().copied().unwrap_or(0)
}

fn plain(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Integer(number) => Some(number.as_str().to_owned()),
        DeValue::Boolean(is) => Some(is.to_string()),
        _ => None,
    }
}

/// A path as people write it: `~/` is the home folder.
pub fn expand(path: &str) -> PathBuf {
    match (path.strip_prefix("~/"), directories::BaseDirs::new()) {
        (Some(rest), Some(dirs)) => dirs.home_dir().join(rest),
        _ => PathBuf::from(path),
    }
}

fn line_of(text: &str, at: usize) -> usize {
    1 + text.bytes().take(at).filter(|b| *b == b'\n').count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<File> {
        File::parse(Path::new("conf/config.toml"), text)
    }

    const GOOD: &str = "account = \"ana@vault.example.org\"\n[backup]\n\
        sources = [{ path = \"exports/signal\", format = \"auto\" }]\nlimit_upload = \"4MiB/s\"\n[sync]\n\
        interval = \"15m\"\n[status]\nstale_after = \"7d\"\n[profile.work]\naccount = \"a.silva@chat.corp.example\"\n";

    #[test]
    fn a_file_is_read_with_profiles_before_it() {
        let file = parse(GOOD).unwrap_or_else(|p| panic!("{}", p.message));
        let value = |key, profile| file.value(key, profile).map(|(v, _)| v);
        assert_eq!(value("account", None).as_deref(), Some("ana@vault.example.org"));
        assert_eq!(value("account", Some("work")).as_deref(), Some("a.silva@chat.corp.example"));
        assert_eq!(value("sync.interval", Some("work")).as_deref(), Some("15m"));
        assert_eq!(file.value("status.stale_after", None).unwrap().1, "config.toml:8");
        assert_eq!(file.sources(None), [Source { path: "exports/signal".into(), format: "auto".into() }]);
    }

    #[test]
    fn every_fault_has_its_line_and_a_suggestion() {
        let told = |text: &str| {
            let problem = parse(text).err().expect("a fault");
            assert_eq!((problem.code, problem.exit), ("E_CONFIG", 2));
            (problem.message.clone(), problem.hints.first().cloned().unwrap_or_default())
        };
        let (message, hint) = told("\n\n[sync]\n\n\n\nintervall = \"1m\"\n");
        assert_eq!(message, "config.toml:7: unknown key \"intervall\" in [sync]");
        assert_eq!(hint, "did you mean \"interval\"?");
        assert_eq!(told("acount = \"a@b\"").1, "did you mean \"account\"?");
        assert_eq!(told("[stauts]\nstale_after = \"1d\"").1, "did you mean \"status\"?");
        assert!(told("a = \n").0.starts_with("config.toml:1: "));
        assert!(told("[status]\nstale_after = \"soon\"").0.starts_with("config.toml:2: status.stale_after: "));
    }
}
