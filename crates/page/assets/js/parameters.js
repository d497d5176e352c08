// All parameters of all trials, and how much each of them matters.

const parametersPicture = {
  id: "parameters", title: "All parameters", span: "two-thirds",
  has: (view) => view.parameters,
  lead: (view) => `One line per trial, from its parameters to its result; bright is good. Drag along an axis to pick trials. ${view.parameters.choice}`,
  build(view, _, colours) {
    const { axes, rows } = view.parameters;
    const columns = [...axes, { key: "value", label: view.objective.name, log: false, choices: null }];
    const cells = columns.map((column) => view.trials.columns.find((found) => found.key === column.key)?.cells ?? []);
    const values = cells[cells.length - 1];
    const finite = rows.map((row) => values[row]).filter(Number.isFinite).sort((a, b) => a - b);
    const sign = view.objective.maximize ? -1 : 1;
    const rank = new Map([...finite].sort((a, b) => sign * (a - b)).map((value, i, all) => [value, i / Math.max(all.length - 1, 1)]));
    const [low, high] = view.rates && finite.length ? [view.rates.low, view.rates.high] : [finite[0], finite[finite.length - 1]];
    const number = (column, i) => {
      if (column.choices) return { type: "category", data: column.choices.map((choice) => short(choice, 22)) };
      const log = column.log && cells[i].every((cell) => cell === null || cell > 0);
      return { type: log ? "log" : "value", scale: true, ...(log ? logRange(cells[i].filter(Number.isFinite)) : {}) };
    };
    const place = (column, i, row) => {
      const cell = cells[i][row];
      if (cell === null || cell === undefined) return "-";
      return column.choices ? column.choices.indexOf(String(cell)) : i === columns.length - 1 ? Math.min(Math.max(cell, low), high) : cell;
    };
    const lines = rows.map((row) => {
      const value = values[row];
      const good = Number.isFinite(value) ? 1 - rank.get(value) : 0;
      const line = columns.map((column, i) => place(column, i, row));
      return { value: line, row, good, lineStyle: { color: Number.isFinite(value) ? ramp(good, colours.scheme) : colours.bad, opacity: lineOpacity(rows.length) * (0.35 + 0.65 * good ** 2), width: good > 0.95 ? 2.4 : 1.2 } };
    });
    lines.sort((a, b) => a.good - b.good);
    return {
      parallel: { left: 70, right: 76, top: 34, bottom: 26, parallelAxisDefault: {
        nameTextStyle: { color: colours.ink, fontSize: 13 }, nameGap: 14, axisLine: { lineStyle: { color: colours.faint } }, axisTick: { show: false },
        axisLabel: { color: colours.ink, fontSize: 11.5, hideOverlap: true, showMinLabel: false, showMaxLabel: false, textBorderColor: colours.card, textBorderWidth: 3, formatter: (value) => (typeof value === "number" ? tickText(value) : value) },
        areaSelectStyle: { width: 16, borderWidth: 1, borderColor: colours.accent, color: faded(colours.accent, 0.3), opacity: 1 },
      } },
      parallelAxis: columns.map((column, dim) => ({ dim, name: column.label, ...number(column, dim), ...(dim === columns.length - 1 && { min: low, max: high, inverse: false }) })),
      tooltip: { trigger: "item", formatter: ({ data }) => (data ? hint(`trial ${countText(view.trials.columns.find((column) => column.key === "trial").cells[data.row])}`, columns.map((column, i) => [column.label, cellText(column.log ? "rate" : column.key === "value" ? "value" : "number", cells[i][data.row])])) : "") },
      series: [{ type: "parallel", smooth: 0, progressive: 300, inactiveOpacity: 0.03, activeOpacity: 0.9, data: lines, emphasis: { lineStyle: { width: 3, opacity: 1 } } }],
    };
  },
  csv: (view) => tableCsv(view),
};

function lineOpacity(lines) {
  return lines > 1000 ? 0.35 : lines > 200 ? 0.6 : 0.9;
}

function short(text, most) {
  return text.length > most ? `${text.slice(0, most - 1)}…` : text;
}

const importancePicture = {
  id: "importance", title: "What matters", span: "third", height: "low",
  has: (view) => view.importance,
  lead: (view) => `Share of the differences in ${view.objective.name} that each parameter alone explains, over ${countText(view.importance.trials)} trials.`,
  build(view, _, colours) {
    const shares = [...view.importance.shares].reverse();
    return {
      grid: { left: 12, right: 56, top: 8, bottom: 8, containLabel: true },
      tooltip: { trigger: "item", formatter: ({ dataIndex }) => hint(shares[dataIndex].name, [["explains", percentText(shares[dataIndex].share)]]) },
      xAxis: { type: "value", min: 0, max: Math.max(...shares.map((entry) => entry.share), 0.01), show: false },
      yAxis: { type: "category", data: shares.map((entry) => short(entry.name, 26)), axisLine: { show: false }, axisTick: { show: false }, axisLabel: { color: colours.ink, fontSize: 13 } },
      series: [{
        type: "bar", barMaxWidth: 26, itemStyle: { color: colours.series[0], borderRadius: [0, 5, 5, 0] },
        label: { show: true, position: "right", color: colours.soft, formatter: ({ value }) => percentText(value) }, data: shares.map((entry) => entry.share),
      }],
    };
  },
  csv: (view) => [["parameter", "share explained"], view.importance.shares.map((entry) => [entry.name, entry.share])],
};
