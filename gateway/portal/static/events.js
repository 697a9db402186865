// The page of live events: listens, keeps the last ones, and shows one in full. Whatever comes is put in as text.
"use strict";

const stream = document.getElementById("stream");
const part = (name) => stream.querySelector(`[data-${name}]`);
const MOST = 200;
const COMES_BACK = new Set(["slow", "trimmed", "time", "shutdown", "rights"]);
const rows = part("rows");
let source = null;
let last = "";
let paused = false;
let waiting = [];
let missed = 0;

const show = (word, kind, reason = "") => {
  part("state").textContent = word;
  part("state").className = `badge ${kind}`;
  part("reason").textContent = reason;
};

const showCount = () => {
  const count = waiting.length + missed;
  part("pause-label").textContent = paused ? `Resume${count ? ` (${count} new)` : ""}` : "Pause";
};

const details = (event) => {
  const sheet = document.getElementById("sheet");
  sheet.replaceChildren(part("sheet").content.cloneNode(true));
  sheet.querySelector("#sheet-title").textContent = `Event ${event.sequence}`;
  sheet.querySelector("pre").textContent = JSON.stringify(event, null, 2);
  sheet.showModal();
};

const rowOf = (event) => {
  const row = part("row").content.cloneNode(true).firstElementChild;
  const time = row.querySelector("time");
  time.dateTime = event.time;
  time.textContent = event.time.slice(0, 19).replace("T", " ");
  row.querySelector(".badge").textContent = event.type.split(".").slice(1, -1).join(" ").replaceAll("_", " ");
  row.querySelector("[data-subject]").textContent = event.subject;
  row.querySelector("[data-actor]").textContent = event.actor;
  const button = row.querySelector("[data-details]");
  button.setAttribute("aria-label", `Details of event ${event.sequence}`);
  button.addEventListener("click", () => details(event));
  return row;
};

const put = (events) => {
  const made = document.createDocumentFragment();
  for (const event of events.slice(-MOST).reverse()) made.append(rowOf(event));
  rows.prepend(made);
  while (rows.children.length > MOST) rows.lastElementChild.remove();
  part("table").hidden = rows.children.length === 0;
  part("nothing").hidden = rows.children.length > 0;
};

// a replay brings thousands at once: they are put in together, once a frame
let drawing = 0;
const draw = () => {
  drawing = 0;
  if (paused) return showCount();
  put(waiting);
  waiting = [];
  missed = 0;
};

const take = (message) => {
  last = message.lastEventId || last;
  waiting.push(JSON.parse(message.data));
  if (waiting.length > MOST) missed += waiting.splice(0, waiting.length - MOST).length;
  drawing ||= setTimeout(draw, 50);
};

const address = () => {
  const url = new URL(stream.dataset.stream, location.href);
  if (last) url.searchParams.set("since", last);
  else if (stream.dataset.replay) {
    url.searchParams.set("since", new Date(Date.now() - 60_000 * Number(stream.dataset.replay)).toISOString());
  }
  return url;
};

const ended = (reason) => {
  source.close();
  show("Ended", "bad", reason);
  part("again").hidden = false;
};

// an EventSource does not tell why it was refused: the same address is asked once more, for the sentence
const refused = async () => {
  const controller = new AbortController();
  try {
    const answer = await fetch(address(), { signal: controller.signal });
    if (answer.ok) return ended("The connection was lost.");
    const { errors } = await answer.json();
    ended(answer.status === 401 ? "You are not signed in any more: load the page again." : `${errors[0].message}.`);
  } catch {
    ended("The registry does not answer.");
  } finally {
    controller.abort();
  }
};

const connect = () => {
  part("again").hidden = true;
  show("Connecting", "");
  source = new EventSource(address());
  source.addEventListener("open", () => show("Live", "good"));
  source.addEventListener("error", () => {
    if (source.readyState === EventSource.CONNECTING) show("Reconnecting", "warm", "What happens meanwhile is not lost.");
    else void refused();
  });
  source.addEventListener("end", (message) => {
    const { reason, message: sentence } = JSON.parse(message.data);
    ended(`${sentence}.`);
    if (COMES_BACK.has(reason)) {
      if (reason === "trimmed") last = "";
      show("Reconnecting", "warm", `${sentence}.`);
      setTimeout(connect, 2000);
    }
  });
  for (const type of stream.dataset.types.split(" ")) source.addEventListener(type, take);
};

part("pause").addEventListener("click", () => {
  paused = !paused;
  part("pause").setAttribute("aria-pressed", String(paused));
  if (!paused) draw();
  showCount();
});
part("clear").addEventListener("click", () => {
  rows.replaceChildren();
  put([]);
});
part("again").addEventListener("click", connect);
addEventListener("pagehide", () => source.close());
addEventListener("pageshow", (event) => {
  if (event.persisted) connect();
});
connect();
