// Charts of equity: an area above and below what was put in, and lines beside each other.
(() => {
  const { createChart, BaselineSeries, LineSeries, LineStyle, TickMarkType } = window.LightweightCharts;
  // A variable may hold the colours of both themes; an element that wears it has the one that counts.
  const probe = document.body.appendChild(document.createElement("span"));
  probe.hidden = true;

  // Asking costs the browser a look at all of its styles, so that each is asked once in a theme.
  const colours = new Map();

  function css(name) {
    if (!colours.has(name)) {
      probe.style.color = `var(${name})`;
      colours.set(name, getComputedStyle(probe).color);
    }
    return colours.get(name);
  }

  // Made once: a formatter costs more than all that it writes for a picture.
  const price = new Intl.NumberFormat("en", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
  const second = (time) => Math.floor(typeof time === "string" ? Date.parse(time) / 1000 : time);
  const charts = new Map();
  // Holders whose chart is there, or on its way.
  const begun = new WeakSet();
  const { stamp } = window.alphaswarm;

  // The scale has its marks where days and hours begin in UTC. Elsewhere a day's mark is no midnight, and says its hour.
  function tick(at, kind) {
    const { date, time } = stamp(at * 1000);
    if (kind === TickMarkType.Time) return time.slice(0, 5);
    if (kind === TickMarkType.TimeWithSeconds) return time;
    if (time !== "00:00:00") return `${date.slice(5)} ${time.slice(0, 5)}`;
    return kind === TickMarkType.Year ? date.slice(0, 4) : kind === TickMarkType.Month ? date.slice(0, 7) : date.slice(5);
  }

  function layout() {
    const faint = { color: css("--line"), visible: true };
    return {
      layout: {
        background: { color: "transparent" },
        textColor: css("--ink-3"),
        fontFamily: getComputedStyle(document.body).fontFamily,
        fontSize: 11,
        attributionLogo: false,
      },
      grid: { horzLines: faint, vertLines: { visible: false } },
      rightPriceScale: { borderVisible: false, scaleMargins: { top: 0.12, bottom: 0.08 } },
      timeScale: {
        borderColor: css("--line"), timeVisible: true, secondsVisible: true, minBarSpacing: 0.05, tickMarkFormatter: tick,
      },
      crosshair: { vertLine: { labelBackgroundColor: css("--ink-2") }, horzLine: { labelBackgroundColor: css("--ink-2") } },
      handleScroll: { mouseWheel: false, vertTouchDrag: false },
      handleScale: { mouseWheel: false },
      localization: {
        priceFormatter: (value) => price.format(value),
        timeFormatter: (at) => {
          const { date, time, zone } = stamp(at * 1000);
          return `${date} ${time} ${zone}`;
        },
      },
    };
  }

  // Where the line runs and what is shaded tell a gain from a loss; the line itself is neutral.
  const equityColours = () => ({
    topLineColor: css("--ink-2"),
    topFillColor1: css("--gain-wash"),
    topFillColor2: css("--gain-wash"),
    bottomLineColor: css("--ink-2"),
    bottomFillColor1: css("--loss-wash"),
    bottomFillColor2: css("--loss-wash"),
  });

  // The library takes one point a second, in order; of several the last counts.
  function ascending(points) {
    const kept = [];
    for (const point of points) {
      if (kept.length && kept.at(-1).time >= point.time) kept.pop();
      if (!kept.length || kept.at(-1).time < point.time) kept.push(point);
    }
    return kept;
  }

  class Shown {
    constructor(holder, kind, colours, options) {
      this.holder = holder;
      this.colours = colours;
      this.chart = createChart(holder, { autoSize: true, ...layout() });
      this.series = this.chart.addSeries(kind, { lineWidth: 1.5, priceLineVisible: false, ...options, ...colours() });
      this.last = -Infinity;
      this.beside = [];
      charts.set(holder, this);
    }

    set(points) {
      const kept = ascending(points);
      this.series.setData(kept);
      this.last = kept.at(-1)?.time ?? -Infinity;
      this.holder.querySelector(".chart__empty")?.toggleAttribute("hidden", kept.length > 0);
      this.chart.timeScale().fitContent();
    }

    // Another line on the same scale, which never moves.
    addBeside(points, colours, options = { lineWidth: 1, lineStyle: LineStyle.Dashed, lastValueVisible: false }) {
      const series = this.addSeries(LineSeries, colours, { priceLineVisible: false, ...options });
      series.setData(ascending(points));
      this.chart.timeScale().fitContent();
    }

    addSeries(kind, colours, options, pane = 0) {
      const series = this.chart.addSeries(kind, { ...options, ...colours() }, pane);
      this.beside.push({ series, colours });
      return series;
    }

    // Whether the point was new: what comes late changes nothing.
    add(point) {
      if (!(point.time >= this.last)) return false;
      this.last = point.time;
      this.series.update(point);
      this.holder.querySelector(".chart__empty")?.setAttribute("hidden", "");
      return true;
    }

    repaint() {
      this.chart.applyOptions(layout());
      this.series.applyOptions(this.colours());
      for (const { series, colours } of this.beside) series.applyOptions(colours());
    }
  }

  const asPoint = ([time, value]) => ({ time: second(time), value });

  async function load(holder) {
    const answer = await fetch(holder.dataset.chart, { headers: { Accept: "application/json" } });
    if (!answer.ok) throw new Error(`the chart's data could not be read: ${answer.status}`);
    return answer.json();
  }

  // How far each point lies below the highest before it, in percent, in a pane of its own below the line.
  class Depth {
    constructor(shown, base) {
      Object.assign(this, { base, peak: base });
      const options = { baseValue: { type: "price", price: 0 }, lineWidth: 1, priceLineVisible: false, lastValueVisible: false };
      this.series = shown.addSeries(BaselineSeries, drawdownColours, options, 1);
      shown.chart.panes()[0].setStretchFactor(3);
      shown.chart.panes()[1].setStretchFactor(1);
    }

    at({ time, value }) {
      this.peak = Math.max(this.peak, value);
      return { time, value: this.peak > 0 ? (100 * (value - this.peak)) / this.peak : 0 };
    }

    set(points) {
      this.peak = this.base;
      this.series.setData(points.map((point) => this.at(point)));
    }
  }

  async function mountEquity(holder) {
    const base = Number(holder.dataset.base);
    const shown = new Shown(holder, BaselineSeries, equityColours, { baseValue: { type: "price", price: base }, lineWidth: 2 });
    const depth = holder.hasAttribute("data-drawdown") ? new Depth(shown, base) : null;
    const points = ascending((await load(holder)).equity.map(asPoint));
    shown.set(points);
    depth?.set(points);
    const add = (point) => shown.add(point) && depth?.series.update(depth.at(point));
    const { kind } = holder.dataset;
    if (kind) {
      document.body.addEventListener("portfolio", ({ detail }) => addTotal(add, kind, detail));
    } else {
      document.body.addEventListener("frames", ({ detail }) => addEquity(add, detail));
    }
  }

  function addTotal(add, kind, frame) {
    const total = frame.portfolio?.totals[kind];
    if (!total) return;
    const times = frame.portfolio.accounts.filter((one) => one.kind === kind && one.open && one.time).map((one) => one.time);
    if (times.length) add({ time: second(times.sort().at(-1)), value: Number(total.equity) });
  }

  function addEquity(add, frames) {
    const latest = frames.findLast(({ stage }) => stage === "equity.update");
    if (latest) add({ time: second(latest.timestamp), value: Number(latest.equity) });
  }

  const holdingColours = () => ({ color: css("--ink-2") });

  // Beside another line, that of the run stands out.
  const runColours = () => ({ ...equityColours(), topLineColor: css("--ink"), bottomLineColor: css("--ink") });

  const drawdownColours = () => ({ ...equityColours(), bottomLineColor: css("--loss") });

  // Equity beside buying and holding, or the drawdown, of a run as it stands.
  async function mountLines(holder) {
    const baseValue = { type: "price", price: Number(holder.dataset.base) };
    const { lines } = holder.dataset;
    const colours = lines === "drawdown" ? drawdownColours : runColours;
    const shown = new Shown(holder, BaselineSeries, colours, { baseValue });
    const data = await load(holder);
    shown.set(data[lines].map(asPoint));
    if (lines === "equity" && data.holding.length) shown.addBeside(data.holding.map(asPoint), holdingColours);
  }

  // Several runs from one base. Each line has a letter at its end and dashes of its own, so that no colour is needed.
  const DASHES = [LineStyle.Solid, LineStyle.Dotted, LineStyle.Dashed, LineStyle.LargeDashed, LineStyle.SparseDotted];

  async function mountCompare(holder) {
    const { lines } = await load(holder);
    const look = (at) => () => ({ color: css(`--series-${at + 1}`) });
    const [first, ...others] = lines.map(({ name, points }, at) => {
      return { options: { title: name, lineStyle: DASHES[at], lineWidth: 2 }, points: points.map(asPoint), look: look(at) };
    });
    if (!first) return;
    const shown = new Shown(holder, LineSeries, first.look, first.options);
    shown.set(first.points);
    for (const { points, look: colours, options } of others) shown.addBeside(points, colours, options);
  }

  // What draws a holder with one of these attributes; bars.js adds its own.
  const drawn = { "data-compare": mountCompare, "data-lines": mountLines, "data-equity": mountEquity };

  function mount() {
    for (const holder of charts.keys()) if (!holder.isConnected) charts.delete(holder);
    for (const holder of document.querySelectorAll("[data-chart]")) {
      const kind = Object.keys(drawn).find((one) => holder.hasAttribute(one));
      if (begun.has(holder) || !kind) continue;
      begun.add(holder);
      drawn[kind](holder).catch((error) => {
        const note = holder.querySelector(".chart__empty");
        note.textContent = error.message;
        note.removeAttribute("hidden");
      });
    }
  }

  document.addEventListener("theme", () => {
    colours.clear();
    charts.forEach((shown) => shown.repaint());
  });
  document.body.addEventListener("htmx:afterSettle", mount);
  mount();
  Object.assign(window.alphaswarm, { chart: { Shown, css, second, load, draw } });

  function draw(attribute, mounter) {
    drawn[attribute] = mounter;
    mount();
  }
})();
