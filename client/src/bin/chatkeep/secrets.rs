//! Where secrets come from: file, command, variable, credential folder, and last a question on the terminal.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use client::crypto::RecoveryKey;
use client::crypto::pairing::PairingCode;
use client::crypto::passphrase::{NoPassphrase, Passphrase};
use client::error::Error;
use zeroize::Zeroizing;

use crate::args::secret::{InviteFrom, NewPassphraseFrom, PairingCodeFrom, PassphraseFrom, RecoveryKeyFrom};
use crate::output::Output;
use crate::problem::{Problem, Result};

/// A secret by its name, and where the command line says it is.
struct Wanted<'a> {
    /// As people call it: `passphrase`.
    what: &'static str,
    /// As variables call it: `PASSPHRASE`.
    variable: &'static str,
    /// As flags and credentials call it: `passphrase`.
    flag: &'static str,
    file: Option<&'a PathBuf>,
    command: Option<&'a String>,
}

/// More than any secret or kit file has.
const BYTES_MAX: u64 = 64 << 10;

impl Wanted<'_> {
    /// What a source gives; none if there is no source.
    fn given(&self) -> Result<Option<Zeroizing<String>>> {
        let found = match self.source()? {
            None => return Ok(None),
            Some(found) => found,
        };
        let text = drop_newline(&found);
        if text.is_empty() {
            return Err(self.missing(&format!("the {} that was given is empty", self.what)));
        }
        Ok(Some(Zeroizing::new(text.to_owned())))
    }

    fn source(&self) -> Result<Option<Zeroizing<String>>> {
        let variable =
            |end: &str| std::env::var_os(format!("CHATKEEP_{}{end}", self.variable)).filter(|v| !v.is_empty());
        if let Some(path) = self.file {
            return read(path).map(Some);
        }
        if let Some(command) = self.command {
            return output_of(command).map(Some);
        }
        if let Some(path) = variable("_FILE") {
            return read(Path::new(&path)).map(Some);
        }
        if let Some(command) = variable("_COMMAND") {
            return output_of(&command.to_string_lossy()).map(Some);
        }
        if let Some(folder) = std::env::var_os("CREDENTIALS_DIRECTORY") {
            let path = Path::new(&folder).join(format!("chatkeep-{}", self.flag));
            if path.exists() {
                return read(&path).map(Some);
            }
        }
        let name = format!("CHATKEEP_{}", self.variable);
        match std::env::var(&name) {
            Ok(text) => Ok(Some(Zeroizing::new(text))),
            Err(std::env::VarError::NotPresent) => Ok(None),
            Err(_) => Err(Problem::usage(format!("{name} is not text"))),
        }
    }

    fn required(&self) -> Box<Problem> {
        let an = if self.what.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
        self.missing(&format!("{an} {} is needed but there is no terminal to ask on", self.what))
    }

    fn missing(&self, message: &str) -> Box<Problem> {
        let hint = format!("set CHATKEEP_{}_FILE or pass --{}-file", self.variable, self.flag);
        Problem::new("E_INPUT_REQUIRED", 2, message).hint(hint)
    }
}

/// The passphrase as it is, for signing in and proving.
pub fn passphrase(output: &Output, from: &PassphraseFrom) -> Result<Passphrase> {
    let wanted = old(from);
    match wanted.given()? {
        Some(text) => read_passphrase(&wanted, &text),
        None if output.may_ask() => read_passphrase(&wanted, &output.ask_hidden("Passphrase: ")?),
        None => Err(wanted.required()),
    }
}

/// The passphrase where a source gives it or somebody types it; typing nothing is an answer.
pub fn optional_passphrase(output: &Output, from: &PassphraseFrom, question: &str) -> Result<Option<Passphrase>> {
    let wanted = old(from);
    if let Some(text) = wanted.given()? {
        return read_passphrase(&wanted, &text).map(Some);
    }
    if !output.may_ask() {
        return Ok(None);
    }
    let typed = output.ask_hidden(question)?;
    if typed.is_empty() { Ok(None) } else { read_passphrase(&wanted, &typed).map(Some) }
}

/// The passphrase, if a source gives it.
pub fn given_passphrase(from: &PassphraseFrom) -> Result<Option<Passphrase>> {
    let wanted = old(from);
    wanted.given()?.map(|text| read_passphrase(&wanted, &text)).transpose()
}

/// A passphrase that is being chosen.
pub enum Chosen {
    Given(Passphrase),
    /// Made here; its owner has seen it on the terminal.
    Made(Passphrase),
}

impl Chosen {
    pub fn into_inner(self) -> Passphrase {
        match self {
            Self::Given(passphrase) | Self::Made(passphrase) => passphrase,
        }
    }
}

/// The passphrase for a new account.
pub fn first_passphrase(output: &Output, from: &PassphraseFrom, make: impl FnOnce() -> Passphrase) -> Result<Chosen> {
    choose(output, &old(from), make)
}

/// The passphrase that replaces another.
pub fn new_passphrase(output: &Output, from: &NewPassphraseFrom, make: impl FnOnce() -> Passphrase) -> Result<Chosen> {
    let wanted = Wanted {
        what: "new passphrase",
        variable: "NEW_PASSPHRASE",
        flag: "new-passphrase",
        file: from.new_passphrase_file.as_ref(),
        command: from.new_passphrase_command.as_ref(),
    };
    choose(output, &wanted, make)
}

fn choose(output: &Output, wanted: &Wanted<'_>, make: impl FnOnce() -> Passphrase) -> Result<Chosen> {
    if let Some(text) = wanted.given()? {
        return read_passphrase(wanted, &text).map(Chosen::Given);
    }
    if !output.may_ask() {
        return Err(wanted.required());
    }
    loop {
        let name = if wanted.flag == "passphrase" { "Passphrase" } else { "New passphrase" };
        let typed = output.ask_hidden(&format!("{name} (empty = make one for me): "))?;
        if typed.is_empty() {
            return Ok(Chosen::Made(make()));
        }
        let again = output.ask_hidden("The same once more: ")?;
        if *typed == *again {
            return read_passphrase(wanted, &typed).map(Chosen::Given);
        }
        output.note("The two differ.");
    }
}

/// The recovery key: from a source, or typed. A kit file is a source too.
pub fn recovery_key(output: &Output, from: &RecoveryKeyFrom) -> Result<RecoveryKey> {
    match given_recovery_key(from)? {
        Some(key) => Ok(key),
        None if output.may_ask() => parse_key(&Zeroizing::new(output.ask("Recovery key: ")?.unwrap_or_default())),
        None => Err(recovery(from).required()),
    }
}

pub fn given_recovery_key(from: &RecoveryKeyFrom) -> Result<Option<RecoveryKey>> {
    let Some(text) = recovery(from).given()? else { return Ok(None) };
    match crate::kit::read(&text) {
        Some(kit) => parse_key(&kit.key).map(Some),
        None => parse_key(&text).map(Some),
    }
}

pub fn parse_key(text: &str) -> Result<RecoveryKey> {
    RecoveryKey::parse(text).map_err(|_| Error::RecoveryKeyTypo.into())
}

/// The pairing code: from a source, or typed. What cannot be one is told here, before anything is sent.
pub fn pairing_code(output: &Output, from: &PairingCodeFrom) -> Result<PairingCode> {
    let wanted = Wanted {
        what: "pairing code",
        variable: "PAIRING_CODE",
        flag: "pairing-code",
        file: from.pairing_code_file.as_ref(),
        command: from.pairing_code_command.as_ref(),
    };
    if let Some(text) = wanted.given()? {
        return Ok(PairingCode::parse(&text).map_err(Error::from)?);
    }
    if !output.may_ask() {
        return Err(wanted.required());
    }
    loop {
        let typed = Zeroizing::new(output.ask("Pairing code: ")?.unwrap_or_default());
        if typed.is_empty() {
            return Err(wanted.missing("the pairing code is empty"));
        }
        match PairingCode::parse(&typed) {
            Ok(code) => return Ok(code),
            Err(no_code) => output.note(&format!("Typing error: {no_code}. Nothing was sent.")),
        }
    }
}

/// The invite's sixteen bytes, if a source gives one: the link, or what stands after its `#`.
pub fn invite(from: &InviteFrom) -> Result<Option<[u8; 16]>> {
    let wanted = Wanted {
        what: "invite",
        variable: "INVITE",
        flag: "invite",
        file: from.invite_file.as_ref(),
        command: from.invite_command.as_ref(),
    };
    let Some(text) = wanted.given()? else { return Ok(None) };
    let token = text.trim().rsplit('#').next().unwrap_or_default();
    token_bytes(token)
        .map(Some)
        .ok_or_else(|| Problem::usage("this is not a complete invite").hint("copy the whole link once more"))
}

/// Reads the sixteen bytes of a token, written in hex.
fn token_bytes(token: &str) -> Option<[u8; 16]> {
    let mut bytes = [0; 16];
    if token.len() != 2 * bytes.len() || !token.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(token.get(2 * at..2 * at + 2)?, 16).ok()?;
    }
    Some(bytes)
}

fn old(from: &PassphraseFrom) -> Wanted<'_> {
    Wanted {
        what: "passphrase",
        variable: "PASSPHRASE",
        flag: "passphrase",
        file: from.passphrase_file.as_ref(),
        command: from.passphrase_command.as_ref(),
    }
}

fn recovery(from: &RecoveryKeyFrom) -> Wanted<'_> {
    Wanted {
        what: "recovery key",
        variable: "RECOVERY_KEY",
        flag: "recovery-key",
        file: from.recovery_key_file.as_ref(),
        command: from.recovery_key_command.as_ref(),
    }
}

fn read_passphrase(wanted: &Wanted<'_>, text: &str) -> Result<Passphrase> {
    // The newline of the source has gone already: what is left belongs to the passphrase.
    let kept = Zeroizing::new(format!("{text}\n"));
    Passphrase::new(&kept).map_err(|why| match why {
        NoPassphrase::Empty => wanted.missing("the passphrase is empty"),
        other => Problem::usage(other.to_string()),
    })
}

fn drop_newline(text: &str) -> &str {
    text.strip_suffix('\n').map_or(text, |t| t.strip_suffix('\r').unwrap_or(t))
}

fn read(path: &Path) -> Result<Zeroizing<String>> {
    let failed = |e: std::io::Error| Problem::usage(format!("cannot read {}: {e}", path.display()));
    let mut bytes = Zeroizing::new(Vec::with_capacity(4096));
    if path == Path::new("-") {
        std::io::stdin().lock().take(BYTES_MAX).read_to_end(&mut bytes).map_err(failed)?;
    } else {
        let file = std::fs::File::open(path).map_err(failed)?;
        file.take(BYTES_MAX).read_to_end(&mut bytes).map_err(failed)?;
    }
    text(&bytes).ok_or_else(|| Problem::usage(format!("{} does not hold text", path.display())))
}

fn output_of(command: &str) -> Result<Zeroizing<String>> {
    let ran = Command::new("sh").args(["-c", command]).stdin(Stdio::null()).stderr(Stdio::inherit()).output();
    let failed = |why: String| Problem::usage(format!("the command that gives a secret failed: {why}"));
    let ran = ran.map_err(|e| failed(e.to_string()))?;
    let bytes = Zeroizing::new(ran.stdout);
    if !ran.status.success() {
        return Err(failed(ran.status.to_string()));
    }
    text(&bytes).ok_or_else(|| failed("what it prints is not text".to_owned()))
}

fn text(bytes: &[u8]) -> Option<Zeroizing<String>> {
    std::str::from_utf8(bytes).ok().map(|text| Zeroizing::new(text.to_owned()))
}

/// The same passphrase once more: each proof takes one.
pub fn again(passphrase: &Passphrase) -> Result<Passphrase> {
    let kept = Zeroizing::new(format!("{}\n", passphrase.text()));
    Passphrase::new(&kept).map_err(|e| Problem::internal(e.to_string()))
}
