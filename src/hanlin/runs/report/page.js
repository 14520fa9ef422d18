"use strict";
// Draws the page's charts anew for another axis, scale, smoothing or width, and says the values
// under the pointer. The page is whole without it.
(() => {
  const { words, charts } = JSON.parse(document.getElementById("data").textContent);
  const state = { axis: 0, log: false, smoothing: 0.6 };
  const LEFT = 44, TOP = 12, BOTTOM = 26, GAP = 15;

  const make = (parent, name, attributes, text) => {
    const node = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    if (text !== undefined) node.textContent = text;
    parent.append(node);
    return node;
  };

  const digits = (value) =>
    Math.abs(value) >= 1000
      ? Math.round(value).toLocaleString("en")
      : String(Number(value.toPrecision(4)));
  const level = (value) => (Math.abs(value) < 100 && Math.abs(value) >= 0.01 ? value.toFixed(3) : digits(value));
  const scaled = (value) => {
    for (const [unit, letter] of [[1e12, "T"], [1e9, "B"], [1e6, "M"], [1e3, "k"]])
      if (Math.abs(value) >= unit * 0.9995) return Number((value / unit).toPrecision(3)) + letter;
    return digits(value);
  };
  const timeUnit = (seconds) =>
    seconds >= 7200 ? [3600, "h"] : seconds >= 180 ? [60, "min"] : [1, "s"];
  const sayX = (value) => {
    if (state.axis === 1) return words.tokens.replace("{}", scaled(value));
    if (state.axis === 0) return words.step.replace("{}", digits(value));
    const [unit, name] = timeUnit(value);
    return words[name].replace("{}", Number((value / unit).toPrecision(3)));
  };

  const smooth = (values) => {
    let total = 0, weight = 0;
    return values.map((value) => {
      total = state.smoothing * total + (1 - state.smoothing) * value;
      weight = state.smoothing * weight + (1 - state.smoothing);
      return total / weight;
    });
  };

  const ticks = (low, high, most) => {
    if (!(high > low)) return [low];
    const rough = (high - low) / most;
    const unit = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 5, 10].map((f) => f * unit).find((s) => s >= rough * 0.999);
    const found = [];
    for (let k = Math.ceil(low / step - 1e-9); k <= high / step + 1e-9; k += 1) found.push(k * step);
    return found;
  };
  const logTicks = (low, high, most) => {
    const found = [];
    for (let e = Math.floor(Math.log10(low)); e <= Math.log10(high); e += 1)
      for (const f of [1, 2, 5]) if (f * 10 ** e >= low && f * 10 ** e <= high) found.push(f * 10 ** e);
    return found.length >= 3 ? found : ticks(low, high, most);
  };

  const spread = (heights, top, bottom) => {
    const order = heights.map((_, place) => place).sort((a, b) => heights[a] - heights[b]);
    const placed = [...heights];
    for (let k = 1; k < order.length; k += 1)
      placed[order[k]] = Math.max(placed[order[k]], placed[order[k - 1]] + GAP);
    let limit = bottom;
    for (const here of order.reverse()) {
      placed[here] = Math.max(top, Math.min(placed[here], limit));
      limit = placed[here] - GAP;
    }
    return placed;
  };

  const draw = (figure, chart) => {
    const plot = figure.querySelector(".plot");
    const width = Math.max(260, plot.clientWidth);
    const height = chart.small ? 180 : Math.min(320, Math.max(240, width * 0.5));
    const right = width - (chart.small ? 64 : 96), bottom = height - BOTTOM;
    const shown = chart.lines.filter((line) => line.points.length);
    const xs = shown.flatMap((line) => line.points.map((point) => point[state.axis]));
    let ys = shown.flatMap((line) => line.points.map((point) => point[3]));
    ys = ys.concat(chart.references.map((reference) => reference.value));
    const log = state.log && ys.some((value) => value > 0);
    if (log) ys = ys.filter((value) => value > 0);

    const first = Math.min(...xs), last = Math.max(...xs);
    const scale = log ? Math.log10 : (value) => value;
    let low = Math.min(...ys), high = Math.max(...ys);
    const pad = (scale(high) - scale(low)) * 0.06 || Math.abs(scale(high)) * 0.1 || 1;
    const lowest = log || low < 0 ? scale(low) - pad : Math.max(0, low - pad);
    const highest = scale(high) + pad;
    const x = (value) => LEFT + ((right - LEFT) * (value - first)) / (last - first || 1);
    const y = (value) => {
      const place = log && value <= 0 ? lowest : scale(value);
      return TOP + ((bottom - TOP) * (highest - place)) / (highest - lowest);
    };

    const svg = make(document.createDocumentFragment(), "svg", {
      viewBox: `0 0 ${width} ${height}`, role: "img",
      "aria-label": figure.querySelector("figcaption").firstChild.textContent,
    });
    const most = chart.small ? 3 : 5;
    const marks = log ? logTicks(10 ** lowest, 10 ** highest, most) : ticks(lowest, highest, most);
    for (const value of marks) {
      make(svg, "line", { class: "grid", x1: LEFT, x2: right, y1: y(value), y2: y(value) });
      make(svg, "text", { class: "tick", x: LEFT - 8, y: y(value) + 4, "text-anchor": "end" }, value >= 10000 ? scaled(value) : digits(value));
    }
    const [unit, name] = state.axis === 2 ? timeUnit(last) : [1, ""];
    for (const value of ticks(first / unit, last / unit, width < 420 ? 3 : 5)) {
      const text = state.axis === 1 ? scaled(value) : name ? words[name].replace("{}", digits(value)) : digits(value);
      make(svg, "text", { class: "tick", x: x(value * unit), y: height - 8, "text-anchor": "middle" }, text);
    }
    for (const reference of chart.references) {
      const height = y(reference.value);
      make(svg, "line", { class: `reference ${reference.role}`, x1: LEFT, x2: right, y1: height, y2: height });
    }

    const named = [];
    const curves = shown.map((line) => {
      const raw = line.points.map((point) => point[3]);
      const values = line.noisy ? smooth(raw) : raw;
      const path = (list) => "M" + list.map((v, k) => `${x(line.points[k][state.axis]).toFixed(1)} ${y(v).toFixed(1)}`).join("L");
      if (line.noisy) make(svg, "path", { class: `curve ${line.role} raw`, d: path(raw) });
      make(svg, "path", { class: `curve ${line.role}`, d: path(values) });
      if (raw.length <= 40 && (!line.noisy || raw.length === 1))
        raw.forEach((v, k) => make(svg, "circle", { class: `dot ${line.role}`, cx: x(line.points[k][state.axis]), cy: y(v), r: 2 }));
      const end = values[values.length - 1];
      named.push([`${line.label} ${level(end)}`, end, line.role]);
      return { line, values };
    });
    for (const reference of chart.references) named.push([reference.label, reference.value, `${reference.role} faint`]);
    const heights = spread(named.map((entry) => y(entry[1])), TOP, bottom);
    named.forEach(([text, , role], k) =>
      make(svg, "text", { class: `label ${role}`, x: right + 8, y: heights[k] + 4 }, text));
    plot.replaceChildren(svg);
    listen(figure, svg, curves, x, y, bottom);
  };

  const listen = (figure, svg, curves, x, y, bottom) => {
    const output = figure.querySelector("output");
    const group = make(svg, "g", { visibility: "hidden" });
    const cross = make(group, "line", { class: "cross", y1: TOP, y2: bottom });
    const dots = curves.map(({ line }) => make(group, "circle", { class: `dot ${line.role}`, r: 3.5 }));
    svg.addEventListener("pointermove", (event) => {
      const box = svg.getBoundingClientRect();
      const at = ((event.clientX - box.left) / box.width) * svg.viewBox.baseVal.width;
      let where = null;
      const parts = curves.map(({ line, values }, k) => {
        let best = 0;
        line.points.forEach((point, place) => {
          if (Math.abs(x(point[state.axis]) - at) < Math.abs(x(line.points[best][state.axis]) - at)) best = place;
        });
        const point = line.points[best];
        where = where ?? point[state.axis];
        dots[k].setAttribute("cx", x(point[state.axis]));
        dots[k].setAttribute("cy", y(values[best]));
        return `${line.label} ${level(point[3])}`.trim();
      });
      cross.setAttribute("x1", x(where));
      cross.setAttribute("x2", x(where));
      group.setAttribute("visibility", "visible");
      output.textContent = [sayX(where), ...parts].join(" · ");
    });
    svg.addEventListener("pointerleave", () => {
      group.setAttribute("visibility", "hidden");
      output.textContent = "";
    });
  };

  const drawAll = () => {
    for (const figure of document.querySelectorAll("[data-chart]")) {
      const chart = charts.find((entry) => entry.key === figure.dataset.chart);
      if (chart && chart.lines.some((line) => line.points.length)) draw(figure, chart);
    }
  };

  document.documentElement.classList.add("js");
  const form = document.querySelector(".controls");
  form?.addEventListener("submit", (event) => event.preventDefault());
  form?.addEventListener("input", () => {
    state.axis = Number(form.elements.axis.value);
    state.log = form.elements.log.checked;
    state.smoothing = Number(form.elements.smoothing.value);
    drawAll();
  });
  let waiting = 0;
  addEventListener("resize", () => {
    cancelAnimationFrame(waiting);
    waiting = requestAnimationFrame(drawAll);
  });
  drawAll();
})();
