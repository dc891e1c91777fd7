// XML text → its elements, by fast-xml-parser.
import { createRequire } from "node:module";
import { lateLoad } from "../../kit/files/late-load.js";
import { cut } from "../../kit/text/text.js";
import { MAX_XML_DEPTH, scanXml, unescapeXml, type XmlProblem } from "./scan.js";

export interface XmlElement {
  readonly name: string;
  readonly attributes: ReadonlyMap<string, string>;
  readonly children: readonly XmlElement[];
  /** All its text, without its children's. */
  readonly text: string;
}

type Library = typeof import("fast-xml-parser");
let library: Library | undefined;

/**
 * Loads the parser, which takes 8 ms of CPU: the hub does so while it waits for its upstreams, since at the first XML
 * body no file descriptor may be left. Throws if it cannot be loaded now.
 */
export function loadXmlParser(): Library {
  library ??= lateLoad((): Library => createRequire(import.meta.url)("fast-xml-parser"));
  return library;
}

/** Prefix of each name, so that none is one of JavaScript's own or of the parser's: no name begins so. */
const MARK = "=";
const TEXT = "#text";
const CDATA = "#cdata";
const ATTRIBUTES = ":@";

const OPTIONS = {
  preserveOrder: true,
  ignoreAttributes: false,
  attributeNamePrefix: MARK,
  // Called twice for empty elements.
  transformTagName: (name: string) => (name.startsWith(MARK) ? name : MARK + name),
  textNodeName: TEXT,
  cdataPropName: CDATA,
  trimValues: false,
  parseTagValue: false,
  parseAttributeValue: false,
  processEntities: false,
  ignoreDeclaration: true,
  ignorePiTags: true,
  jPath: false,
  maxNestedTags: MAX_XML_DEPTH,
};

/** Parses one document (XML 1.0 without a DTD). */
export function readXml(text: string): XmlElement | XmlProblem {
  const problem = scanXml(text);
  if (problem !== undefined) return problem;
  const { XMLParser, XMLValidator } = loadXmlParser();
  const valid = XMLValidator.validate(text);
  if (valid !== true) {
    const { msg, line, col } = valid.err;
    return { problem: cut(msg, MAX_MESSAGE), line, column: col ?? 1 };
  }
  let nodes: unknown;
  try {
    nodes = new XMLParser(OPTIONS).parse(text);
  } catch (e) {
    // An error that the scan did not find; the parser gives no position.
    return { problem: cut(String(e instanceof Error ? e.message : e), MAX_MESSAGE), line: 1, column: 1 };
  }
  const root = elementsOf(nodes)[0];
  return root ?? { problem: "there is no element", line: 1, column: 1 };
}

/** The parser repeats names of any length. */
const MAX_MESSAGE = 200;

/** The parser's tree: a list of `{"=name": […], ":@": {…}}`, `{"#text": ""}` and `{"#cdata": [{"#text": ""}]}`. */
function elementsOf(nodes: unknown): XmlElement[] {
  const elements: XmlElement[] = [];
  for (const node of listOf(nodes)) {
    for (const [name, content] of Object.entries(node)) {
      if (!name.startsWith(MARK)) continue;
      elements.push({
        name: name.slice(MARK.length),
        attributes: attributesOf(Reflect.get(node, ATTRIBUTES)),
        children: elementsOf(content),
        text: textOf(content),
      });
    }
  }
  return elements;
}

function listOf(nodes: unknown): object[] {
  return Array.isArray(nodes) ? nodes.filter((node) => typeof node === "object" && node !== null) : [];
}

function textOf(nodes: unknown): string {
  let text = "";
  for (const node of listOf(nodes)) {
    const plain: unknown = Reflect.get(node, TEXT);
    if (typeof plain === "string") text += unescapeXml(plain);
    for (const part of listOf(Reflect.get(node, CDATA))) text += String(Reflect.get(part, TEXT));
  }
  return text;
}

const NO_ATTRIBUTES: ReadonlyMap<string, string> = new Map();

function attributesOf(attributes: unknown): ReadonlyMap<string, string> {
  if (typeof attributes !== "object" || attributes === null) return NO_ATTRIBUTES;
  return new Map(
    Object.entries(attributes).map(([name, value]) => [name.slice(MARK.length), unescapeXml(String(value))]),
  );
}
