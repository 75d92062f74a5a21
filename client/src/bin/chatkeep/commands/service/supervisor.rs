//! The service manager of this computer: systemd's user units, or launchd's agents.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::context::Context;
use crate::problem::{Problem, Result};

/// The unit as it is shipped; its command is replaced by this program's own path.
const UNIT: &str = include_str!("../../../../../../deploy/chatkeep-sync.service");

/// What a manager says of the service.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Standing {
    pub running: bool,
    /// It is started by itself the next time.
    pub enabled: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Systemd,
    Launchd,
}

pub struct Supervisor {
    kind: Kind,
    /// `chatkeep-sync`, with a profile's name behind it.
    name: String,
    path: PathBuf,
    /// The program and what it is called with.
    command: Vec<String>,
    /// Variables that say where this home is.
    variables: Vec<(String, String)>,
}

impl Supervisor {
    pub fn of(context: &Context) -> Result<Self> {
        let kind = if cfg!(target_os = "macos") { Kind::Launchd } else { Kind::Systemd };
        let home = std::env::var_os("HOME").map(PathBuf::from).ok_or_else(|| Problem::usage("HOME is not set"))?;
        let profile = context.settings.profile.as_deref();
        let name = profile.map_or_else(|| "chatkeep-sync".to_owned(), |p| format!("chatkeep-sync-{p}"));
        let path = match kind {
            Kind::Systemd => std::env::var_os("XDG_CONFIG_HOME")
                .map_or_else(|| home.join(".config"), PathBuf::from)
                .join(format!("systemd/user/{name}.service")),
            Kind::Launchd => home.join(format!("Library/LaunchAgents/{name}.plist")),
        };
        let program = std::env::current_exe().map_err(|e| Problem::internal(format!("where this program is: {e}")))?;
        let mut command = vec![text(&program)?, "sync".to_owned(), "--watch".to_owned(), "--no-input".to_owned()];
        if let Some(profile) = profile {
            command.extend(["--profile".to_owned(), profile.to_owned()]);
        }
        if let Some(config) = context.config_flag() {
            command.extend(["--config".to_owned(), text(&absolute(config)?)?]);
        }
        let mut variables = Vec::new();
        for name in ["CHATKEEP_HOME", "CHATKEEP_CONFIG", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME"] {
            if let Some(value) = std::env::var_os(name) {
                variables.push((name.to_owned(), text(&absolute(Path::new(&value))?)?));
            }
        }
        Ok(Self { kind, name, path, command, variables })
    }

    /// Where the service's file lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What it says.
    pub fn unit(&self) -> Result<String> {
        match self.kind {
            Kind::Systemd => systemd_unit(&self.command, &self.variables),
            Kind::Launchd => Ok(launchd_agent(&self.name, &self.command, &self.variables)),
        }
    }

    /// Starts it, now and from the next time on.
    pub fn start(&self) -> Result<(), String> {
        match self.kind {
            Kind::Systemd => {
                systemctl(&["daemon-reload"])?;
                // One that runs already takes up what has changed.
                systemctl(&["enable", &self.name])?;
                systemctl(&["restart", &self.name]).map(drop)
            }
            Kind::Launchd => {
                let _ = launchctl(&["unload", &self.path.display().to_string()]);
                launchctl(&["load", "-w", &self.path.display().to_string()]).map(drop)
            }
        }
    }

    pub fn stop(&self) -> Result<(), String> {
        match self.kind {
            Kind::Systemd => systemctl(&["disable", "--now", &self.name]).map(drop),
            Kind::Launchd => launchctl(&["unload", "-w", &self.path.display().to_string()]).map(drop),
        }
    }

    /// Has the manager take note that the file is gone.
    pub fn forget(&self) {
        if self.kind == Kind::Systemd {
            let _ = systemctl(&["daemon-reload"]);
        }
    }

    pub fn standing(&self) -> Standing {
        match self.kind {
            Kind::Systemd => Standing {
                running: systemctl(&["is-active", "--quiet", &self.name]).is_ok(),
                enabled: systemctl(&["is-enabled", "--quiet", &self.name]).is_ok(),
            },
            Kind::Launchd => {
                let listed = launchctl(&["list", &self.name]);
                Standing { running: listed.as_ref().is_ok_and(|l| l.contains("\"PID\"")), enabled: listed.is_ok() }
            }
        }
    }

    /// How somebody starts it where this program could not.
    pub fn by_hand(&self) -> String {
        match self.kind {
            Kind::Systemd => format!("in a session of your own: `systemctl --user enable --now {}`", self.name),
            Kind::Launchd => format!("`launchctl load -w {}`", self.path.display()),
        }
    }
}

/// The service starts in another folder.
fn absolute(path: &Path) -> Result<PathBuf> {
    std::path::absolute(path).map_err(|e| Problem::io(path, &e))
}

/// Paths go into files that are text.
fn text(path: &Path) -> Result<String> {
    let text = path.to_str().filter(|text| !text.chars().any(char::is_control));
    Ok(text
        .ok_or_else(|| Problem::usage(format!("{} cannot be written into a service's file", path.display())))?
        .to_owned())
}

fn systemd_unit(command: &[String], variables: &[(String, String)]) -> Result<String> {
    let quoted: Vec<String> = command.iter().map(|word| systemd_word(word)).collect();
    let mut unit = String::new();
    let mut replaced = false;
    for line in UNIT.lines().skip_while(|line| line.starts_with('#')) {
        if line.starts_with("ExecStart=") {
            replaced = true;
            unit += &format!("ExecStart={}\n", quoted.join(" "));
            for (name, value) in variables {
                // Here a dollar sign means itself.
                let setting = format!("{name}={value}").replace('\\', "\\\\").replace('"', "\\\"").replace('%', "%%");
                unit += &format!("Environment=\"{setting}\"\n");
            }
        } else {
            unit += line;
            unit.push('\n');
        }
    }
    if replaced { Ok(unit) } else { Err(Problem::internal("the shipped unit has no command")) }
}

/// A word of a command as systemd reads it (systemd.service(5), "Command lines").
fn systemd_word(word: &str) -> String {
    let mut out = String::from("\"");
    for c in word.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '%' | '$' => out.extend([c, c]),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

fn launchd_agent(name: &str, command: &[String], variables: &[(String, String)]) -> String {
    let words: String = command.iter().map(|word| format!("    <string>{}</string>\n", xml(word))).collect();
    let variables: String = variables
        .iter()
        .map(|(name, value)| format!("    <key>{}</key>\n    <string>{}</string>\n", xml(name), xml(value)))
        .collect();
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <!DOCTYPE plist PUBLIC \"-//Apple//DTD PLIST 1.0//EN\" \"http://www.apple.com/DTDs/PropertyList-1.0.dtd\">\n\
         <plist version=\"1.0\">\n<dict>\n  <key>Label</key>\n  <string>{}</string>\n  \
         <key>ProgramArguments</key>\n  <array>\n{words}  </array>\n  \
         <key>EnvironmentVariables</key>\n  <dict>\n{variables}  </dict>\n  \
         <key>RunAtLoad</key>\n  <true/>\n  \
         <key>KeepAlive</key>\n  <dict>\n    <key>Crashed</key>\n    <true/>\n  </dict>\n  \
         <key>ThrottleInterval</key>\n  <integer>10</integer>\n</dict>\n</plist>\n",
        xml(name)
    )
}

fn xml(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn systemctl(arguments: &[&str]) -> Result<String, String> {
    let mut command = Command::new("systemctl");
    command.arg("--user").args(arguments);
    answer(command, "systemctl")
}

fn launchctl(arguments: &[&str]) -> Result<String, String> {
    let mut command = Command::new("launchctl");
    command.args(arguments);
    answer(command, "launchctl")
}

/// What a manager's program says; where it fails, its last line.
fn answer(mut command: Command, name: &str) -> Result<String, String> {
    let done = command.output().map_err(|e| format!("{name}: {e}"))?;
    if done.status.success() {
        return Ok(String::from_utf8_lossy(&done.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&done.stderr);
    Err(said.trim().lines().last().map_or_else(|| format!("{name} failed"), str::to_owned))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_starts_this_program_in_this_home_whatever_its_path() {
        let command = ["/opt/ana/my \"apps\"/100%/$HOME/chatkeep", "sync", "--watch"].map(str::to_owned);
        let variables = [("CHATKEEP_HOME".to_owned(), "/opt/ana/50% \\ \"x\"".to_owned())];
        let unit = systemd_unit(&command, &variables).unwrap();
        let line = |start: &str| unit.lines().find(|line| line.starts_with(start)).unwrap().to_owned();
        assert_eq!(line("ExecStart="), r#"ExecStart="/opt/ana/my \"apps\"/100%%/$$HOME/chatkeep" "sync" "--watch""#);
        assert_eq!(line("Environment="), r#"Environment="CHATKEEP_HOME=/opt/ana/50%% \\ \"x\"""#);
        assert!(line("Type=") == "Type=notify" && line("WantedBy=") == "WantedBy=default.target");
        assert!(unit.starts_with("[Unit]\n") && !unit.contains("%h"));
    }

    #[test]
    fn an_agent_is_xml_whatever_a_path_holds() {
        let agent = launchd_agent("chatkeep-sync", &["/a <b> & c".to_owned()], &[("A".to_owned(), "1 < 2".to_owned())]);
        assert!(agent.contains("<string>/a &lt;b&gt; &amp; c</string>") && agent.contains("<string>1 &lt; 2</string>"));
        assert_eq!(agent.matches("<dict>").count(), agent.matches("</dict>").count());
        assert_eq!(agent.matches("<array>").count(), 1);
    }
}
