// What a person says of a thing: that it is there, or that it is none. It stays, whatever later rounds find.

import { make } from "./page.js";
import { longDate, t } from "./words.js";

const NAME = "ronde-judge";

/** The part of a thing's page; `say(judgement, by, note)` gives a promise. */
export function judging({ told }, say) {
  const box = make("div", { class: "judging" });
  const draw = (...inside) => box.replaceChildren(...inside.filter(Boolean));
  const start = () => (told.judgement ? draw(said(told), button("take_back", "plain", () => ask(null))) : draw(...choices(ask)));
  const ask = (judgement) => {
    const form = asked(judgement, start, async (by, note) => {
      remember(by);
      await say(judgement, by, note);
    });
    draw(form);
    form.querySelector("input").focus();
  };
  start();
  return box;
}

function choices(ask) {
  return [
    make("p", { text: t("judge_ask") }),
    make("div", { class: "buttons", inside: [button("confirm", "choice", () => ask("confirmed")), button("reject", "choice", () => ask("rejected"))] }),
  ];
}

function said({ judgement, judged_by: by, judged_at: at, note }) {
  const who = t(judgement === "confirmed" ? "confirmed_by" : "rejected_by", { by, date: longDate(Date.parse(at)) });
  return make("p", { inside: [make("b", { text: who }), note && make("span", { text: ` ${t("quoted", { note })}` })] });
}

function asked(judgement, back, send) {
  const name = make("input", { name: "by", required: true, maxlength: 100, autocomplete: "name", value: remembered() });
  const note = make("input", { name: "note", maxlength: 500 });
  const failed = make("p", { class: "failed", role: "alert" });
  const verb = judgement === null ? "take_back" : judgement === "confirmed" ? "confirm" : "reject";
  const form = make("form", {
    inside: [
      make("label", { inside: [make("span", { text: t("judge_name") }), name] }),
      make("label", { inside: [make("span", { text: t("judge_note") }), note] }),
      failed,
      make("div", { class: "buttons", inside: [make("button", { type: "submit", class: "main", text: t(verb) }), button("cancel", "choice", back)] }),
    ],
  });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (!name.value.trim()) return;
    try {
      await send(name.value.trim(), note.value.trim());
    } catch {
      failed.textContent = t("judge_failed");
    }
  });
  return form;
}

function button(word, style, pressed) {
  const element = make("button", { type: "button", class: style, text: t(word) });
  element.addEventListener("click", pressed);
  return element;
}

function remembered() {
  try {
    return localStorage.getItem(NAME) ?? "";
  } catch {
    return ""; // a browser that keeps nothing
  }
}

function remember(name) {
  try {
    localStorage.setItem(NAME, name);
  } catch {
    // asked again the next time
  }
}
