// The schedules, one over the other.

const schedulesPicture = {
  id: "schedules", title: "Schedules", span: "two-thirds", state: { absolute: false },
  has: (view) => view.schedules,
  lead: () => "The learning rate over the course of a training.",
  legend: (view) => view.schedules.lines.map((line) => ({ name: line.name, place: line.colour })),
  switches: (view) => (view.schedules.lines.some((line) => line.peak) ? [{ key: "absolute", choices: [[false, "Share of peak"], [true, "At its best rate"]] }] : []),
  build(view, state, colours, card) {
    const { lines, steps } = view.schedules;
    const along = (share) => (steps ? share * steps : 100 * share);
    return {
      grid: { left: 60, right: 20, top: 18, bottom: 52 },
      tooltip: { trigger: "axis", axisPointer: { type: "line", lineStyle: { color: colours.faint } }, formatter: (points) => {
        if (!points.length) return "";
        const x = points[0].axisValue;
        return hint(steps ? `update ${countText(Math.round(x))}` : `${significant(x, 3)} % of the training`, points.map((point) => [point.seriesName, rateText(point.value[1])]));
      } },
      xAxis: axis(colours, steps ? "update" : "% of the training", { type: "value", min: 0, max: along(1), axisLabel: { color: colours.soft, hideOverlap: true, formatter: (x) => (steps ? countText(x) : tickText(x)) } }),
      yAxis: axis(colours, state.absolute ? "learning rate" : "share of the peak", { type: "value", min: 0, nameGap: 44, axisLine: { show: false } }),
      series: lines.filter((line) => card.on(line.name)).map((line) => {
        const { colour, dash } = look(line.colour, colours);
        const scale = state.absolute ? line.peak ?? NaN : 1;
        return {
          type: "line", name: line.name, showSymbol: false, symbol: "circle", emphasis: { focus: "series" }, lineStyle: { color: colour, width: 2, type: dash }, itemStyle: { color: colour },
          data: line.share.map((share, i) => [along(share), line.level[i] * scale]),
        };
      }),
    };
  },
  csv(view) {
    const rows = view.schedules.lines.flatMap((line) => line.share.map((share, i) => [line.name, share, line.level[i], line.peak && line.level[i] * line.peak]));
    return [["schedule", "share of the training", "share of the peak", "rate at its best peak"], rows];
  },
};
