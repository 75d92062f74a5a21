//! What registering and signing in share: names, this device's label, and the answer.

use client::crypto::RecoveryKey;
use client::crypto::roster::Label;
use client::vault::Vault;
use proto::wire::slot::AccountName;
use serde_json::{Value, json};

use crate::context::Context;
use crate::problem::{Problem, Result};

/// Splits `name@server`.
pub fn split(account: &str) -> Result<(AccountName, String)> {
    let wrong = || Problem::usage(format!("\"{account}\" is not NAME@SERVER")).hint("such as ana@vault.example.org");
    let (name, server) = account.rsplit_once('@').ok_or_else(wrong)?;
    if server.is_empty() {
        return Err(wrong());
    }
    let name = AccountName::new(name).ok_or_else(|| {
        Problem::usage(format!("\"{name}\" cannot be an account name")).hint("use small letters, digits, dots, dashes")
    })?;
    Ok((name, server.to_owned()))
}

/// How this device calls itself.
pub fn label(context: &Context, name: Option<&String>) -> Label {
    let machine = || {
        let told = rustix::system::uname().nodename().to_string_lossy().into_owned();
        let short = told.split('.').next().unwrap_or_default().to_owned();
        if short.is_empty() { "this device".to_owned() } else { short }
    };
    let name = name.cloned().or_else(|| context.settings.value("device_name").map(str::to_owned));
    Label::new(&name.unwrap_or_else(machine), std::env::consts::OS, context.now_ms())
}

/// The same key once more: each proof takes one.
pub fn again(key: &RecoveryKey) -> Result<RecoveryKey> {
    crate::secrets::parse_key(&key.text())
}

/// The answer of register and login.
pub fn answer(vault: &Vault, kit: Option<&std::path::Path>, created: bool) -> Value {
    let identity = &vault.session.identity;
    let device = vault.devices().into_iter().find(|d| d.current);
    json!({
        "schema": "chatkeep.account/1",
        "account": identity.shown(),
        "server": identity.server,
        "device": device.map(|d| json!({ "id": d.id.hex(), "name": d.name })),
        "kit_path": kit.map(|p| p.display().to_string()),
        "created": created,
    })
}
