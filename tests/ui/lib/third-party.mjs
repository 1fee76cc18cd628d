// What THIRD-PARTY.txt has to say.
import assert from "node:assert/strict";

/** That the package `name` is named, and that each text it points at is there, with its name above. */
export function assertNamed(list, name) {
  const entry = new RegExp(`^(${name} \\d\\S*)\\n    licence: \\S.*\\n(?:    (?:source|authors): .*\\n)*    texts:   ([\\d, ]*\\d)`, "m").exec(list);
  assert.ok(entry, `${name} is named, with its licence and texts`);
  const [, who, numbers] = entry;
  for (const number of numbers.split(", ")) {
    const [, names, text] = new RegExp(`^Text ${number}, of\\n([^=]+)\\n=+\\n([^=]+)`, "m").exec(list) ?? [];
    assert.ok(names?.split(/,\s/).includes(who), `text ${number} is one of ${who}: ${names}`);
    assert.match(text, /licen[cs]e|permission|permitted/i, `text ${number} is a licence's`);
  }
  for (const place of [process.cwd(), process.env.HOME]) assert.ok(!list.includes(`${place}/`), "no place on the machine that made it");
}
