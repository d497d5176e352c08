// The table of trials: sorted, filtered, and only the rows in sight are in the page.

const ROW_HEIGHT = 34;
const NUMBERS = new Set(["count", "rate", "value", "number", "duration"]);

function tableCsv(view) {
  const { columns, rows } = view.trials;
  return [columns.map((column) => column.key), Array.from({ length: rows }, (_, row) => columns.map((column) => column.cells[row]))];
}

/** A row's test from a text such as `cosine rate<0.1 state=pruned`: every part must hold. */
function rowTest(text, columns) {
  const parts = text.match(/(?:[^\s"]|"[^"]*")+/g) ?? [];
  const tests = parts.map((part) => {
    const [, name, sign, right] = part.match(/^([^<>=!]+)(<=|>=|!=|<|>|=)(.+)$/) ?? [];
    const column = name && columns.find((found) => [found.key, found.label].some((known) => known.toLowerCase() === name.toLowerCase()));
    if (!column) {
      const word = part.replaceAll('"', "").toLowerCase();
      return (row) => columns.some((found) => found.cells[row] !== null && cellText(found.kind, found.cells[row]).toLowerCase().includes(word));
    }
    const wanted = right.replaceAll('"', "").toLowerCase();
    const compare = { "<": (a, b) => a < b, ">": (a, b) => a > b, "<=": (a, b) => a <= b, ">=": (a, b) => a >= b };
    if (compare[sign]) return (row) => column.cells[row] !== null && compare[sign](column.cells[row], Number(wanted));
    const same = (row) => {
      const cell = column.cells[row];
      return typeof cell === "number" ? cell === Number(wanted) || cellText(column.kind, cell) === wanted : String(cell ?? "").toLowerCase() === wanted;
    };
    return sign === "=" ? same : (row) => !same(row);
  });
  return (row) => tests.every((test) => test(row));
}

class TrialTable {
  constructor(page) {
    this.page = page;
    this.sort = { key: "value", down: false };
    this.input = h("input", { type: "search", placeholder: "Filter: words, state=pruned, rate<0.1 …", "aria-label": "Filter trials", oninput: settled(() => this.refresh(), 60) });
    this.count = h("output", { "aria-live": "polite" });
    this.head = h("tr");
    this.body = h("tbody");
    this.scroller = h("div", { class: "scroller", onscroll: () => this.window(), tabindex: "-1" },
      h("table", { class: "trials" }, h("thead", null, this.head), this.body));
    const tools = h("div", { class: "tools" }, menu("Download", [["Data as CSV", () => {
      const [header, rows] = tableCsv(this.view);
      download(`${fileName(this.view.name)}-trials.csv`, toCsv(header, rows), "text/csv;charset=utf-8");
    }]]));
    this.heading = h("h2", null, "Trials");
    this.tools = tools;
    this.node = h("section", { class: "card wide", id: "trials", "aria-label": "Trials" }, h("header", null, this.heading, tools),
      h("div", { class: "filter" }, this.input, this.count), this.scroller);
    this.body.addEventListener("keydown", (event) => this.key(event));
  }

  show(view) {
    this.view = view;
    this.title = capital(`${view.trials.noun}s`);
    this.heading.textContent = this.title;
    // A result that is no list of trials has no table; a study has one, if only to say that it is empty.
    this.node.hidden = !view.trials.rows && view.charts.length > 0;
    this.columns = view.trials.columns.filter((column) => column.cells.some((cell) => cell !== null && cell !== ""));
    if (!this.columns.some((column) => column.key === this.sort.key)) this.sort = { key: this.columns[0]?.key, down: false };
    else if (!this.touched) this.sort.down = this.sort.key === "value" && view.objective.maximize;
    this.showHead();
    this.refresh();
  }

  showHead() {
    this.head.replaceChildren(...this.columns.map((column) => {
      const sorted = column.key === this.sort.key;
      const act = () => {
        this.touched = true;
        this.sort = { key: column.key, down: sorted && !this.sort.down };
        this.showHead();
        this.refresh();
        this.head.querySelector(`[data-key="${CSS.escape(column.key)}"] button`)?.focus();
      };
      return h("th", { scope: "col", class: NUMBERS.has(column.kind) ? "number" : "", "data-key": column.key, "aria-sort": sorted ? (this.sort.down ? "descending" : "ascending") : "none" },
        h("button", { type: "button", onclick: act }, column.label));
    }));
  }

  refresh() {
    const test = rowTest(this.input.value, this.columns);
    const rows = Array.from({ length: this.view.trials.rows }, (_, i) => i).filter(test);
    const column = this.columns.find((found) => found.key === this.sort.key);
    if (column) {
      const { cells } = column;
      const sign = this.sort.down ? -1 : 1;
      const order = typeof cells.find((cell) => cell !== null) === "number" ? (a, b) => a - b : (a, b) => String(a).localeCompare(String(b));
      // What has no value stands last, whichever way.
      rows.sort((a, b) => (cells[a] === null) - (cells[b] === null) || (cells[a] === null ? 0 : sign * order(cells[a], cells[b])) || a - b);
    }
    this.rows = rows;
    const { rows: all, noun } = this.view.trials;
    this.count.textContent = `${rows.length === all ? "" : `${countText(rows.length)} of `}${countText(all)} ${noun}${all === 1 ? "" : "s"}`;
    this.window(true);
  }

  /** Puts the rows in sight into the page, with room for the others above and below. */
  window(anew) {
    const height = this.scroller.clientHeight || 560;
    const first = Math.max(0, Math.floor(this.scroller.scrollTop / ROW_HEIGHT) - 15);
    const last = Math.min(this.rows.length, first + Math.ceil(height / ROW_HEIGHT) + 30);
    if (!anew && first === this.first && last === this.last) return;
    [this.first, this.last] = [first, last];
    const held = this.body.contains(document.activeElement) ? document.activeElement.dataset.row : undefined;
    const pad = (rows) => {
      const cell = h("td", { colspan: this.columns.length });
      cell.style.height = `${rows * ROW_HEIGHT}px`;
      return h("tr", { class: "pad", "aria-hidden": "true" }, cell);
    };
    const row = (i) => h("tr", { class: "row", tabindex: "0", "data-row": i, onclick: () => this.page.open(i) }, this.columns.map((column) => this.cell(column, i)));
    this.body.replaceChildren(pad(first), ...this.rows.slice(first, last).map(row), pad(this.rows.length - last));
    if (held !== undefined) this.body.querySelector(`[data-row="${held}"]`)?.focus({ preventScroll: true });
  }

  cell(column, row) {
    const value = column.cells[row];
    if (column.kind === "state") return h("td", null, h("span", { class: `state ${String(value).split(" ")[0]}` }, value ?? "–"));
    const text = cellText(column.kind, value);
    return h("td", { class: NUMBERS.has(column.kind) ? "number" : "", title: text.length > 30 ? text : undefined }, text);
  }

  key(event) {
    const row = event.target.closest?.("tr.row");
    if (!row) return;
    const step = { ArrowDown: 1, j: 1, ArrowUp: -1, k: -1 }[event.key];
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      this.page.open(Number(row.dataset.row));
    } else if (step) {
      event.preventDefault();
      const next = this.rows[this.rows.indexOf(Number(row.dataset.row)) + step];
      const node = this.body.querySelector(`[data-row="${next}"]`);
      node?.focus();
      node?.scrollIntoView({ block: "nearest" });
    }
  }
}
