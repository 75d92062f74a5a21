//! Chats written in the styles of many phones and read back: nothing may differ but the style.

use proptest::prelude::*;

use super::support::{Memory, import};
use crate::sources::{Answers, DateOrder};

/// One way to write a header; `{d} {m} {y} {Y} {h} {H} {M} {S} {p}` as in strftime, not padded, but M and S.
const STYLES: [(&str, [&str; 2], DateOrder); 16] = [
    ("{d}/{m}/{Y}, {H}:{M} - ", ["", ""], DateOrder::Dmy),
    ("{d}/{m}/{y}, {H}:{M} - ", ["", ""], DateOrder::Dmy),
    ("{m}/{d}/{y}, {h}:{M}\u{202f}{p} - ", ["AM", "PM"], DateOrder::Mdy),
    ("{m}/{d}/{Y}, {h}:{M} {p} - ", ["a.\u{a0}m.", "p.\u{a0}m."], DateOrder::Mdy),
    ("{Y}/{m}/{d}, {h}:{M} {p} - ", ["am", "pm"], DateOrder::Ymd),
    ("{Y}-{m}-{d}, {h}:{M} {p} - ", ["a.m.", "p.m."], DateOrder::Ymd),
    ("{d}.{m}.{y}, {H}:{M} – ", ["", ""], DateOrder::Dmy),
    ("{d}.{m}.{Y} klo {H}.{M} - ", ["", ""], DateOrder::Dmy),
    ("{d}\u{200f}/{m}\u{200f}/{Y}، {h}:{M} {p} - ", ["ص", "م"], DateOrder::Dmy),
    ("{Y}. {m}. {d}. {p} {h}:{M} - ", ["오전", "오후"], DateOrder::Ymd),
    ("[{d}.{m}.{y}, {H}:{M}:{S}] ", ["", ""], DateOrder::Dmy),
    ("[{m}/{d}/{y}, {h}:{M}:{S}\u{202f}{p}] ", ["AM", "PM"], DateOrder::Mdy),
    ("[{d}-{m}-{y} {H}:{M}:{S}] ", ["", ""], DateOrder::Dmy),
    ("\u{200e}[{Y}/{m}/{d} {p}{h}:{M}:{S}] ", ["上午", "下午"], DateOrder::Ymd),
    ("[{d}.{m}.{Y} klo {H}.{M}.{S}] ", ["", ""], DateOrder::Dmy),
    ("{d}/{m}/{Y} {H}:{M}:{S}: ", ["", ""], DateOrder::Dmy),
];

/// A moment: day since 2024-01-01 (a leap year), second of the day.
#[derive(Clone, Debug)]
struct Said {
    day: u32,
    second: u32,
    who: &'static str,
    text: String,
}

/// Month and day of a day of 2024, counted by hand.
fn month_and_day(mut day: u32) -> (u32, u32) {
    for (at, days) in [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31].into_iter().enumerate() {
        if day < days {
            return (at as u32 + 1, day + 1);
        }
        day -= days;
    }
    unreachable!("days are drawn below 366")
}

fn header(style: &str, halves: [&str; 2], said: &Said) -> String {
    let (month, day) = month_and_day(said.day);
    let (hour, minute, second) = (said.second / 3600, said.second / 60 % 60, said.second % 60);
    let twelve = if hour % 12 == 0 { 12 } else { hour % 12 };
    let half = if hour < 12 { halves[0] } else { halves[1] };
    let parts = [
        ("{d}", day.to_string()),
        ("{m}", month.to_string()),
        ("{y}", "24".into()),
        ("{Y}", "2024".into()),
        ("{H}", hour.to_string()),
        ("{h}", twelve.to_string()),
        ("{M}", format!("{minute:02}")),
        ("{S}", format!("{second:02}")),
        ("{p}", half.to_owned()),
    ];
    parts.iter().fold(style.to_owned(), |text, (sign, value)| text.replace(sign, value))
}

fn chat() -> impl Strategy<Value = Vec<Said>> {
    let who = prop::sample::select(vec!["Ana", "Bo Ek", "+12 345 678", "Zoë - work 🤓", "12:30 club", "محمد"]);
    let text = prop_oneof![
        "[a-z]{1,8}( [a-z:!?-]{1,8}){0,5}",
        Just("first\n\nthird".to_owned()),
        Just("a: b: c".to_owned()),
        Just("👨‍👩‍👧 שלום ok".to_owned()),
        Just("10:30 - 11:00".to_owned()),
        Just(String::new()),
    ];
    let said = (0u32..366, 0u32..86_400, who, text);
    prop::collection::vec(said, 2..30).prop_map(|mut list| {
        list.sort_by_key(|(day, second, ..)| (*day, *second));
        // A day above twelve at the end leaves no doubt about the order of fields.
        list.push((365, 0, "Ana", "end".into()));
        list.into_iter().map(|(day, second, who, text)| Said { day, second, who, text }).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]
    #[test]
    fn what_is_written_is_read(chat in chat(), style in 0..STYLES.len(), crlf in any::<bool>(), answer in any::<bool>()) {
        let (style, halves, order) = STYLES[style];
        let end = if crlf { "\r\n" } else { "\n" };
        let write = |s: &Said| format!("{}{}: {}{end}", header(style, halves, s), s.who, s.text.replace('\n', end));
        let file: String = chat.iter().map(write).collect();
        let answers = Answers { date_order: answer.then_some(DateOrder::Mdy), ..Answers::default() };
        let got = import(&Memory::one("chat.txt", file.as_str()), &answers).unwrap();
        prop_assert_eq!(got.facts.date_order, order);
        prop_assert_eq!(got.lines.len(), chat.len(), "{}", file);
        const NEW_YEAR_MS: i64 = 1_704_067_200_000;
        for (line, said) in got.lines.iter().zip(&chat) {
            let second = NEW_YEAR_MS + i64::from(said.day * 86_400 + said.second) * 1000;
            prop_assert_eq!(line.unit, second - second % 60_000);
            prop_assert_eq!(line.seconds.map(u32::from), style.contains("{S}").then_some(said.second % 60));
            prop_assert_eq!(line.sender.as_deref(), Some(said.who));
            prop_assert_eq!(line.row.body().unwrap_or(""), said.text.as_str());
            prop_assert_eq!(&line.normal, &said.text);
        }
        let people: std::collections::BTreeSet<&str> = chat.iter().map(|s| s.who).collect();
        prop_assert!(got.reading.names.iter().map(String::as_str).eq(people));
    }
}
