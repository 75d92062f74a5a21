//! What is done to messages on one device, as it is seen on another.

use std::io::Write as _;
use std::process::Stdio;

use serde_json::{Value, json};
use tests::cli::{Ended, Machine, Site};
use tests::exports;

const DAY_MS: i64 = 86_400_000;

/// Every message of a chat, by its text.
fn shown(machine: &Machine, chat: &str) -> Vec<Value> {
    let ended = machine.run(&["show", chat, "-n", "1000", "--json"]).succeeds();
    let lines = ended.stdout.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.filter(|line| line["schema"] == "chatkeep.message/1").collect()
}

fn texts(machine: &Machine, chat: &str) -> Vec<String> {
    shown(machine, chat).iter().map(|m| m["text"].as_str().unwrap().to_owned()).collect()
}

fn id(machine: &Machine, chat: &str, text: &str) -> String {
    let found = shown(machine, chat).into_iter().find(|m| m["text"] == text);
    found.unwrap_or_else(|| panic!("{text:?} is shown"))["id"].as_str().unwrap().to_owned()
}

fn ms(moment: &Value) -> i64 {
    client_ms(moment.as_str().unwrap())
}

/// Milliseconds of `2026-11-24T21:00:00.000Z`, counted by hand.
fn client_ms(text: &str) -> i64 {
    let part = |from: usize, to: usize| text[from..to].parse::<i64>().unwrap();
    let (year, month, day) = (part(0, 4), part(5, 7), part(8, 10));
    let (y, m) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719_468;
    days * DAY_MS + (part(11, 13) * 3600 + part(14, 16) * 60 + part(17, 19)) * 1000 + part(20, 23)
}

fn now_ms() -> i64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as i64
}

fn given(mut command: std::process::Command, input: &str) -> Ended {
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    Ended::of(child)
}

#[test]
fn edits_reactions_and_deletions_reach_the_other_device_and_come_back() {
    let site = Site::new();
    let (laptop, phone, _) = site.laptop_and_phone(12);
    let chat = "Chat 1";
    let target = id(&laptop, chat, "message 3 of chat 1");
    let would =
        given(laptop.command(&["edit", &target, "--text-file", "-", "--dry-run", "--json"]), "as it was meant\n");
    assert_eq!((would.exit, &would.object()["changed"], &would.object()["dry_run"]), (0, &json!(false), &json!(true)));
    let edited = given(laptop.command(&["edit", &target, "--text-file", "-", "--json"]), "as it was meant\n").object();
    assert_eq!((&edited["schema"], &edited["changed"]), (&json!("chatkeep.edit/1"), &json!(true)));
    assert_eq!((&edited["message"], &edited["sent"]), (&json!(target), &json!(true)));
    let again = given(laptop.command(&["edit", &target, "--text-file", "-", "--json"]), "as it was meant").object();
    assert_eq!((&again["changed"], &again["edit"]), (&json!(false), &Value::Null));
    laptop.run(&["react", &target[..8], "👍"]).succeeds();
    let two = ["message 5 of chat 1", "message 6 of chat 1"].map(|text| id(&laptop, chat, text));
    let [five, six] = [&two[0][..], &two[1][..]];
    laptop.run(&["delete", five]).fails(17, "E_REFUSED");
    let would = laptop.json(&["delete", five, six, "--dry-run"]);
    assert_eq!((&would["changed"], &would["messages"], &would["ids"]), (&json!(false), &json!(2), &json!([five, six])));
    let deleted = laptop.json(&["delete", five, six, "--yes"]);
    assert_eq!((&deleted["changed"], &deleted["messages"], &deleted["mass"]), (&json!(true), &json!(2), &json!(false)));
    assert!((ms(&deleted["until"]) - DAY_MS - now_ms()).abs() < 60_000, "{deleted}");

    assert_eq!(phone.json(&["sync"])["changed"], true);
    let there = shown(&phone, chat);
    let of_phone = there.iter().find(|m| m["id"] == *target).unwrap();
    assert_eq!((&of_phone["text"], &of_phone["edited"]), (&json!("as it was meant"), &json!(true)));
    assert_eq!(of_phone["reactions"], json!([{ "by": "ana", "emoji": "👍" }]));
    assert_eq!(there.len(), 10);
    let waiting = &phone.json(&["status"])["deletions_waiting"];
    assert_eq!((waiting.as_array().unwrap().len(), &waiting[0]["messages"]), (1, &json!(2)));
    assert!((ms(&waiting[0]["until"]) - DAY_MS - now_ms()).abs() < 60_000, "{waiting}");
    phone.run(&["show", chat, "--around", five]).fails(14, "E_NOT_FOUND");

    // The phone takes one back, and the reaction as well.
    assert_eq!(phone.json(&["undelete", five, "--dry-run"])["messages"], 1);
    let back = phone.json(&["undelete", &five[..8]]);
    assert_eq!((&back["changed"], &back["messages"], &back["ids"]), (&json!(true), &json!(1), &json!([five])));
    assert_eq!(phone.json(&["react", &target, "👍", "--remove"])["changed"], true);
    laptop.run(&["sync"]).succeeds();
    assert_eq!(shown(&laptop, chat), shown(&phone, chat));
    assert_eq!(shown(&laptop, chat).len(), 11);
    assert_eq!(laptop.json(&["undelete", "--since", "today"])["messages"], 1);
    assert_eq!(texts(&laptop, chat).len(), 12);
    laptop.run(&["undelete", six]).fails(14, "E_NOT_FOUND");
}

#[test]
fn what_is_asked_wrongly_changes_nothing() {
    let mut site = Site::new();
    let (laptop, _) = site.registered("laptop");
    laptop.import(1, 0, 12, 0);
    let before = laptop.listed();
    let target = id(&laptop, "Chat 1", "message 3 of chat 1");
    laptop.run(&["edit", &target]).fails(2, "E_INPUT_REQUIRED");
    given(laptop.command(&["edit", &target, "--text-file", "-"]), "\n").fails(2, "E_USAGE");
    laptop.run(&["react", &target, "two words"]).fails(17, "E_REFUSED");
    laptop.run(&["delete"]).fails(2, "E_USAGE");
    laptop.run(&["delete", "ffffffff", "--yes"]).fails(14, "E_NOT_FOUND");
    laptop.run(&["delete", "--chat", "Chat 1", "--yes"]).fails(17, "E_REFUSED");
    laptop.run(&["delete", "--chat", "Chat 1", "--yes", "--really", "Chat 2"]).fails(17, "E_REFUSED");
    assert_eq!(laptop.json(&["delete", "--chat", "Chat 1", "--dry-run"])["messages"], 12);
    assert_eq!(laptop.listed(), before);
    // With the server away it is done all the same, and sent later.
    site.program.kill();
    let done = laptop.json(&["delete", "--chat", "Chat 1", "--yes", "--really", "Chat 1"]);
    assert_eq!((&done["messages"], &done["sent"]), (&json!(12), &json!(false)));
    assert_eq!(laptop.json(&["undelete", "--since", "today"])["sent"], false);
    assert_eq!(laptop.listed(), before);
}

#[test]
fn an_export_does_not_bring_back_what_another_device_deleted() {
    let site = Site::new();
    let (laptop, kit) = site.registered("laptop");
    let folder = site.dir.path().join("export");
    exports::write(&folder, 0, 40);
    let path = folder.display().to_string();
    let read = ["backup", &path, "--chat", "Family", "--date-order", "mdy"];
    laptop.run(&read).succeeds();
    let target = id(&laptop, "Family", "line number 9");
    laptop.run(&["delete", &target, "--yes"]).succeeds();
    let fresh = site.joined("fresh", &kit);
    let ended = fresh.json(&["import", &path, "--chat", "Family", "--date-order", "mdy"]);
    assert_eq!(ended["sources"][0]["messages_new"], 40, "it has not heard of the deletion: {ended}");
    fresh.run(&["sync"]).succeeds();
    assert_eq!(texts(&fresh, "Family"), texts(&laptop, "Family"));
    assert_eq!(texts(&fresh, "Family").len(), 39);
    for machine in [&laptop, &fresh] {
        let again = machine.json(&[&read[..], &["--reread"]].concat());
        let source = &again["sources"][0];
        assert_eq!((&source["refused"], &source["messages_new"]), (&json!(1), &json!(0)), "{again}");
        let told = machine.run(&[&read[..], &["--reread"]].concat()).succeeds();
        assert!(told.stdout.contains("1 refused, since \"laptop\" deleted"), "{told:?}");
        assert_eq!(texts(machine, "Family").len(), 39);
    }
}

#[test]
fn deleting_very_much_is_told_to_all_and_held_unless_the_passphrase_is_given() {
    let site = Site::new();
    let (laptop, phone, _) = site.laptop_and_phone(250);
    let whole = ["delete", "--chat", "Chat 1", "--really", "Chat 1", "--yes"];
    let done = laptop.json(&whole);
    assert_eq!((&done["messages"], &done["mass"], &done["permitted"]), (&json!(250), &json!(true), &json!(false)));
    assert!((ms(&done["until"]) - 14 * DAY_MS - now_ms()).abs() < 60_000, "{done}");
    let synced = phone.run(&["sync"]);
    assert_eq!(synced.exit, 3, "{synced:?}");
    let told = "warning[W_MASS_DELETE]: 250 messages were deleted on \"laptop\" since";
    assert!(
        synced.stderr.contains(told) && synced.stderr.contains("`chatkeep device revoke \"laptop\"`"),
        "{synced:?}"
    );
    let status = phone.json(&["status"]);
    assert!(status["warnings"].as_array().unwrap().iter().any(|w| w["code"] == "W_MASS_DELETE"), "{status}");
    let waiting = &status["deletions_waiting"][0];
    assert_eq!(waiting["messages"], 250);
    assert!((ms(&waiting["until"]) - 14 * DAY_MS - now_ms()).abs() < 60_000, "{waiting}");
    assert_eq!(phone.json(&["undelete", "--since", "today"])["messages"], 250);
    phone.run(&["sync"]).succeeds();
    laptop.run(&["sync"]).succeeds();
    assert_eq!(laptop.listed().len(), 250);

    // A wrong passphrase deletes nothing; the right one lets it go after a day, and the others hear of it still.
    let wrong = site.dir.path().join("wrong");
    std::fs::write(&wrong, "five badgers sing loudly\n").unwrap();
    let with = |file: &std::path::Path| [&whole[..], &["--passphrase-file", file.to_str().unwrap()]].concat().join("|");
    laptop.run(&with(&wrong).split('|').collect::<Vec<_>>()).fails(12, "E_WRONG_PASSPHRASE");
    assert_eq!(laptop.listed().len(), 250);
    let done = laptop.json(&with(&laptop.passphrase).split('|').collect::<Vec<_>>());
    assert_eq!((&done["mass"], &done["permitted"], &done["sent"]), (&json!(true), &json!(true), &json!(true)));
    let synced = phone.run(&["sync"]);
    assert!(synced.exit == 3 && synced.stderr.contains("with the passphrase; they go for good from"), "{synced:?}");
    for machine in [&laptop, &phone] {
        let waiting = &machine.json(&["status"])["deletions_waiting"][0];
        assert!((ms(&waiting["until"]) - DAY_MS - now_ms()).abs() < 60_000, "{waiting}");
    }
}
