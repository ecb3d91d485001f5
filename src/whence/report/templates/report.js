// Clicking or focusing an edge shows its row of the evidence table; without scripts the table says it all.
(() => {
  const panel = document.getElementById("panel");
  const rows = [...document.querySelectorAll("#edges tbody tr")];
  const heads = [...document.querySelectorAll("#edges thead th")].map((head) => head.textContent);
  const edges = [...document.querySelectorAll("svg.whence-graph .edge")];
  const same = (a, b) => a.dataset.source === b.dataset.source && a.dataset.target === b.dataset.target;
  function show(edge) {
    const row = rows.find((candidate) => same(candidate, edge));
    edges.forEach((other) => other.classList.toggle("on", other === edge));
    rows.forEach((other) => other.classList.toggle("on", other === row));
    if (!row) return;
    const cells = [...row.children].map((cell) => cell.textContent.trim());
    panel.replaceChildren();
    const name = document.createElement("strong");
    name.textContent = cells[0];
    panel.append(name, ` is ${cells[1]}. `);
    cells.slice(2).forEach((text, k) => { if (text) panel.append(`${heads[k + 2]}: ${text}. `); });
    panel.hidden = false;
  }
  edges.forEach((edge) => {
    edge.addEventListener("click", () => show(edge));
    edge.addEventListener("focus", () => show(edge));
    edge.addEventListener("keydown", (event) => { if (event.key === "Enter" || event.key === " ") show(edge); });
  });
})();
