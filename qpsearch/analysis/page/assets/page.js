"use strict";
(() => {
  const root = document.documentElement;
  const given = JSON.parse(document.getElementById("data").textContent);
  const prefersDark = matchMedia("(prefers-color-scheme: dark)");
  const touches = matchMedia("(pointer: coarse)");
  const NARROW = 560;
  let charts = new Map();
  let generation = 0;

  // Text as plotly has it, as text.
  const plain = (value) => typeof value !== "string" ? value
    : value.replaceAll("<br>", "").replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");

  // Colours: figures name those of the light page; each has a counterpart in the dark.
  const recoloured = (value, isDark) => {
    if (typeof value === "string") return isDark && given.dark[value] || value;
    if (Array.isArray(value)) return typeof value.at(-1) === "number" ? value : value.map((each) => recoloured(each, isDark));
    if (value && typeof value === "object") {
      return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, recoloured(each, isDark)]));
    }
    return value;
  };

  const template = (isDark, isNarrow, isOpaque) => {
    const colour = (light) => isDark && given.dark[light] || light;
    const [ink, quiet, ground, grid] = ["#1f2328", "#6b7280", "#ffffff", "#e3e6ea"].map(colour);
    const axis = {
      gridcolor: grid, linecolor: grid, zerolinecolor: grid, automargin: true, title: { standoff: 8 },
      ticks: "outside", ticklen: 5, tickcolor: "rgba(0,0,0,0)",
    };
    return {
      layout: {
        paper_bgcolor: isOpaque ? ground : "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
        font: { color: ink, size: isNarrow ? 11 : 12, family: "system-ui, -apple-system, 'Segoe UI', Roboto, 'Liberation Sans', sans-serif" },
        xaxis: axis, yaxis: axis,
        margin: { t: 24, r: 16, b: 44, l: 56 },
        hoverlabel: { bgcolor: ground, bordercolor: quiet, font: { color: ink }, align: "left" },
        legend: { orientation: "h", x: 0, xanchor: "left", y: 1.02, yanchor: "bottom", bgcolor: "rgba(0,0,0,0)" },
        colorway: ["#3566a8", "#d55e00", "#009e73", "#7b3fa0"].map(colour),
        hovermode: "closest",
      },
    };
  };

  const settings = { displayModeBar: false, responsive: true };

  const draw = (chart, isDark, extra) => {
    const box = document.getElementById(`chart-${chart.name}`);
    if (!box) return Promise.resolve();
    const layout = recoloured(chart.layout, isDark);
    const isOpaque = chart.data.some((trace) => trace.type === "parcoords"); // WebGL is white where it is transparent
    layout.template = template(isDark, box.clientWidth < NARROW, isOpaque);
    layout.autosize = true;
    layout.showlegend = false; // the page has legends of its own, which wrap
    if (touches.matches) layout.dragmode = false; // else a finger on a figure cannot scroll the page
    const hidden = new Set(chart.hidden);
    const data = recoloured(chart.data, isDark).map((trace, at) => hidden.has(at) ? { ...trace, visible: false } : trace);
    legend(chart, box, data);
    return Plotly.react(box, data, { ...layout, ...extra }, settings);
  };

  // A legend whose entries show and hide what they name.
  const swatch = (trace) => {
    const mark = document.createElement("i");
    const isLine = trace.mode?.includes("lines");
    const colour = (isLine ? trace.line?.color : trace.marker?.color) ?? "currentcolor";
    const symbol = String(trace.marker?.symbol ?? "");
    mark.className = isLine ? "line" : trace.type === "bar" ? "square" : symbol.startsWith("x") ? "cross" : symbol.split("-")[0] || "circle";
    if (isLine && trace.line?.dash && trace.line.dash !== "solid") mark.classList.add("dashed");
    if (symbol.endsWith("-open")) mark.classList.add("open");
    mark.style.color = colour;
    return mark;
  };
  const legend = (chart, box, data) => {
    const place = box.closest("figure").querySelector(".legend");
    const named = data.map((trace, at) => [trace, at]).filter(([trace]) => trace.name && trace.showlegend !== false);
    if (!place || named.length < 2 || chart.layout.showlegend === false) return;
    place.replaceChildren(...named.map(([trace, at]) => {
      const button = document.createElement("button");
      button.type = "button";
      button.dataset.trace = String(at);
      button.setAttribute("aria-pressed", String(trace.visible !== false));
      button.append(swatch(trace), plain(trace.name));
      return button;
    }));
  };
  const toggle = (button) => {
    const chart = charts.get(button.closest("figure").dataset.figure);
    const at = Number(button.dataset.trace);
    const hidden = new Set(chart.hidden);
    hidden.delete(at) || hidden.add(at);
    chart.hidden = [...hidden];
    button.setAttribute("aria-pressed", String(!hidden.has(at)));
    Plotly.restyle(`chart-${chart.name}`, { visible: !hidden.has(at) }, [at]);
  };
  const picture = (chart) => {
    const box = document.getElementById(`chart-${chart.name}`);
    const ground = getComputedStyle(document.body).backgroundColor;
    const layout = { ...box.layout, paper_bgcolor: ground, showlegend: chart.layout.showlegend ?? chart.data.length > 1 };
    Plotly.downloadImage({ data: box.data, layout, config: {} }, {
      format: "png", filename: chart.name, width: box.clientWidth, height: box.clientHeight + 60, scale: 2,
    });
  };

  // One figure after the other, so that the page answers meanwhile.
  const drawAll = async () => {
    const own = ++generation;
    delete root.dataset.drawn;
    for (const chart of charts.values()) {
      if (own !== generation) return;
      try { await draw(chart, prefersDark.matches); } catch (error) { console.error(chart.name, error); }
      await new Promise((done) => setTimeout(done));
    }
    root.dataset.drawn = String(charts.size);
  };

  const show = (documents) => {
    charts = new Map(documents.map((each) => [each.name, each]));
    return drawAll();
  };
  prefersDark.addEventListener("change", drawAll);

  const PAPER = 680; // pixels of an A4 page between its margins
  addEventListener("beforeprint", () => {
    for (const chart of charts.values()) {
      const box = document.getElementById(`chart-${chart.name}`);
      draw(chart, false, { width: Math.min(box?.clientWidth ?? PAPER, PAPER), autosize: false });
    }
  });
  addEventListener("afterprint", drawAll);

  // Tables: a click or a key on a heading sorts; cells without a value stay last.
  const sort = (head) => {
    const table = head.closest("table");
    const column = [...head.parentNode.children].indexOf(head);
    const first = head.classList.contains("number") ? "descending" : "ascending";
    const other = first === "ascending" ? "descending" : "ascending";
    const wanted = head.getAttribute("aria-sort") === first ? other : first;
    for (const each of head.parentNode.children) each.setAttribute("aria-sort", each === head ? wanted : "none");
    const sign = wanted === "ascending" ? 1 : -1;
    const key = (row) => {
      const cell = row.cells[column];
      return cell.dataset.value !== undefined ? Number(cell.dataset.value) : cell.textContent;
    };
    const isEmpty = (value) => value === "" || Number.isNaN(value);
    const compared = (a, b) => {
      if (isEmpty(a) || isEmpty(b)) return isEmpty(a) - isEmpty(b);
      if (typeof a === typeof b) return sign * (typeof a === "number" ? a - b : a.localeCompare(b, undefined, { numeric: true }));
      return typeof a === "number" ? -1 : 1;
    };
    const rows = [...table.tBodies[0].rows].map((row) => [key(row), row]);
    rows.sort((a, b) => compared(a[0], b[0]));
    table.tBodies[0].append(...rows.map(([, row]) => row));
  };

  // Data of a figure as CSV, from what the page holds.
  const quoted = (value) => {
    if (value === null || value === undefined) return "";
    if (typeof value === "number") return String(value);
    const said = plain(String(value));
    const safe = /^[=+\-@\t\r]/.test(said) && Number.isNaN(Number(said)) ? `'${said}` : said; // no formula for a spreadsheet
    return /[",\n\r]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  };
  const at = (trace, field, index) => {
    const [name, inner] = field.split(".");
    if (name === "error") {
      const bars = trace.error_x;
      const by = bars && (inner === "low" ? bars.arrayminus : bars.array);
      return by && by[index] !== undefined ? trace.x[index] + (inner === "low" ? -by[index] : by[index]) : null;
    }
    const held = trace[name];
    const value = held === undefined || held === null || typeof held !== "object" ? held : held[index];
    return inner !== undefined && value !== null && value !== undefined ? value[Number(inner)] : value;
  };
  const traceRows = (trace, columns) => {
    if (Array.isArray(trace.z) && trace.z.length && typeof trace.z[0] === "object" && trace.z[0] !== null) {
      return trace.z.flatMap((line, row) => [...line].map((value, column) => columns.map(([, field]) =>
        field === "x" ? trace.x?.[column] ?? column : field === "y" ? trace.y?.[row] ?? row : field === "z" ? value : null)));
    }
    const length = Math.max(trace.x?.length ?? 0, trace.y?.length ?? 0);
    return Array.from({ length }, (_, index) => columns.map(([, field]) => at(trace, field, index)))
      .filter((row) => row.some((value) => value !== null && value !== undefined));
  };
  const csv = (chart) => {
    const box = document.getElementById(`chart-${chart.name}`);
    const traces = (box?._fullData ?? chart.data).filter((trace) => !trace.meta?.is_decoration);
    const rows = traces
      .flatMap((trace) => traceRows(trace, chart.columns).map((row) => chart.series ? [trace.name, ...row] : row))
      .filter((row, at, all) => !at || row.some((value, column) => value !== all[at - 1][column]));
    const all = [[...(chart.series ? [chart.series] : []), ...chart.columns.map(([title]) => title)], ...rows];
    const used = all[0].map((_, column) => all.slice(1).some((row) => row[column] !== null && row[column] !== undefined));
    return `${all.map((row) => row.filter((_, column) => used[column]).map(quoted).join(",")).join("\n")}\n`;
  };
  const save = (name, content) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([content], { type: "text/csv" }));
    link.download = `${name}.csv`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  };

  document.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button?.classList.contains("csv")) save(button.dataset.chart, csv(charts.get(button.dataset.chart)));
    else if (button?.classList.contains("png")) picture(charts.get(button.dataset.chart));
    else if (button?.dataset.trace) toggle(button);
    else if (button?.parentNode.matches("th[aria-sort]")) sort(button.parentNode);
  });
  document.addEventListener("toggle", (event) => { // what is folded away cannot be measured, so it is drawn when it opens
    if (!event.target.open) return;
    for (const box of event.target.querySelectorAll(".chart")) Plotly.Plots.resize(box);
  }, true);
  const fold = () => { const list = document.querySelector("nav details"); if (list) list.open = innerWidth >= 1080; };
  fold();

  // A served page asks whether its study has moved on, and takes the new content only then.
  const follow = async ({ revision, every_s: every }) => {
    const box = document.body.appendChild(document.createElement("div"));
    box.className = "live";
    box.setAttribute("role", "status");
    let current = revision;
    for (;;) {
      try {
        const state = await (await fetch("revision")).json();
        if (state.problem) throw new Error(state.problem);
        if (state.revision !== current) {
          const fresh = await (await fetch("content")).json();
          const opened = new Set([...document.querySelectorAll("details[open][id]")].map((each) => each.id));
          const [left, top] = [scrollX, scrollY];
          for (const each of document.querySelectorAll(".chart")) Plotly.purge(each);
          document.getElementById("page").innerHTML = fresh.html;
          for (const id of opened) document.getElementById(id)?.setAttribute("open", "");
          fold();
          scrollTo(left, top);
          show(fresh.charts);
          current = fresh.revision;
        }
        box.classList.remove("lost");
        box.textContent = `live, ${state.is_running ? "the study runs" : "the study does not run now"}`;
      } catch (error) {
        box.classList.add("lost");
        box.textContent = error instanceof TypeError ? "the report is no longer served" : String(error.message);
      }
      await new Promise((done) => setTimeout(done, every * 1000));
    }
  };

  show(given.charts).then(() => given.live && follow(given.live));
  window.reportCsv = (name) => csv(charts.get(name)); // what the button saves, for who reads the page by a program
})();
