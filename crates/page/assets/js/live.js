// The live page: a list of studies, or one study that is followed.

const api = {
  async get(path) {
    const answer = await fetch(path, { headers: { accept: "application/json" } });
    if (!answer.ok) throw new Error((await answer.text()) || answer.statusText);
    return answer.json();
  },
  async post(path, body) {
    const { proof } = await this.get("/api/studies");
    const headers = { "x-lehr-proof": proof ?? "", ...(body && { "content-type": "application/json" }) };
    const answer = await fetch(path, { method: "POST", headers, ...(body && { body: JSON.stringify(body) }) });
    if (!answer.ok) throw new Error(await answer.text());
    return answer.json();
  },
};

function showProblem(main, error) {
  main.replaceChildren(h("p", { class: "empty" }, `This cannot be shown: ${error.message}`));
}

/** The list of studies, read again every few seconds. */
async function startList(main) {
  const show = async () => {
    try {
      const { studies, storage, files } = await api.get("/api/studies");
      document.title = "Studies – Lehr";
      const states = (study) => study.trials.filter(([, n]) => n).map(([state, n]) => `${countText(n)} ${state}`).join(", ");
      const entry = (study) => h("li", null, h("a", { href: `/study/${study.id}` }, h("strong", null, study.name), h("span", null, states(study) || "no trials yet"), h("span", null, study.best === null ? "" : `best ${lossText(study.best)}`)));
      const results = files.map((file) => h("li", null, h("a", { href: `/file/${file.id}` }, h("strong", null, file.name), h("span", null, "results in a file"))));
      const counts = [...(studies.length || !files.length ? [studies.length === 1 ? "1 study" : `${countText(studies.length)} studies`] : []), ...(files.length ? [files.length === 1 ? "1 file" : `${countText(files.length)} files`] : [])];
      main.replaceChildren(h("div", { class: "wide" }, h("p", { class: "title" }, studies.length || !files.length ? storage : ""), h("h1", { class: "headline" }, counts.join(", "))),
        studies.length || files.length ? h("ul", { class: "studies" }, studies.map(entry), results) : h("p", { class: "empty" }, "There is no study yet: `lehr tune … -- your command` makes one, and it appears here."));
      window.lehrReady = true;
    } catch (error) { showProblem(main, error); }
  };
  await show();
  setInterval(show, 4000);
}

/** The end of a trial's dialog: its curves, its logs and what can be done. */
async function showDetail(id, trial, inside) {
  const waiting = h("p", { class: "lead" }, "Reading the log …");
  inside.append(waiting);
  try {
    const [detail, { proof }] = await Promise.all([api.get(`/api/studies/${id}/trials/${trial}`), api.get("/api/studies")]);
    waiting.remove();
    if (proof) inside.append(actions(id, trial, detail));
    for (const run of detail.runs) {
      if (detail.runs.length > 1) inside.append(h("h3", null, `Run to ${countText(run.horizon)} updates: ${run.state}`));
      if (run.reports.length > 1) inside.append(smallCurve(run.reports));
      if (run.log !== null) inside.append(h("pre", { class: "log", tabindex: "0", "aria-label": "log" }, run.log || "(the log is empty)"));
      else if (run.log_problem) inside.append(h("p", { class: "lead" }, run.log_problem));
    }
    if (detail.reports?.length > 1) inside.append(smallCurve(detail.reports));
    if (!detail.runs.some((run) => run.log_path)) inside.append(h("p", { class: "lead" }, "This trial has no log."));
  } catch (error) { waiting.textContent = `The trial cannot be read: ${error.message}`; }
}

function actions(id, trial, detail) {
  const said = h("output", { class: "lead" });
  const act = (what, done) => async (event) => {
    event.target.disabled = true;
    try { said.textContent = done(await api.post(`/api/studies/${id}/trials/${trial}/${what}`)); } catch (error) { said.textContent = error.message; event.target.disabled = false; }
  };
  return h("div", { class: "notes" },
    h("button", { class: "button", type: "button", "data-act": "repeat", onclick: act("repeat", (answer) => `Trial ${answer.trial} waits for a worker.`) }, "Train it again"),
    detail.open && h("button", { class: "button", type: "button", "data-act": "stop", onclick: act("stop", (answer) => (answer.state ? `It has ended (${answer.state}).` : "Its worker is asked to stop it, which takes a few seconds.")) }, "Stop this trial"), said);
}

function smallCurve(reports) {
  const node = h("div", { class: "plot small" });
  requestAnimationFrame(() => {
    const colours = paint();
    echarts.init(node).setOption({
      ...base(colours), animation: false, grid: { left: 60, right: 16, top: 12, bottom: 34 },
      xAxis: axis(colours, "", { type: "value", max: "dataMax" }), yAxis: axis(colours, "", { type: "value", scale: true, axisLine: { show: false } }),
      tooltip: { ...base(colours).tooltip, trigger: "axis", formatter: ([point]) => hint(`update ${countText(point.value[0])}`, [["value", lossText(point.value[1])]]) },
      series: [{ type: "line", showSymbol: reports.length < 40, data: reports, lineStyle: { color: colours.series[0] }, itemStyle: { color: colours.series[0] } }],
    });
  });
  return node;
}

/** Follows a study: a new view is asked for when the server says that there is one, but never faster than it is drawn. */
async function startStudy(main, id) {
  const sign = document.querySelector(".live");
  let form;
  const shown = async (page) => {
    if (form !== undefined) return;
    form = null;
    if ((await api.get("/api/studies")).proof) page.table.tools.prepend(h("button", { class: "button", type: "button", "data-act": "enqueue", onclick: () => openForm(page, id) }, "Add a trial …"));
  };
  const page = new Page(main, { detail: (trial, inside) => showDetail(id, trial, inside), shown });
  theme.start(() => page.view && page.repaint());
  document.getElementById("help").addEventListener("click", () => page.help());
  document.addEventListener("keydown", (event) => page.keys(event));
  const say = (state, text) => { sign.hidden = false; sign.dataset.state = state; sign.textContent = text; };
  let [busy, again] = [false, false];
  const update = async () => {
    if (busy) { again = true; return; }
    busy = true;
    const start = performance.now();
    try {
      const view = decoded(await api.get(`/api/studies/${id}/view`));
      await page.show(view);
      say(view.running ? "live" : "done", view.running ? "live" : "up to date");
      if (!window.lehrReady) requestAnimationFrame(() => { window.lehrReadyAt = performance.now(); window.lehrReady = true; });
      window.lehrUpdates = (window.lehrUpdates ?? 0) + 1;
    } catch (error) {
      if (!page.view) return showProblem(main, error);
      say("lost", "no answer");
    } finally {
      setTimeout(() => { busy = false; if (again) { again = false; update(); } }, 2 * (performance.now() - start));
    }
  };
  await update();
  const events = new EventSource(`/api/studies/${id}/events`);
  let first = true;
  events.addEventListener("view", () => { if (first) first = false; else update(); });
  events.addEventListener("error", () => say("lost", "connection lost, trying again"));
  events.addEventListener("open", () => { if (sign.dataset.state === "lost") update(); });
}

/** Shows a file of results, and again whenever it has changed. */
async function startFile(main, id) {
  const page = new Page(main, {});
  theme.start(() => page.view && page.repaint());
  document.getElementById("help").addEventListener("click", () => page.help());
  document.addEventListener("keydown", (event) => page.keys(event));
  let last;
  const look = async () => {
    try {
      const answer = await fetch(`/api/files/${id}/view`);
      const text = await answer.text();
      if (!answer.ok) throw new Error(text || answer.statusText);
      if (text !== last) { last = text; await page.show(decoded(JSON.parse(text))); }
    } catch (error) { if (!page.view) showProblem(main, error); }
    window.lehrReady = true;
    setTimeout(look, 4000);
  };
  await look();
}

function startLive() {
  const study = location.pathname.match(/^\/study\/(\d+)$/);
  const main = document.querySelector("main");
  document.body.prepend(h("a", { class: "skip", href: "#trials" }, "Skip to the trials"), bar("/"));
  const file = location.pathname.match(/^\/file\/(\d+)$/);
  if (study) startStudy(main, study[1]);
  else if (file) startFile(main, file[1]);
  else { theme.start(() => {}); document.getElementById("help").hidden = true; startList(main); }
}

startLive();
