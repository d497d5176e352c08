// A form for a trial that somebody asks for. The server checks it; what is left empty the worker decides.

async function openForm(page, id) {
  let form;
  const inside = h("div", { class: "inside" }, h("p", { class: "lead" }, "Reading the study's parameters …"));
  page.dialog.replaceChildren(h("header", null, h("h2", null, "Train a trial of your own"), h("button", { class: "button", type: "button", onclick: () => page.dialog.close() }, "Close")), inside);
  if (!page.dialog.open) page.dialog.showModal();
  try { form = await api.get(`/api/studies/${id}/form`); } catch (error) {
    inside.replaceChildren(h("p", { class: "lead" }, `The parameters cannot be read: ${error.message}`));
    return;
  }
  if (!form.fields.length) {
    inside.replaceChildren(h("p", { class: "lead" }, "The study has no parameters yet: they are known once a trial has run."));
    return;
  }
  const best = bestParams(page.view);
  const inputs = new Map();
  const rows = form.fields.map((field) => formField(field, best, inputs, () => conditions()));
  /** Greys out what does not exist with the values that are chosen. */
  const conditions = () => rows.forEach(({ field, row, input }) => {
    const off = field.conditions.some((one) => {
      const parent = form.fields.find((other) => other.name === one.parent);
      const value = parent?.fixed ?? inputs.get(one.parent)?.value;
      return one.values && value && !one.values.includes(value);
    });
    row.classList.toggle("off", off);
    if (input) { input.disabled = off; if (off) input.value = ""; }
  });
  const said = h("output", { class: "said", "aria-live": "polite" });
  const send = h("button", { class: "button main", type: "submit" }, "Let it wait for a worker");
  const submit = async (event) => {
    event.preventDefault();
    send.disabled = true;
    said.className = "said";
    said.textContent = "";
    const params = Object.fromEntries([...inputs].filter(([, input]) => input.value.trim() !== "" && !input.disabled).map(([name, input]) => [name, input.value]));
    try {
      const { trial } = await api.post(`/api/studies/${id}/trials`, { params });
      said.classList.add("good");
      said.textContent = `Trial ${trial} waits for a worker.`;
    } catch (error) {
      said.classList.add("bad");
      said.textContent = error.message;
      [...inputs].find(([name]) => error.message.startsWith(`${name}:`) || error.message.startsWith(`${name} `))?.[1].focus();
    }
    send.disabled = false;
  };
  const rules = form.constraints.length ? h("p", { class: "lead" }, `Rules: ${form.constraints.join("; ")}`) : null;
  inside.replaceChildren(h("p", { class: "lead" }, "What you leave empty the worker decides. The best trial's values stand in the fields in grey."),
    h("form", { class: "form", onsubmit: submit, novalidate: true }, rows.map(({ row }) => row), rules, h("div", { class: "notes" }, send, said)));
  conditions();
  inside.querySelector("input, select")?.focus();
}

function formField(field, best, inputs, changed) {
  const note = field.conditions.length ? `only if ${field.conditions.map((one) => one.text).join(" and ")}` : "";
  const label = h("span", { class: "name" }, field.name, note && h("small", null, note));
  if (field.fixed !== null) return { field, row: h("label", null, label, h("span", { class: "fixed" }, `${field.fixed} (fixed)`)) };
  const input = field.kind === "choice"
    ? h("select", { name: field.name, onchange: changed }, h("option", { value: "" }, "the worker decides"), field.choices.map((choice) => h("option", { value: choice }, choice)))
    : h("input", { name: field.name, type: "text", autocomplete: "off", inputmode: field.kind === "whole" ? "numeric" : "decimal", placeholder: best.get(field.name) ?? "", oninput: changed });
  inputs.set(field.name, input);
  const range = field.range && h("small", { class: "range" }, field.range.replace(/^log /, "").replace("..", " to "));
  return { field, input, row: h("label", null, label, input, range) };
}

/** The parameters of the best trial, as texts. */
function bestParams(view) {
  const { columns, rows } = view.trials;
  const values = columns.find((column) => column.key === "value")?.cells ?? [];
  const sign = view.objective.maximize ? -1 : 1;
  let best = -1;
  for (let row = 0; row < rows; row++) {
    if (Number.isFinite(values[row]) && (best < 0 || sign * values[row] < sign * values[best])) best = row;
  }
  return new Map(columns.filter((column) => best >= 0 && column.key.startsWith("p:") && column.cells[best] !== null).map((column) => [column.key.slice(2), String(column.cells[best])]));
}
