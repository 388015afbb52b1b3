// Keeps the page true: it says what the unit tells, and says so when it tells nothing. Without this script the page asks again.
(function () {
  "use strict";
  var LOST_MS = 6000;
  var AGAIN_MS = 5000;
  var SAID_MS = 20000;
  var body = document.body;
  var language = document.documentElement.lang;
  var heard = Date.now();
  var source = null;
  var said = 0;

  function $(id) {
    return document.getElementById(id);
  }

  function put(id, text) {
    var place = $(id);
    if (place && place.textContent !== text) place.textContent = text;
  }

  function show(texts) {
    heard = Date.now();
    body.setAttribute("data-state", texts.state);
    Object.keys(texts).forEach(function (id) {
      if (id !== "state") put(id, texts[id]);
    });
    document.title = texts.word + " · ronde";
  }

  // The page must never go on saying "recording" when nobody tells it so any more.
  function look() {
    if (Date.now() - said > SAID_MS && !$("text").value && document.activeElement !== $("text")) say("", null);
    if (Date.now() - heard < LOST_MS) return;
    body.setAttribute("data-state", "unknown");
    put("word", body.getAttribute("data-unknown"));
    put("why", body.getAttribute("data-lost"));
    ["advice", "also", "asked"].forEach(function (id) {
      put(id, "");
    });
    document.title = body.getAttribute("data-unknown") + " · ronde";
  }

  function listen() {
    if (source) source.close();
    source = new EventSource("/news?lang=" + language);
    source.addEventListener("texts", function (event) {
      show(JSON.parse(event.data));
    });
    source.onerror = function () {
      if (source.readyState === 2) setTimeout(listen, 1000);
    };
  }

  function say(sentence, hazard) {
    said = Date.now();
    put("said", sentence);
    $("answer").hidden = !sentence;
    $("note").hidden = !hazard;
    $("of").value = hazard || "";
    $("text").value = "";
  }

  function send(form) {
    var fields = Array.prototype.map.call(form.querySelectorAll("input"), function (input) {
      return encodeURIComponent(input.name) + "=" + encodeURIComponent(input.value);
    });
    form.setAttribute("data-busy", "");
    fetch(form.getAttribute("action"), {
      method: "POST",
      headers: { accept: "application/json", "content-type": "application/x-www-form-urlencoded" },
      body: fields.join("&"),
    })
      .then(function (answer) {
        return answer.json();
      })
      .then(function (told) {
        say(told.said, told.hazard);
      })
      .catch(function () {
        say(body.getAttribute("data-lost"), null);
      })
      .then(function () {
        form.removeAttribute("data-busy");
      });
  }

  if (!window.EventSource || !window.fetch) {
    if ($("note").hidden) {
      setTimeout(function () {
        location.replace("/?lang=" + language);
      }, AGAIN_MS);
    }
    return;
  }
  Array.prototype.forEach.call(document.querySelectorAll("form"), function (form) {
    form.addEventListener("submit", function (event) {
      event.preventDefault();
      if (!form.hasAttribute("data-busy")) send(form);
    });
  });
  $("no-note").addEventListener("click", function (event) {
    event.preventDefault();
    say("", null);
  });
  document.addEventListener("visibilitychange", function () {
    if (!document.hidden) listen();
  });
  setInterval(look, 1000);
  listen();
})();
