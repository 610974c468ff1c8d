// The search: pages that hold every word, by kind, with the words in their context. pages.js holds the text.

const ORDER = ["Outcome", "Claim", "Term", "Notebook", "Study", "Page"];
const AT_ONCE = 20;
const AROUND = 90;

const fold = (text) => text.normalize("NFKD").replace(/[\u0300-\u036f]/g, "").toLowerCase();
const isShort = (word) => /^[a-z0-9²-]{1,5}$/.test(word);
const escaped = (word) => word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");

function wordsOf(query) {
  const plain = fold(query).replace(/https?:\/\/(dx\.)?doi\.org\/|doi:\s*/g, "");
  return plain.split(/[\s,;]+/).filter(Boolean);
}

// An abbreviation is also found by what it stands for; a short word only as a whole one.
function patternOf(word) {
  const same = SAME.filter((names) => names.map(fold).includes(word)).flat().map(fold);
  const parts = [word, ...same].map((one) => (isShort(one) ? `(?<![\\p{L}\\p{N}])${escaped(one)}(?![\\p{L}\\p{N}])` : escaped(one)));
  return new RegExp(parts.join("|"), "gu");
}

function find(query) {
  const patterns = wordsOf(query).map(patternOf);
  if (!patterns.length) return [];
  const found = [];
  for (const page of window.INDEX) {
    const counts = patterns.map((pattern) => {
      const inTitle = page.title.match(pattern)?.length ?? 0;
      return Math.min(page.text.match(pattern)?.length ?? 0, 20) + 40 * inTitle;
    });
    if (counts.every(Boolean)) found.push([counts.reduce((sum, n) => sum + n, 0), page]);
  }
  const rank = ([score, page]) => score + (ORDER.length - ORDER.indexOf(page.kind));
  return found.sort((a, b) => rank(b) - rank(a)).map(([, page]) => page);
}

// The place where most of the words stand, with each of them marked.
function context(page, patterns) {
  const first = patterns.map((pattern) => page.text.search(new RegExp(pattern.source, "u"))).filter((at) => at >= 0);
  const at = Math.max(0, Math.min(...first, page.text.length) - AROUND);
  const [from, to] = [at, at + 3 * AROUND];
  const words = page.shown.slice(from, to);
  const box = document.createElement("p");
  box.append(from > 0 ? "… " : "");
  const all = new RegExp(patterns.map((pattern) => pattern.source).join("|"), "gu");
  let end = 0;
  for (const hit of page.text.slice(from, to).matchAll(all)) {
    const mark = document.createElement("mark");
    mark.textContent = words.slice(hit.index, hit.index + hit[0].length);
    box.append(words.slice(end, hit.index), mark);
    end = hit.index + hit[0].length;
  }
  box.append(words.slice(end), to < page.shown.length ? " …" : "");
  return box;
}

function item(page, patterns) {
  const line = document.createElement("li");
  const kind = document.createElement("span");
  kind.className = "kind";
  kind.textContent = page.kind;
  const link = document.createElement("a");
  link.href = page.address;
  link.textContent = page.name;
  line.append(kind, " ", link, context(page, patterns));
  return line;
}

function show(query, kind, many) {
  const place = (id) => document.getElementById(id);
  const found = find(query);
  const kept = found.filter((page) => !kind || page.kind === kind);
  const patterns = wordsOf(query).map(patternOf);
  place("search-found").replaceChildren(...kept.slice(0, many).map((page) => item(page, patterns)));
  place("search-status").textContent = !query.trim() ? "" : kept.length
    ? `${kept.length} found for “${query}”`
    : `Nothing holds all of “${query}”: try fewer words, or another spelling.`;
  place("search-more").hidden = kept.length <= many;
  place("search-more").onclick = () => show(query, kind, many + AT_ONCE);
  const kinds = ORDER.filter((name) => found.some((page) => page.kind === name));
  const buttons = ["", ...kinds].map((name) => {
    const button = document.createElement("button");
    const count = name ? found.filter((page) => page.kind === name).length : found.length;
    button.type = "button";
    button.textContent = `${name || "All"} (${count})`;
    button.setAttribute("aria-pressed", String(name === kind));
    button.addEventListener("click", () => show(query, name, AT_ONCE));
    return button;
  });
  place("search-kinds").replaceChildren(place("search-kinds").querySelector("legend"), ...buttons);
  place("search-kinds").hidden = !kinds.length;
}

document.addEventListener("DOMContentLoaded", () => {
  // Folding may change the length of a text; where it does, the folded text is shown.
  window.INDEX = window.PAGES.map(([address, kind, name, text]) => {
    const folded = fold(text);
    return { address, kind, name, title: fold(name), text: folded, shown: folded.length === text.length ? text : folded };
  });
  const field = document.getElementById("search-words");
  field.value = new URLSearchParams(location.search).get("q") ?? "";
  field.addEventListener("input", () => show(field.value, "", AT_ONCE));
  document.getElementById("search-form").addEventListener("submit", (event) => event.preventDefault());
  field.focus();
  show(field.value, "", AT_ONCE);
});
