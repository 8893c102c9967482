// Shows one board at a time; its table and charts are made when it is first shown, since hidden ones have no width.
const all = (selector, inside = document) => [...inside.querySelectorAll(selector)];
const figures = JSON.parse(document.getElementById("figures").textContent);
const boards = all(".board");
const dataset = document.getElementById("dataset");
const protocol = document.getElementById("protocol");
// Only these buttons: among Plotly's own is one that would hand a chart, names and all, to a server.
const buttons = [["toImage", "zoom2d", "pan2d", "resetScale2d"]];
const config = { responsive: true, displaylogo: false, modeBarButtons: buttons };

function options(select, values, chosen) {
  select.replaceChildren(...values.map((value) => new Option(value, value, false, value === chosen)));
}

function makeTable(board) {
  const table = board.querySelector("table.leaderboard");
  const titles = all("thead tr:last-child th", table);
  const places = ["ndcg_10", "valid_ndcg_10"].map((name) => titles.findIndex((th) => th.dataset.metric === name));
  new DataTable(table, {
    paging: false, info: false, autoWidth: false, titleRow: 1,
    order: [[places.find((place) => place >= 0), "desc"]],
    orderSequence: ["desc", "asc"],
    columnDefs: [{ targets: [0, 1], orderSequence: ["asc", "desc"] }, { targets: "number", type: "num", orderSequence: ["desc", "asc"] }],
    layout: { topStart: "search", topEnd: null, bottomStart: null, bottomEnd: null },
    language: { search: "", searchPlaceholder: "Filter models and presets", zeroRecords: "No row matches." },
  });
}

function drawCharts(board) {
  for (const place of all(".chart", board)) {
    const figure = figures[board.dataset.key][place.dataset.chart][Number(place.dataset.place)];
    Plotly.newPlot(place, figure.data, figure.layout, config);
  }
}

function showModels(board) {
  const hidden = new Set(all('.chip[aria-pressed="false"]', board).map((chip) => chip.dataset.label));
  for (const chart of all(".chart", board)) {
    Plotly.restyle(chart, { visible: chart.data.map((trace) => !hidden.has(trace.meta)) });
  }
}

function clickChip(board, chip) {
  const chips = all(".chip[data-label]", board);
  const press = (one, on) => one.setAttribute("aria-pressed", String(on));
  if (chip.dataset.label) press(chip, chip.getAttribute("aria-pressed") === "false");
  else {
    const none = chips.every((one) => one.getAttribute("aria-pressed") === "false");
    chips.forEach((one) => press(one, none));
  }
  showModels(board);
}

function sameItems(user, item) {
  for (const cell of all("td[data-item]", user)) cell.classList.toggle("same", item !== null && cell.dataset.item === item);
}

function prepare(board) {
  if (board.dataset.made) return;
  board.dataset.made = "yes";
  makeTable(board);
  drawCharts(board);
  for (const chip of all(".chip", board)) chip.addEventListener("click", () => clickChip(board, chip));
  for (const user of all(".user", board)) {
    user.addEventListener("mouseover", (event) => sameItems(user, event.target.closest("td[data-item]")?.dataset.item ?? null));
    user.addEventListener("mouseleave", () => sameItems(user, null));
  }
}

function show(board) {
  for (const other of boards) other.hidden = other !== board;
  options(dataset, [...new Set(boards.map((one) => one.dataset.dataset))], board.dataset.dataset);
  const own = boards.filter((one) => one.dataset.dataset === board.dataset.dataset);
  options(protocol, own.map((one) => one.dataset.protocol), board.dataset.protocol);
  for (const section of all("[data-section]")) section.removeAttribute("id");
  for (const section of all("[data-section]", board)) section.id = section.dataset.section;
  prepare(board);
}

function find(name, protocolName) {
  const own = boards.filter((board) => board.dataset.dataset === name);
  return own.find((board) => board.dataset.protocol === protocolName) ?? own[0];
}

dataset.addEventListener("change", () => show(find(dataset.value, protocol.value)));
protocol.addEventListener("change", () => show(find(dataset.value, protocol.value)));
show(boards[0]);
document.documentElement.dataset.ready = "yes";
