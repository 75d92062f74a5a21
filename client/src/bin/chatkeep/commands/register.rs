//! `register`: an account, its vault and its first device.

use client::crypto::RecoveryKey;
use client::crypto::passphrase::Passphrase;
use client::error::Error;
use client::vault::{Registration, Vault, Where};
use zeroize::Zeroizing;

use super::accounts::{answer, label, split};
use crate::args::account::Register;
use crate::context::Context;
use crate::kit::{Owner, Reserved};
use crate::output::{Outcome, to_terminal};
use crate::problem::{Problem, Result};
use crate::secrets::{self, Chosen};

pub async fn run(context: &Context, args: &Register) -> Result<Outcome> {
    let (name, server) = split(&args.account)?;
    if args.kit.is_none() && !args.no_recovery_key && !context.output.may_ask() {
        return Err(Problem::new("E_INPUT_REQUIRED", 2, "a place for the recovery kit is needed")
            .hint("pass --kit FILE, or --no-recovery-key to go without a second way in"));
    }
    let home = context.home();
    let keys = context.keys();
    Vault::check_free(&home, &*keys)?;
    let at = context.at(&server)?;
    let invite = secrets::invite(&args.invite)?;
    let given = secrets::given_passphrase(&args.passphrase)?;
    if given.is_none() && context.output.may_ask() {
        admitted(&at, invite.is_some()).await?;
    }
    let make = || Passphrase::generate(&mut context.env.entropy.clone());
    let chosen = match given {
        Some(passphrase) => Chosen::Given(passphrase),
        None => secrets::first_passphrase(&context.output, &args.passphrase, make)?,
    };
    if let Chosen::Made(passphrase) = &chosen {
        to_terminal(&format!("Your passphrase:   {}\n", passphrase.text()));
    }
    let mut kit = match &args.kit {
        Some(path) => Some(Reserved::new(path)?),
        None => None,
    };
    let with_key = !args.no_recovery_key;
    let label = label(context, args.device_name.as_ref());
    let made = Vault::register(at, name, chosen.into_inner(), with_key, label, invite, None).await;
    let (joined, key) = made?;
    let account = joined.identity().shown();
    let server = joined.identity().server.clone();
    // The kit first: whatever happens afterwards, its owner has a way in.
    if let (Some(kit), Some(key)) = (&mut kit, &key) {
        kit.fill(&Owner { account: &account, server: &server, made_ms: context.now_ms() }, key)?;
    }
    let _lock = context.lock("register")?;
    let vault = joined.install(&home, &*keys)?;
    let path = kit.as_ref().map(|k| k.path().to_path_buf());
    if let Some(key) = &key {
        show(context, key, path.as_deref())?;
    }
    context.tell_key_place();
    let device = vault.devices().into_iter().find(|d| d.current).map(|d| d.name).unwrap_or_default();
    let text = format!(
        "Account {account} is ready. This device: \"{device}\".\n{}Next: chatkeep backup PATH-TO-EXPORT\n",
        if with_key {
            "Nobody, including the server's operator, can recover it without one of these two.\n"
        } else {
            "There is no recovery key: without the passphrase nobody can recover it. `chatkeep recovery new` makes one.\n"
        }
    );
    Ok(Outcome::new(answer(&vault, path.as_deref(), true), text))
}

/// Asks the server whether it takes new accounts, before a person thinks about a passphrase.
async fn admitted(at: &Where, invited: bool) -> Result<()> {
    let facts = Vault::peek(at).await?;
    let closed = match facts.registration {
        Registration::Open => false,
        Registration::Invite => !invited,
        _ => true,
    };
    if closed { Err(Error::RegistrationClosed { server: at.connector.server().to_owned() }.into()) } else { Ok(()) }
}

/// Shows the recovery key this once, and has two of its groups typed back.
pub fn show(context: &Context, key: &RecoveryKey, kit: Option<&std::path::Path>) -> Result<()> {
    let output = &context.output;
    if !output.may_ask() {
        return Ok(());
    }
    let text = key.text();
    let place = kit.map(|p| format!("  (written to {})", p.display())).unwrap_or_default();
    to_terminal(&format!("Your recovery key: {}{place}\n", *text));
    // The groups behind the mark; which two are asked for changes with the key.
    let groups: Vec<&str> = text.split('-').skip(1).collect();
    let pick = text.bytes().fold(0usize, |sum, b| sum.wrapping_add(usize::from(b)));
    let (first, second) = (pick % 3, 3 + pick % 4);
    for _ in 0..3 {
        let question = format!("Type groups {} and {} to confirm you have it: ", first + 1, second + 1);
        let typed = Zeroizing::new(output.ask(&question)?.unwrap_or_default());
        let plain = |t: &str| {
            let kept = t.chars().filter(|c| c.is_alphanumeric());
            kept.map(|c| match c.to_ascii_uppercase() {
                'O' => '0',
                'I' | 'L' => '1',
                c => c,
            })
            .collect::<String>()
        };
        let wanted: String = [first, second].iter().filter_map(|at| groups.get(*at)).copied().collect();
        if plain(&typed) == plain(&wanted) {
            return Ok(());
        }
        output.note("That is not what the kit says.");
    }
    output.note("Never mind: the account is ready. `chatkeep recovery check` tests the key at any time.");
    Ok(())
}
