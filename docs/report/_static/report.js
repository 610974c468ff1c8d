// Tables that sort and filter (DataTables), figures that enlarge, and scrolling parts that a keyboard reaches.

const FILTERED_FROM = 8;
const LONG_TEXT = 40;

function isPlain(table) {
  const [head] = table.tHead?.rows.length === 1 ? table.tHead.rows : [];
  const body = table.tBodies[0];
  return head && body?.rows.length > 1 && [...body.rows].every((row) => row.cells.length === head.cells.length)
    && !table.querySelector("[colspan]:not([colspan='1']), [rowspan]:not([rowspan='1'])");
}

function nearestHeading(element) {
  const heading = element.closest("section")?.querySelector("h1, h2, h3");
  return heading ? heading.firstChild.textContent : document.title;
}

function makeRegion(box, name) {
  box.setAttribute("role", "region");
  box.setAttribute("aria-label", name);
  box.tabIndex = 0;
}

function enliven(table) {
  const box = table.parentElement;
  const name = box.getAttribute("aria-label") || nearestHeading(table);
  const rows = table.tBodies[0].rows.length;
  const filtered = rows >= FILTERED_FROM;
  jQuery(table).DataTable({
    paging: false,
    order: [],
    autoWidth: false,
    searching: filtered,
    info: filtered,
    layout: { topStart: filtered ? "search" : null, topEnd: filtered ? "info" : null, bottomStart: null, bottomEnd: null },
    language: {
      search: "Filter",
      info: "_TOTAL_ rows",
      infoEmpty: "no rows",
      infoFiltered: "of _MAX_",
      zeroRecords: "No row holds these words.",
    },
  });
  for (const attribute of ["role", "aria-label", "tabindex", "style"]) box.removeAttribute(attribute);
  makeRegion(table.closest(".dt-layout-table"), name);
}

function isScrolling(box) {
  return box.scrollWidth > box.clientWidth || box.scrollHeight > box.clientHeight;
}

// An edge at the side where a box holds more than it shows.
function showEdges(box) {
  const update = () => {
    box.classList.toggle("more-right", box.scrollLeft + box.clientWidth < box.scrollWidth - 1);
    box.classList.toggle("more-below", box.scrollTop + box.clientHeight < box.scrollHeight - 1);
  };
  box.addEventListener("scroll", update, { passive: true });
  new ResizeObserver(update).observe(box);
  update();
}

function copy(button) {
  const text = button.parentElement.querySelector("pre");
  const words = button.textContent;
  button.hidden = false;
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text.textContent);
    } catch {
      getSelection().selectAllChildren(text);
      document.execCommand("copy");
    }
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = words; }, 2000);
  });
}

function enlarge(event) {
  event.preventDefault();
  const shown = event.currentTarget.querySelector("img");
  const dialog = document.createElement("dialog");
  dialog.className = "large";
  dialog.setAttribute("aria-label", "Figure, enlarged");
  const close = document.createElement("button");
  close.textContent = "Close";
  const view = document.createElement("div");
  view.className = "view";
  makeRegion(view, "Figure");
  const image = new Image();
  image.src = event.currentTarget.href;
  image.alt = shown.alt;
  view.append(image);
  dialog.append(close, view);
  document.body.append(dialog);
  close.addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", () => dialog.remove());
  dialog.showModal();
}

document.addEventListener("DOMContentLoaded", () => {
  const tables = document.querySelectorAll("table.data, .cell_output table");
  for (const table of tables) {
    for (const cell of table.querySelectorAll("td")) cell.classList.toggle("long", cell.textContent.length > LONG_TEXT);
    if (isPlain(table)) enliven(table);
  }
  document.querySelectorAll("a.enlarge").forEach((link) => link.addEventListener("click", enlarge));
  document.querySelectorAll(".cell_output div, .cell_input pre, .highlight pre").forEach((box) => {
    if (isScrolling(box) && !box.hasAttribute("tabindex")) makeRegion(box, nearestHeading(box));
  });
  document.querySelectorAll(".scroll, .dt-layout-table").forEach(showEdges);
  document.querySelectorAll("button.copy").forEach(copy);
});
