// A card: heading, legend, picture, downloads. A picture is an object
//   { id, title, lead(view), span, height, build(view, state, colours) → ECharts option, csv(view) → [header, rows] }
// and nothing else knows ECharts.

/** A tooltip: an element, since markup from texts would open the door to what a study's name may hold. */
function hint(title, facts) {
  return h("div", { class: "hint" }, h("b", null, title),
    h("dl", null, facts.filter(([, value]) => value !== null && value !== undefined && value !== "")
      .map(([name, value]) => [h("dt", null, name), h("dd", null, String(value))])));
}

/** What all pictures share. */
function base(colours) {
  return {
    animationDuration: 250, animationDurationUpdate: 250,
    animation: !matchMedia("(prefers-reduced-motion: reduce)").matches,
    textStyle: { fontFamily: getComputedStyle(document.body).fontFamily, color: colours.ink },
    tooltip: {
      confine: true, appendTo: undefined, backgroundColor: colours.card, borderColor: colours.rule, borderWidth: 1, padding: [8, 12],
      textStyle: { color: colours.ink, fontSize: 13 }, transitionDuration: 0,
    },
  };
}

function axis(colours, name, more) {
  return {
    name, nameLocation: "middle", nameGap: 30, nameTextStyle: { color: colours.soft, fontSize: 13 },
    axisLine: { show: true, lineStyle: { color: colours.rule } }, axisTick: { show: false },
    axisLabel: { color: colours.soft, fontSize: 12, hideOverlap: true, formatter: tickText, ...(more.type === "log" && { showMinLabel: false, showMaxLabel: false }) },
    splitLine: { lineStyle: { color: colours.grid } }, minorSplitLine: { show: false },
    ...more,
  };
}

class Card {
  constructor(picture, page) {
    this.picture = picture;
    this.page = page;
    this.state = { ...picture.state };
    this.hidden = new Set();
    this.plot = h("div", { class: `plot ${picture.height ?? ""}`, tabindex: "0", role: "img", "data-picture": picture.id });
    this.lead = h("p", { class: "lead" });
    this.legend = h("ul", { class: "legend" });
    this.below = h("div");
    this.tools = h("div", { class: "tools" });
    const ready = picture.build ? this.plot : null;
    this.node = h("section", { class: "card", id: picture.id, "aria-label": picture.title },
      h("header", null, h("h2", null, picture.title), this.tools, this.lead), this.legend, h("div", { class: "body" }, ready, this.below));
    this.plot.addEventListener("keydown", (event) => this.key(event));
  }

  /** Shows the view; called again whenever it, the theme or a switch changes. */
  show(view) {
    this.view = view;
    const { picture } = this;
    this.lead.textContent = picture.lead?.(view) ?? "";
    this.showTools();
    this.showLegend();
    picture.below?.(this.below, view, this);
    if (!picture.build) return;
    this.plot.setAttribute("aria-label", `${picture.title}. ${this.lead.textContent}`);
    const seen = this.plot.getBoundingClientRect().top < innerHeight + 400;
    if (this.chart || seen) this.draw();
    else this.waitForSight();
  }

  /** Pictures further down are drawn when they come near. */
  waitForSight() {
    this.observer ??= new IntersectionObserver((entries) => {
      if (entries.some((entry) => entry.isIntersecting)) {
        this.observer.disconnect();
        this.draw();
      }
    }, { rootMargin: "400px" });
    this.observer.observe(this.plot);
  }

  draw() {
    if (!this.chart) {
      this.chart = echarts.init(this.plot, null, { renderer: "canvas" });
      new ResizeObserver(() => this.chart.resize()).observe(this.plot);
      this.chart.on("click", (event) => {
        const row = event.data?.row;
        if (Number.isInteger(row)) this.page.open(row);
      });
    }
    const colours = paint();
    const option = this.picture.build(this.view, this.state, colours, this);
    this.chart.setOption({ ...base(colours), ...option, tooltip: { ...base(colours).tooltip, ...option.tooltip } }, { replaceMerge: ["series", "parallelAxis"] });
  }

  /** Whether the series of a name is shown. */
  on(name) {
    return !this.hidden.has(name);
  }

  showLegend() {
    const entries = this.picture.legend?.(this.view) ?? [];
    const colours = paint();
    const button = ({ name, place, chosen }) => {
      const toggle = (event) => {
        if (event.shiftKey || event.detail === 2) {
          const only = entries.every((entry) => (entry.name === name) === this.on(entry.name));
          this.hidden = new Set(only ? [] : entries.map((entry) => entry.name).filter((other) => other !== name));
        } else if (!this.hidden.delete(name)) this.hidden.add(name);
        this.show(this.view);
      };
      const highlight = (type) => () => this.chart?.dispatchAction({ type, seriesName: name });
      return h("li", null, h("button", {
        type: "button", "aria-pressed": String(this.on(name)), title: "click: hide or show; shift-click: this one alone", onclick: toggle,
        onmouseenter: highlight("highlight"), onmouseleave: highlight("downplay"),
      }, swatch(place, colours), h("span", { class: chosen ? "chosen" : "" }, name)));
    };
    this.legend.replaceChildren(...entries.map(button));
    this.legend.hidden = entries.length < 2;
  }

  showTools() {
    const switches = (this.picture.switches?.(this.view) ?? []).map(({ key, choices }) => h("div", { class: "segments", role: "group" },
      choices.map(([value, label]) => h("button", {
        type: "button", "aria-pressed": String(this.state[key] === value),
        onclick: () => { this.state[key] = value; this.show(this.view); },
      }, label))));
    const items = [];
    if (this.picture.build) items.push(["Picture as SVG", () => this.svg()], ["Picture as PNG", () => this.png()]);
    if (this.picture.csv) items.push(["Data as CSV", () => this.csv()]);
    this.tools.replaceChildren(...switches, menu("Download", items));
  }

  /** The option for a file: the light colours, without what moves. */
  still() {
    const colours = paint("light");
    const option = this.picture.build(this.view, this.state, colours, this);
    const title = { text: this.picture.title, subtext: this.view.name, left: 12, top: 8, textStyle: { fontSize: 16, color: colours.ink }, subtextStyle: { color: colours.soft } };
    const down = (grid) => ({ ...grid, top: typeof grid.top === "number" ? grid.top + 52 : grid.top });
    const grid = Array.isArray(option.grid) ? option.grid.map(down) : option.grid && down(option.grid);
    const parallel = option.parallel && down(option.parallel);
    return { ...base(colours), ...option, ...(grid && { grid }), ...(parallel && { parallel }), title, animation: false, backgroundColor: colours.card };
  }

  size() {
    return { width: Math.max(this.plot.clientWidth, 480), height: this.plot.clientHeight + 60 };
  }

  fileName(ending) {
    return `${fileName(this.view.name)}-${this.picture.id}.${ending}`;
  }

  svg() {
    const chart = echarts.init(null, null, { renderer: "svg", ssr: true, ...this.size() });
    chart.setOption(this.still());
    download(this.fileName("svg"), chart.renderToSVGString(), "image/svg+xml");
    chart.dispose();
  }

  png() {
    const { width, height } = this.size();
    const canvas = h("canvas");
    const chart = echarts.init(canvas, null, { renderer: "canvas", devicePixelRatio: 2, width, height });
    chart.setOption(this.still());
    canvas.toBlob((blob) => { download(this.fileName("png"), blob); chart.dispose(); });
  }

  csv() {
    const [header, rows] = this.picture.csv(this.view);
    download(this.fileName("csv"), toCsv(header, rows), "text/csv;charset=utf-8");
  }

  /** Arrows move the tooltip from point to point. */
  key(event) {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step || !this.chart) {
      if (event.key === "Escape") this.chart?.dispatchAction({ type: "hideTip" });
      return;
    }
    event.preventDefault();
    const series = this.chart.getOption().series.map((entry, seriesIndex) => ({ seriesIndex, entry }))
      .filter(({ entry }) => entry.type === "scatter" || entry.type === "bar");
    const places = series.flatMap(({ seriesIndex, entry }) => entry.data.map((_, dataIndex) => ({ seriesIndex, dataIndex })));
    if (!places.length) return;
    this.at = ((this.at ?? -1) + step + places.length) % places.length;
    this.chart.dispatchAction({ type: "showTip", ...places[this.at] });
  }
}

/** A line with its mark, for a legend. */
function swatch(place, colours) {
  const { colour, symbol, dash } = look(place, colours);
  const line = s("line", { x1: 0, y1: 7, x2: 22, y2: 7, stroke: colour, "stroke-width": 2 });
  if (Array.isArray(dash)) line.setAttribute("stroke-dasharray", dash.join(" "));
  const marks = {
    circle: () => s("circle", { cx: 11, cy: 7, r: 4 }),
    triangle: () => s("path", { d: "M11 2.5 15.5 11h-9z" }),
    rect: () => s("rect", { x: 7.5, y: 3.5, width: 7, height: 7 }),
    diamond: () => s("path", { d: "M11 2 16 7 11 12 6 7z" }),
    roundRect: () => s("rect", { x: 7, y: 3, width: 8, height: 8, rx: 3 }),
    pin: () => s("path", { d: "M11 12.5C7 7.5 7 2 11 2s4 5.500 0 10.500z" }),
    arrow: () => s("path", { d: "M11 2 15.500 11.500 11 9.500 6.500 11.500z" }),
  };
  const mark = marks[symbol]();
  mark.setAttribute("fill", colour);
  return s("svg", { viewBox: "0 0 22 14", "aria-hidden": "true" }, line, mark);
}

/** A button that opens a few choices. */
function menu(label, items) {
  const list = h("div", { hidden: true, role: "menu" });
  const button = h("button", { class: "button quiet", type: "button", "aria-haspopup": "menu", "aria-expanded": "false" }, label);
  const close = () => { list.hidden = true; button.setAttribute("aria-expanded", "false"); };
  const open = () => {
    list.hidden = false;
    button.setAttribute("aria-expanded", "true");
    list.querySelector("button")?.focus();
    const away = (event) => { if (!node.contains(event.target)) { close(); document.removeEventListener("pointerdown", away); } };
    document.addEventListener("pointerdown", away);
  };
  button.addEventListener("click", () => (list.hidden ? open() : close()));
  list.append(...items.map(([text, act]) => h("button", { type: "button", role: "menuitem", onclick: () => { close(); act(); } }, text)));
  const node = h("div", { class: "menu", onkeydown: (event) => { if (event.key === "Escape" && !list.hidden) { close(); button.focus(); event.stopPropagation(); } } }, button, list);
  return node;
}
