// The page of one view: embedded in the file, or fetched and kept up to date.

const PICTURES = [ratesPicture, robustnessPicture, curvesPicture, parametersPicture, schedulesPicture, importancePicture, budgetPicture, workersPicture];
const LOGO = "M4 20V9.500a8 8 0 0 1 16 0V20h-4.500v-9.500a3.500 3.500 0 0 0-7 0V20z";

/** The view with its texts in place of their numbers. */
function decoded(view) {
  for (const column of view.trials.columns) {
    if (column.words) column.cells = column.cells.map((place) => (place === null ? null : column.words[place]));
  }
  return view;
}

class Page {
  constructor(root, source) {
    this.root = root;
    this.source = source;
    this.cards = new Map();
    this.summary = h("section", { class: "wide summary", id: "summary", "aria-label": "Summary" });
    this.table = new TrialTable(this);
    this.nav = document.querySelector(".bar nav");
    this.dialog = h("dialog", { onclick: (event) => { if (event.target === this.dialog) this.dialog.close(); } });
    document.body.append(this.dialog);
    root.replaceChildren(this.summary, this.table.node);
  }

  /** Shows a view; the words come first, the pictures once these can be seen. */
  async show(view) {
    const first = !this.view;
    this.view = view;
    document.title = `${view.name} – Lehr`;
    this.showSummary();
    if (first) await new Promise((seen) => requestAnimationFrame(() => setTimeout(seen)));
    if (this.view !== view) return;
    const present = this.pictures(view);
    for (const [id, card] of this.cards) {
      if (!present.includes(card.picture)) { card.node.remove(); this.cards.delete(id); }
    }
    present.forEach((picture, i) => {
      if (this.cards.has(picture.id)) return;
      const card = new Card(picture, this);
      this.cards.set(picture.id, card);
      const next = present.slice(i + 1).map((other) => this.cards.get(other.id)?.node).find(Boolean);
      this.root.insertBefore(card.node, next ?? this.table.node);
    });
    this.span(present);
    for (const card of this.cards.values()) card.show(view);
    this.table.show(view);
    this.source.shown?.(this);
    this.showNav(present);
  }

  /** The pictures that there is data for, those of one kind of result after what it costs to be off. */
  pictures(view) {
    this.charts ??= new Map();
    for (const chart of view.charts) if (!this.charts.has(chart.id)) this.charts.set(chart.id, chartPicture(chart));
    const own = view.charts.map((chart) => this.charts.get(chart.id));
    // One alone takes the whole line.
    own.forEach((picture) => { picture.span = own.length === 1 ? "wide" : "half"; picture.height = own.length === 1 ? "tall" : ""; });
    const general = PICTURES.filter((picture) => picture.has(view));
    const place = general.filter((picture) => picture === ratesPicture || picture === robustnessPicture).length;
    return [...general.slice(0, place), ...own, ...general.slice(place)];
  }

  /** Puts the cards on lines of twelve columns; those that end a line early take the rest of it. */
  span(present) {
    const columns = { wide: 12, "two-thirds": 8, half: 6, third: 4 };
    let line = [];
    const close = () => {
      const free = 12 - line.reduce((sum, picture) => sum + columns[picture.span], 0);
      line.forEach((picture, i) => {
        this.cards.get(picture.id).node.style.setProperty("--columns", columns[picture.span] + (i === 0 ? free : 0));
      });
      line = [];
    };
    for (const picture of present) {
      const used = line.reduce((sum, other) => sum + columns[other.span], 0);
      if (used + columns[picture.span] > 12) close();
      line.push(picture);
    }
    close();
  }

  showSummary() {
    const { words, tiles, name, about } = this.view;
    const code = (text) => text.split("`").map((part, i) => (i % 2 ? h("code", null, part) : part));
    const note = (kind, label) => (text) => h("p", { class: `note ${kind}` }, h("b", null, label), " ", code(text));
    this.summary.replaceChildren(
      h("div", null,
        h("p", { class: "title" }, h("strong", null, name), about ? ` · ${about}` : ""),
        h("h1", { class: "headline" }, emphasised(words.headline)),
        h("p", { class: "reasons" }, words.reasons.join(" ")),
        h("div", { class: "notes" }, words.doubts.map(note("doubt", "Mind:")), words.next.map(note("next", "Next:")))),
      h("dl", { class: "tiles" }, tiles.map((tile) => h("div", { class: "tile" }, h("dt", null, tile.label), h("dd", null, tile.value), h("dd", { class: "small" }, tile.note)))));
  }

  showNav(present) {
    const links = [["summary", "Summary"], ...present.map((picture) => [picture.id, picture.title]), ...(this.table.node.hidden ? [] : [["trials", this.table.title]])];
    if (this.links === links.length) return;
    this.links = links.length;
    this.nav.replaceChildren(...links.map(([id, label]) => h("a", { href: `#${id}` }, label)));
  }

  /** Everything about one trial. */
  async open(row) {
    const { columns } = this.view.trials;
    const of = (key) => columns.find((column) => column.key === key)?.cells[row];
    const facts = h("dl", { class: "facts" }, columns.filter((column) => column.cells[row] !== null && column.cells[row] !== "")
      .map((column) => [h("dt", null, column.label), h("dd", null, column.kind === "rate" || column.kind === "value" ? String(column.cells[row]) : cellText(column.kind, column.cells[row]))]));
    const inside = h("div", { class: "inside" }, facts);
    this.dialog.replaceChildren(
      h("header", null, h("h2", null, of("trial") === undefined ? capital(this.view.trials.noun) : `Trial ${countText(of("trial"))}`), h("button", { class: "button", type: "button", onclick: () => this.dialog.close() }, "Close")), inside);
    if (!this.dialog.open) this.dialog.showModal();
    this.source.detail?.(of("trial"), inside, this.view);
  }

  /** Draws everything again, in other colours. */
  repaint() {
    for (const card of this.cards.values()) card.show(this.view);
  }

  help() {
    const keys = [["t", "light or dark"], ["/", "filter the trials"], ["1 – 9", "go to a picture"], ["← →", "in a picture: from point to point"], ["↑ ↓ or j k, Enter", "in the table: from trial to trial, open"], ["Esc", "close"], ["?", "this list"]];
    this.dialog.replaceChildren(h("header", null, h("h2", null, "Keys"), h("button", { class: "button", type: "button", onclick: () => this.dialog.close() }, "Close")),
      h("div", { class: "inside" }, h("dl", { class: "facts" }, keys.map(([key, what]) => [h("dt", null, h("kbd", null, key)), h("dd", null, what)]),
        h("dt", null, "Ctrl + wheel"), h("dd", null, "zoom into a picture"))));
    if (!this.dialog.open) this.dialog.showModal();
  }

  keys(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, textarea, select")) return;
    if (event.key === "t") theme.toggle();
    else if (event.key === "?") this.help();
    else if (event.key === "/" && !this.dialog.open) { event.preventDefault(); this.table.input.focus(); }
    else if (/^[1-9]$/.test(event.key) && !this.dialog.open) {
      const link = this.nav.children[Number(event.key) - 1];
      if (link) { link.click(); document.querySelector(link.hash)?.querySelector(".plot, input")?.focus({ preventScroll: true }); }
    }
  }
}

/** The head that every page has. */
function bar(home) {
  const toggle = h("button", { class: "button", type: "button", id: "theme", title: "light or dark (t)", "aria-label": "light or dark", onclick: () => theme.toggle() }, "◐");
  const help = h("button", { class: "button", type: "button", id: "help", title: "keys (?)", "aria-label": "keys" }, "?");
  return h("div", { class: "bar" }, h("a", { class: "brand", href: home }, s("svg", { viewBox: "0 0 24 24", fill: "currentColor", "aria-hidden": "true" }, s("path", { d: LOGO })), h("span", null, "Lehr")),
    h("nav", { "aria-label": "Parts of the page" }), h("span", { class: "live", hidden: true, role: "status" }), help, toggle);
}
