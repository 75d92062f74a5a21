//! `delete`: messages go from every device; for a day they can be brought back.

use client::archive::{ChatSummary, Deleting, Deletion, HELD_MS, Shown, UNDO_MS, Weighed, mass_limit};
use client::sync::server_clock;
use client::vault::{Consent, Secret, Work};
use serde_json::{Value, json};

use super::{acts, chats, device, show};
use crate::args::acts::Delete;
use crate::context::{Context, Writing};
use crate::output::{Outcome, changed};
use crate::problem::{Problem, Result, Warning};
use crate::secrets;
use crate::terminal::{clean, count, counted, moment, rfc3339};

/// Messages that are shown before a question.
const SHOWN_MAX: usize = 10;
/// A purge writes runs anew that hold other messages as well: a permit allows for so much more.
const BESIDE_BYTES: u64 = 16 << 20;
const DAY_MS: i64 = 24 * 3_600_000;

/// What is to be deleted.
enum Wanted {
    Messages(Vec<Shown>),
    Chat { chat: Box<ChatSummary>, before: Option<i64> },
}

/// What a deletion of this size comes to.
struct Plan {
    weighed: Weighed,
    /// So many that every device is told.
    mass: bool,
    now: i64,
}

pub async fn run(context: &Context, args: &Delete) -> Result<Outcome> {
    let mut writing = context.writing("delete")?;
    let wanted = wanted(&writing, args)?;
    let plan = plan(context, &writing, &wanted, what(args))?;
    let messages = plan.weighed.messages;
    let goes = goes(messages, what(args));
    if messages == 0 {
        let text =
            if args.media_only { "There is no attachment to delete.\n" } else { "There is nothing to delete.\n" };
        return Ok(Outcome::new(changed("delete", false, told(args, &wanted, &plan, false, false)), text));
    }
    if args.dry_run {
        let text = format!("Would delete {goes}. {} Nothing changed.\n", plan.says());
        let more = told(args, &wanted, &plan, false, false);
        return Ok(Outcome::new(changed("delete", false, more), text));
    }
    if let Wanted::Chat { chat, .. } = &wanted
        && !args.media_only
        && messages >= chat.messages
        && args.really.as_deref() != Some(chats::name(chat))
    {
        let name = clean(chats::name(chat));
        let message = format!("this would delete the whole chat \"{name}\" ({})", counted(messages, "message"));
        return Err(Problem::refused(message).hint(format!("give --before, or --really \"{name}\"")));
    }
    show_what_goes(context, &wanted, &goes);
    device::confirmed(context, &format!("Delete {goes} on every device?"))?;
    let consent = consent(context, args, &writing, &plan).await?;
    let done = delete(context, &mut writing, &wanted, what(args))?;
    let mut sent = acts::send(context, &mut writing).await?;
    let mut permitted = false;
    if let Some(consent) = &consent {
        let work = Work::quiet().max_wait(std::time::Duration::ZERO);
        match writing.vault.permit_deletions(&mut writing.archive, consent, &work).await {
            Ok(()) => (sent, permitted) = (true, true),
            Err(error) => {
                let message = format!("the passphrase's consent could not be sent ({error}): it goes after 14 days");
                context.output.warn(&Warning::new("W_MASS_DELETE", message).hint("`chatkeep status` says when"));
            }
        }
    }
    let more = told(args, &wanted, &plan, sent, permitted);
    let mut text = format!("Deleted {}. ", self::goes(done, what(args)));
    text += &match (plan.mass, permitted) {
        (true, false) => {
            let until = moment(plan.now + HELD_MS);
            format!("So many at once go for good on {until}, since no passphrase was given; all devices are told.")
        }
        _ => {
            let them = if done == 1 && !args.media_only { "it" } else { "them" };
            format!("Until {} `chatkeep undelete` brings {them} back.", moment(plan.now + UNDO_MS))
        }
    };
    Ok(Outcome::new(changed("delete", done > 0, more), text + "\n"))
}

impl Plan {
    fn says(&self) -> String {
        if self.mass {
            "That many at once wait 14 days, or one with the passphrase, and all devices are told.".to_owned()
        } else {
            "They could be brought back for a day.".to_owned()
        }
    }
}

fn what(args: &Delete) -> Deleting {
    if args.media_only { Deleting::Media } else { Deleting::Messages }
}

/// What goes, in words.
fn goes(messages: u64, what: Deleting) -> String {
    match what {
        Deleting::Messages => counted(messages, "message"),
        Deleting::Media => format!("the attachments of {}", counted(messages, "message")),
    }
}

fn wanted(writing: &Writing, args: &Delete) -> Result<Wanted> {
    if let Some(given) = &args.chat {
        let chat = Box::new(chats::find(&writing.archive, given)?);
        return Ok(Wanted::Chat { chat, before: args.before });
    }
    let mut messages: Vec<Shown> = Vec::new();
    for given in &args.messages {
        let shown = show::message(&writing.archive, given)?;
        if messages.iter().all(|m| m.message.id != shown.message.id) {
            messages.push(shown);
        }
    }
    Ok(Wanted::Messages(messages))
}

fn plan(context: &Context, writing: &Writing, wanted: &Wanted, what: Deleting) -> Result<Plan> {
    let archive = &writing.archive;
    let weighed = match wanted {
        Wanted::Chat { chat, before } => archive.weigh_chat_of(&chat.id, *before, what)?,
        Wanted::Messages(list) => {
            let mut sum = Weighed::default();
            list.iter().for_each(|shown| sum.add(&shown.message, what));
            sum
        }
    };
    let now = server_clock(archive, context.now_ms())?;
    let me = writing.vault.session.device.id();
    let known = archive.deletions(now, &me)?;
    let today = |d: &&Deletion| d.device == Some(me) && d.at > now - DAY_MS;
    let in_a_day = known.iter().filter(today).count() as u64 + weighed.messages;
    let all = archive.counts()?.messages + known.len() as u64;
    Ok(Plan { weighed, mass: in_a_day > mass_limit(all), now })
}

fn show_what_goes(context: &Context, wanted: &Wanted, goes: &str) {
    let text = match wanted {
        Wanted::Messages(list) => {
            let mut lines: String = list.iter().take(SHOWN_MAX).map(show::line).collect();
            if list.len() > SHOWN_MAX {
                lines += &format!("and {} more\n", count((list.len() - SHOWN_MAX) as u64));
            }
            lines
        }
        Wanted::Chat { chat, before } => {
            let older = before.map(|t| format!(" older than {}", moment(t))).unwrap_or_default();
            format!("{goes} of \"{}\"{older}", clean(chats::name(chat)))
        }
    };
    context.output.note(&format!("To be deleted:\n{}", text.trim_end()));
}

/// The root's consent where so much is deleted that it would wait else, and somebody proves a secret. Nothing is
/// deleted yet.
async fn consent(context: &Context, args: &Delete, writing: &Writing, plan: &Plan) -> Result<Option<Consent>> {
    if !plan.mass {
        return Ok(None);
    }
    let question = "So many at once go after 14 days, or after one with the passphrase (empty = wait): ";
    let secret = match secrets::given_recovery_key(&args.proof.recovery_key)? {
        Some(key) => Secret::Recovery(key),
        None => match secrets::optional_passphrase(&context.output, &args.proof.passphrase, question)? {
            Some(passphrase) => Secret::Passphrase(passphrase),
            None => return Ok(None),
        },
    };
    let bytes = plan.weighed.bytes.saturating_add(BESIDE_BYTES);
    Ok(Some(writing.vault.consent(&writing.archive, secret, bytes, plan.now).await?))
}

fn delete(context: &Context, writing: &mut Writing, wanted: &Wanted, what: Deleting) -> Result<u64> {
    let mut entropy = context.env.entropy.clone();
    let mut acting = acts::acting(context, &writing.archive, &mut entropy)?;
    match wanted {
        Wanted::Messages(list) => {
            let messages: Vec<_> = list.iter().map(|shown| shown.message.clone()).collect();
            Ok(writing.archive.delete_of(&messages, what, &mut acting)?)
        }
        Wanted::Chat { chat, before } => {
            let told = |_| !context.cancel.is_cancelled();
            Ok(writing.archive.delete_chat_of(&chat.id, *before, what, &mut acting, told)?)
        }
    }
}

fn told(args: &Delete, wanted: &Wanted, plan: &Plan, sent: bool, permitted: bool) -> Value {
    let (chat, ids) = match wanted {
        Wanted::Chat { chat, .. } => (Some(chat.id.hex()), None),
        Wanted::Messages(list) => (None, Some(list.iter().map(|s| s.message.id.hex()).collect::<Vec<_>>())),
    };
    let held = plan.mass && !permitted;
    json!({
        "messages": plan.weighed.messages,
        "bytes": plan.weighed.bytes,
        "media_only": args.media_only,
        "chat": chat,
        "ids": ids,
        "until": rfc3339(plan.now + if held { HELD_MS } else { UNDO_MS }),
        "mass": plan.mass,
        "permitted": permitted,
        "sent": sent,
        "dry_run": args.dry_run,
    })
}
