//! Advice: what the format allows and an author hardly means.

use std::collections::BTreeSet;

use industry::Position;
use relay::Operation;
use serde_json::Value;

use crate::anatomy::Anatomy;
use crate::scaffold::PLACEHOLDER;

/// The phases that the bank's schemes ask for (docs/industry-packages.md).
const OF_SCHEMES: [&str; 8] = [
    "prove",
    "load",
    "refund",
    "credit",
    "credit_twice",
    "enable",
    "unblock",
    "set_limit",
];

#[derive(Debug)]
pub(crate) struct Advice {
    pub(crate) position: Position,
    pub(crate) text: String,
}

/// All advice for a good package, from top to bottom.
pub(crate) fn advice(anatomy: &Anatomy) -> Vec<Advice> {
    let mut found = Vec::new();
    let mut say = |at: &str, text: String| {
        let position = industry::position_of(&anatomy.text, at, "");
        let text = format!("{at}: {text}");
        found.push(Advice { position, text });
    };
    unused(anatomy, &mut say);
    applications(anatomy, &mut say);
    screen(anatomy, &mut say);
    transactions(anatomy, &mut say);
    probes(anatomy, &mut say);
    found.sort_by_key(|advice| advice.position);
    found
}

type Say<'a> = dyn FnMut(&str, String) + 'a;

/// Names that nothing uses.
fn unused(anatomy: &Anatomy, say: &mut Say<'_>) {
    let mut used = BTreeSet::new();
    for group in ["dol", "card", "commands", "phases"] {
        let group = anatomy.json.get(group);
        group.into_iter().for_each(|group| words(group, &mut used));
    }
    let mut taken = BTreeSet::new();
    for (_, command) in anatomy.members("commands") {
        let take = command.get("take").and_then(Value::as_object);
        taken.extend(take.into_iter().flatten().map(|(name, _)| name.clone()));
    }
    for (group, kind) in [("constants", "constant"), ("fields", "field")] {
        for (name, _) in anatomy.members(group) {
            let at = format!("{group}.{name}");
            match (used.contains(name), taken.contains(name)) {
                (false, false) => say(&at, format!("a {kind} that nothing uses")),
                (false, true) => say(&at, "is read from the card, and nothing uses it".to_owned()),
                (true, _) => {}
            }
        }
    }
    let mut run = BTreeSet::new();
    for (_, phase) in anatomy.members("phases") {
        phase
            .get("steps")
            .into_iter()
            .for_each(|steps| words(steps, &mut run));
    }
    for (name, _) in anatomy.members("commands") {
        if !run.contains(name) {
            say(&format!("commands.{name}"), "no phase runs it".to_owned());
        }
    }
}

/// Every name in the strings of a value; the names of its members are not meant.
fn words(value: &Value, into: &mut BTreeSet<String>) {
    match value {
        Value::String(text) => {
            let parts = text.split(|sign: char| !(sign.is_ascii_alphanumeric() || sign == '_'));
            into.extend(parts.map(str::to_owned));
        }
        Value::Array(values) => values.iter().for_each(|value| words(value, into)),
        Value::Object(members) => members.values().for_each(|value| words(value, into)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// What is selected, and what is listed: a phone lets an app speak to listed applications alone.
fn applications(anatomy: &Anatomy, say: &mut Say<'_>) {
    let listed: Vec<String> = anatomy.package.aids().map(hex::encode_upper).collect();
    let mut selected = BTreeSet::new();
    for (name, command) in anatomy.members("commands") {
        let Some(send) = command["send"].as_str() else {
            continue;
        };
        let Some(aid) = selected_by(anatomy, send) else {
            continue;
        };
        if !listed.contains(&aid) {
            let text = format!("selects {aid}, which is not in `aids`: no iPhone will");
            say(&format!("commands.{name}.send"), text);
        }
        selected.insert(aid);
    }
    for aid in &listed {
        if !selected.contains(aid) {
            say("aids", format!("no command selects {aid}"));
        }
        if aid.starts_with(PLACEHOLDER) {
            say(
                "aids",
                format!("{aid} is the scaffold's: put your card's own"),
            );
        }
    }
}

/// The name that a SELECT by name carries.
fn selected_by(anatomy: &Anatomy, send: &str) -> Option<String> {
    let mut send = send.replace(' ', "");
    for (name, constant) in anatomy.members("constants") {
        send = send.replace(&format!("{{{name}}}"), constant.as_str()?);
    }
    let bytes = hex::decode(send).ok()?;
    let (head, rest) = bytes.split_at_checked(4)?;
    let (&length, rest) = rest.split_first()?;
    let aid = rest.get(..length.into())?;
    (head.get(..3)? == [0x00, 0xA4, 0x04]).then(|| hex::encode_upper(aid))
}

fn screen(anatomy: &Anatomy, say: &mut Say<'_>) {
    let loads = has(anatomy, Operation::TopUp);
    for (member, needed, why) in [
        (
            "number",
            true,
            "the screen and the bank can't tell cards apart",
        ),
        ("balance", true, "the screen shows none"),
        (
            "expiry",
            loads,
            "the screen shows none, and nothing refuses an expired card",
        ),
        ("active", loads, "every card passes for active"),
        ("log", false, ""),
    ] {
        if needed && anatomy.member("card", member).is_none() {
            say("card", format!("no `{member}`: {why}"));
        }
    }
}

fn has(anatomy: &Anatomy, operation: Operation) -> bool {
    anatomy.package.operations().any(|it| it == operation)
}

fn transactions(anatomy: &Anatomy, say: &mut Say<'_>) {
    if anatomy.package.reads_only() {
        return;
    }
    for (operation, phase, without) in [
        (Operation::TopUp, "open_topup", "no card can be loaded"),
        (
            Operation::ReTopUp,
            "open_resume",
            "a load that is torn is never finished",
        ),
        (
            Operation::Activation,
            "open_activate",
            "no card can be activated",
        ),
    ] {
        if !has(anatomy, operation) {
            say("phases", format!("no `{phase}`: {without}"));
        }
    }
    for (name, phase) in anatomy.members("phases") {
        if phase["bank"] == true && !OF_SCHEMES.contains(&name) {
            let text = "no scheme of the bank asks for this phase".to_owned();
            say(&format!("phases.{name}"), text);
        }
    }
    let names_other_kind = anatomy
        .members("commands")
        .any(|(_, command)| command["on"].to_string().contains("card-not-supported"));
    if !names_other_kind {
        let text =
            "no status word leads to `card-not-supported`: other kinds of card are not told apart";
        say("commands", text.to_owned());
    }
}

fn probes(anatomy: &Anatomy, say: &mut Say<'_>) {
    if anatomy.package.reads_only() {
        return;
    }
    let commands = anatomy.members("commands");
    let probes: Vec<&str> = commands
        .filter(|(_, command)| command["probe"] == true)
        .map(|(name, _)| name)
        .collect();
    if probes.is_empty() {
        let text = "none is a `probe`: the contact is not measured before money moves";
        return say("commands", text.to_owned());
    }
    for phase in ["open_topup", "open_resume"] {
        let Some(steps) = anatomy.member("phases", phase) else {
            continue;
        };
        let mut run = BTreeSet::new();
        words(&steps["steps"], &mut run);
        if !probes.iter().any(|probe| run.contains(*probe)) {
            let text = "runs no `probe`: the contact is not measured".to_owned();
            say(&format!("phases.{phase}"), text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(changes: &[(&str, &str)]) -> Vec<String> {
        let mut text = industries::ALL[0].1.to_owned();
        for (from, to) in changes {
            assert!(text.contains(from), "the package has {from}");
            text = text.replacen(from, to, 1);
        }
        let anatomy = Anatomy::parse(&text).unwrap_or_else(|why| panic!("{why}"));
        let lines = advice(&anatomy).into_iter();
        lines
            .map(|it| format!("{}: {}", it.position, it.text))
            .collect()
    }

    #[test]
    fn shipped_packages_need_no_advice() {
        for (name, text) in industries::ALL {
            let anatomy = Anatomy::parse(text).unwrap_or_else(|why| panic!("{why}"));
            let found: Vec<String> = advice(&anatomy).into_iter().map(|it| it.text).collect();
            assert_eq!(found, Vec::<String>::new(), "{name}");
        }
    }

    #[test]
    fn what_nothing_uses_is_named_with_its_place() {
        let found = told(&[
            (
                r#""aid": "A00000000386980701" }"#,
                r#""aid": "A00000000386980701", "pin": "1234" }"#,
            ),
            (
                r#""tac": { "length": 4 }"#,
                r#""tac": { "length": 4 }, "spare": { "length": 4 }"#,
            ),
        ]);
        assert_eq!(
            found,
            [
                "10:47: constants.pin: a constant that nothing uses",
                "40:29: fields.spare: a field that nothing uses"
            ]
        );
        let found = told(&[(r#""optional": ["log", "uid"]"#, r#""optional": ["uid"]"#)]);
        assert_eq!(found, Vec::<String>::new(), "the card's map names the log");
    }

    #[test]
    fn a_missing_probe_or_transaction_and_a_foreign_application_are_told() {
        let found = told(&[(r#""probe": true,"#, "")]);
        assert!(
            found.iter().any(|it| it.contains("none is a `probe`")),
            "{found:?}"
        );
        let found = told(&[(r#""number": "file15.serial","#, "")]);
        assert!(
            found.iter().any(|it| it.contains("no `number`")),
            "{found:?}"
        );
        let found = told(&[(
            r#""aids": ["A00000000386980701"]"#,
            r#""aids": ["F05441503030303101"]"#,
        )]);
        for text in [
            "which is not in `aids`",
            "no command selects F05",
            "the scaffold's",
        ] {
            assert!(
                found.iter().any(|it| it.contains(text)),
                "{text}: {found:?}"
            );
        }
    }
}
