//! Books that are made wrong on purpose, and the rules that must find it, on either engine.

use bank::Finding;

/// How they are made wrong, how that is mended, and the rules that must find it.
pub(crate) type Harm = (&'static str, &'static str, &'static [&'static str]);

/// For books with one load of 50 yuan that is on its card, the triggers of [`TRIGGERS_GONE`] out of the way.
pub(crate) const HARMS: [Harm; 13] = [
    (
        "UPDATE account SET balance = balance + 1 WHERE name LIKE 'card-float:%'",
        "UPDATE account SET balance = balance - 1 WHERE name LIKE 'card-float:%'",
        &["I2", "I4"],
    ),
    (
        "UPDATE load SET proof = NULL",
        "UPDATE load SET proof = 'tac'",
        &["I10"],
    ),
    (
        "UPDATE load SET proof = 'operators', operators = 2",
        "UPDATE load SET proof = 'tac', operators = 0",
        &["I10"],
    ),
    (
        "UPDATE load SET phase = 'voided'",
        "UPDATE load SET phase = 'confirmed'",
        &["I7", "I11", "I13"],
    ),
    (
        "UPDATE load SET phase = 'issued'",
        "UPDATE load SET phase = 'confirmed'",
        &["I8", "I11", "I13"],
    ),
    (
        "UPDATE load SET phase = 'reversed'",
        "UPDATE load SET phase = 'confirmed'",
        &["I10", "I11", "I13"],
    ),
    (
        "UPDATE load SET amount = 4999",
        "UPDATE load SET amount = 5000",
        &["I9"],
    ),
    (
        "UPDATE sms_code SET spent_ms = NULL",
        "UPDATE sms_code SET spent_ms = 1",
        &["I15"],
    ),
    (
        "UPDATE card SET counter_seen = -1",
        "UPDATE card SET counter_seen = 99",
        &["I16"],
    ),
    (
        "UPDATE reply SET step = step + 10",
        "UPDATE reply SET step = step - 10",
        &["I12"],
    ),
    (
        "UPDATE entry SET amount = amount + 1 WHERE id = 3",
        "UPDATE entry SET amount = amount - 1 WHERE id = 3",
        &["I1", "I4", "I9"],
    ),
    (
        "UPDATE entry SET account = (SELECT name FROM account WHERE name LIKE 'in-transit:%' AND name IN (SELECT account FROM entry))
         WHERE id = 6",
        "UPDATE entry SET account = (SELECT name FROM account WHERE name LIKE 'card-float:%' AND balance <> 0)
         WHERE id = 6",
        &["I4", "I8"],
    ),
    // The audit log can't be mended: it comes last.
    (
        "UPDATE audit SET detail = '{}' WHERE kind = 'load-moved'",
        "",
        &["I18"],
    ),
];

/// What is found before any harm.
pub(crate) const TRIGGERS_GONE: [&str; 3] = [
    "trigger audit_stays",
    "trigger entry_stays",
    "trigger reply_stays",
];

pub(crate) fn places(findings: &[Finding]) -> Vec<&str> {
    findings.iter().map(|it| it.place.as_str()).collect()
}

/// Each of `rules` has found the harm; the ones about a load name it.
pub(crate) fn finds(findings: &[Finding], harm: &str, rules: &[&str], reference: &str) {
    for rule in rules {
        let mut of_rule = findings.iter().filter(|it| it.rule == *rule).peekable();
        assert!(
            of_rule.peek().is_some(),
            "{harm}: {rule} not in {findings:?}"
        );
        let of_no_load = ["I2", "I4", "I18"].contains(rule);
        assert!(
            of_no_load || of_rule.any(|finding| finding.place.contains(reference)),
            "{harm}: {rule} names no load: {findings:?}"
        );
    }
}
