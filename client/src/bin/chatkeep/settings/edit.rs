//! Writing one setting into the file and leaving everything else in it as it is, comments too.

use std::path::Path;

use super::file::{File, nearest};
use super::{KEYS, valid};
use crate::problem::{Problem, Result};

/// Sets a key, in a profile's table if one is given.
pub fn set(path: &Path, key: &str, value: &str, profile: Option<&str>) -> Result<()> {
    let within = key.rsplit_once('.').map_or("", |(table, _)| table);
    if !KEYS.iter().any(|(known, ..)| *known == key) {
        let name = key.rsplit_once('.').map_or(key, |(_, name)| name);
        let problem = Problem::new("E_CONFIG", 2, format!("unknown key \"{key}\""));
        return Err(match nearest(within, name) {
            Some(near) if within.is_empty() => problem.hint(format!("did you mean \"{near}\"?")),
            Some(near) => problem.hint(format!("did you mean \"{within}.{near}\"?")),
            None => problem.hint("`chatkeep config show` lists all keys"),
        });
    }
    valid(key, value).map_err(|why| Problem::new("E_CONFIG", 2, format!("{key}: {why}")))?;
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(e) => return Err(Problem::io(path, &e)),
    };
    let edited = edit(&text, key, value, profile);
    // A line that is not where it seems to be (inside a long string, say) shows here.
    File::parse(path, &edited)?;
    write(path, &edited).map_err(|e| Problem::io(path, &e))
}

fn edit(text: &str, key: &str, value: &str, profile: Option<&str>) -> String {
    let (table, name) = key.rsplit_once('.').unwrap_or(("", key));
    let table = match profile {
        None => table.to_owned(),
        Some(profile) if table.is_empty() => format!("profile.{profile}"),
        Some(profile) => format!("profile.{profile}.{table}"),
    };
    let line = format!("{name} = {}", toml::Value::String(value.to_owned()));
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let heading = |l: &str| l.trim().strip_prefix('[').and_then(|l| l.split(']').next()).map(|l| l.trim().to_owned());
    let begin = match table.as_str() {
        "" => Some(0),
        table => lines.iter().position(|l| heading(l).as_deref() == Some(table)).map(|at| at + 1),
    };
    match begin {
        None => {
            if lines.last().is_some_and(|l| !l.is_empty()) {
                lines.push(String::new());
            }
            lines.extend([format!("[{table}]"), line]);
        }
        Some(begin) => {
            let rest = lines.iter().enumerate().skip(begin);
            let end = rest.clone().find(|(_, l)| l.trim_start().starts_with('[')).map_or(lines.len(), |(at, _)| at);
            let own = |l: &str| l.split('=').next().is_some_and(|k| k.trim() == name) && l.contains('=');
            let found = rest.take(end - begin).find(|(_, l)| own(l)).map(|(at, _)| at);
            match found.and_then(|at| lines.get_mut(at)) {
                Some(old) => *old = line,
                None => lines.insert(begin, line),
            }
        }
    }
    lines.join("\n") + "\n"
}

fn write(path: &Path, text: &str) -> std::io::Result<()> {
    let dir = path.parent().filter(|d| !d.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(dir)?;
    let mut new = tempfile::NamedTempFile::new_in(dir)?;
    std::io::Write::write_all(&mut new, text.as_bytes())?;
    new.as_file().sync_all()?;
    new.persist(path).map_err(|e| e.error)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::edit;

    #[test]
    fn one_line_changes_and_the_rest_stays() {
        let text = "# mine\naccount = \"a@b\" # old\n\n[status]\n# soon\nstale_after = \"7d\"\n";
        let changed = edit(text, "status.stale_after", "3d", None);
        assert_eq!(changed, text.replace("\"7d\"", "\"3d\""));
        assert!(edit(text, "server", "v", None).starts_with("server = \"v\"\n# mine\n"));
        assert!(edit(text, "sync.interval", "1h", None).ends_with("\n\n[sync]\ninterval = \"1h\"\n"));
        assert!(edit(text, "account", "c@d", Some("work")).ends_with("\n\n[profile.work]\naccount = \"c@d\"\n"));
        assert_eq!(edit("", "account", "a\"b@c", None), "account = 'a\"b@c'\n");
    }
}
