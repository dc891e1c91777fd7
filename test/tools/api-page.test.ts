// The API page in a real browser: it shows the operations, can call them, and asks nobody but the hub.
import assert from "node:assert/strict";
import { test } from "node:test";
import { LINCHPIN, startNode } from "../e2e/support/program.js";
import { openTab } from "./support/chromium.js";

test("the API page shows every operation, calls one, and loads nothing from elsewhere", async (t) => {
  const demo = startNode(t, LINCHPIN, ["demo", "--listen=127.0.0.1:0", "--admin=127.0.0.1:0"]);
  const [, url = ""] = await demo.stdout.waitFor(/^listening on (\S+)$/);
  const { paths } = JSON.parse(await (await fetch(`${url}/openapi.json`)).text());
  const operations = Object.values<object>(paths).flatMap((item) => Object.keys(item)).length;

  const tab = await openTab(t);
  await tab.open(`${url}/docs`);
  const count = `document.querySelectorAll(".opblock").length`;
  assert.equal(await tab.until(`${count} >= ${operations} && ${count}`), operations);

  const list = `[...document.querySelectorAll(".opblock")].find((block) => block.querySelector("[data-path='/v1/books']") && block.classList.contains("opblock-get"))`;
  await tab.until(`${list}.querySelector(".opblock-summary-control").click() ?? true`);
  // Its parameters are there once its references have been looked up.
  await tab.until(`${list}.querySelector("tr[data-param-name=pageSize]") !== null`);
  await tab.until(`${list}.querySelector(".execute").click() ?? true`);
  const status = await tab.until(
    `${list}.querySelector(".live-responses-table tbody .response-col_status")?.textContent`,
  );
  assert.match(String(status), /^200/);
  // What nobody has filled in is not sent.
  assert.equal(tab.requested.at(-1), `${url}/v1/books`);

  // What the operations share is there to be filled in, as the request's own parameters are.
  const rows: readonly [name: string, value: string, shows: RegExp][] = [
    ["$fields", "books.title", /"books":\s*\[\s*\{\s*"title": "[^"]+"\s*\}/],
    ["$alt", "xml", /<ListBooksResponse>\s*<books>\s*<title>/],
    ["X-Request-Timeout", "30", /-H 'X-Request-Timeout: 30'.*<ListBooksResponse>/s],
  ];
  for (const [name, value, shows] of rows) {
    // The page takes over what is typed a moment later, so that it may take a second call. React listens to the setter
    // of the element's own class.
    await tab.until(`(() => {
      const block = ${list};
      if (${shows}.test(block.querySelector(".responses-inner").innerText)) return true;
      if (Date.now() - (window.triedAt ?? 0) < 1000) return false;
      window.triedAt = Date.now();
      block.querySelector(".execute").click();
      const input = block.querySelector("tr[data-param-name='${name}']").querySelector("input, select");
      const { set } = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(input), "value");
      set.call(input, "${value}");
      input.dispatchEvent(new Event(input.tagName === "SELECT" ? "change" : "input", { bubbles: true }));
      return false;
    })()`);
  }
  assert.equal(tab.requested.at(-1), `${url}/v1/books?%24alt=xml&%24fields=books.title`);

  assert.deepEqual(tab.complaints, []);
  const elsewhere = tab.requested.filter((one) => !one.startsWith(`${url}/`) && !one.startsWith("data:"));
  assert.deepEqual(elsewhere, []);
  assert.ok(
    tab.requested.includes(`${url}/openapi.json`) &&
      tab.requested.some((one) => one.startsWith(`${url}/v1/books`)),
  );
});

/** More than what an operation has of its own, with its answer's example; 7,000 with what all operations share. */
const MAX_HEIGHT_PX = 2500;
/** The request was good: what it is about is not there any more, or is there already. */
const GOOD_REASONS = /^(?:404|409) /;

test("each operation takes what the page fills in, and is short", async (t) => {
  const demo = startNode(t, LINCHPIN, ["demo", "--listen=127.0.0.1:0", "--admin=127.0.0.1:0"]);
  const [, url = ""] = await demo.stdout.waitFor(/^listening on (\S+)$/);
  const { paths } = JSON.parse(await (await fetch(`${url}/openapi.json`)).text());
  const operations = Object.values<object>(paths).flatMap((item) => Object.keys(item)).length;
  const tab = await openTab(t);
  await tab.open(`${url}/docs`);
  await tab.until(`document.querySelectorAll(".opblock").length >= ${operations}`);
  const answers: Record<string, string> = {};
  const tall: string[] = [];
  for (let i = 0; i < operations; i++) {
    const block = `document.querySelectorAll(".opblock")[${i}]`;
    const name = String(
      await tab.until(
        `${block}.querySelector(".opblock-summary-method").innerText + " " + ${block}.querySelector("[data-path]").dataset.path`,
      ),
    );
    await tab.until(`${block}.querySelector(".opblock-summary-control").click() ?? true`);
    // Its parameters are there once its references have been looked up, folded too; and then what they are filled with.
    await tab.until(`${block}.querySelector("tr[data-param-name=X-Request-Timeout]") !== null`);
    await tab.until(
      `[...${block}.querySelectorAll("tr[data-param-in=path] input, .body-param__text")].every(({ value }) => value !== "")`,
    );
    assert.equal(
      await tab.until(
        `${block}.querySelector("tr[data-param-name=X-Request-Timeout]").offsetParent === null`,
      ),
      true,
      "what all operations take is folded",
    );
    const height = Number(await tab.until(`${block}.getBoundingClientRect().height`));
    if (height > MAX_HEIGHT_PX) tall.push(`${name}: ${height}`);
    await tab.until(`${block}.querySelector(".execute").click() ?? true`);
    const status = await tab.until(
      `${block}.querySelector(".live-responses-table tbody .response-col_status")?.textContent.trim().slice(0, 3)`,
    );
    const text = String(await tab.until(`${block}.querySelector(".live-responses-table").innerText`));
    answers[name] = `${status} ${/"message": "([^"]*)"/.exec(text)?.[1] ?? ""}`.trim();
    await tab.until(`${block}.querySelector(".opblock-summary-control").click() ?? true`);
  }
  const said = JSON.stringify(answers, null, 2);
  assert.equal(Object.keys(answers).length, operations, said);
  const failed = Object.values(answers).filter((one) => !one.startsWith("2"));
  assert.deepEqual(
    failed.filter((one) => !GOOD_REASONS.test(one)),
    [],
    said,
  );
  assert.ok(failed.length <= operations / 4, said);
  assert.deepEqual(tall, []);
  const complaints = tab.complaints.filter((one) => !one.includes("responded with a status of 4"));
  assert.deepEqual(complaints, []);
});
