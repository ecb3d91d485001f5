// Clicking or focusing an edge shows its evidence beside the drawing; without scripts the table says it all.
(() => {
  const panel = document.getElementById("panel");
  const edges = [...document.querySelectorAll("svg.whence-graph .edge")];
  const rows = [...document.querySelectorAll("#edges tbody tr")];
  const heads = [...document.querySelectorAll("#edges thead th")].map((head) => head.textContent);
  const make = (tag, text) => Object.assign(document.createElement(tag), { textContent: text });
  const same = (a, b) => a.dataset.source === b.dataset.source && a.dataset.target === b.dataset.target;
  const frame = document.querySelector(".graph");
  const hidden = frame.scrollWidth - frame.clientWidth;
  const more = hidden > 8 ? " Swipe the drawing sideways for the rest." : "";
  const hint = `Click, tap or Tab to an edge to see its evidence.${more}`;
  // A drawing wider than the screen starts at the columns that were asked about.
  const named = document.querySelector("svg.whence-graph .role");
  const left = (part) => part.getBoundingClientRect().left;
  frame.scrollLeft = named ? left(named) - left(frame) - frame.clientWidth / 2 : hidden / 2;

  function show(edge) {
    const row = edge && rows.find((candidate) => same(candidate, edge));
    edges.forEach((other) => other.classList.toggle("on", other === edge));
    rows.forEach((other) => other.classList.toggle("on", other === row));
    panel.replaceChildren();
    if (!row) { panel.append(hint); return; }
    const cells = [...row.children].map((cell) => cell.textContent.trim());
    const list = document.createElement("dl");
    cells.forEach((text, k) => { if (k && text) list.append(make("dt", heads[k]), make("dd", text)); });
    panel.append(make("strong", cells[0]), list);
  }

  if (panel && edges.length) {
    panel.hidden = false;
    show(null);
    edges.forEach((edge) => {
      edge.addEventListener("click", () => show(edge));
      edge.addEventListener("focus", () => show(edge));
      edge.addEventListener("keydown", (event) => {
        if (event.key === "Enter" || event.key === " ") { event.preventDefault(); show(edge); }
        if (event.key === "Escape") { show(null); edge.blur(); }
      });
    });
  }

  // On paper everything folded is unfolded.
  addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((part) => { part.open = true; }));
})();
