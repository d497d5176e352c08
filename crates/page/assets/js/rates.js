// Loss against the peak rate.

/** Where values lie that are off the scale, and those that diverged: a strip beyond the worse end of the scale. */
function strip(rates, objective, all) {
  let { low, high } = rates;
  if (all) {
    const values = rates.schedules.flatMap((curve) => curve.points.value).filter(Number.isFinite);
    low = Math.min(low, ...values);
    high = Math.max(high, ...values);
  }
  const diverged = rates.schedules.some((curve) => curve.diverged.length);
  const off = rates.schedules.some((curve) => curve.points.value.some((value) => value < low || value > high));
  const size = diverged || off ? 0.16 * (high - low) : 0.02 * (high - low);
  return objective.maximize
    ? { low, high, min: low - size, max: high, edge: low, diverged: low - 0.62 * size, off: low - 0.2 * size }
    : { low, high, min: low, max: high + size, edge: high, diverged: high + 0.62 * size, off: high + 0.2 * size };
}

const ratesPicture = {
  id: "rates", title: "Loss against peak rate", span: "two-thirds", height: "tall",
  state: { all: false },
  has: (view) => view.rates,
  name: (view) => `${capital(view.objective.name)} against peak rate`,
  lead(view) {
    const chosen = view.rates.schedules.find((curve) => curve.recommended);
    const parts = ["Each mark is one rate; the line is a fit, the shade around it its 95 % band."];
    if (chosen?.safe && chosen.safe.low < chosen.safe.high) parts.push(`Upright: the safe rates of ‘${chosen.name}’.`);
    if (view.rates.schedules.some((curve) => curve.diverged.length)) parts.push("✕ on the edge: diverged.");
    return parts.join(" ");
  },
  legend: (view) => view.rates.schedules.map((curve) => ({ name: curve.name, place: curve.colour, chosen: curve.recommended })),
  switches: () => [{ key: "all", choices: [[false, "Around the best"], [true, "Everything"]] }],
  build(view, state, colours, card) {
    const { rates, objective } = view;
    const scale = strip(rates, objective, state.all);
    const shown = rates.schedules.filter((curve) => card.on(curve.name));
    const edges = rates.schedules.some((curve) => curve.diverged.length || curve.points.value.some((value) => value < scale.low || value > scale.high));
    const frame = {
      type: "line", name: "", data: [], silent: true, tooltip: { show: false },
      markLine: !edges ? undefined : {
        precision: -1, symbol: "none", animation: false, silent: true, lineStyle: { color: colours.faint, type: [4, 4], width: 1 },
        label: { show: true, position: "insideEndTop", color: colours.faint, fontSize: 11, formatter: "diverged ✕ or off the scale ▲" },
        data: [{ yAxis: scale.edge }],
      },
    };
    return {
      grid: { left: 64, right: 22, top: 26, bottom: 52 },
      tooltip: { trigger: "item", formatter: ({ data }) => data?.hint?.() ?? "" },
      xAxis: axis(colours, "peak rate", { type: "log", minorTick: { show: false }, ...logRange(rates.schedules.flatMap((curve) => curve.points.rate)) }),
      yAxis: axis(colours, objective.name, { type: "value", nameGap: 48, min: scale.min, max: scale.max, axisLine: { show: false },
        axisLabel: { color: colours.soft, fontSize: 12, hideOverlap: true, showMinLabel: false, showMaxLabel: false, formatter: (value) => (value > scale.high || value < scale.low ? "" : tickText(value)) } }),
      dataZoom: [{ type: "inside", xAxisIndex: 0, filterMode: "none", zoomOnMouseWheel: "ctrl", moveOnMouseWheel: false }],
      series: [frame, ...shown.flatMap((curve) => rateSeries(curve, view, scale, colours))],
    };
  },
  csv(view) {
    const rows = view.rates.schedules.flatMap((curve) => curve.points.rate.map((rate, i) => {
      const gone = curve.diverged.find((cell) => cell.rate === rate);
      return [curve.name, rate, curve.points.value[i], curve.points.spread[i]?.[0], curve.points.spread[i]?.[1], gone?.diverged ?? 0];
    }));
    return [["schedule", "rate", view.objective.name, "lowest", "highest", "diverged"], rows];
  },
};

/** The ends of a logarithmic axis: a little beyond the data. */
function logRange(values) {
  const finite = values.filter((value) => value > 0 && Number.isFinite(value));
  if (!finite.length) return {};
  const [low, high] = [Math.min(...finite), Math.max(...finite)];
  const air = Math.max((high / low) ** 0.03, 1.15);
  return { min: low / air, max: high * air };
}

function capital(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** The series of one schedule; they share its name, so that the legend finds them. */
function rateSeries(curve, view, scale, colours) {
  const { colour, symbol, dash } = look(curve.colour, colours);
  const strong = curve.recommended;
  const quiet = { blur: { itemStyle: { opacity: 0.08 }, lineStyle: { opacity: 0.08 } }, emphasis: { focus: "series" } };
  const series = [];
  if (curve.fit) {
    const { rates, losses, low, high } = curve.fit;
    series.push({
      ...quiet, type: "custom", name: curve.name, silent: true, clip: true, z: 1, data: [[rates[0], losses[0]]], tooltip: { show: false },
      encode: { x: 0, y: 1 },
      renderItem: (_, api) => {
        const up = rates.map((rate, i) => api.coord([rate, high[i]]));
        const down = rates.map((rate, i) => api.coord([rate, low[i]])).reverse();
        return { type: "polygon", shape: { points: [...up, ...down] }, style: { fill: faded(colour, 0.2), opacity: strong ? 1 : 0 }, emphasis: { style: { opacity: 1 } }, blur: { style: { opacity: 0 } } };
      },
    });
    series.push({
      ...quiet, type: "line", name: curve.name, silent: true, showSymbol: false, z: strong ? 4 : 3, clip: true, tooltip: { show: false },
      lineStyle: { color: colour, width: strong ? 3 : 1.6, type: dash }, itemStyle: { color: colour },
      data: rates.map((rate, i) => [rate, losses[i]]),
    });
  } else {
    series.push({
      ...quiet, type: "line", name: curve.name, silent: true, showSymbol: false, clip: true, z: 2, tooltip: { show: false }, connectNulls: false,
      lineStyle: { color: colour, width: strong ? 2.5 : 1.4, type: dash }, data: curve.points.rate.map((rate, i) => [rate, curve.points.value[i]]),
    });
  }
  if (strong && curve.best) series[series.length - 1] = { ...series[series.length - 1], ...bestMarks(curve, colour, colours) };
  const marks = curve.points.rate.flatMap((rate, i) => {
    const value = curve.points.value[i];
    if (!Number.isFinite(value)) return [];
    const off = value > scale.high || value < scale.low;
    return [{
      value: [rate, off ? scale.off : value], row: curve.points.row[i],
      ...(off && { symbol: "triangle", symbolSize: 9, symbolRotate: view.objective.maximize ? 180 : 0 }),
      hint: () => hint(curve.name, pointFacts(curve, i, view)),
    }];
  });
  series.push({
    ...quiet, type: "scatter", name: curve.name, z: strong ? 6 : 5, symbol, symbolSize: marks.length > 400 ? 5 : strong ? 9 : 7.5, data: marks,
    itemStyle: { color: colour, borderColor: colours.card, borderWidth: 1 },
  });
  if (curve.diverged.length) {
    series.push({
      ...quiet, type: "scatter", name: curve.name, z: 5, symbol: "path://M2 0 5 3 8 0 10 2 7 5 10 8 8 10 5 7 2 10 0 8 3 5 0 2z", symbolSize: 9,
      itemStyle: { color: colour },
      data: curve.diverged.map((cell, k) => ({
        value: [cell.rate, scale.diverged], row: cell.row,
        hint: () => hint(curve.name, [["peak rate", rateText(cell.rate)], ["diverged", `${cell.diverged} of ${cell.runs}`]]),
      })),
    });
  }
  return series;
}

function pointFacts(curve, i, view) {
  const spread = curve.points.spread[i];
  const rate = curve.points.rate[i];
  return [
    ["peak rate", rateText(rate)], [view.objective.name, lossText(curve.points.value[i])],
    ["over seeds", spread && `${lossText(spread[0])} to ${lossText(spread[1])}`],
    ["of the best rate", curve.best && `×${significant(rate / curve.best.rate, 3)}`],
  ];
}

/** The best rate as a line, the safe rates as a shade. */
function bestMarks(curve, colour, colours) {
  const { best, safe } = curve;
  const area = safe && safe.low < safe.high && {
    silent: true, animation: false, itemStyle: { color: faded(colour, 0.1) },
    label: { show: true, position: "insideBottom", color: colours.soft, fontSize: 11.5, formatter: "safe" },
    data: [[{ xAxis: safe.low }, { xAxis: safe.high }]],
  };
  return {
    markLine: {
      precision: -1, silent: true, animation: false, symbol: "none", lineStyle: { color: colour, width: 1.5, type: [5, 4] },
      label: { show: true, position: "end", rotate: 0, distance: 4, color: colour, fontWeight: 650, fontSize: 13, formatter: `best ${rateText(best.rate)}` },
      data: [{ xAxis: best.rate }],
    },
    ...(area && { markArea: area }),
  };
}
