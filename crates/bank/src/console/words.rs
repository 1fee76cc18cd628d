//! The console's words, both languages side by side.

use axum::http::{HeaderMap, header};

/// What a page is written in.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) enum Language {
    #[default]
    Chinese,
    English,
}

/// Cookie that holds a choice.
pub(super) const COOKIE: &str = "tapfill-language";

impl Language {
    /// As chosen, or as the browser prefers.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let chosen = super::guard::cookie(headers, COOKIE);
        if let Some(language) = chosen.and_then(|tag| Self::parse(&tag)) {
            return language;
        }
        let preferred = headers.get(header::ACCEPT_LANGUAGE);
        let preferred = preferred.and_then(|value| value.to_str().ok());
        let mut tags = preferred.unwrap_or_default().split(',');
        tags.find_map(|tag| Self::parse(tag.split(['-', ';']).next()?.trim()))
            .unwrap_or_default()
    }

    pub(super) fn parse(tag: &str) -> Option<Self> {
        match tag.get(..2)? {
            "zh" => Some(Self::Chinese),
            "en" => Some(Self::English),
            _ => None,
        }
    }

    pub(super) fn tag(self) -> &'static str {
        match self {
            Self::Chinese => "zh-CN",
            Self::English => "en",
        }
    }

    pub(super) fn other(self) -> Self {
        match self {
            Self::Chinese => Self::English,
            Self::English => Self::Chinese,
        }
    }

    /// The word in this language.
    pub(super) fn say(self, english: &'static str, chinese: &'static str) -> &'static str {
        match self {
            Self::Chinese => chinese,
            Self::English => english,
        }
    }

    pub(super) fn phase(self, phase: &str) -> &'static str {
        match phase {
            "requested" => self.say("requested", "已申请"),
            "authorised" => self.say("authorised", "已授权"),
            "issued" => self.say("issued", "已下发"),
            "in-doubt" => self.say("in doubt", "待核实"),
            "manual" => self.say("waits for people", "待人工处理"),
            "confirmed" => self.say("on the card", "已到卡"),
            "reversed" => self.say("given back", "已退回"),
            "declined" => self.say("declined", "已拒绝"),
            "voided" => self.say("void", "已作废"),
            "written-off" => self.say("written off", "已核销"),
            _ => self.say("unknown", "未知"),
        }
    }

    pub(super) fn proof(self, proof: &str) -> &'static str {
        match proof {
            "tac" => self.say("the card's TAC", "卡片 TAC"),
            "counter" => self.say("the card's counter", "卡片计数器"),
            "operators" => self.say("two operators", "两名操作员"),
            "enable-flag" => self.say("the card's flag", "卡片启用标志"),
            "no-money" => self.say("no money was due", "不涉及资金"),
            _ => "",
        }
    }

    pub(super) fn why(self, why: &str) -> &'static str {
        match why {
            "silence" => self.say("nothing was heard of the card", "卡片没有回应"),
            "bad-tac" => self.say("its TAC is wrong", "TAC 校验不符"),
            "card-refused" => self.say("the card refused", "卡片拒绝写入"),
            "torn" => self.say("the card was torn off", "卡片中途移开"),
            "counter-below" => self.say("its counter went back", "卡片计数器倒退"),
            "counter-above" => self.say("somebody else loaded it", "卡片被别处充值过"),
            "contradiction" => self.say("counter and balance contradict", "计数器与余额矛盾"),
            "dead-attempt" => self.say("a dead attempt came back", "已失效的下发又出现"),
            "lost-card" => self.say("the card is lost", "卡片已丢失"),
            "too-old" => self.say("in doubt for too long", "待核实时间过长"),
            _ => "",
        }
    }

    pub(super) fn resolution(self, name: &str) -> &'static str {
        match name {
            "loaded" => self.say("the card has it", "款已到卡"),
            "refund" => self.say("give the money back", "退回客户"),
            "write-off" => self.say("write it off", "核销"),
            _ => "",
        }
    }

    pub(super) fn kind(self, kind: &str) -> &'static str {
        match kind {
            "top-up" => self.say("top-up", "充值"),
            "activation" => self.say("activation", "激活"),
            _ => "",
        }
    }

    pub(super) fn transfer(self, kind: &str) -> &'static str {
        match kind {
            "deposit" => self.say("deposit", "存入"),
            "debit" => self.say("debit", "扣款"),
            "credit" => self.say("credit to the card", "记入卡片"),
            "refund" => self.say("refund", "退款"),
            "write-off" => self.say("write-off", "核销"),
            "withdrawal" => self.say("back to the core banking host", "退回核心系统"),
            "queue-debit" => self.say("paid for a queue", "批次付款"),
            "queue-refund" => self.say("back from a queue", "批次退回"),
            _ => "",
        }
    }

    pub(super) fn terminal(self, state: &str) -> &'static str {
        match state {
            "active" => self.say("active", "正常"),
            "revoked" => self.say("revoked", "已停用"),
            "replaced" => self.say("replaced", "已被替换"),
            _ => "",
        }
    }
}

/// `¥1,234.50`.
pub(super) fn yuan(fen: i64) -> String {
    let sign = if fen < 0 { "-" } else { "" };
    let (whole, rest) = (fen.unsigned_abs() / 100, fen.unsigned_abs() % 100);
    let digits = whole.to_string();
    let mut grouped = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    format!("{sign}¥{grouped}.{rest:02}")
}

/// `2026-11-23 18:00:00` in China.
pub(super) fn at(ms: i64) -> String {
    let offset_ms = 8 * 3_600_000;
    let timestamp = jiff::Timestamp::from_millisecond(ms.saturating_add(offset_ms));
    let Ok(timestamp) = timestamp else {
        return String::new();
    };
    let local = jiff::tz::Offset::UTC.to_datetime(timestamp);
    format!(
        "{:04}-{:02}-{:02} {:02}:{:02}:{:02}",
        local.year(),
        local.month(),
        local.day(),
        local.hour(),
        local.minute(),
        local.second()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_and_times_are_as_people_write_them() {
        assert_eq!(yuan(0), "¥0.00");
        assert_eq!(yuan(12_345_605), "¥123,456.05");
        assert_eq!(yuan(-100_000), "-¥1,000.00");
        assert_eq!(at(1_795_428_000_000), "2026-11-23 18:00:00");
    }

    #[test]
    fn a_choice_wins_over_the_browsers_language_and_chinese_over_nothing() {
        let headers = |cookie: &str, accept: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::COOKIE, cookie.parse().unwrap());
            headers.insert(header::ACCEPT_LANGUAGE, accept.parse().unwrap());
            Language::of(&headers)
        };
        assert_eq!(headers("tapfill-language=en", "zh-CN"), Language::English);
        assert_eq!(headers("", "fr, en-GB;q=0.8, zh"), Language::English);
        assert_eq!(headers("", "zh-CN,zh;q=0.9,en;q=0.8"), Language::Chinese);
        assert_eq!(headers("", "fr"), Language::Chinese);
    }

    #[test]
    fn every_phase_has_its_words() {
        for phase in ledger::Phase::ALL {
            for language in [Language::Chinese, Language::English] {
                assert_ne!(
                    language.phase(phase.name()),
                    language.phase(""),
                    "{phase:?}"
                );
            }
        }
    }
}
