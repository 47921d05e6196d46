// Makes the quiz of a chapter answerable. The page holds it as plain text: a question, its choices in a list, and a folded
// answer that says of each choice why (tests/notebooks/chapter_rules.py checks that no part is missing). Here each choice becomes a
// button that opens what the answer says of it. The answers are kept in the browser (progress.js); nothing is sent.

/** The parts of each question below a heading: {choices, feedback, answer}, where the page has all of them. */
const questions = (section) =>
  [...section.querySelectorAll(":scope > details.sd-dropdown")]
    .map((answer) => ({
      answer,
      choices: [...(answer.previousElementSibling?.matches("ul") ? answer.previousElementSibling.children : [])],
      feedback: [...answer.querySelectorAll(".sd-card-body > ul > li")],
    }))
    .filter(({ choices, feedback }) => choices.length && choices.length === feedback.length);

/** Turn a list item into a button that opens its feedback; `pressed()` is told. Returns its parts. */
const enhance = (choice, feedback, pressed) => {
  const text = choice.querySelector("p") ?? choice;
  const verdict = feedback.querySelector("strong");
  const right = verdict.textContent.endsWith("is right.");
  verdict.textContent = right ? "✓ Right." : "✗ Not this one.";
  const button = element("button", { type: "button", className: "lc-choice" }, ...text.childNodes);
  const said = element("div", { hidden: true, className: right ? "lc-right" : "lc-wrong" }, ...feedback.childNodes);
  const status = element("div", {}, said);
  status.setAttribute("role", "status");
  button.setAttribute("aria-expanded", "false");
  const open = (shown) => {
    said.hidden = !shown;
    button.setAttribute("aria-expanded", String(shown));
  };
  button.addEventListener("click", () => {
    open(true);
    pressed();
  });
  choice.replaceChildren(button, status);
  return { right, open };
};

const start = (section) => {
  const items = questions(section);
  if (!items.length) return;
  let answers = progress.all().quiz[progress.chapter] ?? {}; // of each question: its choices, the first one first
  const score = element("p", { className: "lc-score" });
  score.setAttribute("role", "status");
  const again = element("button", { type: "button", className: "lc-again", hidden: true }, "Start again");
  const tell = () => {
    const given = Object.entries(answers);
    const right = given.filter(([i, [first]]) => choices[i]?.[first]?.right).length;
    score.textContent = given.length
      ? `${given.length} of ${items.length} answered, ${right} right at the first try.`
      : "Choose an answer to see what it says. Your answers stay in this browser; nothing is sent.";
    again.hidden = !given.length;
  };
  const choices = items.map((item, i) => {
    item.choices[0].parentElement.classList.add("lc-choices");
    item.answer.remove();
    return item.choices.map((choice, j) =>
      enhance(choice, item.feedback[j], () => {
        answers[i] = [...new Set([...(answers[i] ?? []), j])];
        progress.keep("quiz", answers);
        tell();
      }),
    );
  });
  for (const [i, given] of Object.entries(answers)) given.forEach((j) => choices[i]?.[j]?.open(true));
  again.addEventListener("click", () => {
    answers = {};
    progress.keep("quiz", answers);
    choices.flat().forEach(({ open }) => open(false));
    tell();
    section.querySelector(".lc-choice").focus();
  });
  section.append(score, again);
  tell();
};

document.querySelectorAll("section#quiz").forEach(start);
