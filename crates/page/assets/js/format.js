// Numbers as people read them; the same rules as in the terminal.

function significant(value, digits) {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
  if (value === 0) return "0";
  const [mantissa, exponent] = value.toExponential(digits - 1).split("e");
  const power = Number(exponent);
  if (power >= -2 && power < 5) return trimmed(value.toFixed(Math.max(0, digits - 1 - power)));
  return `${trimmed(mantissa)}e${power}`;
}

function trimmed(text) {
  return text.includes(".") ? text.replace(/\.?0+$/, "") : text;
}

const rateText = (value) => significant(value, 3);

function lossText(value) {
  if (value === null || value === undefined || !Number.isFinite(value)) return significant(value, 3);
  const size = Math.abs(value);
  if (value !== 0 && (size < 1e-3 || size >= 1e5)) return significant(value, 4);
  const decimals = size < 10 ? 4 : Math.min(4, Math.max(0, 4 - Math.floor(Math.log10(size))));
  return value.toFixed(decimals);
}

function countText(value) {
  return value === null || value === undefined ? "–" : Number(value).toLocaleString("en-US");
}

function percentText(share) {
  const value = 100 * share;
  return value === 0 || Math.abs(value) >= 0.1 ? `${value.toFixed(1)} %` : `${significant(value, 2)} %`;
}

function durationText(seconds) {
  if (seconds === null || seconds === undefined || Number.isNaN(seconds)) return "–";
  if (seconds < 1) return `${significant(seconds * 1e3, 3)} ms`;
  if (seconds < 59.95) return `${significant(seconds, 3)} s`;
  const whole = Math.round(seconds);
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  if (whole < 86400) return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
  return `${countText(Math.floor(whole / 86400))} d ${Math.floor((whole % 86400) / 3600)} h`;
}

/** A tick of an axis: short. */
function tickText(value) {
  const size = Math.abs(value);
  return size >= 1e-4 && size < 0.01 ? trimmed(value.toFixed(6)) : significant(value, 4);
}

/** A cell of a table by the kind of its column. */
function cellText(kind, value) {
  if (value === null || value === undefined) return "–";
  if (typeof value !== "number") return String(value);
  if (kind === "count") return countText(value);
  if (kind === "rate") return rateText(value);
  if (kind === "value") return lossText(value);
  if (kind === "duration") return durationText(value);
  return significant(value, 5);
}
