/* What both charts share: points from differences, tokens as colors, ticks that are round, keys that move a crosshair. */
(() => {
  "use strict";
  const B = window.BitNerve;
  const C = (B.chart = {});

  C.sums = (differences, scale = 1) => {
    let total = 0;
    return differences.map((one) => (one === null ? null : (total += one) / scale));
  };
  C.token = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  C.ticks = (low, high, most) => {
    const rough = (high - low) / Math.max(1, most), size = 10 ** Math.floor(Math.log10(rough || 1));
    const step = [1, 2, 5, 10].map((f) => f * size).find((one) => (high - low) / one <= most) || 10 * size;
    const found = [];
    for (let n = Math.ceil(low / step - 1e-9); n * step <= high + step * 1e-9; n++) found.push(n * step);
    return [found, Math.max(0, -Math.floor(Math.log10(step) + 1e-9))];
  };
  C.DASHES = [[], [8, 3], [2, 3], [12, 3, 2, 3], [5, 5], [16, 4], [8, 3, 2, 3, 2, 3], [3, 6], [12, 3, 5, 3], [16, 3, 2, 3, 2, 3], [6, 2, 1, 2], [20, 3, 8, 3]];
  C.BENCHMARK_DASHES = [[], [2, 3], [7, 3], [7, 3, 2, 3], [12, 4], [4, 6]];
  C.look = (classes) => {
    const [color, dash] = classes.split(" "), number = Number(dash.slice(1));
    return { color: C.token(color), dash: dash[0] === "q" ? C.BENCHMARK_DASHES[number] : C.DASHES[number], width: dash[0] === "q" ? 1.3 : 1.8 };
  };
  C.axis = () => ({ stroke: C.token("muted"), font: "12px system-ui, sans-serif", grid: { stroke: C.token("rule"), width: 1 }, ticks: { show: false } });
  C.time = () => ({
    ...C.axis(), grid: { show: false }, space: 80, size: 28,
    values: (u, splits) => splits.map((one) => {
      const text = B.absolute(new Date(one * 1000).toISOString());
      return text.endsWith("00:00") ? `${Number(text.slice(8, 10))} ${"Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ")[Number(text.slice(5, 7)) - 1]}` : text.slice(11, 16);
    }),
  });
  C.keys = (plot, chart, say) => {
    plot.addEventListener("keydown", (event) => {
      const u = chart();
      if (!u || !["ArrowLeft", "ArrowRight", "Home", "End", "Escape"].includes(event.key)) return;
      event.preventDefault();
      if (event.key === "Escape") { u.setCursor({ left: -10, top: -10 }); return; }
      const last = u.data[0].length - 1, from = u.cursor.idx === null || u.cursor.idx === undefined ? last : u.cursor.idx;
      const step = event.shiftKey ? 10 : 1;
      const index = { ArrowLeft: from - step, ArrowRight: from + step, Home: 0, End: last }[event.key];
      const at = Math.min(last, Math.max(0, index));
      u.setCursor({ left: u.valToPos(u.data[0][at], "x"), top: u.over.clientHeight / 2 });
      say(u, at);
    });
  };
  C.fit = (plot, draw) => {
    let width = plot.clientWidth;
    new ResizeObserver(() => { if (Math.abs(plot.clientWidth - width) > 1) { width = plot.clientWidth; draw(); } }).observe(plot);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  };
  C.spread = (wanted, gap, low, high) => {
    // The same pooling as engine/scales.py: as near to the wanted heights as a gap allows.
    if (wanted.length > 1) gap = Math.min(gap, (high - low) / (wanted.length - 1));
    const pools = [];
    wanted.forEach((one, number) => {
      let total = one - number * gap, count = 1;
      while (pools.length && pools.at(-1)[0] / pools.at(-1)[1] > total / count) { const [t, c] = pools.pop(); total += t; count += c; }
      pools.push([total, count]);
    });
    const room = high - (wanted.length - 1) * gap, levels = pools.flatMap(([t, c]) => Array(c).fill(Math.min(Math.max(t / c, low), room)));
    return levels.map((base, number) => base + number * gap);
  };
  C.toggles = (form, change) => {
    if (!form) return;
    form.addEventListener("change", () => {
      const told = new URLSearchParams(new FormData(form)), address = new URL(location.href);
      for (const name of ["unit", "range", "scale"]) {
        const value = told.get(name);
        if (value === null) continue;
        if (["usd", "all", "linear"].includes(value)) address.searchParams.delete(name);
        else address.searchParams.set(name, value);
      }
      history.replaceState(history.state, "", address);
      change(Object.fromEntries(told));
    });
    form.addEventListener("submit", (event) => event.preventDefault());
  };
})();
