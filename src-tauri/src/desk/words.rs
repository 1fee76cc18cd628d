//! The few words that are not on the page: `shell` in `ui/messages`, taken over by the build script.

use ipc::Language;

pub(super) struct Words {
    pub(super) app_name: &'static str,
    pub(super) open: &'static str,
    pub(super) quit: &'static str,
    pub(super) notice_title: &'static str,
    pub(super) notice_text: &'static str,
}

include!(concat!(env!("OUT_DIR"), "/words.rs"));

pub(super) fn of(language: Language) -> &'static Words {
    match language {
        Language::ZhCn => &ZH_CN,
        Language::ZhTw => &ZH_TW,
        Language::En => &EN,
        Language::System => of_system(sys_locale::get_locales()),
    }
}

/// As the page chooses: the first of the system's languages that there are words for, Chinese in either script.
fn of_system(wanted: impl Iterator<Item = String>) -> &'static Words {
    let mut any = false;
    for tag in wanted {
        any = true;
        let parts: Vec<&str> = tag.split(['-', '_', '.', '@']).collect();
        let traditional = |part: &&str| ["Hant", "TW", "HK", "MO"].contains(part);
        match parts.first() {
            Some(&"zh") if parts.iter().any(traditional) => return &ZH_TW,
            Some(&"zh") => return &ZH_CN,
            Some(&"en") => return &EN,
            Some(_) | None => {}
        }
    }
    if any { &EN } else { &ZH_CN }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(tags: &[&str]) -> &'static str {
        of_system(tags.iter().map(|tag| (*tag).to_owned())).app_name
    }

    #[test]
    fn the_system_speaks_in_the_language_of_the_page() {
        for tags in [&["zh-CN"][..], &["zh-Hans-SG"], &["fr-FR", "zh"], &[]] {
            assert_eq!(chosen(tags), ZH_CN.app_name, "{tags:?}");
        }
        for tags in [&["zh-TW"][..], &["zh-Hant"], &["zh_HK.UTF-8", "en"]] {
            assert_eq!(chosen(tags), ZH_TW.app_name, "{tags:?}");
        }
        for tags in [&["en-GB"][..], &["fr-FR"], &["C"]] {
            assert_eq!(chosen(tags), EN.app_name, "{tags:?}");
        }
    }

    #[test]
    fn a_notice_has_room_for_its_amount_in_every_language() {
        for words in [&ZH_CN, &ZH_TW, &EN] {
            assert!(words.notice_text.contains("{amount}"), "{}", words.app_name);
        }
    }
}
