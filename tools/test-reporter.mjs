// The reporter inside a process of tests, see test-process.mjs: prints as Node's spec reporter does, and writes one line
// of JSON for each file to file descriptor 3: what ran, and what failed; at the process's end its processor time.
import { readFileSync, writeSync } from "node:fs";
import { spec } from "node:test/reporters";

/** Tests of this name stand between the files of one process, see test-several.mjs. */
export const FILE_ENDS = "linchpin: the file ends: ";
/** The totals that Node adds for the whole process; test.mjs adds up those of all files. */
const TOTAL = /^(?:tests|suites|pass|fail|cancelled|skipped|todo|duration_ms) [\d.]+$/;
/** Of a tick in /proc, on every Linux that Node runs on. */
const TICK_MS = 10;

export default async function* report(source) {
  let printer = newPrinter();
  let file = newFile();
  process.once("exit", writeUsage);
  for await (const event of source) {
    const { type, data } = event;
    if (data?.nesting === 0 && data.name?.startsWith(FILE_ENDS)) {
      if (type !== "test:pass") continue;
      yield printer.text();
      await end(file, printer, data.name.slice(FILE_ENDS.length));
      printer = newPrinter();
      file = newFile();
      continue;
    }
    if (type === "test:summary") continue;
    if (type === "test:diagnostic" && data.nesting === 0 && TOTAL.test(data.message)) continue;
    if (type === "test:pass" || type === "test:fail") count(file, type, data);
    printer.write(event);
    yield printer.text();
  }
  yield printer.text();
  if (file.tests + file.suites > 0) await end(file, printer, undefined);
}

function newFile() {
  return { tests: 0, suites: 0, pass: 0, fail: 0, skipped: 0, todo: 0, failedSuites: 0, left: [] };
}

function count(file, type, { name, details, skip, todo }) {
  const suite = details?.type === "suite";
  const left = todo !== undefined ? "todo" : skip !== undefined ? "skipped" : undefined;
  if (left !== undefined) file.left.push(name);
  else if (suite && type === "test:fail") file.failedSuites += 1;
  if (suite) {
    file.suites += 1;
  } else {
    file.tests += 1;
    file[left ?? (type === "test:pass" ? "pass" : "fail")] += 1;
  }
}

/** What the printer says at its end are the failures, whole: test.mjs prints them last. */
async function end(file, printer, path) {
  const line = JSON.stringify({ ...file, path, failures: await printer.end() });
  let rest = Buffer.from(`${line}\n`);
  while (rest.length > 0) {
    try {
      rest = rest.subarray(writeSync(3, rest));
    } catch (error) {
      if (error.code !== "EAGAIN") throw error;
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }
}

function newPrinter() {
  const stream = new spec();
  let printed = "";
  stream.setEncoding("utf8");
  stream.on("data", (text) => {
    printed += text;
  });
  const text = () => {
    const result = printed;
    printed = "";
    return result;
  };
  return {
    text,
    write: (event) => stream.write(event),
    end: async () => {
      const ended = new Promise((resolve) => stream.once("end", resolve));
      stream.end();
      await ended;
      return text();
    },
  };
}

/** With the programs that the process started and waited for. */
function writeUsage() {
  const { user, system } = process.cpuUsage();
  try {
    writeSync(3, `${JSON.stringify({ cpuMs: Math.round((user + system) / 1000 + programsMs()) })}\n`);
  } catch {
    // The pipe is full or gone: the time stays unknown.
  }
}

/** cutime and cstime of proc(5); 0 where there is no /proc. */
function programsMs() {
  try {
    const stat = readFileSync("/proc/self/stat", "latin1");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return (Number(fields[13]) + Number(fields[14])) * TICK_MS;
  } catch {
    return 0;
  }
}
