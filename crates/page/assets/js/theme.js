// Light and dark, and the colours that pictures take from the style sheet.

const theme = {
  /** "light" or "dark": what is shown now. */
  now() {
    const set = document.documentElement.dataset.theme;
    return set ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
  },

  /** Begins with what the user chose last time. */
  start(changed) {
    const kept = keep.get("theme");
    if (kept === "light" || kept === "dark") document.documentElement.dataset.theme = kept;
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", changed);
    this.changed = changed;
  },

  toggle() {
    const next = this.now() === "dark" ? "light" : "dark";
    document.documentElement.dataset.theme = next;
    keep.set("theme", next);
    this.changed();
  },
};

/** What the browser remembers; some browsers refuse that to files. */
const keep = {
  get(name) {
    try { return localStorage.getItem(`lehr.${name}`); } catch { return null; }
  },
  set(name, value) {
    try { localStorage.setItem(`lehr.${name}`, value); } catch { /* Then it is asked again. */ }
  },
};

/** The colours of a theme, read from the style sheet's variables. */
const paints = {};
function paint(scheme = theme.now()) {
  if (paints[scheme]) return paints[scheme];
  const probe = h("span", { hidden: true });
  probe.style.colorScheme = scheme;
  document.body.append(probe);
  const read = (name) => {
    probe.style.color = `var(--${name})`;
    return getComputedStyle(probe).color;
  };
  const names = ["card", "ink", "soft", "faint", "rule", "grid", "accent", "good", "bad", "warn"];
  const found = Object.fromEntries(names.map((name) => [name, read(name)]));
  found.series = Array.from({ length: 7 }, (_, i) => read(`series-${i}`));
  found.scheme = scheme;
  probe.remove();
  return (paints[scheme] = found);
}

const SYMBOLS = ["circle", "triangle", "rect", "diamond", "roundRect", "pin", "arrow"];
const DASHES = ["solid", [7, 4], [2, 3]];

/** How the series at a place looks: colours repeat with other dashes. */
function look(place, colours) {
  const n = colours.series.length;
  return { colour: colours.series[place % n], symbol: SYMBOLS[place % SYMBOLS.length], dash: DASHES[Math.floor(place / n) % DASHES.length] };
}

/** A colour with less of it. */
function faded(colour, alpha) {
  const [r, g, b] = colour.match(/[\d.]+/g);
  return `rgba(${r}, ${g}, ${b}, ${alpha})`;
}

// Cividis-like: from blue over grey to yellow, told apart by every kind of colour vision; the ends are kept readable on
// both grounds.
const RAMP = {
  light: [[0, 50, 120], [60, 90, 140], [110, 120, 125], [160, 145, 90], [200, 160, 20]],
  dark: [[90, 150, 240], [120, 165, 215], [165, 180, 180], [215, 200, 130], [255, 225, 70]],
};

/** The colour at a share of the ramp, 0 to 1. */
function ramp(share, scheme) {
  const stops = RAMP[scheme];
  const at = Math.min(Math.max(share, 0), 1) * (stops.length - 1);
  const i = Math.min(Math.floor(at), stops.length - 2);
  const mix = stops[i].map((from, k) => Math.round(from + (stops[i + 1][k] - from) * (at - i)));
  return `rgb(${mix.join(", ")})`;
}
