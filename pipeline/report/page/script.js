"use strict";
// Search and sort in tables, copying of statements, and the age of the data while the page stands open.
// Everything is readable without it.
const folded = (text) => text.normalize("NFKD").replace(/[\u0300-\u036f]/g, "").toLowerCase();

for (const table of document.querySelectorAll("table.sorted")) {
  const body = table.tBodies[0];
  for (const head of table.tHead.rows[0].cells) {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const isNumber = head.classList.contains("number");
      const now = head.getAttribute("aria-sort");
      const up = now ? now === "descending" : !isNumber;
      for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      const key = (row) => {
        const cell = row.cells[head.cellIndex];
        const exact = cell.dataset.value;
        if (exact === "") return null;
        return isNumber ? Number(exact) : exact ?? folded(cell.textContent);
      };
      const keyed = [...body.rows].map((row) => [key(row), row]);
      keyed.sort(([a], [b]) => {
        if (a === null || b === null) return (a === null) - (b === null);
        const order = isNumber ? a - b : a.localeCompare(b, "en-AU", { numeric: true });
        return up ? order : -order;
      });
      body.append(...keyed.map(([, row]) => row));
    });
  }
}

for (const place of document.querySelectorAll(".find")) {
  const body = place.parentElement.querySelector("tbody");
  const field = document.createElement("input");
  field.type = "search";
  field.placeholder = "Search";
  field.setAttribute("aria-label", `Search in ${place.dataset.for}`);
  const told = document.createElement("span");
  told.setAttribute("role", "status");
  field.addEventListener("input", () => {
    const words = folded(field.value).split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const row of body.rows) {
      const text = folded(row.textContent);
      row.hidden = !words.every((word) => text.includes(word));
      shown += !row.hidden;
    }
    told.textContent = words.length ? `${shown} of ${body.rows.length} rows` : "";
  });
  place.append(field, told);
  place.hidden = false;
}

for (const code of document.querySelectorAll(".sql code")) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "copy";
  button.textContent = "Copy";
  button.setAttribute("aria-label", `Copy ${code.closest("details").querySelector("summary").textContent}`);
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(code.textContent);
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(code);
      button.textContent = "Selected";
    }
    button.removeAttribute("aria-label");
  });
  code.closest("details").append(button);
}

const dated = document.querySelector("time[data-age]");
if (dated) {
  const age = () => {
    const minutes = Math.max(0, Math.floor((Date.now() - new Date(dated.dateTime)) / 60000));
    const [count, unit] = minutes < 60 ? [minutes, "minute"] : minutes < 2880 ? [Math.floor(minutes / 60), "hour"] : [Math.floor(minutes / 1440), "day"];
    document.querySelector("#age").textContent = minutes ? `${count} ${unit}${count === 1 ? "" : "s"} old now` : "read just now";
    document.querySelector("#age").closest("div").classList.toggle("is-wrong", minutes > 2880);
  };
  age();
  setInterval(age, 60000);
}
