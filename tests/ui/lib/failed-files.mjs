// Which files failed, one a line: a reporter of Node's test runner, for whoever runs those once more.
export default async function* failedFiles(events) {
  const told = new Set();
  for await (const { type, data } of events) {
    // A file that ends before its first test has no other name than its own.
    const file = data.file ?? data.name;
    if (type !== "test:fail" || told.has(file)) continue;
    told.add(file);
    yield `${file}\n`;
  }
}
