import { parse } from "svelte/compiler";
import { expect, test } from "vitest";

/** All components, as they stand. */
const COMPONENTS = import.meta.glob<string>("/src/**/*.svelte", { query: "?raw", import: "default", eager: true });

/** Attributes of elements and components that people read or hear. */
const TOLD = new Set([
  "aria-label", "aria-description", "aria-roledescription", "aria-valuetext", "aria-placeholder",
  "alt", "title", "placeholder", "label", "weightLabel", "legend", "text", "what", "todo", "hint", "lead",
  "detail", "status", "rest", "confirm", "cancel",
]);

/** Where the markup of a component goes on below a node of its tree. */
const BELOW = ["fragment", "nodes", "consequent", "alternate", "body", "fallback", "pending", "then", "catch"];

const LETTERS = /\p{L}/u;

function isNode(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

/** Texts with letters that a component holds itself, where people see or hear them. */
function literals(source: string): string[] {
  return shown(parse(source, { modern: true }).fragment);
}

function shown(node: unknown): string[] {
  if (Array.isArray(node)) return node.flatMap(shown);
  if (!isNode(node)) return [];
  if (node["type"] === "Text") return lettered(node["data"]);
  if (node["type"] === "ExpressionTag") return values(node["expression"]);
  if (node["type"] === "Attribute") {
    return typeof node["name"] === "string" && TOLD.has(node["name"]) ? shown(node["value"]) : [];
  }
  return [...shown(node["attributes"]), ...BELOW.flatMap((key) => shown(node[key]))];
}

/** Texts that an expression may become; what it only compares with is none. */
function values(node: unknown): string[] {
  if (!isNode(node)) return [];
  switch (node["type"]) {
    case "Literal":
      return lettered(node["value"]);
    case "TemplateLiteral": {
      const pieces: unknown[] = Array.isArray(node["quasis"]) ? node["quasis"] : [];
      const holes: unknown[] = Array.isArray(node["expressions"]) ? node["expressions"] : [];
      const raw = pieces.map((piece) => (isNode(piece) && isNode(piece["value"]) ? piece["value"]["raw"] : ""));
      return [...raw.flatMap(lettered), ...holes.flatMap(values)];
    }
    case "ConditionalExpression":
      return [...values(node["consequent"]), ...values(node["alternate"])];
    case "LogicalExpression":
      return [...values(node["left"]), ...values(node["right"])];
    case "BinaryExpression":
      return node["operator"] === "+" ? [...values(node["left"]), ...values(node["right"])] : [];
    default:
      return [];
  }
}

function lettered(text: unknown): string[] {
  return typeof text === "string" && LETTERS.test(text) ? [text.trim()] : [];
}

test("all components are looked at", () => {
  expect(Object.keys(COMPONENTS)).toContain("/src/App.svelte");
  expect(Object.keys(COMPONENTS)).toContain("/src/views/Home.svelte");
});

test.each(Object.entries(COMPONENTS))("%s holds no words of its own", (_, source) => {
  expect(literals(source)).toEqual([]);
});

test.each([
  ["<p>Saved</p>", "Saved"],
  ["{#if a}<p>{a}</p>{:else}Nothing{/if}", "Nothing"],
  ["{#each a as b}<i>{b}</i>{:else}None{/each}", "None"],
  ["{#snippet a()}<b>Bold</b>{/snippet}", "Bold"],
  ['<button aria-label="Close">×</button>', "Close"],
  ['<Field label="Name" />', "Name"],
  ['<Field label={a === "b" ? words.c : "Other"} />', "Other"],
  ["<img alt={`of ${a}`} />", "of"],
  ['<p>{a ?? "unknown"}</p>', "unknown"],
  ["<p>{words.a + ' of '}</p>", "of"],
])("words are found in %s", (source, text) => {
  expect(literals(source)).toEqual([text]);
});

test.each([
  '<p class="soft" role="status">{words.a} · {n}</p>',
  '{#if a === "folder"}<Icon name="folder" />{/if}',
  "<style>p { color: red; }</style>",
  '<script>const a = "b";</script>',
  "<!-- A comment. -->",
])("no words for people are in %s", (source) => {
  expect(literals(source)).toEqual([]);
});
