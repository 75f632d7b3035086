// What moves on a page. The server writes every figure: a frame that comes over a socket makes the page ask for its
// fragment again, which is morphed into place, so that scroll, focus and selection stay. No figure is formatted here,
// but for ages and times.
(() => {
  const RETRY_FIRST = 500;
  const RETRY_MOST = 10_000;
  const REFRESH_EVERY = 700;
  // Nobody reads faster, and each change costs a picture: charts are drawn anew, the log is laid out.
  const SHOW_EVERY = 200;
  const ARMED_FOR = 3000;
  // Whoever holds longer does not click.
  const PRESSED_FOR = 5000;
  const LOG_ROWS = 200;
  // Frames that wait to be shown at most: a browser lets a page that is not looked at do little.
  const MOST_WAITING = 5000;
  const STATES = { live: "Live", connecting: "Connecting", lost: "Connection lost, trying again" };

  const all = (selector, root = document) => root.querySelectorAll(selector);
  const emit = (name, detail) => document.body.dispatchEvent(new CustomEvent(name, { detail }));

  // One socket, which comes back by itself and goes on after the last number that it has seen.
  class Link {
    constructor(path, resumes, onFrames) {
      Object.assign(this, { path, resumes, onFrames, state: "connecting", seq: null, retry: RETRY_FIRST });
      this.open();
      addEventListener("online", () => this.again());
      addEventListener("offline", () => this.drop());
    }

    open() {
      const url = new URL(this.path, location.href);
      url.protocol = url.protocol.replace("http", "ws");
      if (this.resumes && this.seq !== null) url.searchParams.set("after", this.seq);
      this.socket = new WebSocket(url);
      this.socket.onopen = () => this.opened();
      this.socket.onmessage = (event) => this.take(JSON.parse(event.data));
      this.socket.onclose = (event) => this.closed(event);
    }

    opened() {
      const back = this.state === "lost";
      this.retry = RETRY_FIRST;
      this.tell("live");
      if (back) emit("back", this);
    }

    take(frame) {
      if (this.resumes) {
        if (frame.skipped) emit("missed", frame.skipped);
        this.seq = frame.seq;
      }
      arrived(this, frame);
    }

    closed(event) {
      if (event.code === 4401) {
        location.assign(`/ui/login/?next=${encodeURIComponent(location.pathname)}`);
        return;
      }
      if (this.state !== "lost") {
        this.lostAt = now();
        emit("lost", this);
      }
      this.tell("lost");
      if (event.code === 4403 || event.code === 4404) return;
      this.timer = setTimeout(() => this.open(), this.retry * (0.75 + Math.random() / 2));
      this.retry = Math.min(this.retry * 2, RETRY_MOST);
    }

    // A browser may take a minute to see that nothing comes any more.
    drop() {
      if (this.state !== "live") return;
      this.socket.onmessage = this.socket.onclose = null;
      this.socket.close();
      this.closed({ code: 1006 });
    }

    again() {
      if (this.state !== "lost") return;
      clearTimeout(this.timer);
      this.retry = RETRY_FIRST;
      this.open();
    }

    tell(state) {
      this.state = state;
      showLinks();
    }
  }

  // However many frames come, the page is changed once for all that have come meanwhile.
  let waiting = [];

  function arrived(link, frame) {
    waiting.push([link, frame]);
    if (waiting.length >= MOST_WAITING) flush();
    else show();
  }

  function flush() {
    const frames = Map.groupBy(waiting, ([link]) => link);
    waiting = [];
    for (const [link, own] of frames) link.onFrames(own.map(([, frame]) => frame));
  }

  const links = [];

  function showLinks() {
    const worst = ["lost", "connecting", "live"].find((state) => links.some((link) => link.state === state));
    for (const shown of all("[data-link]")) {
      if (!worst || shown.dataset.state === worst) continue;
      shown.dataset.state = worst;
      shown.firstElementChild.textContent = STATES[worst];
    }
  }

  // At most one call in so many ms, and never one lost: what came in between is told at the end of it.
  function throttled(call, every) {
    let waiting = false;
    let last = 0;
    return () => {
      if (waiting) return;
      waiting = true;
      setTimeout(() => {
        waiting = false;
        last = performance.now();
        call();
      }, Math.max(0, last + every - performance.now()));
    };
  }

  const show = throttled(flush, SHOW_EVERY);
  const refresh = throttled(() => emit("news"), REFRESH_EVERY);

  function takePortfolio(frames) {
    for (const frame of frames) {
      if (frame.stage !== "portfolio") emit(frame.stage === "kill.engaged" ? "kill" : "control", frame);
    }
    const latest = frames.findLast(({ stage }) => stage === "portfolio");
    if (latest) emit("portfolio", latest);
    if (!document.hidden) refresh();
  }

  function takeRun(frames) {
    emit("frames", frames);
    log(frames);
    if (!document.hidden) refresh();
  }

  const LOOK = new Set(["order.rejected", "risk.halted", "kill.engaged", "error", "connection.lost"]);

  function logged(frame) {
    const row = document.createElement("li");
    const cells = [stamp(Date.parse(frame.timestamp)).time, frame.stage, frame.message].map((text) => {
      const cell = document.createElement("span");
      cell.textContent = text;
      return cell;
    });
    cells[0].title = frame.timestamp;
    cells[1].className = "log__stage";
    if (LOOK.has(frame.stage)) row.className = "log--look";
    row.append(...cells);
    return row;
  }

  // Each change lays the log out anew.
  let untold = [];
  const writeLog = throttled(() => {
    const list = document.querySelector("[data-log]");
    if (!list) return;
    list.prepend(...untold.reverse().map(logged));
    untold = [];
    while (list.children.length > LOG_ROWS) list.lastElementChild.remove();
    document.querySelector("[data-log-empty]")?.remove();
  }, REFRESH_EVERY);

  function log(frames) {
    const told = frames.filter(({ stage }) => stage !== "bar.received" && stage !== "equity.update");
    if (!told.length || !document.querySelector("[data-log]")) return;
    untold = [...untold, ...told].slice(-LOG_ROWS);
    writeLog();
  }

  // The log of a run says where it was cut off.
  function noteLink(link, what, message) {
    flush();
    if (link.resumes) log([{ stage: `connection.${what}`, timestamp: new Date(now()).toISOString(), message }]);
  }

  // Ages and the clock, once a second. The server's clock counts, so that a wrong one here makes nothing stale.
  const skew = Date.parse(document.body.dataset.now) - Date.now() || 0;
  const now = () => Date.now() + skew;

  // Times are those of the reader's zone, as the server writes them.
  const { zone = "UTC" } = document.body.dataset;
  const zoned = new Intl.DateTimeFormat("en-CA", {
    timeZone: zone, hourCycle: "h23", timeZoneName: "short",
    year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit",
  });

  // Many frames tell of one second.
  let stamped = { at: NaN };

  function stamp(milliseconds) {
    const at = Math.floor(milliseconds / 1000);
    if (stamped.at !== at) {
      const { year, month, day, hour, minute, second, timeZoneName } = Object.fromEntries(
        zoned.formatToParts(milliseconds).map(({ type, value }) => [type, value]),
      );
      stamped = { at, date: `${year}-${month}-${day}`, time: `${hour}:${minute}:${second}`, zone: timeZoneName };
    }
    return stamped;
  }

  function age(seconds) {
    if (seconds < 60) return `${seconds} s`;
    if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
    if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
    return `${Math.floor(seconds / 86_400)} d ${Math.floor((seconds % 86_400) / 3600)} h`;
  }

  function tick() {
    for (const shown of all("[data-clock]")) shown.textContent = stamp(now()).time;
    for (const shown of all("[data-since]")) {
      shown.textContent = age(Math.max(0, Math.round((now() - Date.parse(shown.dataset.since)) / 1000)));
    }
    for (const shown of all("[data-age]")) {
      const seconds = Math.max(0, Math.round((now() - Date.parse(shown.dataset.age)) / 1000));
      const stale = seconds > Number(shown.dataset.staleAfter || Infinity);
      shown.textContent = `${age(seconds)} old`;
      shown.classList.toggle("is-stale", stale);
      shown.closest("[data-live]")?.classList.toggle("is-stale", stale);
    }
  }

  // A button that destroys asks to be pressed twice.
  function disarm(button) {
    if (!button.classList.contains("button--armed")) return;
    button.classList.remove("button--armed");
    for (const name of ["data-keep", "name", "value"]) button.removeAttribute(name);
    button.textContent = button.dataset.label;
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest("button[data-confirm]");
    if (!button || button.classList.contains("button--armed")) return;
    event.preventDefault();
    button.dataset.label = button.textContent;
    button.textContent = button.dataset.confirm;
    button.classList.add("button--armed");
    button.setAttribute("data-keep", "");
    // Without scripts the server asks a second time.
    Object.assign(button, { name: "sure", value: "yes" });
    setTimeout(() => disarm(button), ARMED_FOR);
  });

  // The kill switch waits as long for its second press, and no longer, unless somebody is at it.
  function shut(control) {
    if (!control.isConnected || !control.open) return;
    if (control.matches(":hover") || control.contains(document.activeElement.closest("input"))) {
      setTimeout(() => shut(control), ARMED_FOR);
    } else control.open = false;
  }

  document.addEventListener("toggle", (event) => {
    if (!event.target.matches("details.kill__confirm") || !event.target.open) return;
    event.target.querySelector(".kill__engage").focus();
    setTimeout(() => shut(event.target), ARMED_FOR);
  }, true);

  document.addEventListener("click", (event) => {
    for (const open of all("details[data-menu][open]")) if (!open.contains(event.target)) open.open = false;
  });

  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    for (const open of all("details[data-menu][open], details.kill__confirm[open]")) {
      open.open = false;
      open.querySelector("summary").focus();
    }
  });

  function tell(text, tone = "look") {
    const shown = document.createElement("p");
    shown.className = `notice notice--${tone}`;
    shown.textContent = text;
    document.querySelector("[data-messages]")?.append(shown);
  }

  // A verb that may not have arrived must not look as if it had.
  function failed({ detail: { requestConfig, xhr } }) {
    if (requestConfig.verb === "get") return;
    const why = xhr.status ? `the server answered ${xhr.status}` : "the server cannot be reached";
    const way = requestConfig.path.includes("/kill/") ? " In a shell: alphaswarm kill engage" : "";
    tell(`Not confirmed: ${why}.${way}`, "alarm");
    scrollTo({ top: 0 });
  }

  // What the page itself has said is kept with the messages, too, in the server's words.
  function keep(what) {
    const token = document.querySelector("[name=csrfmiddlewaretoken]")?.value;
    const { said } = document.body.dataset;
    if (!token || !said) return;
    const body = new URLSearchParams({ ...what, page: location.pathname });
    fetch(said, { method: "POST", body, headers: { "X-CSRFToken": token } }).catch(() => {});
  }

  document.body.addEventListener("htmx:responseError", failed);
  document.body.addEventListener("htmx:sendError", failed);
  // Where a question does not get through, the sockets do not either.
  document.body.addEventListener("htmx:sendError", () => links.forEach((link) => link.drop()));
  document.body.addEventListener("missed", ({ detail: missed }) => {
    tell(`${missed} frames were missed; the tables are whole.`);
    keep({ missed });
  });
  document.body.addEventListener("back", refresh);
  document.body.addEventListener("lost", ({ detail: link }) => noteLink(link, "lost", "what is told from here on comes later"));
  document.body.addEventListener("back", ({ detail: link }) => {
    noteLink(link, "back", `after ${age(Math.round((now() - link.lostAt) / 1000))}; what was told meanwhile follows`);
  });
  document.body.addEventListener("htmx:afterSwap", tick);
  document.addEventListener("visibilitychange", () => document.hidden || refresh());

  // Nothing moves away under a finger: a fragment that nobody asked for and that comes between press and release would
  // make a click miss what it was meant for. It is asked for again afterwards.
  let pressedAt = -Infinity;
  const held = new Map();

  function released() {
    pressedAt = -Infinity;
    setTimeout(() => {
      for (const [fragment, path] of held) if (fragment.isConnected) htmx.ajax("GET", path, { source: fragment });
      held.clear();
    });
  }

  addEventListener("pointerdown", () => { pressedAt = performance.now(); }, true);
  for (const over of ["pointerup", "pointercancel"]) addEventListener(over, released, true);
  document.body.addEventListener("htmx:beforeSwap", ({ detail }) => {
    const { elt, path, verb, triggeringEvent } = detail.requestConfig;
    if (verb !== "get" || triggeringEvent?.isTrusted || performance.now() - pressedAt > PRESSED_FOR) return;
    detail.shouldSwap = false;
    held.set(elt, path);
  });

  // What a person or a script of this page has changed is kept when a fragment is morphed into place.
  if (window.Idiomorph) {
    Object.assign(window.Idiomorph.defaults.callbacks, {
      beforeNodeMorphed: (old) => !(old instanceof Element && old.hasAttribute("data-keep")),
      beforeAttributeUpdated: (name, node) => !(name === "open" && node.tagName === "DETAILS"),
    });
    window.Idiomorph.defaults.ignoreActiveValue = true;
  }

  const { socket, run } = document.body.dataset;
  if (socket) links.push(new Link(socket, false, takePortfolio));
  if (run) links.push(new Link(run, true, takeRun));
  showLinks();
  tick();
  setInterval(tick, 1000);
  window.alphaswarm = { links, stamp };
})();
