// What a reader has read and answered, kept in this browser alone: a button at the end of each chapter, a line on the
// first page, and a button there that forgets all. quiz.js keeps its answers here too. Where the browser keeps nothing,
// the pages work all the same.

const element = (name, properties = {}, ...children) => {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
};

const progress = {
  chapter: location.pathname.replace(/.*\/|\.html$/g, ""),

  /** {read: {chapter: true}, quiz: {chapter: {question: [choices in the order in which they were made]}}} */
  all() {
    try {
      return { read: {}, quiz: {}, ...JSON.parse(localStorage.getItem("latentcells")) };
    } catch {
      return { read: {}, quiz: {} };
    }
  },

  /** Keep something of this chapter; says whether the browser does. */
  keep(kind, value) {
    const all = progress.all();
    all[kind][progress.chapter] = value;
    try {
      localStorage.setItem("latentcells", JSON.stringify(all));
      return true;
    } catch {
      return false;
    }
  },

  /** Forget all chapters; says whether the browser does. */
  forget() {
    try {
      localStorage.removeItem("latentcells");
      return true;
    } catch {
      return false;
    }
  },
};

/** The button at the end of a chapter. */
const offerToMark = (quiz) => {
  const button = element("button", { type: "button", className: "lc-read" }, "I have read this chapter");
  const status = element("span");
  status.setAttribute("role", "status");
  const show = (read) => button.setAttribute("aria-pressed", String(read));
  show(Boolean(progress.all().read[progress.chapter]));
  button.addEventListener("click", () => {
    const read = button.getAttribute("aria-pressed") === "false";
    show(read);
    const kept = progress.keep("read", read);
    const said = read ? "Marked as read, in this browser only." : "No longer marked.";
    status.textContent = kept ? said : "Your browser keeps no marks.";
  });
  quiz.closest("article").append(element("p", { className: "lc-progress" }, button, status));
};

/** The line on the first page. */
const showProgress = (place) => {
  const { read, quiz } = progress.all();
  const chapters = Object.values(read).filter((mark) => mark).length;
  const answers = Object.values(quiz).flatMap(Object.keys).length;
  if (!chapters && !answers) return;
  const { chapters: allChapters, questions } = place.dataset;
  const line = element(
    "p",
    { tabIndex: -1 },
    `${chapters} of ${allChapters} chapters read, ${answers} of ${questions} questions answered. ` +
      "These marks stay in this browser; nothing is sent.",
  );
  line.setAttribute("role", "status");
  const forget = element("button", { type: "button", className: "lc-again" }, "Forget all");
  forget.addEventListener("click", () => {
    if (progress.forget()) {
      line.textContent = "All marks and answers are forgotten.";
      forget.remove();
    } else {
      line.textContent = "Your browser did not let the page forget them: clear its data for this site.";
    }
    line.focus();
  });
  place.append(line, forget);
};

document.querySelectorAll("section#quiz").forEach(offerToMark);
document.querySelectorAll("#progress").forEach(showProgress);
