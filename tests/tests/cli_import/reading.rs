use serde_json::{Value, json};
use tests::cli::{Machine, Site};

use crate::files::{family, objects, telegram, write};

fn filled() -> (Site, Machine) {
    let mut site = Site::new();
    let (laptop, _) = site.registered("laptop");
    let dir = site.dir.path().to_path_buf();
    let exports = [
        write(dir.join("WhatsApp Chat - Family.zip"), family(0..40)),
        write(
            dir.join("tg/result.json"),
            telegram(0..30).replace("text 7\"", "See https://a.example \\u001b[2J boarding PASS\""),
        ),
    ];
    laptop.run(&["import", &exports[0], &exports[1]]).succeeds();
    // Everything here is read without the server.
    site.program.kill();
    (site, laptop)
}

#[test]
fn chats_are_listed_and_found_by_name_part_and_id() {
    let (_site, laptop) = filled();
    let told = laptop.json(&["chats"]);
    let chats = told["chats"].as_array().unwrap();
    let named: Vec<_> = chats.iter().map(|c| (&c["name"], &c["app"], &c["messages"])).collect();
    let (family, bea) = (json!("Family"), json!("Bea"));
    assert_eq!(named, [(&family, &json!("whatsapp"), &41.into()), (&bea, &json!("telegram"), &30.into())]);
    assert_eq!(chats[0]["first_at"], "2024-05-13T08:00:00.000Z");
    let id = chats[0]["id"].as_str().unwrap();
    for given in ["Family", "family", "amil", &id[..8], id] {
        let shown = objects(&laptop.run(&["show", given, "-n", "2", "--json"]).succeeds());
        assert_eq!(
            (shown.len(), &shown[0]["chat"]["name"], &shown[0]["text"]),
            (3, &family, &json!("line 39")),
            "{given}"
        );
        assert_eq!(shown[1]["attachments"][0]["present"], true);
        assert_eq!((&shown[2]["schema"], &shown[2]["total"]), (&json!("chatkeep.search/1"), &41.into()));
    }
    laptop.run(&["show", "nobody"]).fails(14, "E_NOT_FOUND");
    laptop.run(&["show", "a"]).fails(2, "E_AMBIGUOUS");
    let text = laptop.run(&["chats"]).succeeds().stdout;
    assert!(text.contains("Family  41 messages (whatsapp)"), "{text}");
}

#[test]
fn a_page_lies_around_a_message_or_from_a_date() {
    let (_site, laptop) = filled();
    let texts = |args: &[&str]| -> Vec<String> {
        let shown = objects(&laptop.run(&[&["show", "Family", "--json"], args].concat()).succeeds());
        shown.iter().filter_map(|m| Some(m["text"].as_str()?.to_owned())).collect()
    };
    assert_eq!(texts(&["--date", "2024-05-13T08:20", "-n", "2"]), ["line 20", "line 21"]);
    let found = objects(&laptop.run(&["search", "line 20", "--json"]).succeeds());
    let id = found[0]["id"].as_str().unwrap();
    assert_eq!(texts(&["--around", &id[..8], "-n", "4"]), ["line 18", "line 19", "line 20", "line 21"]);
    laptop.run(&["show", "Bea", "--around", id]).fails(14, "E_NOT_FOUND");
    laptop.run(&["show", "Family", "--around", "zz"]).fails(14, "E_NOT_FOUND");
}

#[test]
fn searching_finds_places_and_obeys_every_filter() {
    let (_site, laptop) = filled();
    let search = |args: &[&str]| -> (Vec<Value>, Value) {
        let mut lines = objects(&laptop.run(&[&["search", "--json"], args].concat()).succeeds());
        let last = lines.pop().unwrap();
        assert_eq!((&last["schema"], &last["index_complete"]), (&json!("chatkeep.search/1"), &json!(true)));
        assert_eq!(last["returned"], lines.len());
        (lines, last)
    };
    let (hits, last) = search(&["Boarding", "pass"]);
    assert_eq!((hits.len(), &last["total"]), (1, &1.into()));
    assert_eq!((&hits[0]["sender"]["name"], &hits[0]["at"]), (&json!("Bea"), &json!("2024-05-13T08:07:00.000Z")));
    let text: Vec<char> = hits[0]["text"].as_str().unwrap().chars().collect();
    assert_eq!(text[22], '\u{1b}', "programs get the text as it is");
    let matched = |at: usize| -> String {
        let part = |i: usize| hits[0]["match"][at][i].as_u64().unwrap() as usize;
        text[part(0)..part(1)].iter().collect()
    };
    assert_eq!([matched(0), matched(1)], ["boarding", "PASS"]);
    let total = |args: &[&str]| search(args).1["total"].as_u64().unwrap();
    assert_eq!(total(&["line", "-n", "3"]), 40);
    assert_eq!(search(&["line", "-n", "3"]).0.len(), 3);
    assert_eq!(total(&["line", "--from", "mum"]), 14);
    assert_eq!(total(&["line", "--chat", "Bea"]), 0);
    assert_eq!(total(&["line", "--since", "2024-05-13T08:30", "--until", "2024-05-13T08:35"]), 5);
    assert_eq!((total(&["--has", "link"]), total(&["--has", "media"]), total(&["--has", "file"])), (1, 1, 0));
    assert_eq!(total(&["\"line 7\" -line"]), 0);
    laptop.run(&["search"]).fails(2, "E_USAGE");
}

#[test]
fn what_chats_hold_cannot_steer_a_terminal() {
    let (_site, laptop) = filled();
    for args in [&["search", "boarding"][..], &["show", "Bea", "-n", "30"]] {
        let text = laptop.run(args).succeeds().stdout;
        assert!(text.contains("[2J boarding PASS") && !text.contains('\u{1b}'), "{text:?}");
    }
    let found = laptop.run(&["search", "boarding"]).succeeds().stdout;
    assert!(found.starts_with("2024-05-13 08:07  Bea › Bea   See https://a.example"), "{found}");
    assert!(found.ends_with("\n1 message in 1 chat\n"), "{found}");
}

#[test]
fn formats_are_those_that_are_read_and_written() {
    let site = Site::new();
    let told = site.machine("anybody").json(&["formats"]);
    let names: Vec<_> = told["formats"].as_array().unwrap().iter().map(|f| f["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["whatsapp", "telegram", "jsonl", "txt"]);
}
