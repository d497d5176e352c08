// Pictures that belong to one kind of result: lines and marks over two axes, with a table and notes below.

/** The picture of a chart of the view; it finds its data by the chart's id, so that it stays the same while these change. */
function chartPicture({ id, title }) {
  const of = (view) => view.charts.find((chart) => chart.id === id);
  return {
    id, title, span: "half", height: "",
    has: (view) => of(view),
    name: () => title,
    lead: (view) => of(view)?.lead ?? "",
    legend(view) {
      const seen = new Map();
      for (const line of of(view).lines) if (line.name && !seen.has(line.name)) seen.set(line.name, { name: line.name, place: line.colour, chosen: line.strong });
      return [...seen.values()];
    },
    build: (view, _, colours, card) => chartOption(of(view), colours, card),
    below: (node, view) => chartBelow(node, of(view)),
    csv(view) {
      const chart = of(view);
      const rows = chart.lines.flatMap((line) => [
        ...line.x.map((x, i) => [line.name || "measured", x, line.y[i], line.low[i], line.high[i]]),
        ...line.lost.map((x) => [line.name, x, "diverged", "", ""]),
      ]);
      return [["line", chart.x.label, chart.y.label, "low", "high"], rows];
    },
  };
}

function chartOption(chart, colours, card) {
  const shown = chart.lines.filter((line) => !line.name || card.on(line.name));
  const finite = (log) => (value) => Number.isFinite(value) && (!log || value > 0);
  const xs = chart.lines.flatMap((line) => [...line.x, ...line.lost]).filter(finite(chart.x.log));
  const ys = shown.flatMap((line) => [...line.y, ...line.low, ...line.high]).filter(finite(chart.y.log));
  const y = chart.y.range ? { low: chart.y.range[0], high: chart.y.range[1] } : room(ys, chart.y.log);
  const lost = chart.lines.some((line) => line.lost.length);
  const top = lost && y ? (chart.y.log ? y.high * (y.high / y.low) ** 0.12 : y.high + 0.12 * (y.high - y.low)) : y?.high;
  const edge = lost && y ? (chart.y.log ? y.high * (y.high / y.low) ** 0.06 : y.high + 0.06 * (y.high - y.low)) : undefined;
  const horizontal = chart.x.range ? { min: chart.x.range[0], max: chart.x.range[1] }
    : chart.x.log ? logRange(xs) : xs.length ? { min: Math.min(...xs), max: Math.max(...xs) } : {};
  return {
    grid: { left: 70, right: 24, top: chart.rules.length ? 34 : 18, bottom: 52 },
    tooltip: { trigger: "item", formatter: ({ data }) => data?.hint?.() ?? "" },
    xAxis: axis(colours, chart.x.label, { type: chart.x.log ? "log" : "value", ...horizontal,
      ...(!chart.x.log && { axisLabel: { color: colours.soft, fontSize: 12, hideOverlap: true, formatter: tickText, showMaxLabel: false } }) }),
    yAxis: axis(colours, chart.y.label, { type: chart.y.log ? "log" : "value", nameGap: 54, axisLine: { show: false }, ...(y && { min: y.low, max: top }),
      axisLabel: { color: colours.soft, fontSize: 12, hideOverlap: true, showMinLabel: false, showMaxLabel: false, formatter: (value) => (lost && y && value > y.high ? "" : tickText(value)) } }),
    dataZoom: [{ type: "inside", xAxisIndex: 0, filterMode: "none", zoomOnMouseWheel: "ctrl", moveOnMouseWheel: false }],
    series: [chartRules(chart, colours, horizontal), ...shown.flatMap((line) => chartSeries(line, chart, colours, edge))],
  };
}

/** The range of values with a little air. */
function room(values, log) {
  if (!values.length) return undefined;
  let [low, high] = [Infinity, -Infinity];
  for (const value of values) { low = Math.min(low, value); high = Math.max(high, value); }
  if (log) return { low: low / (high / low || 2) ** 0.05 / 1.02, high: high * (high / low || 2) ** 0.05 * 1.02 };
  const air = high > low ? 0.06 * (high - low) : 0.05 * Math.abs(high) || 1;
  return { low: low - air, high: high + air };
}

/** Named places: lines for points, shades for stretches. */
function chartRules(chart, colours, { min, max }) {
  const share = (at) => (chart.x.log ? Math.log(at / min) / Math.log(max / min) : (at - min) / (max - min));
  // A name near an end of the axis stands on the side that has room.
  const align = (at) => (share(at) > 0.85 ? "right" : share(at) < 0.1 ? "left" : "center");
  const points = chart.rules.filter((rule) => rule.to === null);
  const stretches = chart.rules.filter((rule) => rule.to !== null);
  // Names beside each other stand on two heights.
  const order = [...points].sort((a, b) => a.at - b.at);
  return {
    type: "line", name: "", data: [], silent: true, tooltip: { show: false },
    markLine: {
      precision: -1, silent: true, animation: false, symbol: "none", lineStyle: { color: colours.soft, width: 1.2, type: [4, 4] },
      data: points.map((rule) => ({ xAxis: rule.at, label: { show: true, position: "end", rotate: 0, align: align(rule.at), distance: [0, 3 + 13 * (order.indexOf(rule) % 2)], color: colours.ink, fontSize: 11.5, formatter: () => rule.label } })),
    },
    markArea: !stretches.length ? undefined : {
      silent: true, animation: false, itemStyle: { color: faded(colours.accent, 0.13) },
      label: { show: true, position: "insideBottom", color: colours.soft, fontSize: 11.5, formatter: ({ name }) => name },
      data: stretches.map((rule) => [{ xAxis: rule.at, name: rule.label }, { xAxis: rule.to }]),
    },
  };
}

function chartSeries(line, chart, colours, edge) {
  const { colour, symbol, dash } = look(line.colour, colours);
  const quiet = { emphasis: { focus: "series" }, blur: { itemStyle: { opacity: 0.12 }, lineStyle: { opacity: 0.12 } } };
  const facts = (i) => [
    [chart.x.label, significant(line.x[i], 4)], [chart.y.label, lossText(line.y[i])],
    ["band", Number.isFinite(line.low[i]) && `${lossText(line.low[i])} to ${lossText(line.high[i])}`],
  ].filter(([, value]) => value !== false);
  const data = line.x.map((x, i) => ({ value: [x, Number.isFinite(line.y[i]) ? line.y[i] : null], hint: () => hint(line.name || "measured", facts(i)) }));
  const series = [];
  if (line.low.length) {
    const ends = line.x.map((x, i) => [x, line.low[i], line.high[i]]).filter((end) => end.every(Number.isFinite));
    if (ends.length > 1) {
      series.push({
        ...quiet, type: "custom", name: line.name, silent: true, clip: true, z: 1, data: [[ends[0][0], ends[0][1]]], encode: { x: 0, y: 1 }, tooltip: { show: false },
        renderItem: (_, api) => ({
          type: "polygon", style: { fill: faded(colour, 0.16) }, blur: { style: { opacity: 0 } },
          shape: { points: [...ends.map(([x, low]) => api.coord([x, low])), ...ends.map(([x, , high]) => api.coord([x, high])).reverse()] },
        }),
      });
    }
  }
  if (line.draw === "faint") {
    series.push({ type: "scatter", name: line.name, z: 2, symbolSize: 3.5, large: data.length > 3000, itemStyle: { color: faded(colours.soft, 0.55) }, data });
  } else if (line.draw === "points") {
    series.push({ ...quiet, type: "scatter", name: line.name, z: 6, symbol, symbolSize: data.length > 400 ? 5 : 9, itemStyle: { color: colour, borderColor: colours.card, borderWidth: 1 }, data });
  } else {
    const marks = line.draw === "both";
    series.push({
      ...quiet, type: "line", name: line.name, z: line.strong ? 4 : 3, clip: true, symbol: marks ? symbol : "circle", symbolSize: marks ? 7 : 5, showSymbol: marks && data.length <= 80, connectNulls: false,
      triggerLineEvent: false, lineStyle: { color: colour, width: line.strong ? 3 : 1.8, type: dash }, itemStyle: { color: colour }, data,
    });
  }
  if (line.lost.length && edge !== undefined) {
    series.push({
      ...quiet, type: "scatter", name: line.name, z: 5, symbol: "path://M2 0 5 3 8 0 10 2 7 5 10 8 8 10 5 7 2 10 0 8 3 5 0 2z", symbolSize: 9, itemStyle: { color: colour },
      data: line.lost.map((x) => ({ value: [x, edge], hint: () => hint(line.name, [[chart.x.label, significant(x, 4)], [chart.y.label, "diverged"]]) })),
    });
  }
  return series;
}

function chartBelow(node, chart) {
  const parts = [];
  if (chart.table) {
    const { columns, rows } = chart.table;
    parts.push(h("div", { class: "sideways" }, h("table", { class: "grid-table" }, h("thead", null, h("tr", null, columns.map((name) => h("th", { scope: "col" }, name)))),
      h("tbody", null, rows.map((row) => h("tr", null, row.map((cell) => h("td", { class: cell === "diverges" ? "bad" : "" }, cell))))))));
  }
  if (chart.notes.length) parts.push(h("details", { class: "more" }, h("summary", null, "What to keep in mind"), h("ul", { class: "caveats" }, chart.notes.map((note) => h("li", null, note)))));
  node.replaceChildren(...parts);
}
