//! `logout`: this device ends.

use client::archive::{Counts, Note};
use client::error::Error;
use client::vault::Vault;
use serde_json::json;

use crate::args::account::Logout;
use crate::context::Context;
use crate::output::{Outcome, changed};
use crate::problem::{Problem, Result};
use crate::terminal::counted;

pub async fn run(context: &Context, args: &Logout) -> Result<Outcome> {
    let mut writing = match context.writing("logout") {
        Ok(writing) => writing,
        Err(problem) if problem.exit == 10 && !args.keep_archive => return remove_kept(context, args),
        Err(problem) => return Err(problem),
    };
    let account = writing.vault.session.identity.shown();
    let counts = writing.archive.counts()?;
    let unsaved = counts.unsaved_messages;
    let would = if args.dry_run { "Would end" } else { "Ended" };
    let kept = if args.keep_archive { "the archive and its key are kept" } else { "its keys and archive are gone" };
    let text = format!("{would} this device of {account}; {kept}.\n");
    let more = json!({
        "account": account, "unsaved_messages": unsaved, "keep_archive": args.keep_archive, "dry_run": args.dry_run,
    });
    if args.dry_run {
        let text = text.replace("are gone", "would go").replace("are kept", "would be kept");
        return Ok(Outcome::new(changed("logout", false, more), text));
    }
    if !context.settings.yes {
        all_saved(&counts)?;
    }
    let what = format!("This ends this device and removes {} from it.", counted(counts.messages, "message"));
    let asks = !context.settings.yes && context.output.may_ask() && !args.keep_archive;
    if asks && !context.output.confirm(&format!("{what} The vault keeps them. Go on?"), false)? {
        return Err(Problem::refused("nothing was changed"));
    }
    // A copy that was told so does not end the device of the machine it was copied from.
    if writing.archive.note(Note::Cloned)?.is_none() {
        match writing.vault.leave(&mut writing.archive).await {
            // Somebody else ended it already: what is here goes all the same.
            Ok(()) | Err(Error::DeviceRevoked { .. } | Error::AccountEnded { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let crate::context::Writing { vault, archive, .. } = writing;
    drop((vault, archive));
    Vault::erase(&context.home(), &*context.keys(), args.keep_archive)?;
    Ok(Outcome::new(changed("logout", true, more), text))
}

/// Refuses to lose what this device alone has.
pub fn all_saved(counts: &Counts) -> Result<()> {
    if counts.unsaved_messages > 0 {
        return Err(Error::Unsaved { messages: counts.unsaved_messages }.into());
    }
    if counts.waiting > 0 {
        let mut problem: Box<Problem> = Error::Unsaved { messages: 0 }.into();
        problem.message = format!("not backed up yet: {} on this device", counted(counts.waiting, "attachment"));
        return Err(problem);
    }
    Ok(())
}

/// Removes an archive that was kept here without a device.
fn remove_kept(context: &Context, args: &Logout) -> Result<Outcome> {
    let account = context.kept()?.shown();
    let more = json!({ "account": account, "unsaved_messages": 0, "keep_archive": false, "dry_run": args.dry_run });
    if args.dry_run {
        let text = format!("Would remove the kept archive of {account}. Nothing changed.\n");
        return Ok(Outcome::new(changed("logout", false, more), text));
    }
    // Nothing says whether the vault has all of it.
    super::device::confirmed(context, &format!("Remove the kept archive of {account}, and the key that opens it?"))?;
    let _lock = context.lock("logout")?;
    Vault::erase(&context.home(), &*context.keys(), false)?;
    Ok(Outcome::new(changed("logout", true, more), format!("The kept archive of {account} is gone.\n")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_this_device_has_is_not_lost() {
        let code = |counts: Counts| all_saved(&counts).map_err(|problem| (problem.code, problem.message.clone()));
        assert_eq!(code(Counts { unsynced: 3, ..Counts::default() }), Ok(()), "settings and snapshots are no messages");
        let told = code(Counts { unsaved_messages: 2, unsynced: 2, ..Counts::default() });
        assert_eq!(told, Err(("E_UNSAVED", "2 messages on this device are not backed up yet".to_owned())));
        let told = code(Counts { waiting: 1, ..Counts::default() });
        assert_eq!(told, Err(("E_UNSAVED", "not backed up yet: 1 attachment on this device".to_owned())));
    }
}
