//! The command line: one definition for parsing and help.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use service::config::{ByteSize, Span};

/// Keep other people's chat history without being able to read it
#[derive(Parser)]
#[command(name = "chatkeepd", version, disable_help_subcommand = true, arg_required_else_help = true)]
#[command(after_help = "Examples:\n  chatkeepd serve\n  chatkeepd invite create --uses 5 --expires 7d")]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Args)]
pub struct Global {
    /// Read this configuration file instead of /etc/chatkeepd/config.toml
    #[arg(long, global = true, value_name = "PATH")]
    pub config: Option<PathBuf>,
    /// Set a configuration key, before environment and file: listen=127.0.0.1:9000, quota.devices=5
    #[arg(long = "set", global = true, value_name = "KEY=VALUE", value_parser = key_value)]
    pub set: Vec<(String, String)>,
    /// Keep state in this folder (the key data_dir)
    #[arg(long, global = true, value_name = "PATH")]
    pub data_dir: Option<String>,
    /// Print one JSON object instead of text
    #[arg(long, global = true)]
    pub json: bool,
}

#[derive(Subcommand)]
pub enum Command {
    /// Run the service
    #[command(
        after_help = "Examples:\n  chatkeepd serve\n  chatkeepd serve --listen 127.0.0.1:9000 --data-dir ./state"
    )]
    Serve {
        /// Listen for devices at this address (the key listen)
        #[arg(long, value_name = "ADDRESS")]
        listen: Option<String>,
    },
    /// Look at the configuration
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Say who may register
    #[command(subcommand)]
    Invite(InviteCommand),
    /// Look after accounts
    #[command(subcommand)]
    User(UserCommand),
    /// Compare database and storage
    #[command(after_help = "Examples:\n  chatkeepd check\n  chatkeepd check --sample 5%")]
    Check {
        /// Also read this part of the objects to their end
        #[arg(long, value_name = "PCT%", default_value = "0", value_parser = percent)]
        sample: f64,
    },
    /// Exit 0 if the running service can do its work, else 1
    #[command(after_help = "Examples:\n  chatkeepd health\n  chatkeepd health --json")]
    Health,
}

#[derive(Subcommand)]
pub enum ConfigCommand {
    /// Say whether the configuration is good
    #[command(after_help = "Examples:\n  chatkeepd config check\n  chatkeepd config check --config ./config.toml")]
    Check,
    /// Print the configuration with every default filled in
    #[command(after_help = "Examples:\n  chatkeepd config print\n  chatkeepd config print --json")]
    Print,
}

#[derive(Subcommand)]
pub enum InviteCommand {
    /// Make an invite and print its link; it is shown this once
    #[command(after_help = "Examples:\n  chatkeepd invite create\n  chatkeepd invite create --uses 5 --quota 50GiB")]
    Create {
        /// How many accounts it admits
        #[arg(long, default_value_t = 1)]
        uses: u32,
        /// How long it is good for
        #[arg(long, default_value = "7d", value_name = "TIME")]
        expires: Span,
        /// Quota of the accounts it admits, instead of the configured one
        #[arg(long, value_name = "SIZE")]
        quota: Option<ByteSize>,
    },
    /// List invites
    #[command(after_help = "Examples:\n  chatkeepd invite list\n  chatkeepd invite list --json")]
    List,
    /// Make an invite worthless
    #[command(after_help = "Examples:\n  chatkeepd invite revoke 3f9a\n  chatkeepd invite revoke 3f9a1c20 --json")]
    Revoke {
        /// Its id, or the first characters of it
        id: String,
    },
}

#[derive(Subcommand)]
pub enum UserCommand {
    /// List accounts
    #[command(after_help = "Examples:\n  chatkeepd user list\n  chatkeepd user list --json")]
    List,
    /// Show one account and its devices
    #[command(after_help = "Examples:\n  chatkeepd user show ana\n  chatkeepd user show ana --json")]
    Show { name: String },
    /// Turn all calls of an account away; nothing of it is lost
    #[command(after_help = "Examples:\n  chatkeepd user suspend ana\n  chatkeepd user suspend ana --json")]
    Suspend { name: String },
    /// Let a suspended account in again
    #[command(after_help = "Examples:\n  chatkeepd user resume ana\n  chatkeepd user resume ana --json")]
    Resume { name: String },
    /// Delete an account and everything it stores
    #[command(
        after_help = "Examples:\n  chatkeepd user delete ana --dry-run\n  chatkeepd user delete ana --yes --really ana"
    )]
    Delete {
        name: String,
        /// Show what would go, and change nothing
        #[arg(long)]
        dry_run: bool,
        /// Do not ask
        #[arg(long)]
        yes: bool,
        /// The account's name once more
        #[arg(long, value_name = "NAME")]
        really: Option<String>,
    },
    /// Change what an account may store
    #[command(
        after_help = "Examples:\n  chatkeepd user set-quota ana 50GiB\n  chatkeepd user set-quota ana 1TiB --json"
    )]
    SetQuota {
        name: String,
        /// A size such as 50GiB
        quota: ByteSize,
    },
}

impl Cli {
    /// Flags as configuration keys.
    pub fn keys(&self) -> Vec<(String, String)> {
        let mut keys = self.global.set.clone();
        keys.extend(self.global.data_dir.iter().map(|v| ("data_dir".to_owned(), v.clone())));
        if let Command::Serve { listen: Some(address) } = &self.command {
            keys.push(("listen".to_owned(), address.clone()));
        }
        keys
    }
}

fn key_value(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("expected KEY=VALUE")?;
    Ok((key.trim().to_owned(), value.to_owned()))
}

fn percent(text: &str) -> Result<f64, String> {
    let number = text.trim().trim_end_matches('%').parse::<f64>().map_err(|e| e.to_string())?;
    if (0.0..=100.0).contains(&number) { Ok(number) } else { Err("expected 0 to 100 percent".to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    fn walk(command: &clap::Command, visit: &mut impl FnMut(&clap::Command)) {
        visit(command);
        command.get_subcommands().for_each(|sub| walk(sub, visit));
    }

    #[test]
    fn every_flag_is_explained_and_every_example_parses() {
        Cli::command().debug_assert();
        let mut examples = Vec::new();
        walk(&Cli::command(), &mut |command| {
            for flag in command.get_arguments().filter(|a| !a.is_positional()) {
                assert!(flag.get_help().is_some(), "{} --{}", command.get_name(), flag.get_id());
            }
            if command.get_subcommands().next().is_none() || command.get_name() == "chatkeepd" {
                let text = command.get_after_help().expect("every command shows examples").to_string();
                let lines: Vec<_> = text.lines().skip(1).map(|l| l.trim().to_owned()).collect();
                assert!(lines.len() >= 2, "{}", command.get_name());
                examples.extend(lines);
            }
        });
        for example in examples {
            let parsed = Cli::try_parse_from(example.split_whitespace());
            assert!(parsed.is_ok(), "{example}: {}", parsed.err().unwrap());
        }
    }
}
