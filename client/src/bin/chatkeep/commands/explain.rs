//! `explain`: what a code means, and what to do.

use serde_json::json;

use crate::args::about::Explain;
use crate::output::Outcome;
use crate::problem::{Problem, Result};

/// Code, exit code, what it means and what helps.
const CODES: [(&str, u8, &str); 54] = [
    (
        "E_NOT_SET_UP",
        10,
        "No account is set up in this home. `chatkeep register NAME@SERVER` makes one, `chatkeep login NAME@SERVER` joins one. Another home may be meant: look at CHATKEEP_HOME and --profile.",
    ),
    (
        "E_INPUT_REQUIRED",
        2,
        "A value is missing and nobody can be asked, because there is no terminal or --no-input is set. The hint names the flag, file and variable that give it. An empty file or variable counts as missing.",
    ),
    (
        "E_WRONG_PASSPHRASE",
        12,
        "The server was reached and the passphrase does not open this account. Nothing was changed. Look at keyboard layout and Caps Lock; the recovery key works without it: `chatkeep login NAME@SERVER --recovery`. Names that do not exist are answered the same way.",
    ),
    (
        "E_RECOVERY_KEY_TYPO",
        12,
        "The text is not a whole recovery key: its checksum catches every wrong character and every swap of neighbours. Nothing was sent. Compare each group with the kit; O and 0, I, L and 1 are the same.",
    ),
    (
        "E_WRONG_RECOVERY_KEY",
        12,
        "The key is well written but belongs to another account, or `recovery new` or `passphrase change --leaked` has replaced it. Use the kit with the newest date.",
    ),
    (
        "E_PAIRING_FAILED",
        12,
        "A pairing code works once, for one device and for ten minutes; the first wrong try ends it on both devices. Run `chatkeep device link` again for another. If the message names a word, it was mistyped: nothing was sent, and the code is still good.",
    ),
    (
        "E_DEVICE_REVOKED",
        13,
        "Another device ended this device's access, or it left. The archive here is intact and readable. `chatkeep login NAME@SERVER` here joins it anew as a new device, with an archive fetched anew. Where something is not backed up it refuses: `chatkeep export --as jsonl --out DIR` keeps that first, and `chatkeep import DIR` brings it back afterwards.",
    ),
    (
        "E_NOT_FOUND",
        14,
        "Nothing has this name or id. Ids may be cut to four characters or more; `chatkeep log`, `chatkeep device list` and `chatkeep chats` list what there is.",
    ),
    (
        "E_AMBIGUOUS",
        2,
        "The name or the beginning of an id fits several things. Give more characters; the details list all that fit.",
    ),
    ("E_NAME_TAKEN", 15, "Somebody has registered this name on this server. If it is you: `chatkeep login`."),
    (
        "E_REGISTRATION_CLOSED",
        17,
        "The server takes new accounts only with an invite that is still good, or not at all. Its operator makes one with `chatkeepd invite create`; give it by CHATKEEP_INVITE_FILE or --invite-file.",
    ),
    (
        "E_TARGET_NOT_EMPTY",
        15,
        "A file or folder that was to be made is there already, or an account is set up in this home. Nothing is ever overwritten.",
    ),
    (
        "E_QUOTA",
        16,
        "The account has not enough space left on the server. Text is saved; media waits here and is sent once there is space. Ask the operator for more.",
    ),
    ("E_USAGE", 2, "The command line is not understood. --help after a command shows how it is used."),
    (
        "E_GUESSES",
        21,
        "Too many passphrases were tried for this account; one more is possible every ten minutes. The recovery key is never delayed.",
    ),
    (
        "E_ACCOUNT_DELETED",
        13,
        "Somebody with the passphrase or the recovery key deleted the account, and the server has taken away what it kept \
         of it. What is in the archives of its devices is still there: `chatkeep export` writes it out, `chatkeep register` \
         makes a new account.",
    ),
    (
        "E_SUSPENDED",
        13,
        "The server's operator has suspended this account. Nothing is deleted, and the archive here is intact.",
    ),
    (
        "E_DEVICE_CLONED",
        13,
        "Two machines run with the keys of one device, after a disk image was copied or restored: this one has seen a record that its device signed and it never made. It writes nothing more. `chatkeep login NAME@SERVER` here makes it a device of its own, with an archive fetched anew; what is not backed up here it asks you to export first. The other machine goes on.",
    ),
    (
        "E_FORK",
        31,
        "The server has shown two devices histories that do not belong together. Both are kept. Keep your local data, run `chatkeep doctor --share` and ask the operator whether it was restored from an old copy.",
    ),
    (
        "E_ROLLBACK",
        31,
        "The server shows older history than this device has seen, or something that does not fit the verified roster. It was restored from an old copy, or it lies. Do not delete local data; contact the operator.",
    ),
    (
        "E_SOURCE_HOSTILE",
        33,
        "An export is beyond the limits of size, ratio or depth, as archives made to do harm are. Nothing of it was imported.",
    ),
    (
        "E_SOURCE",
        33,
        "An export is of no kind we read, or broken beyond reading. `chatkeep formats` lists the kinds; --format names one.",
    ),
    (
        "E_UNSAVED",
        17,
        "This device holds messages that the vault does not have. `chatkeep backup` saves them; --yes gives them up.",
    ),
    (
        "E_REFUSED",
        17,
        "A rule of safety stands against it: a weak passphrase, a missing confirmation, or nothing would be left. The message says which, the hint how to go on.",
    ),
    (
        "E_BUSY",
        11,
        "Another chatkeep writes in this home now. Reading commands work meanwhile. Wait for it; if it was killed, the lock is free at once.",
    ),
    (
        "E_TLS",
        18,
        "The server's certificate is not trusted here. With a private CA set CHATKEEP_CA_FILE; otherwise somebody may stand between you and the server: do not go on.",
    ),
    ("E_VERSION", 19, "Client and server are too far apart. Update the older one; your data is safe."),
    (
        "E_UNREACHABLE",
        20,
        "The server does not answer. Reading works offline. Everything resumes where it stopped; `chatkeep doctor` tests each step.",
    ),
    (
        "E_OVERLOADED",
        21,
        "The server is busy and asks for a pause. Your messages are safe here; the same command later goes on.",
    ),
    ("E_SERVER", 22, "The server failed. Try again later; the operator finds the request by its id."),
    (
        "E_DAMAGED",
        30,
        "Something stored does not verify: a disk or the server has spoiled it. Your passphrase is right. Everything else is restored. `chatkeep check --read-data` lists the damage; `chatkeep backup` on a device that has the data repairs it.",
    ),
    (
        "E_DISK_FULL",
        32,
        "The disk is full, or a file cannot be read or written. Nothing is damaged by it; free space and run the command again.",
    ),
    (
        "E_CONFIG",
        2,
        "The configuration file or a variable has a fault; the message has its line. `chatkeep config path` says where the file is.",
    ),
    ("E_INTERNAL", 1, "A bug of ours. Please report it with `chatkeep doctor --share`; no secret is in it."),
    ("E_INTERRUPTED", 130, "You stopped it. What was done is kept; the same command goes on from there."),
    (
        "W_SOURCE_PARTIAL",
        3,
        "Some items of an export could not be read; everything else is imported. They are listed, with --json under skipped.",
    ),
    (
        "W_TOO_LATE",
        3,
        "Some of what `undelete` was asked for was deleted more than a day ago (14 days where it was held): any device may have begun to remove it. The rest is back.",
    ),
    (
        "W_MASS_DELETE",
        3,
        "Very many messages were deleted on one device within a day. They are hidden, and go for good after 14 days, or after one where the passphrase was given with it. Not you? `chatkeep device revoke` that device, then `chatkeep undelete --since today`.",
    ),
    (
        "W_CLOCK",
        3,
        "This device's clock differs from the server's by more than five minutes. Messages are safe; set the clock.",
    ),
    (
        "W_ATTACHMENTS_WAITING",
        3,
        "Some attachments are not in the vault yet, or not with this device. `chatkeep backup` on the device that has them sends them.",
    ),
    (
        "W_CONFIG",
        3,
        "A running `sync --watch` was asked to read its configuration again and found a mistake in it; it goes on with what it had. Correct the file and send SIGHUP again.",
    ),
    (
        "W_DISAGREED",
        3,
        "Another device stored rows that differ from this device's. Nothing was changed by it. Run `chatkeep check`.",
    ),
    (
        "W_CORE_DUMPS",
        3,
        "The system does not let this process switch off core dumps, which could hold keys after a crash.",
    ),
    ("W_NO_BACKUP", 3, "There is no snapshot yet. `chatkeep backup`."),
    ("W_STALE", 3, "The last backup is older than status.stale_after."),
    ("W_RESTORE_UNFINISHED", 3, "This device has not yet read everything the vault has. `chatkeep restore`."),
    ("W_UNSAVED", 3, "Changes on this device are not in the vault yet. `chatkeep backup`."),
    ("W_DAMAGE", 3, "A check found damage in the vault. `chatkeep backup` here repairs what this device still has."),
    (
        "W_NO_RECOVERY_KEY",
        3,
        "Without a recovery key a forgotten passphrase means that everything is lost. `chatkeep recovery new --kit FILE`.",
    ),
    (
        "W_SERVICE",
        3,
        "The service manager of this computer did not do what it was asked to. `chatkeep service status` tells how \
         things stand; without a manager, keep `chatkeep sync --watch` running yourself.",
    ),
    (
        "W_DEVICE_CLONED",
        3,
        "Another machine runs with this device's keys, and this one has found out: it writes nothing more. `chatkeep login NAME@SERVER` here makes it a device of its own.",
    ),
    ("W_SIGNED_OUT", 3, "This device is not signed in any more. The archive here is intact."),
    ("W_UNREACHABLE", 3, "The server could not be asked, so what is said of it may be old."),
    ("W_QUOTA", 3, "More than nine tenths of the account's space are used."),
];

pub fn run(args: &Explain) -> Result<Outcome> {
    let code = args.code.to_ascii_uppercase();
    let found = CODES.iter().find(|(known, ..)| *known == code);
    let (code, exit, text) = found.ok_or_else(|| {
        Problem::not_found(format!("there is no code \"{}\"", args.code)).hint("codes look like E_QUOTA or W_CLOCK")
    })?;
    let json = json!({ "schema": "chatkeep.explain/1", "code": code, "exit": exit, "text": text });
    Ok(Outcome::new(json, format!("{code} (exit {exit})\n{text}\n")))
}

#[cfg(test)]
mod tests {
    use super::CODES;

    /// Every code that stands in the sources can be explained.
    #[test]
    fn every_code_is_explained() {
        let mut missing = Vec::new();
        let mut seen = 0;
        let sources = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let mut folders = vec![sources];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                    continue;
                }
                let text = std::fs::read_to_string(&path).unwrap_or_default();
                for word in text.split('"').filter(|w| w.starts_with("E_") || w.starts_with("W_")) {
                    if word.bytes().all(|b| b.is_ascii_uppercase() || b == b'_') && word.len() > 3 {
                        seen += 1;
                        if !CODES.iter().any(|(code, ..)| *code == word) {
                            missing.push(word.to_owned());
                        }
                    }
                }
            }
        }
        assert!(seen > 100, "the search sees the sources");
        assert!(missing.is_empty(), "{missing:?}");
    }
}
