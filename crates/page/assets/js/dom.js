// Elements and texts. Texts go in as text nodes only: nothing of a study is ever read as HTML.

/** An element with properties (`class`, `on…` handlers, attributes) and children; strings become text. */
function h(tag, properties, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "class") node.className = value;
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

const SVG = "http://www.w3.org/2000/svg";

/** The same for SVG. */
function s(tag, attributes, ...children) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

/** A text in which what stands between single quotes or is a number stands out; numbers of many digits are shortened. */
function emphasised(text) {
  const parts = text.split(/('[^']*'|\d[\d.,]*(?:e-?\d+)?)/);
  const shown = (part) => (/^\d+\.\d{6,}(e-?\d+)?$/.test(part) ? significant(Number(part), 4) : part.replace(/^'(.*)'$/, "$1").replace(/[.,]$/, ""));
  return parts.map((part, i) => (i % 2 ? h("b", null, shown(part)) : part));
}

/** Gives a file to the user. */
function download(name, content, type) {
  const url = URL.createObjectURL(content instanceof Blob ? content : new Blob([content], { type }));
  const link = h("a", { href: url, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

/** A name that every file system takes. */
function fileName(text) {
  return text.replace(/[^\p{L}\p{N}._-]+/gu, "-").replace(/^[-.]+|[-.]+$/g, "").slice(0, 80) || "lehr";
}

/** Rows as CSV. A cell that a spreadsheet would run as a formula is kept as text. */
function toCsv(header, rows) {
  const cell = (value) => {
    if (value === null || value === undefined || Number.isNaN(value)) return "";
    if (typeof value === "number") return String(value);
    const text = /^[=+\-@\t\r]/.test(value) ? `'${value}` : String(value);
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  return [header, ...rows].map((row) => row.map(cell).join(",")).join("\r\n") + "\r\n";
}

/** The last call of a series that comes fast, after a moment of quiet. */
function settled(call, wait) {
  let timer;
  return (...args) => {
    clearTimeout(timer);
    timer = setTimeout(() => call(...args), wait);
  };
}
