// What was spent, against what a grid costs.

/** The colour of a part of the budget: that of its state, or of its length of run. */
function budgetPaint(view, colours) {
  const states = STATE_COLOURS(colours);
  const names = view.budget.parts.map(([name]) => name);
  return (name) => states[name] ?? look(names.indexOf(name), colours).colour;
}

const budgetPicture = {
  id: "budget", title: "Budget", span: "half",
  has: (view) => view.budget,
  lead(view) {
    const { spent, grid, grid_note: note } = view.budget;
    const runs = (n) => `${significant(n, 3)} full ${n === 1 ? "run" : "runs"}`;
    return grid ? `${runs(spent)} spent; ${note} costs ${runs(grid)}: ${grid > spent ? `${significant(grid / spent, 3)} times as much` : "no more"}.` : `${runs(spent)} spent.`;
  },
  build(view, _, colours) {
    const { spent, grid, parts, progress } = view.budget;
    const end = Math.max(spent, grid ?? 0);
    const paintOf = budgetPaint(view, colours);
    const bars = { left: 82, right: 24, top: 10, height: 62 };
    const series = parts.map(([state, cost]) => ({
      type: "bar", stack: "spent", name: state, barWidth: 22, xAxisIndex: 0, yAxisIndex: 0, itemStyle: { color: paintOf(state), borderColor: colours.card, borderWidth: 1 },
      data: grid ? [{ value: cost, hint: () => hint(state, [["full runs", significant(cost, 3)]]) }, 0] : [{ value: cost, hint: () => hint(state, [["full runs", significant(cost, 3)]]) }],
    }));
    if (grid) series.push({ type: "bar", stack: "spent", name: "grid", barWidth: 22, itemStyle: { color: colours.grid, borderColor: colours.faint, borderWidth: 1 }, data: [0, { value: grid, hint: () => hint("a full grid", [["full runs", significant(grid, 3)]]) }] });
    series.push({
      type: "line", step: "end", xAxisIndex: 1, yAxisIndex: 1, showSymbol: progress.length < 30, symbolSize: 5, lineStyle: { color: colours.series[0], width: 2 }, itemStyle: { color: colours.series[0] },
      data: progress.map(([x, y]) => ({ value: [x, y], hint: () => hint("best so far", [[view.objective.name, lossText(y)], ["after full runs", significant(x, 3)]]) })),
    });
    return {
      grid: [bars, { left: 82, right: 24, top: 104, bottom: 48 }],
      tooltip: { trigger: "item", formatter: ({ data }) => data?.hint?.() ?? "" },
      xAxis: [{ type: "value", gridIndex: 0, min: 0, max: end, show: false }, axis(colours, "spent, in full runs", { type: "value", gridIndex: 1, min: 0, max: spent || 1, axisLabel: { color: colours.soft, hideOverlap: true, formatter: tickText } })],
      yAxis: [{ type: "category", gridIndex: 0, inverse: true, data: grid ? ["spent", "a grid"] : ["spent"], axisLine: { show: false }, axisTick: { show: false }, axisLabel: { color: colours.ink, fontSize: 13 } },
        axis(colours, "best so far", { type: "value", gridIndex: 1, scale: true, nameGap: 56, axisLine: { show: false }, axisLabel: { color: colours.soft, formatter: tickText } })],
      series,
    };
  },
  below(node, view) {
    const paintOf = budgetPaint(view, paint());
    const key = ([name]) => h("span", { class: "key" }, s("svg", { viewBox: "0 0 26 12" }, s("rect", { x: 6, y: 1, width: 14, height: 10, rx: 2, fill: paintOf(name) })), name);
    node.replaceChildren(h("div", { class: "scale" }, view.budget.parts.map(key)));
  },
  csv: (view) => [["full runs spent", `best ${view.objective.name}`], view.budget.progress],
};
