// The self-contained file: the view lies in it.

async function startReport() {
  const view = decoded(JSON.parse(document.getElementById("lehr-view").textContent));
  document.body.prepend(h("a", { class: "skip", href: "#trials" }, "Skip to the trials"), bar("#summary"));
  const page = new Page(document.querySelector("main"), {});
  theme.start(() => page.repaint());
  document.getElementById("help").addEventListener("click", () => page.help());
  document.addEventListener("keydown", (event) => page.keys(event));
  await page.show(view);
  window.lehrReady = true;
}

if (document.getElementById("lehr-view")) startReport();
