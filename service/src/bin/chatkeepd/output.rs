//! What people and programs are told. Answers go to stdout, everything else to stderr.

use std::io::Write as _;
use std::process::ExitCode;

use serde_json::{Value, json};
use service::admin::AdminError;
use service::config::Config;

/// A failure with its code and exit status.
#[derive(Debug)]
pub struct Failure(pub AdminError);

impl Failure {
    pub fn new(code: &str, exit: i32, message: impl Into<String>) -> Self {
        Self(AdminError::new(code, exit, message))
    }

    pub fn internal(message: impl Into<String>) -> Self {
        Self::new("E_INTERNAL", 1, message)
    }
}

impl From<AdminError> for Failure {
    fn from(error: AdminError) -> Self {
        Self(error)
    }
}

pub struct Output {
    pub json: bool,
}

impl Output {
    /// Prints an answer: the object itself, or the text made of it.
    pub fn answer(&self, value: &Value, text: impl FnOnce(&Value) -> String) {
        let shown = if self.json { format!("{value}\n") } else { text(value) };
        // A reader that went away (`| head`) is no failure.
        let _ = std::io::stdout().write_all(shown.as_bytes());
    }

    pub fn fail(&self, failure: &Failure) -> ExitCode {
        let AdminError { code, exit, message } = &failure.0;
        if self.json {
            eprintln!("{}", failure.0.to_json());
        } else {
            eprintln!("error[{code}]: {message}");
        }
        ExitCode::from(u8::try_from(*exit).unwrap_or(1))
    }

    pub fn warn(&self, message: &str) {
        if self.json {
            let warning = json!({"schema": "chatkeep.warning/1", "code": "W_SERVER", "message": message, "hints": [], "item": null});
            eprintln!("{warning}");
        } else {
            eprintln!("warning: {message}");
        }
    }

    pub fn config_checked(&self, config: &Config) -> ExitCode {
        let beside = beside_state(config);
        if beside {
            self.warn("the secret files lie in the state folder: a copy of it would hold them");
        }
        let value = json!({"schema": "chatkeep.config-check/1", "ok": true, "secrets_apart": !beside});
        self.answer(&value, |_| "The configuration is good.\n".to_owned());
        if beside { ExitCode::from(3) } else { ExitCode::SUCCESS }
    }

    pub fn config(&self, config: &Config) -> Result<ExitCode, Failure> {
        let value = serde_json::to_value(config).map_err(|e| Failure::internal(e.to_string()))?;
        let text = toml::to_string(config).map_err(|e| Failure::internal(e.to_string()))?;
        self.answer(&json!({"schema": "chatkeep.config/1", "config": value}), |_| text);
        Ok(ExitCode::SUCCESS)
    }
}

fn beside_state(config: &Config) -> bool {
    [config.opaque_seed_file(), config.token_key_file()].iter().any(|file| file.starts_with(&config.data_dir))
}

/// Usage errors and `--help`, which clap tells alike.
pub fn usage(error: &clap::Error, json: bool) -> ExitCode {
    if !error.use_stderr() {
        print!("{error}");
        return ExitCode::SUCCESS;
    }
    if json {
        let text = error.to_string();
        let first = text.lines().next().unwrap_or_default().trim_start_matches("error: ");
        eprintln!("{}", AdminError::new("E_USAGE", 2, first).to_json());
    } else {
        eprint!("{error}");
    }
    ExitCode::from(2)
}
