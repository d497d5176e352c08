// Learning curves, with the schedules drawn under them.

const curvesPicture = {
  id: "curves", title: "Learning curves", span: "wide", height: "tall", state: { log: false, all: false },
  has: (view) => view.curves,
  lead(view) {
    const { shown, total, choice } = view.curves;
    const which = shown.length < total ? `${countText(shown.length)} of ${countText(total)} runs: ${choice}. ` : "";
    return `${which}Each line is a run, coloured by its peak rate; below, the rate it trained with. Pruned runs are faded: hover to see why.`;
  },
  switches: () => [
    { key: "all", choices: [[false, "Around the best"], [true, "Everything"]] },
    { key: "log", choices: [[false, "Linear"], [true, "Log"]] },
  ],
  build(view, state, colours) {
    const { shown, low, high } = view.curves;
    const under = shown.some((curve) => curve.schedule);
    const span = rateSpan(shown);
    const positive = shown.every((curve) => curve.value.every((value) => value === null || value > 0));
    const log = state.log && positive;
    const top = { left: 66, right: 22, top: 14, height: under ? "56%" : undefined, bottom: under ? undefined : 52 };
    const bottom = { left: 66, right: 22, top: "72%", bottom: 52 };
    const x = (gridIndex, name) => axis(colours, name, { type: "value", gridIndex, min: 0, axisLabel: { color: colours.soft, hideOverlap: true, show: name !== "", formatter: (value) => countText(value) }, max: "dataMax" });
    const lines = shown.map((curve) => curveLine(curve, view, span, colours));
    const best = shown.length > 1 ? [...lines].sort((a, b) => a.z - b.z) : lines;
    return {
      grid: under ? [top, bottom] : [top],
      axisPointer: { link: [{ xAxisIndex: "all" }] },
      tooltip: { trigger: "item", formatter: ({ seriesIndex, data, seriesId }) => curveHint(view, seriesId, data) },
      xAxis: under ? [x(0, ""), x(1, "update")] : [x(0, "update")],
      yAxis: [
        axis(colours, view.objective.name, { type: log ? "log" : "value", gridIndex: 0, nameGap: 48, scale: true, axisLine: { show: false }, ...(state.all ? {} : { min: log ? Math.max(low, 1e-300) : low, max: high }), axisLabel: { color: colours.soft, showMinLabel: false, showMaxLabel: false, formatter: tickText } }),
        ...(under ? [axis(colours, "rate", { type: "log", gridIndex: 1, nameGap: 48, axisLine: { show: false }, splitNumber: 3, ...scheduleRange(shown) })] : []),
      ],
      dataZoom: [{ type: "inside", xAxisIndex: under ? [0, 1] : [0], filterMode: "none", zoomOnMouseWheel: "ctrl", moveOnMouseWheel: false }],
      series: [...best, ...(under ? shown.filter((curve) => curve.schedule).map((curve) => scheduleLine(curve, span, colours)) : [])],
      animation: shown.length < 60,
    };
  },
  below(node, view) {
    const span = rateSpan(view.curves.shown);
    if (!span) return node.replaceChildren();
    const scheme = theme.now();
    const bar = h("i");
    bar.style.background = `linear-gradient(90deg, ${Array.from({ length: 9 }, (_, i) => ramp(i / 8, scheme)).join(", ")})`;
    const colours = paint();
    const key = (width, opacity, dash, text) => h("span", { class: "key" }, s("svg", { viewBox: "0 0 26 12", "aria-hidden": "true" },
      s("line", { x1: 1, y1: 6, x2: 25, y2: 6, stroke: colours.ink, "stroke-width": width, opacity, "stroke-dasharray": dash })), text);
    node.replaceChildren(h("div", { class: "scale" }, h("span", null, `peak rate ${rateText(span[0])}`), bar, h("span", null, rateText(span[1])),
      key(2.5, 1, "none", "best"), key(1.3, 1, "none", "complete"), key(1.3, 0.35, "4 3", "pruned"), key(1.3, 1, "1.5 2.5", "diverged or failed")));
  },
  csv(view) {
    const rows = view.curves.shown.flatMap((curve) => curve.step.map((step, i) => [curve.name, curve.rate, curve.state, step, curve.value[i]]));
    return [["run", "peak rate", "state", "update", view.objective.name], rows];
  },
};

/** The lowest and highest peak rate of the curves. */
function rateSpan(curves) {
  const rates = curves.map((curve) => curve.rate).filter((rate) => rate > 0);
  return rates.length ? [Math.min(...rates), Math.max(...rates)] : null;
}

function rateColour(rate, span, colours) {
  if (!(rate > 0) || !span) return colours.series[0];
  const width = Math.log(span[1] / span[0]);
  return ramp(width > 0 ? Math.log(rate / span[0]) / width : 0.5, colours.scheme);
}

function curveLine(curve, view, span, colours) {
  const stopped = curve.state === "pruned";
  const broken = curve.state === "diverged" || curve.state === "failed";
  const points = curve.step.map((step, i) => [step, curve.value[i]]);
  return {
    type: "line", id: `curve-${curve.id}`, name: curve.name, xAxisIndex: 0, yAxisIndex: 0, clip: true, connectNulls: false,
    showSymbol: points.length === 1 || broken, symbol: broken ? (_, { dataIndex }) => (dataIndex === points.length - 1 ? "path://M2 0 5 3 8 0 10 2 7 5 10 8 8 10 5 7 2 10 0 8 3 5 0 2z" : "none") : "circle", symbolSize: broken ? 8 : 5,
    triggerLineEvent: true, z: curve.best ? 5 : stopped ? 2 : 3,
    lineStyle: { color: rateColour(curve.rate, span, colours), width: curve.best ? 3.2 : 1.3, opacity: stopped ? 0.3 : curve.best ? 1 : 0.8, type: stopped ? [4, 3] : broken ? [1.5, 2.5] : "solid" },
    itemStyle: { color: rateColour(curve.rate, span, colours), opacity: stopped ? 0.3 : 1 },
    emphasis: { lineStyle: { width: 3.5, opacity: 1 }, focus: "series" }, blur: { lineStyle: { opacity: 0.08 } }, data: points,
  };
}

function scheduleLine(curve, span, colours) {
  const [steps, rates] = curve.schedule;
  return {
    type: "line", name: curve.name, xAxisIndex: 1, yAxisIndex: 1, silent: true, showSymbol: false, clip: true, z: curve.best ? 5 : 2, tooltip: { show: false },
    lineStyle: { color: rateColour(curve.rate, span, colours), width: curve.best ? 2.6 : 1, opacity: curve.state === "pruned" ? 0.2 : curve.best ? 1 : 0.55 },
    emphasis: { lineStyle: { width: 3, opacity: 1 } }, blur: { lineStyle: { opacity: 0.05 } }, data: steps.map((step, i) => [step, rates[i] > 0 ? rates[i] : null]),
  };
}

/** Rates fall to zero; three magnitudes below the highest say enough. */
function scheduleRange(curves) {
  const peaks = curves.filter((curve) => curve.schedule).map((curve) => Math.max(...curve.schedule[1]));
  const [low, high] = [Math.min(...peaks), Math.max(...peaks)];
  return { min: low / 30, max: high * 1.5 };
}

function curveHint(view, seriesId, data) {
  const curve = view.curves.shown.find((found) => `curve-${found.id}` === seriesId);
  if (!curve) return "";
  const last = curve.value.length - 1;
  const at = Array.isArray(data) ? data : [curve.step[last], curve.value[last]];
  return hint(curve.name, [["state", curve.state], ["why", curve.reason], ["peak rate", curve.rate && rateText(curve.rate)], ["schedule", curve.spec], [`at update ${countText(at[0])}`, lossText(at[1])]]);
}
