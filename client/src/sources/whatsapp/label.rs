//! What a chat is called, by the name of its file.

/// Takes the chat's name out of a file's or archive's name: `WhatsApp Chat with Ana.txt`, `WhatsApp Chat - Ana.zip`.
/// Absent where the name tells nothing (`_chat.txt`).
pub fn label(path: &str) -> Option<String> {
    let name = path.rsplit('/').next().unwrap_or(path);
    let stem = name.rsplit_once('.').filter(|(_, e)| matches!(*e, "txt" | "zip")).map_or(name, |(stem, _)| stem).trim();
    if stem.is_empty() || stem == "_chat" {
        return None;
    }
    let known = BEFORE.iter().find_map(|b| strip(stem, b)).or_else(|| AFTER.iter().find_map(|a| stem.strip_suffix(a)));
    let label = known.unwrap_or(stem).trim();
    (!label.is_empty()).then(|| label.to_owned())
}

fn strip<'a>(stem: &'a str, before: &str) -> Option<&'a str> {
    let head = stem.get(..before.len())?;
    (head.to_lowercase() == before.to_lowercase()).then(|| stem.get(before.len()..)).flatten()
}

const BEFORE: &[&str] = &[
    "WhatsApp Chat with ",
    "WhatsApp Chat - ",
    "WhatsApp-Chat mit ",
    "WhatsApp Chat mit ",
    "Chat de WhatsApp con ",
    "Discussion WhatsApp avec ",
    "Chat WhatsApp con ",
    "Conversa do WhatsApp com ",
    "WhatsApp-chat met ",
    "WhatsApp-gesprek met ",
    "Чат WhatsApp с контактом ",
    "Чат WhatsApp с ",
    "Чат WhatsApp з ",
    "Chat WhatsApp dengan ",
    "دردشة واتساب مع ",
    "محادثة واتساب مع ",
    "Czat WhatsApp z ",
    "WhatsApp-chatt med ",
    "WhatsApp-chat med ",
    "WhatsApp-keskustelu ",
    "WhatsApp chat s ",
    "Discuție WhatsApp cu ",
    "Trò chuyện WhatsApp với ",
];

const AFTER: &[&str] = &[
    " ile WhatsApp Sohbeti",
    " ile WhatsApp sohbeti",
    "とのWhatsAppチャット",
    "님과의 WhatsApp 대화",
    " के साथ WhatsApp चैट",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_of_file_names() {
        assert_eq!(label("WhatsApp Chat with Ubuntu help.txt").as_deref(), Some("Ubuntu help"));
        assert_eq!(label("x/WhatsApp Chat - Ana.zip").as_deref(), Some("Ana"));
        assert_eq!(label("Conversa do WhatsApp com Ana.txt").as_deref(), Some("Ana"));
        assert_eq!(label("Ana ile WhatsApp Sohbeti.txt").as_deref(), Some("Ana"));
        assert_eq!(label("notes.txt").as_deref(), Some("notes"));
        assert_eq!(label("a/_chat.txt"), None);
        assert_eq!(label(".txt"), None);
    }
}
