//! Attachments deleted by themselves, and what was read, as two machines show it.

use serde_json::{Value, json};
use tests::cli::{Machine, Site};

use crate::terminal::play;

fn shown(machine: &Machine, chat: &str) -> Vec<Value> {
    let ended = machine.run(&["show", chat, "-n", "1000", "--json"]).succeeds();
    let lines = ended.stdout.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.filter(|line| line["schema"] == "chatkeep.message/1").collect()
}

fn states(machine: &Machine) -> Vec<Value> {
    let attachments = shown(machine, "Chat 1").into_iter().flat_map(|m| m["attachments"].as_array().unwrap().clone());
    attachments.map(|a| json!([a["name"], a["state"], a["present"]])).collect()
}

#[test]
fn attachments_are_deleted_by_themselves_and_come_back() {
    let site = Site::new();
    let (laptop, kit) = site.registered("laptop");
    laptop.import(1, 0, 22, 3_000);
    laptop.run(&["backup"]).succeeds();
    let phone = site.joined("phone", &kit);
    phone.run(&["restore"]).succeeds();
    let there = |n: u64| json!([format!("photo-{n}.jpg"), "present", true]);
    let gone = |n: u64| json!([format!("photo-{n}.jpg"), "deleted", false]);
    assert_eq!(states(&phone), [there(0), there(10), there(20)]);
    let whole = ["delete", "--chat", "Chat 1", "--media-only"];
    let would = laptop.json(&[&whole[..], &["--dry-run"]].concat());
    assert_eq!((&would["messages"], &would["bytes"], &would["media_only"]), (&json!(3), &json!(9_000), &json!(true)));
    let without = shown(&laptop, "Chat 1").into_iter().find(|m| m["attachments"] == json!([])).unwrap();
    let nothing = laptop.json(&["delete", without["id"].as_str().unwrap(), "--media-only", "--yes"]);
    assert_eq!((&nothing["changed"], &nothing["messages"]), (&json!(false), &json!(0)));
    laptop.run(&whole).fails(17, "E_REFUSED");
    // A whole chat's attachments are not the chat: its name is not asked for.
    let before = shown(&laptop, "Chat 1")[10]["at"].as_str().unwrap()[..16].to_owned();
    let done = laptop.json(&[&whole[..], &["--before", &before, "--yes"]].concat());
    assert_eq!((&done["changed"], &done["messages"], &done["mass"]), (&json!(true), &json!(1), &json!(false)));
    assert_eq!(laptop.json(&[&whole[..], &["--yes"]].concat())["messages"], 2);
    phone.run(&["sync"]).succeeds();
    for machine in [&laptop, &phone] {
        assert_eq!(states(machine), [gone(0), gone(10), gone(20)]);
        let texts = shown(machine, "Chat 1");
        assert!(texts.len() == 22 && texts[10]["text"] == "message 10 of chat 1", "{texts:?}");
        let told = machine.run(&["show", "Chat 1", "-n", "2"]).succeeds();
        assert!(told.stdout.contains("message 20 of chat 1 [photo photo-20.jpg, deleted]"), "{told:?}");
        let waiting = &machine.json(&["status"])["deletions_waiting"][0];
        assert_eq!((&waiting["messages"], &waiting["media_of"]), (&json!(0), &json!(3)));
    }
    let told = phone.run(&["status"]);
    assert!(told.stdout.contains("Deleted    the attachments of 3 messages, for good after"), "{told:?}");
    let ten = shown(&phone, "Chat 1")[10]["id"].as_str().unwrap().to_owned();
    assert_eq!(phone.json(&["undelete", &ten[..10]])["messages"], 1);
    laptop.run(&["sync"]).succeeds();
    assert_eq!(states(&laptop), [gone(0), there(10), gone(20)]);
    assert_eq!(laptop.json(&["undelete", "--since", "today"])["messages"], 2);
    phone.run(&["sync"]).succeeds();
    assert_eq!(states(&phone), [there(0), there(10), there(20)]);
    assert_eq!(phone.json(&["status"])["deletions_waiting"], json!([]));
    assert_eq!(laptop.listed(), phone.listed());
}

#[test]
fn what_a_person_is_shown_on_a_terminal_counts_as_read_everywhere() {
    let site = Site::new();
    let (laptop, phone, _) = site.laptop_and_phone(12);
    let unread = |machine: &Machine| machine.json(&["chats"])["chats"][0]["unread"].clone();
    let look = |machine: &Machine, flags: &[&str]| {
        let (exit, told) = play(&machine.home, &[&["show", "Chat 1", "-n", "3"], flags].concat(), &[], &[]);
        assert_eq!(exit, 0, "{told}");
    };
    assert_eq!(unread(&laptop), Value::Null, "what an import brought was read in its app");
    laptop.run(&["show", "Chat 1"]).succeeds();
    look(&laptop, &["--json"]);
    look(&laptop, &["--no-mark"]);
    assert_eq!(unread(&laptop), Value::Null, "nobody has looked");
    look(&laptop, &[]);
    assert_eq!(unread(&laptop), 0);
    laptop.run(&["sync"]).succeeds();
    phone.import(1, 12, 17, 0);
    phone.run(&["sync"]).succeeds();
    assert_eq!(unread(&phone), 5);
    let told = phone.run(&["chats"]).succeeds();
    assert!(told.stdout.contains("17 messages (telegram)  5 unread"), "{told:?}");
    laptop.run(&["sync"]).succeeds();
    assert_eq!(unread(&laptop), 5);
    look(&phone, &[]);
    phone.run(&["sync"]).succeeds();
    // An earlier place read later takes nothing back.
    laptop.run(&["sync"]).succeeds();
    let first = shown(&laptop, "Chat 1")[0]["id"].as_str().unwrap().to_owned();
    look(&laptop, &["--around", &first]);
    assert_eq!((unread(&laptop), unread(&phone)), (json!(0), json!(0)));
}
