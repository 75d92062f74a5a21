//! What WhatsApp itself writes into chats, in the languages we know. Everything here is compared folded
//! ([`super::marks::folded`]): lower case, no marks, no final full stop.
//!
//! A phrase missing here costs little: the text is then kept as a person's or a system line.

use crate::event::Role;

/// Whether a whole body says that its message was deleted.
pub(super) fn is_deleted(folded: &str) -> bool {
    DELETED.contains(&folded) || folded.starts_with("this message was deleted by admin")
}

/// Whether a mark `<…>` says that its message was edited.
pub(super) fn is_edited(folded: &str) -> bool {
    EDITED.contains(&folded)
}

/// Whether a text says that a file was left out.
pub(super) fn is_omission(folded: &str) -> bool {
    folded.chars().count() <= 48 && OMITTED_STEMS.iter().any(|stem| has_word(folded, stem))
}

/// What kind of file a text speaks of, if it names one.
pub(super) fn role_named(folded: &str) -> Option<Role> {
    ROLE_STEMS.iter().find(|(stem, _)| has_word(folded, stem)).map(|(_, role)| *role)
}

pub(super) fn is_attached(folded: &str) -> bool {
    ATTACHED.contains(&folded)
}

/// Whether a text that WhatsApp wrote speaks of a call.
pub(super) fn is_call(folded: &str) -> bool {
    folded.chars().count() <= 80 && CALL_STEMS.iter().any(|stem| folded.contains(stem))
}

pub(super) fn is_poll(folded: &str) -> bool {
    POLL.contains(&folded)
}

/// Whether a text that WhatsApp wrote speaks of a place shared live.
pub(super) fn is_live_location(folded: &str) -> bool {
    folded.chars().count() <= 80 && LIVE_LOCATION_STEMS.iter().any(|stem| folded.contains(stem))
}

/// Whether a body is the notice on encryption, which some exports put into a person's mouth.
pub(super) fn is_notice(folded: &str) -> bool {
    NOTICE_STARTS.iter().any(|start| folded.starts_with(start))
}

/// Whether a word of the text starts with the stem: "promise" holds no "omis". Scripts that write no spaces between
/// words are searched anywhere.
fn has_word(text: &str, stem: &str) -> bool {
    let spaceless = stem.starts_with(|c: char| c >= '\u{2e80}');
    text.match_indices(stem).any(|(at, _)| {
        let before = text.get(..at).and_then(|t| t.chars().next_back());
        spaceless || !before.is_some_and(char::is_alphabetic)
    })
}

#[rustfmt::skip]
const DELETED: &[&str] = &[
    "this message was deleted", "you deleted this message", "deleted this message",
    "diese nachricht wurde gelöscht", "du hast diese nachricht gelöscht", "sie haben diese nachricht gelöscht",
    "este mensaje fue eliminado", "se eliminó este mensaje", "eliminaste este mensaje", "elimínaste este mensaje",
    "ce message a été supprimé", "vous avez supprimé ce message", "tu as supprimé ce message",
    "questo messaggio è stato eliminato", "hai eliminato questo messaggio", "questo messaggio è stato cancellato",
    "mensagem apagada", "esta mensagem foi apagada", "essa mensagem foi apagada", "você apagou esta mensagem",
    "você apagou essa mensagem", "esta mensagem foi eliminada", "eliminou esta mensagem", "apagou esta mensagem",
    "dit bericht is verwijderd", "dit bericht werd verwijderd", "u hebt dit bericht verwijderd",
    "je hebt dit bericht verwijderd", "bu mesaj silindi", "bu mesajı sildiniz",
    "تم حذف هذه الرسالة", "لقد حذفت هذه الرسالة", "حذفت هذه الرسالة", "أنت حذفت هذه الرسالة",
    "это сообщение удалено", "сообщение удалено", "данное сообщение удалено", "вы удалили это сообщение",
    "вы удалили данное сообщение", "pesan ini telah dihapus", "pesan ini dihapus", "anda telah menghapus pesan ini",
    "anda menghapus pesan ini", "यह मैसेज हटा दिया गया", "यह संदेश हटा दिया गया", "आपने यह मैसेज हटा दिया",
    "आपने यह मैसेज डिलीट किया", "ta wiadomość została usunięta", "wiadomość została usunięta", "usunięto tę wiadomość",
    "det här meddelandet raderades", "detta meddelande raderades", "du raderade det här meddelandet",
    "du tog bort det här meddelandet", "denne besked blev slettet", "du slettede denne besked",
    "denne meldingen ble slettet", "du slettet denne meldingen", "tämä viesti poistettiin", "poistit tämän viestin",
    "tato zpráva byla odstraněna", "це повідомлення видалено", "ви видалили це повідомлення", "הודעה זו נמחקה",
    "מחקת הודעה זו", "このメッセージは削除されました", "삭제된 메시지입니다", "이 메시지가 삭제되었습니다", "此消息已删除",
    "您已删除此消息", "你已刪除這則訊息", "這則訊息已刪除", "acest mesaj a fost șters", "ai șters acest mesaj",
    "αυτό το μήνυμα διαγράφηκε", "διαγράψατε αυτό το μήνυμα", "ezt az üzenetet törölték", "törölted ezt az üzenetet",
    "این پیام حذف شد", "tin nhắn này đã bị xóa", "bạn đã xóa tin nhắn này", "mesej ini telah dipadamkan",
];

#[rustfmt::skip]
const EDITED: &[&str] = &[
    "this message was edited", "diese nachricht wurde bearbeitet", "se editó este mensaje", "este mensaje fue editado",
    "ce message a été modifié", "questo messaggio è stato modificato", "mensagem editada", "esta mensagem foi editada",
    "essa mensagem foi editada", "dit bericht is bewerkt", "dit bericht werd bewerkt", "bu mesaj düzenlendi",
    "تم تعديل هذه الرسالة", "сообщение изменено", "данное сообщение изменено", "это сообщение изменено",
    "это сообщение отредактировано", "pesan ini diedit", "pesan ini telah diedit", "यह मैसेज एडिट किया गया",
    "यह संदेश संपादित किया गया", "ta wiadomość została zedytowana", "wiadomość edytowana", "det här meddelandet redigerades",
    "denne besked blev redigeret", "denne meldingen ble redigert", "tätä viestiä muokattiin", "tato zpráva byla upravena",
    "це повідомлення відредаговано", "הודעה זו נערכה", "このメッセージは編集されました", "편집된 메시지입니다", "此消息已编辑",
    "這則訊息已編輯", "acest mesaj a fost editat", "αυτό το μήνυμα τροποποιήθηκε", "ezt az üzenetet szerkesztették",
    "این پیام ویرایش شد", "tin nhắn này đã được chỉnh sửa", "mesej ini telah disunting",
];

#[rustfmt::skip]
const ATTACHED: &[&str] = &[
    "attached", "file attached", "anhang", "angehängt", "datei angehängt", "adjunto", "archivo adjunto", "pièce jointe",
    "fichier joint", "joint", "allegato", "file allegato", "anexado", "anexo", "arquivo anexado", "ficheiro anexado",
    "bijgevoegd", "bijlage", "bestand bijgevoegd", "eklendi", "ekli", "dosya ekli", "dosya eklendi", "مرفق", "الملف مرفق",
    "ملف مرفق", "прикреплено", "прикреплён", "файл добавлен", "файл прикреплён", "файл прикреплен", "вложение", "terlampir",
    "dilampirkan", "file terlampir", "berkas terlampir", "फ़ाइल अटैच की गई है", "संलग्न", "załączono", "załącznik", "plik w załączniku",
    "załączono plik", "bifogad", "bifogad fil", "vedhæftet", "fil vedhæftet", "vedlagt", "fil vedlagt", "liite",
    "tiedosto liitteenä", "přiloženo", "soubor přiložen", "файл додано", "прикріплено", "מצורף", "קובץ מצורף", "添付ファイル", "添付",
    "첨부파일", "첨부됨", "파일 첨부됨", "附件", "文件附件", "檔案附件", "附加檔案", "atașat", "fișier atașat", "συνημμένο",
    "συνημμένο αρχείο", "csatolva", "csatolt fájl", "پیوست", "فایل پیوست شد", "đính kèm", "tệp đính kèm", "dilampirkan fail",
];

#[rustfmt::skip]
const OMITTED_STEMS: &[&str] = &[
    "omitted", "weggelassen", "ausgelassen", "ausgeschlossen", "omitid", "omis", "absent", "retiré", "manquant",
    "non inclus", "omess", "esclus", "ocult", "não revelad", "weggelaten", "verwijderd", "dahil edilmedi",
    "atlandı", "استبعاد", "محذوف", "لم يتم تضمين", "غير متضمن", "غير مضمن", "без медиафайлов", "отсутству", "пропущен",
    "не добавлен", "tidak disertakan", "dihilangkan", "dikecualikan", "छोड़", "के बिना", "शामिल नहीं", "pominięt", "utelämn",
    "udelad", "utelatt", "jätett", "vynechán", "без медіа", "לא נכלל", "הושמט",
    "含まれていません", "除外", "省略", "忽略", "略過", "제외", "생략", "παράλειψη", "εξαίρεση", "kihagyva", "hiányzó",
    "حذف شد", "bỏ qua", "disingkirkan",
];

#[rustfmt::skip]
const ROLE_STEMS: &[(&str, Role)] = &[
    ("gif", Role::Gif),
    ("sticker", Role::Sticker), ("figurinha", Role::Sticker), ("çıkartma", Role::Sticker), ("стикер", Role::Sticker),
    ("stiker", Role::Sticker), ("ملصق", Role::Sticker), ("autocollant", Role::Sticker), ("स्टिकर", Role::Sticker),
    ("video", Role::Video), ("vídeo", Role::Video), ("vidéo", Role::Video), ("видео", Role::Video), ("فيديو", Role::Video),
    ("वीडियो", Role::Video), ("wideo", Role::Video), ("відео", Role::Video),
    ("audio", Role::Voice), ("áudio", Role::Voice), ("аудио", Role::Voice), ("аудіо", Role::Voice), ("ses ", Role::Voice),
    ("voice", Role::Voice), ("صوت", Role::Voice), ("ऑडियो", Role::Voice), ("dźwięk", Role::Voice), ("sprachnachricht", Role::Voice),
    ("contact", Role::Contact), ("kontakt", Role::Contact), ("contatto", Role::Contact), ("contato", Role::Contact),
    ("kartvizit", Role::Contact), ("контакт", Role::Contact), ("kontak", Role::Contact), ("جهة", Role::Contact),
    ("image", Role::Photo), ("imagen", Role::Photo), ("immagine", Role::Photo), ("imagem", Role::Photo), ("bild", Role::Photo),
    ("afbeelding", Role::Photo), ("görüntü", Role::Photo), ("изображение", Role::Photo), ("зображення", Role::Photo),
    ("gambar", Role::Photo), ("صورة", Role::Photo), ("الصورة", Role::Photo), ("foto", Role::Photo), ("photo", Role::Photo),
    ("obraz", Role::Photo), ("चित्र", Role::Photo),
    ("document", Role::File), ("dokument", Role::File), ("belge", Role::File), ("документ", Role::File),
    ("dokumen", Role::File), ("مستند", Role::File), ("दस्तावेज़", Role::File), ("media", Role::File), ("file", Role::File),
];

#[rustfmt::skip]
const CALL_STEMS: &[&str] = &[
    "voice call", "video call", "missed call", "group call", "sprachanruf", "videoanruf", "verpasster anruf",
    "llamada de voz", "videollamada", "llamada perdida", "appel vocal", "appel vidéo", "appel manqué", "chiamata vocale",
    "videochiamata", "chiamata persa", "chamada de voz", "chamada de vídeo", "ligação de voz", "ligação de vídeo",
    "chamada perdida", "ligação perdida", "spraakoproep", "video-oproep", "videogesprek", "spraakgesprek", "gemiste oproep",
    "sesli arama", "görüntülü arama", "cevapsız arama", "аудиозвонок", "видеозвонок", "пропущенный звонок",
    "panggilan suara", "panggilan video", "مكالمة صوتية", "مكالمة فيديو", "مكالمة فائتة", "वॉइस कॉल", "वीडियो कॉल",
    "połączenie głosowe", "połączenie wideo", "röstsamtal", "videosamtal", "taleopkald", "videoopkald", "taleanrop",
    "videoanrop", "äänipuhelu", "videopuhelu", "hlasový hovor", "videohovor", "аудіодзвінок", "відеодзвінок", "שיחה קולית",
    "שיחת וידאו", "音声通話", "ビデオ通話", "음성통화", "영상통화", "语音通话", "视频通话", "語音通話", "視訊通話", "apel vocal",
    "apel video", "hanghívás", "videóhívás",
];

#[rustfmt::skip]
const POLL: &[&str] = &[
    "poll:", "umfrage:", "encuesta:", "sondage:", "sondaggio:", "enquete:", "sondagem:", "peiling:", "anket:", "опрос:",
    "استطلاع:", "استطلاع رأي:", "polling:", "jajak pendapat:", "पोल:", "ankieta:", "omröstning:", "afstemning:",
    "avstemning:", "kysely:", "äänestys:", "anketa:", "опитування:", "סקר:", "アンケート:", "投票:", "投票：", "투표:", "sondaj:",
    "ψηφοφορία:", "szavazás:", "نظرسنجی:", "cuộc thăm dò ý kiến:", "undian:",
];

#[rustfmt::skip]
const LIVE_LOCATION_STEMS: &[&str] = &[
    "live location", "live-standort", "ubicación en tiempo real", "localisation en direct", "posizione in tempo reale",
    "posizione attuale", "localização em tempo real", "livelocatie", "live locatie", "canlı konum", "геоданные", "lokasi terkini",
    "الموقع المباشر",
];

#[rustfmt::skip]
const NOTICE_STARTS: &[&str] = &[
    "messages and calls are end-to-end encrypted", "messages to this chat and calls are now secured",
    "messages you send to this chat and calls are now secured", "messages to this group are now secured",
    "nachrichten und anrufe sind ende-zu-ende", "los mensajes y las llamadas están cifrados",
    "les messages et les appels sont chiffrés", "i messaggi e le chiamate sono crittografati",
    "as mensagens e as chamadas são protegidas", "as mensagens e ligações são protegidas", "berichten en oproepen worden end-to-end",
    "mesajlar ve aramalar uçtan uca", "сообщения и звонки защищены", "pesan dan panggilan terenkripsi",
    "الرسائل والمكالمات مشفرة",
];

#[cfg(test)]
mod tests {
    use super::super::marks::folded;
    use super::*;

    #[test]
    fn tables_are_folded() {
        for table in [DELETED, EDITED, ATTACHED, OMITTED_STEMS, CALL_STEMS, LIVE_LOCATION_STEMS, NOTICE_STARTS, POLL] {
            for entry in table {
                assert_eq!(folded(entry), *entry, "would never be found");
            }
        }
    }

    #[test]
    fn omissions_in_the_promised_languages() {
        for text in [
            "Media omitted",
            "Medien ausgeschlossen",
            "Medien ausgelassen",
            "Multimedia omitido",
            "Médias omis",
            "Media omessi",
            "Mídia oculta",
            "Media weggelaten",
            "Medya dahil edilmedi",
            "تم استبعاد الوسائط",
            "Без медиафайлов",
            "Media tidak disertakan",
        ] {
            assert!(is_omission(&folded(text)), "{text}");
        }
        for (text, role) in [
            ("image omitted", Role::Photo),
            ("Bild weggelassen", Role::Photo),
            ("Video omitido", Role::Video),
            ("audio omis", Role::Voice),
            ("GIF esclusa", Role::Gif),
            ("figurinha omitida", Role::Sticker),
            ("document weggelaten", Role::File),
            ("görüntü dahil edilmedi", Role::Photo),
            ("видео отсутствует", Role::Video),
            ("stiker tidak disertakan", Role::Sticker),
            ("Contact card omitted", Role::Contact),
        ] {
            assert!(is_omission(&folded(text)), "{text}");
            assert_eq!(role_named(&folded(text)), Some(role), "{text}");
        }
    }

    #[test]
    fn words_that_only_hold_a_stem_say_nothing() {
        for text in ["video promise", "foto comisión", "image promesse"] {
            assert!(!is_omission(&folded(text)), "{text}");
        }
    }

    #[test]
    #[rustfmt::skip]
    fn deletions_editions_and_attachments_in_the_promised_languages() {
        let deleted = [
            "You deleted this message", "Du hast diese Nachricht gelöscht.", "Se eliminó este mensaje.",
            "Ce message a été supprimé", "Questo messaggio è stato eliminato.", "Mensagem apagada", "Dit bericht is verwijderd",
            "Bu mesaj silindi", "تم حذف هذه الرسالة", "Сообщение удалено", "Pesan ini telah dihapus",
        ];
        let edited = [
            "This message was edited", "Diese Nachricht wurde bearbeitet.", "Se editó este mensaje.",
            "Ce message a été modifié", "Questo messaggio è stato modificato", "Mensagem editada", "Dit bericht is bewerkt",
            "Bu mesaj düzenlendi", "تم تعديل هذه الرسالة", "Сообщение изменено", "Pesan ini diedit",
        ];
        let attached = [
            "file attached", "Datei angehängt", "archivo adjunto", "fichier joint", "file allegato", "arquivo anexado",
            "bestand bijgevoegd", "dosya ekli", "الملف مرفق", "файл добавлен", "file terlampir",
        ];
        assert!(deleted.iter().all(|t| is_deleted(&folded(t))));
        assert!(edited.iter().all(|t| is_edited(&folded(t))));
        assert!(attached.iter().all(|t| is_attached(&folded(t))));
    }

    #[test]
    fn deletions_are_no_omissions_of_files() {
        for text in ["This message was deleted.", "Diese Nachricht wurde gelöscht.", "تم حذف هذه الرسالة"]
        {
            assert!(is_deleted(&folded(text)), "{text}");
        }
    }
}
