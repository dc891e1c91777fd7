// A test reporter that fails the run when a test was skipped or left as todo: what is not run proves nothing.
export default async function* noSkips(events) {
  const left = [];
  for await (const { type, data } of events) {
    if (type !== "test:pass" && type !== "test:fail") continue;
    if (data.skip !== undefined || data.todo !== undefined) left.push(`${data.file ?? "?"}: ${data.name}`);
  }
  if (left.length > 0) {
    process.exitCode = 1;
    yield `\nSkipped or todo, which fails the run:\n  ${left.join("\n  ")}\n`;
  }
}
