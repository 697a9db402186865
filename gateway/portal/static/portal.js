// What the portal does in the browser beyond htmx: the dialog, copying, keys, the theme, and live lists.
"use strict";

const sheet = document.getElementById("sheet");
const byData = (name) => `[data-${name}]`;

// --- the dialog that forms are shown in

document.addEventListener("htmx:afterSwap", (event) => {
  if (event.detail.target === sheet) {
    if (!sheet.open) sheet.showModal();
    if (document.activeElement !== sheet && sheet.contains(document.activeElement)) return;
    (sheet.querySelector("[autofocus]") || sheet.querySelector(".field input, .field select, .field textarea"))?.focus();
  }
});
sheet.addEventListener("close", () => {
  // what is still asked for would open it again
  for (const asking of sheet.querySelectorAll(".htmx-request")) htmx.trigger(asking, "htmx:abort");
  sheet.replaceChildren();
});
// what is shown only once is not put away by a slip
const isOnce = () => sheet.querySelector(byData("once")) !== null;
sheet.addEventListener("click", (event) => {
  if (event.target === sheet && !isOnce()) sheet.close();
});
sheet.addEventListener("cancel", (event) => {
  if (isOnce()) event.preventDefault();
});

// --- clicks

const announce = (text) => {
  const line = document.createElement("p");
  line.className = "notice";
  line.textContent = text;
  document.querySelector(".notices").replaceChildren(line);
};

const copy = async (button) => {
  const text = button.dataset.copy;
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // browsers have no clipboard for pages without TLS: the older way still works there
    const area = document.createElement("textarea");
    area.value = text;
    area.className = "hidden";
    (sheet.open ? sheet : document.body).append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
  button.classList.add("copied");
  announce("Copied");
  setTimeout(() => button.classList.remove("copied"), 1500);
};

const isDark = () => {
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
};

const switchTheme = () => {
  const theme = isDark() ? "light" : "dark";
  document.documentElement.dataset.theme = theme;
  document.cookie = `theme=${theme}; path=/; max-age=31536000; SameSite=Strict`;
};

const switchMenu = (button) => {
  const open = document.body.toggleAttribute("data-menu-open");
  button.setAttribute("aria-expanded", String(open));
};

document.addEventListener("click", (event) => {
  const within = (name) => event.target.closest(byData(name));
  const copied = within("copy");
  if (copied) return void copy(copied);
  if (within("theme-switch")) return switchTheme();
  const menu = within("menu");
  if (menu) return switchMenu(menu);
  if (within("close") && sheet.open) {
    event.preventDefault();
    return sheet.close();
  }
  for (const opened of document.querySelectorAll("details.menu[open]")) {
    if (!opened.contains(event.target)) opened.open = false;
  }
});

// --- choosing several rows

document.addEventListener("change", (event) => {
  const all = event.target.closest("[data-choose-all]");
  const form = event.target.form;
  if (!form) return;
  if (all) for (const box of form.querySelectorAll("[data-choose]")) box.checked = all.checked;
  if (all || event.target.closest("[data-choose]")) {
    const chosen = form.querySelectorAll("[data-choose]:checked").length;
    for (const shown of form.querySelectorAll("[data-chosen]")) shown.hidden = chosen === 0;
    for (const number of form.querySelectorAll("[data-chosen-number]")) number.textContent = String(chosen);
  }
});

let kept = []; // what was chosen stays chosen where a list is shown anew

document.addEventListener("htmx:beforeSwap", (event) => {
  const boxes = event.detail.target.id === "list" ? event.detail.target.querySelectorAll("[data-choose]:checked") : [];
  kept = [...boxes].map((box) => box.value);
});
document.addEventListener("htmx:afterSwap", () => {
  for (const box of document.querySelectorAll("#list [data-choose]")) {
    if (!kept.includes(box.value)) continue;
    box.checked = true;
    box.dispatchEvent(new Event("change", { bubbles: true }));
  }
  kept = [];
});

// --- what stands beside a list goes with its address: another order, page or search is pushed there

const inStep = () => {
  const now = new URLSearchParams(location.search);
  now.delete("page");
  for (const form of document.querySelectorAll("main form[role='search']")) {
    for (const old of form.querySelectorAll("input[type='hidden']")) old.remove();
    for (const [name, value] of now) {
      if (form.elements[name]) continue;
      form.append(Object.assign(document.createElement("input"), { type: "hidden", name, value }));
    }
  }
  for (const link of document.querySelectorAll(byData("filter"))) {
    const wanted = new URL(link.href).searchParams;
    const changed = new URLSearchParams(now);
    for (const filter of link.dataset.filter.split(" ")) {
      const value = wanted.get(filter);
      if (value) changed.set(filter, value);
      else changed.delete(filter);
    }
    link.search = changed.toString();
  }
};
document.addEventListener("htmx:pushedIntoHistory", inStep);

// --- the tab of this page is in sight where not all of them are

document.querySelector(".tabs [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });

// --- keys: / searches, g and a letter go to a place, ? is in the guide

const PLACES = { h: "/", p: "/projects", r: "/replication", a: "/audit", e: "/events" };
let going = false;

document.addEventListener("keydown", (event) => {
  const typing = event.target.closest("input, textarea, select, [contenteditable]");
  if (event.key === "Escape") {
    for (const opened of document.querySelectorAll("details.menu[open]")) opened.open = false;
    if (document.body.hasAttribute("data-menu-open")) switchMenu(document.querySelector(byData("menu")));
  }
  if (typing || sheet.open || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "/") {
    event.preventDefault();
    (document.getElementById("list-find") || document.getElementById("find")).focus();
  } else if (going && PLACES[event.key]) {
    location.assign(PLACES[event.key]);
  }
  going = event.key === "g";
});

// --- lists that follow the events: `data-live` holds the stream's filters

const followed = document.querySelector(byData("live"));
if (followed && document.body.hasAttribute("data-signed-in")) {
  const types = new URLSearchParams(followed.dataset.live).getAll("type");
  const source = new EventSource(`/api/v2.0/events/stream?${followed.dataset.live}`);
  let waiting = 0;
  let later = [];
  const refresh = () => {
    waiting = 0;
    if (document.getElementById("list")) {
      htmx.ajax("GET", location.href, { source: "#list", target: "#list", swap: "outerHTML" });
    }
  };
  for (const type of types) {
    source.addEventListener(type, () => {
      waiting ||= setTimeout(refresh, 150);
      // the catalogue may follow an event a little later
      later.forEach(clearTimeout);
      later = [400, 900].map((after) => setTimeout(refresh, after));
    });
  }
  addEventListener("pagehide", () => source.close());
}
