// What it costs to be off the best rate.

const robustnessPicture = {
  id: "robustness", title: "If the rate is off", span: "third",
  has: (view) => view.robustness,
  lead: () => "How much worse the result gets when the rate is a factor off its best.",
  build(view, _, colours) {
    const { schedules, small } = view.robustness;
    const curves = schedules.map((curve) => ({ ...curve, points: curve.factor.map((x, i) => [x, curve.excess[i]]).filter(([x]) => x >= 0.02 && x <= 50) }));
    const heights = curves.flatMap((curve) => curve.points.filter(([x]) => x > 0.15 && x < 7).map(([, y]) => y)).filter(Number.isFinite).sort((a, b) => a - b);
    const top = Math.max(heights[Math.floor(heights.length * 0.9)] ?? 1, 4 * small) || 1;
    return {
      grid: { left: 62, right: 16, top: 16, bottom: 52 },
      tooltip: { trigger: "item", formatter: ({ data }) => data?.hint?.() ?? "" },
      xAxis: axis(colours, "rate ÷ best rate", { type: "log", min: 0.1, max: 12, axisLabel: { color: colours.soft, formatter: (x) => `×${significant(x, 2)}` } }),
      yAxis: axis(colours, `worse by (${view.objective.name})`, { type: "value", nameGap: 46, min: 0, max: 1.1 * top, axisLine: { show: false },
        axisLabel: { color: colours.soft, showMaxLabel: false, formatter: tickText } }),
      series: [
        { type: "line", data: [], silent: true, markLine: { precision: -1, silent: true, animation: false, symbol: "none", label: { show: false }, lineStyle: { color: colours.faint, type: [3, 4] }, data: [{ xAxis: 1 }] } },
        ...curves.map((curve) => {
          const { colour, symbol, dash } = look(curve.colour, colours);
          return {
            type: "line", name: curve.name, clip: true, symbol, symbolSize: 6, connectNulls: false, emphasis: { focus: "series" }, lineStyle: { color: colour, type: dash, width: 1.8 },
            itemStyle: { color: colour }, data: curve.points.map(([x, y]) => ({ value: [x, y], hint: () => hint(curve.name, [["rate", `×${significant(x, 3)} of the best`], ["worse by", significant(y, 3)]]) })),
          };
        }),
      ],
    };
  },
  below(node, view) {
    const { factors, schedules, caveats } = view.robustness;
    const text = (cost) => (cost === null ? "–" : typeof cost === "string" ? cost : `${cost < 0 ? "−" : "+"}${Math.abs(cost) >= 1e-4 && Math.abs(cost) < 1e3 ? Math.abs(cost).toFixed(Math.abs(cost) < 1 ? 4 : 2) : significant(Math.abs(cost), 2)}`);
    const table = h("table", { class: "grid-table" },
      h("thead", null, h("tr", null, h("th", { scope: "col" }, "rate too high by"), factors.map((factor) => h("th", { scope: "col" }, `×${factor}`)))),
      h("tbody", null, schedules.map((curve) => h("tr", null, h("td", null, curve.name),
        curve.cost.map((cost, i) => h("td", { class: cost === "diverges" ? "bad" : "", title: curve.theory[i] ? `worst-case theory: the bound grows ×${significant(curve.theory[i], 3)}` : "" }, text(cost)))))));
    const notes = caveats.length ? h("details", { class: "more" }, h("summary", null, "What to keep in mind"), h("ul", { class: "caveats" }, caveats.map((caveat) => h("li", null, caveat)))) : null;
    node.replaceChildren(table, ...(notes ? [notes] : []));
  },
  csv(view) {
    const rows = view.robustness.schedules.flatMap((curve) => curve.factor.map((factor, i) => [curve.name, factor, curve.excess[i]]));
    return [["schedule", "rate over best rate", "worse by"], rows];
  },
};
