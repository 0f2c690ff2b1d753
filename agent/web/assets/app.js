// Keeps the page current. Without this script the page works as well; it just stands still.
"use strict";
(() => {
  const live = document.getElementById("live");
  const link = document.getElementById("link");
  if (!live) return;

  // The hash of what the person has read. Only they can say that they have read another one.
  let read = hashOf(live);
  let skew = Date.parse(live.dataset.now) - Date.now();
  let stream = null;
  let timer = 0;
  let fetching = false;
  let again = false;

  function hashOf(root) {
    const sign = root.querySelector("[data-hash]");
    return sign ? sign.dataset.hash : null;
  }

  function say(text, broken) {
    link.hidden = false;
    link.textContent = text;
    link.classList.toggle("broken", broken);
  }

  // The words are those of view/time.rs.
  function ago(at) {
    const s = Math.trunc((at - (Date.now() + skew)) / 1000);
    const n = Math.abs(s);
    if (n < 5) return "now";
    const text = n < 120 ? n + " s" : n < 7200 ? Math.floor(n / 60) + " min"
      : n < 172800 ? Math.floor(n / 3600) + " h" : Math.floor(n / 86400) + " d";
    return s > 0 ? "in " + text : text + " ago";
  }

  function tick() {
    for (const time of document.querySelectorAll("time[datetime]")) {
      const span = time.querySelector(".ago");
      if (span) span.textContent = ago(Date.parse(time.dateTime));
    }
  }

  function guard() {
    const sign = live.querySelector("[data-hash]");
    if (!sign) return;
    if (read === null) read = sign.dataset.hash;
    const changed = sign.dataset.hash !== read;
    sign.querySelector("[data-changed]").hidden = !changed;
    for (const button of sign.querySelectorAll("[data-vote] button")) button.disabled = changed;
  }

  // A button that moves under the finger is not pressed by mistake.
  function settle(before) {
    const names = buttons();
    if (names === before) return;
    for (const button of live.querySelectorAll("form button")) {
      if (button.disabled) continue;
      button.disabled = true;
      setTimeout(() => { button.disabled = false; guard(); }, 700);
    }
  }

  function buttons() {
    return Array.from(live.querySelectorAll("form"), (form) => form.getAttribute("action")).join(" ");
  }

  function swap(html) {
    const next = new DOMParser().parseFromString(html, "text/html").body;
    const before = buttons();
    const open = new Set(Array.from(live.querySelectorAll("details[open]"), (d) => d.dataset.key));
    const typed = new Map(Array.from(live.querySelectorAll("[data-keep]"), (i) => [i.dataset.keep, i.value]));
    const focus = document.activeElement;
    const held = focus && live.contains(focus) && focus.dataset.keep
      ? [focus.dataset.keep, focus.selectionStart, focus.selectionEnd] : null;
    for (const d of next.querySelectorAll("details[data-key]")) d.open = open.has(d.dataset.key);
    for (const i of next.querySelectorAll("[data-keep]")) i.value = typed.get(i.dataset.keep) || "";
    live.replaceChildren(...next.childNodes);
    if (held) {
      for (const i of live.querySelectorAll("[data-keep]")) {
        if (i.dataset.keep !== held[0]) continue;
        i.focus({ preventScroll: true });
        i.setSelectionRange(held[1], held[2]);
      }
    }
    guard();
    settle(before);
    tick();
  }

  async function refresh() {
    if (fetching) { again = true; return; }
    fetching = true;
    again = false;
    try {
      const answer = await fetch(live.dataset.fragment, { credentials: "same-origin" });
      if (answer.ok) {
        swap(await answer.text());
        say("live", false);
      } else if (answer.status === 401) {
        close();
        say("signed out: load the page again", true);
      } else if (answer.status === 404) {
        say("this rollout is gone", true);
      } else {
        say("the agent is busy", true);
        later(3000);
      }
    } catch (_) {
      say("no connection, trying again", true);
      later(3000);
    } finally {
      fetching = false;
      if (again) later(200);
    }
  }

  function later(ms) {
    clearTimeout(timer);
    timer = setTimeout(refresh, ms);
  }

  function concerns(notice) {
    const { name, namespace, pipeline } = live.dataset;
    if (!name || notice.kind === "everything") return true;
    if (notice.namespace !== namespace) return false;
    return notice.name === (notice.kind === "rollout" ? name : pipeline);
  }

  function open() {
    if (stream || document.hidden) return;
    stream = new EventSource("/events");
    // After every connection: whatever happened in between is in the fragment.
    stream.addEventListener("hello", refresh);
    stream.addEventListener("change", (event) => {
      if (concerns(JSON.parse(event.data))) later(120);
    });
    stream.onerror = () => {
      say("no connection, trying again", true);
      // A refused stream does not come back by itself.
      if (stream && stream.readyState === EventSource.CLOSED) {
        close();
        setTimeout(() => { open(); refresh(); }, 5000);
      }
    };
  }

  function close() {
    if (stream) stream.close();
    stream = null;
  }

  // A browser keeps six connections to one server: a hidden tab gives its own back.
  document.addEventListener("visibilitychange", () => { document.hidden ? close() : open(); });
  window.addEventListener("pagehide", close);
  window.addEventListener("pageshow", (event) => { if (event.persisted) open(); });

  live.addEventListener("click", (event) => {
    if (!event.target.closest("[data-again]")) return;
    read = hashOf(live);
    guard();
  });
  live.addEventListener("submit", (event) => {
    // Once: the second press would say the same.
    const button = event.target.querySelector("button:not([type=button])");
    if (button) setTimeout(() => { button.disabled = true; }, 0);
  });

  guard();
  tick();
  setInterval(tick, 5000);
  open();
})();
