"use strict";

// Messages come from strangers: they enter the page as text (textContent), never as HTML.

const KINDS = {
  text: "",
  image: "Image 图片",
  voice: "Voice 语音",
  video: "Video 视频",
  file: "File 文件",
  link: "Link 链接",
  rich_text: "Rich text 图文",
  custom: "Custom 自定义",
  event: "Event 事件",
  not_sent: "Not sent 发送失败",
  unknown: "Unknown kind 未知类型",
};
const STATES = {
  none: "Enter a user 请输入用户",
  connecting: "Connecting… 连接中…",
  live: "Live 已连接",
  waiting: "Reconnecting… 重连中…",
};
const MAX_SHOWN = 500;
const RETRY = { first: 500, most: 10_000 };

const byId = (id) => document.getElementById(id);
const list = byId("messages");

let socket;
let retry;
let pause = RETRY.first;
let isAtEnd = true;

// ----- the conversation -----

function open(user) {
  clearTimeout(retry);
  socket?.close();
  socket = undefined;
  byId("user").value = user;
  clear();
  if (!user) return show("none");
  document.title = `${user} · Wulai chat 吾来会话`;
  pause = RETRY.first;
  connect(user);
}

function connect(user) {
  show("connecting");
  const scheme = location.protocol === "https:" ? "wss:" : "ws:";
  const mine = new WebSocket(`${scheme}//${location.host}/ws/${encodeURIComponent(user)}`);
  socket = mine;
  mine.onopen = () => {
    pause = RETRY.first;
    clear(); // The recent messages come again.
    show("live");
  };
  mine.onmessage = ({ data }) => mine === socket && add(JSON.parse(data));
  mine.onclose = () => {
    if (mine !== socket) return;
    show("waiting");
    retry = setTimeout(() => connect(user), pause * (0.5 + Math.random() / 2));
    pause = Math.min(pause * 2, RETRY.most);
  };
}

function show(state) {
  byId("state").dataset.state = state;
  byId("state").textContent = STATES[state];
  byId("empty").hidden = state === "none" || list.childElementCount > 0;
}

function clear() {
  list.replaceChildren();
  byId("newest").hidden = true;
  isAtEnd = true;
}

// ----- one message -----

function add(message) {
  const item = render(message);
  const earlier = [...list.children].findLast(({ sentAt }) => sentAt <= item.sentAt);
  if (earlier) earlier.after(item);
  else list.prepend(item);
  if (list.childElementCount > MAX_SHOWN) list.firstElementChild.remove();
  byId("empty").hidden = true;
  if (isAtEnd) scrollToEnd();
  else byId("newest").hidden = false;
}

function render(message) {
  const item = byId("message").content.cloneNode(true).firstElementChild;
  const part = (name) => item.querySelector(name);
  const write = (name, text) => {
    if (text) part(name).textContent = text;
    else part(name).remove();
  };
  // What has no time of its own stays where it arrived.
  item.sentAt = message.sent_at ?? list.lastElementChild?.sentAt ?? 0;
  item.dataset.kind = message.kind;
  write(".from", message.from || "Bot 机器人");
  write(".kind", KINDS[message.kind] ?? KINDS.unknown);
  write(".title", message.title);
  write(".text", message.text);
  picture(part(".picture"), message);
  link(part(".link"), message);
  choices(part(".choices"), message.choices ?? []);
  time(part("time"), message.sent_at);
  if (message.is_late) part(".marks").textContent = "late 迟到";
  return item;
}

function picture(place, { image, url, title }) {
  if (!isWebAddress(image)) return place.remove();
  const img = place.querySelector("img");
  img.alt = title || KINDS.image;
  img.onload = () => isAtEnd && scrollToEnd();
  img.onerror = () => place.replaceChildren("Image not available 图片无法显示");
  img.src = image;
  lead(place, isWebAddress(url) ? url : image);
}

function link(place, { url, image }) {
  if (!url || (url === image && isWebAddress(url))) return place.remove();
  if (!isWebAddress(url)) return place.append(url);
  const anchor = document.createElement("a");
  anchor.textContent = url;
  lead(anchor, url);
  place.append(anchor);
}

function lead(anchor, url) {
  anchor.href = url;
  anchor.target = "_blank";
  anchor.rel = "noopener noreferrer";
}

function choices(place, texts) {
  for (const text of texts) {
    const item = document.createElement("li");
    item.textContent = text;
    place.append(item);
  }
}

function time(place, sentAt) {
  if (sentAt === null) return place.remove();
  const date = new Date(sentAt);
  if (Number.isNaN(date.valueOf())) return place.remove();
  const isToday = date.toDateString() === new Date().toDateString();
  place.dateTime = date.toISOString();
  place.title = date.toLocaleString();
  place.textContent = isToday ? date.toLocaleTimeString() : date.toLocaleString();
}

/** `javascript:` and the like are shown, but lead nowhere. */
function isWebAddress(text) {
  return /^https?:\/\//i.test(text ?? "");
}

// ----- the page -----

function scrollToEnd() {
  scrollTo({ top: document.documentElement.scrollHeight });
}

function noteScroll() {
  const { scrollHeight, scrollTop, clientHeight } = document.documentElement;
  isAtEnd = scrollHeight - scrollTop - clientHeight < 80;
  if (isAtEnd) byId("newest").hidden = true;
}

function userInAddress() {
  try {
    return decodeURIComponent(location.hash.slice(1));
  } catch {
    return "";
  }
}

byId("open").onsubmit = (event) => {
  event.preventDefault();
  const user = byId("user").value;
  if (user === userInAddress()) open(user);
  else location.hash = encodeURIComponent(user);
};
byId("newest").onclick = scrollToEnd;
onhashchange = () => open(userInAddress());
onscroll = noteScroll;
ononline = () => open(userInAddress());
open(userInAddress());
