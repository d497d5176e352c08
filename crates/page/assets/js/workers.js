// Who trained what, when.

const STATE_COLOURS = (colours) => ({ complete: colours.good, running: colours.accent, pruned: colours.faint, failed: colours.bad, diverged: colours.bad, paused: colours.warn });

const workersPicture = {
  id: "workers", title: "Workers", span: "half",
  has: (view) => view.workers,
  lead: (view) => `${view.workers.lines.length} ${view.workers.lines.length === 1 ? "worker" : "workers"}; each block is a run.`,
  build(view, _, colours) {
    const { lines, from, to } = view.workers;
    const states = STATE_COLOURS(colours);
    const data = lines.flatMap((line, y) => line.work.map((work) => ({
      value: [y, work.from, work.to], row: work.row, itemStyle: { color: states[work.state] ?? colours.soft },
      hint: () => hint(work.name, [["worker", line.name], ["state", work.state], ["took", durationText((work.to - work.from) / 1e3)], ["began", new Date(work.from).toLocaleString()]]),
    })));
    const height = Math.min(26, 220 / lines.length);
    return {
      grid: { left: 12, right: 22, top: 12, bottom: 34, containLabel: true },
      tooltip: { trigger: "item", formatter: ({ data: entry }) => entry?.hint?.() ?? "" },
      xAxis: axis(colours, "", { type: "time", min: from, max: to, axisLabel: { color: colours.soft, hideOverlap: true } }),
      yAxis: { type: "category", inverse: true, data: lines.map((line) => short(line.name, 24)), axisLine: { show: false }, axisTick: { show: false }, axisLabel: { color: colours.ink, fontSize: 12 }, splitLine: { show: false } },
      dataZoom: [{ type: "inside", filterMode: "weakFilter", zoomOnMouseWheel: "ctrl", moveOnMouseWheel: false }],
      series: [{
        type: "custom", clip: true, encode: { x: [1, 2], y: 0 }, data, progressive: 800,
        renderItem: (_, api) => {
          const [x0, y] = api.coord([api.value(1), api.value(0)]);
          const [x1] = api.coord([api.value(2), api.value(0)]);
          return { type: "rect", shape: { x: x0, y: y - height / 2, width: Math.max(x1 - x0 - 0.6, 1.2), height, r: Math.min(3, (x1 - x0) / 4) }, style: { fill: api.visual("color"), opacity: 0.85 }, emphasis: { style: { opacity: 1 } } };
        },
      }],
    };
  },
  below(node, view) {
    const colours = paint();
    const states = STATE_COLOURS(colours);
    const present = [...new Set(view.workers.lines.flatMap((line) => line.work.map((work) => work.state)))];
    node.replaceChildren(h("div", { class: "scale" }, present.map((state) => h("span", { class: "key" }, s("svg", { viewBox: "0 0 26 12" }, s("rect", { x: 6, y: 1, width: 14, height: 10, rx: 2, fill: states[state] ?? colours.soft })), state))));
  },
  csv: (view) => [["worker", "run", "state", "from", "to"], view.workers.lines.flatMap((line) => line.work.map((work) => [line.name, work.name, work.state, new Date(work.from).toISOString(), new Date(work.to).toISOString()]))],
};
