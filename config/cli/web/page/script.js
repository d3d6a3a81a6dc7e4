// The live page: takes events, and puts what they bring into what the server has made. All texts are set as text; pieces of
// HTML are the server's own templates.
"use strict";
(() => {
  const maxRows = 1000; // of the stream
  const staleAfter = 15000; // milliseconds without a word
  const $ = (id) => document.getElementById(id);
  const lines = $("lines");
  const more = $("more");
  const pause = $("pause");
  const link = $("link");

  let source = null;
  let at = document.body.dataset.at; // behind the rows that were taken
  let heard = Date.now();
  let offset = 0; // of the server's clock
  let retry = 0;
  let retryIn = 2000;
  let paused = false;
  let held = []; // rows that wait
  const none = { k: 0, u: Infinity, z: 0 }; // skipped
  let heldOut = none; // those that no longer fit there, as one that says how many were skipped

  // Connection.

  function connect() {
    disconnect();
    const query = new URLSearchParams(document.body.dataset.query);
    query.set("from", at);
    source = new EventSource("/events?" + query);
    source.addEventListener("open", () => { retryIn = 2000; heard = Date.now(); });
    source.addEventListener("lines", (e) => { hear(e); take(JSON.parse(e.data)); });
    source.addEventListener("figures", (e) => { hear(e); update(JSON.parse(e.data)); });
    source.addEventListener("ping", (e) => { hear(e); setClock(JSON.parse(e.data)); });
    source.addEventListener("error", () => {
      if (source && source.readyState === EventSource.CLOSED) again();
      say();
    });
  }

  function disconnect() {
    clearTimeout(retry);
    if (source) source.close();
    source = null;
  }

  // The browser itself comes back from most errors, but not from an answer that is none, such as that there are too many.
  function again() {
    disconnect();
    retry = setTimeout(connect, retryIn);
    retryIn = Math.min(2 * retryIn, 30000);
  }

  function hear(e) {
    heard = Date.now();
    if (e.lastEventId) at = e.lastEventId;
  }

  function setClock(millis) { offset = millis - Date.now(); }

  const clock = (millis) => new Date(millis).toLocaleTimeString();

  function say() {
    const open = source && source.readyState === EventSource.OPEN;
    const stale = !open && Date.now() - heard > 3000 || Date.now() - heard > staleAfter;
    document.body.classList.toggle("stale", stale);
    const text = open && !stale ? "Live" : stale ? "No contact since " + clock(heard) + ": what is shown is from then" : "Connecting";
    if (link.textContent !== text) link.textContent = text;
    link.classList.toggle("on", Boolean(open && !stale));
  }

  // Figures.

  function update(u) {
    setClock(u.at);
    for (const [id, html] of Object.entries(u.parts || {})) {
      const part = $(id);
      if (part) part.innerHTML = html;
    }
    for (const [id, list] of Object.entries(u.lists || {})) updateList($(id), list);
    showAges();
  }

  const orders = new WeakMap(); // of lists, that are to be applied

  const isRead = (list) => list.matches(":hover") || list.contains(document.activeElement);

  // Rows change where they are. New ones come last and the others stay, as long as somebody points at the list; then they are sorted.
  function updateList(list, { order, rows }) {
    if (!list) return;
    const known = rowsOf(list);
    for (const [key, html] of rows) {
      const row = document.createElement("template");
      row.innerHTML = html;
      const made = row.content.firstElementChild;
      made.dataset.key = key;
      const old = known.get(key);
      if (old) replaceRow(old, made);
      else list.append(made);
      known.set(key, made);
    }
    orders.set(list, order);
    if (!isRead(list)) sort(list);
  }

  // A row with the focus in it keeps it.
  function replaceRow(old, made) {
    const focused = old.contains(document.activeElement);
    old.replaceWith(made);
    const target = focused && made.querySelector("a");
    if (target) target.focus({ preventScroll: true });
  }

  const rowsOf = (list) => new Map([...list.children].map((row) => [row.dataset.key, row]));

  function sort(list) {
    const order = orders.get(list);
    if (!order) return;
    orders.delete(list);
    const known = rowsOf(list);
    let next = list.firstElementChild;
    for (const key of order) {
      const row = known.get(key);
      known.delete(key);
      if (!row) continue;
      if (row === next) next = next.nextElementSibling;
      else list.insertBefore(row, next);
    }
    for (const row of known.values()) row.remove();
  }

  for (const id of ["hosts", "beats"]) {
    const list = $(id);
    if (!list) continue;
    list.addEventListener("mouseleave", () => sort(list));
    list.addEventListener("focusout", () => setTimeout(() => isRead(list) || sort(list)));
  }

  // Ages, as the server writes them.

  function span(seconds) {
    const two = (big, name, small, smallName) => {
      const rest = Math.floor(seconds % big / small);
      return Math.floor(seconds / big) + name + (rest > 0 ? " " + rest + smallName : "");
    };
    seconds = Math.max(0, Math.floor(seconds));
    if (seconds >= 86400) return two(86400, "d", 3600, "h");
    if (seconds >= 3600) return two(3600, "h", 60, "m");
    if (seconds >= 60) return two(60, "m", 1, "s");
    return seconds + "s";
  }

  function showAges() {
    const now = Date.now() + offset;
    for (const time of document.querySelectorAll("time[data-since], time[data-ago]")) {
      const { since, ago } = time.dataset;
      const text = span((now - Number(since || ago)) / 1000) + (ago ? " ago" : "");
      if (time.textContent !== text) time.textContent = text;
    }
  }

  // The stream.

  const atEnd = () => lines.scrollHeight - lines.scrollTop - lines.clientHeight < 12;
  const unfolded = () => lines.querySelector("details[open]") !== null;
  const follows = () => !paused && following && !unfolded();
  let following = true;

  function take(items) {
    if (items.length === 0) return;
    if (follows()) {
      append(items);
      return;
    }
    for (const item of items) held.push(item);
    const over = held.length - maxRows;
    if (over > 0) {
      heldOut = held.splice(0, over).reduce(together, heldOut);
    }
    showHeld();
  }

  function showHeld() {
    let n = heldOut.k;
    for (const item of held) n += item.k || 1;
    more.hidden = n === 0;
    more.textContent = n.toLocaleString("en") + " new";
  }

  function release() {
    const items = heldOut.k > 0 ? [heldOut, ...held] : held;
    held = [];
    heldOut = none;
    showHeld();
    append(items);
  }

  function append(items) {
    const rows = document.createDocumentFragment();
    let last = lines.lastElementChild;
    for (const item of items.slice(-maxRows)) {
      if (item.k && last && last.skipped) {
        skip(last, together(last.skipped, item));
        continue;
      }
      last = row(item);
      rows.append(last);
    }
    lines.append(rows);
    while (lines.children.length > maxRows) lines.firstElementChild.remove();
    lines.scrollTop = lines.scrollHeight;
  }

  // How many were skipped, and the instants of the first and of the last, once item is among them.
  function together(all, item) {
    return { k: all.k + (item.k || 1), u: Math.min(all.u, item.u || Infinity), z: Math.max(all.z, item.z || item.u || 0) };
  }

  // A row that says how many were skipped leads to where they can be read.
  function skip(row, all) {
    row.skipped = all;
    const page = row.querySelector("a");
    const query = new URLSearchParams(document.body.dataset.query);
    query.set("from", all.u);
    query.set("to", all.z);
    if (all.z > 0) page.href = "/messages?" + query;
    page.textContent = "skipped " + all.k.toLocaleString("en");
  }

  function element(name, className, text) {
    const e = document.createElement(name);
    if (className) e.className = className;
    if (text !== undefined) e.textContent = text;
    return e;
  }

  function named(name, className, text) {
    const e = element(name, className);
    e.append(element("bdi", "", text));
    return e;
  }

  function row(item) {
    const li = document.createElement("li");
    if (item.k) {
      const text = element("p", "skipped");
      text.append(element("a"));
      li.append(text);
      skip(li, together(none, item));
      return li;
    }
    if (item.f) {
      li.append(element("p", "fault", item.f));
      return li;
    }
    const details = document.createElement("details");
    const summary = document.createElement("summary");
    const time = element("time", "", item.t);
    time.title = item.d;
    summary.append(time, named("b", "dot-" + item.c, item.i || ""), named("span", "host", item.n || ""), named("code", "", item.m || ""));
    details.append(summary);
    details.addEventListener("toggle", () => unfold(details, item), { once: true });
    li.append(details);
    return li;
  }

  function unfold(details, item) {
    const box = element("div", "unfolded");
    const about = element("p", "", item.d + ", from " + item.s);
    if (item.h) {
      const page = element("a", "");
      page.href = item.h;
      page.append("page of ", element("bdi", "", item.n));
      about.append(", ", page);
    }
    if (item.b) about.append(", the beginning of " + item.b + " bytes");
    box.append(about, element("pre", "", item.b ? item.m : indent(item.m)));
    details.append(box);
  }

  // JSON with an element a line. Numbers stay as they were sent, which JSON.parse would not do.
  function indent(text) {
    let out = "";
    let depth = 0;
    const line = () => "\n" + "  ".repeat(depth);
    for (const token of text.match(/"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/g) || []) {
      if (token === "{" || token === "[") {
        depth++;
        out += token + line();
      } else if (token === "}" || token === "]") {
        depth--;
        out = /[{[]\s*$/.test(out) ? out.trimEnd() + token : out + line() + token;
      } else if (token === ",") out += token + line();
      else if (token === ":") out += ": ";
      else out += token;
    }
    return out;
  }

  lines.addEventListener("scroll", () => {
    following = atEnd();
    if (follows() && held.length > 0) release();
  }, { passive: true });
  lines.addEventListener("toggle", () => { if (follows() && held.length > 0) release(); }, true);
  more.addEventListener("click", () => {
    following = true;
    for (const open of lines.querySelectorAll("details[open]")) open.open = false;
    release();
    if (!paused) lines.focus({ preventScroll: true });
  });
  pause.hidden = false;
  pause.addEventListener("click", () => {
    paused = !paused;
    pause.setAttribute("aria-pressed", String(paused));
    pause.textContent = paused ? "Go on" : "Pause";
    if (!paused) {
      following = true;
      release();
    }
  });
  lines.scrollTop = lines.scrollHeight;

  // A page that nobody sees costs nothing.

  let ticking = 0;
  function wake() {
    if (document.hidden) {
      disconnect();
      clearInterval(ticking);
      ticking = 0;
      return;
    }
    if (!source) {
      heard = Date.now();
      connect();
    }
    if (!ticking) ticking = setInterval(() => { showAges(); say(); }, 1000);
    say();
  }
  document.addEventListener("visibilitychange", wake);
  addEventListener("pageshow", wake);
  addEventListener("pagehide", disconnect);
  wake();
  showAges();
})();
